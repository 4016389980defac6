"""Formats numbers with their units."""

DECIMAL_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
BINARY_PREFIXES = ((2**40, "Ti"), (2**30, "Gi"), (2**20, "Mi"), (2**10, "Ki"))
MIN_WHOLE_PERCENT = 0.1  # ratio; smaller ones are shown as percents with two significant digits
MIN_WHOLE_NUMBER = 100  # smaller numbers are shown with three significant digits
MIN_SHOWN_RATIO = 0.0001  # smaller positive ratios are shown as less than this
TIME_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))


def format_amount(value: float, unit: str) -> str:
    """Return a number with its unit: `3.6 MiB/s`, `1.2k requests/s`, `36 h`."""
    if unit.startswith("bytes"):
        size, prefix = _scaled(value, BINARY_PREFIXES)
        return f"{size} {prefix}B{unit.removeprefix('bytes')}"
    if unit == "milliseconds":
        span, name = _scaled(value, TIME_UNITS)
        return f"{span} {name or 'ms'}"
    size, prefix = _scaled(value, DECIMAL_PREFIXES)
    return f"{size}{prefix} {unit}" if unit != "percent" else f"{size}{prefix} %"


def format_range(usage: float | None, upper_bound: float | None, unit: str, bounded: bool) -> str:
    """Return a usage, or a range if `bounded`; `usage` is then the lower bound. Return a dash for None."""
    if usage is None:
        return "-"
    if not bounded:
        return format_amount(usage, unit)
    if upper_bound is None:
        return f"at least {format_amount(usage, unit)}"
    highest, lowest = format_amount(upper_bound, unit), format_amount(usage, unit)
    number, _, unit_text = lowest.partition(" ")
    same = unit_text == highest.partition(" ")[2]  # a common unit is shown once
    return f"{number if same else lowest} to {highest}" if usage else f"at most {highest}"


def _scaled(value: float, scales: tuple[tuple[float, str], ...]) -> tuple[str, str]:
    scale, prefix = next((one for one in scales if float(f"{value / one[0]:.3g}") >= 1), (1, ""))
    number = value / scale
    return f"{number:.0f}" if number >= MIN_WHOLE_NUMBER else f"{number:.3g}", prefix


def format_percent(ratio: float | None) -> str:
    """Return a ratio as a percentage: `91 %`, `0.42 %`; a dash for None."""
    if ratio is None:
        return "-"
    if 0 < ratio < MIN_SHOWN_RATIO:
        return f"<{MIN_SHOWN_RATIO * 100:g} %"
    return f"{ratio * 100:.0f} %" if ratio >= MIN_WHOLE_PERCENT or ratio == 0 else f"{ratio * 100:.2g} %"
