"""Numbers with their unit, for people: absolute and short."""

SCALES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
BINARY = ((2**40, "Ti"), (2**30, "Gi"), (2**20, "Mi"), (2**10, "Ki"))
TENTH = 0.1  # below it, a whole number of percents says too little
HUNDRED = 100  # from here on, three digits are a whole number
LEAST = 0.0001  # what is less but not nothing is said to be less
TIMES = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))


def amount(value: float, unit: str) -> str:
    """A number and its unit: `3.6 MiB/s`, `1.2k requests/s`, `36 h`."""
    if unit.startswith("bytes"):
        size, prefix = _scaled(value, BINARY)
        return f"{size} {prefix}B{unit.removeprefix('bytes')}"
    if unit == "milliseconds":
        span, name = _scaled(value, TIMES)
        return f"{span} {name or 'ms'}"
    size, prefix = _scaled(value, SCALES)
    return f"{size}{prefix} {unit}" if unit != "percent" else f"{size}{prefix} %"


def _scaled(value: float, scales: tuple[tuple[float, str], ...]) -> tuple[str, str]:
    scale, prefix = next((one for one in scales if float(f"{value / one[0]:.3g}") >= 1), (1, ""))
    number = value / scale
    return f"{number:.0f}" if number >= HUNDRED else f"{number:.3g}", prefix


def percent(ratio: float | None) -> str:
    """A utilization as people read it: `91 %`, `0.42 %`; a dash when it is not known."""
    if ratio is None:
        return "-"
    if 0 < ratio < LEAST:
        return f"<{LEAST * 100:g} %"
    return f"{ratio * 100:.0f} %" if ratio >= TENTH or ratio == 0 else f"{ratio * 100:.2g} %"
