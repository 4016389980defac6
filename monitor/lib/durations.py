"""Formats durations for sentences."""

MINUTE = 60  # seconds
UNITS = (("d", 24 * 60 * MINUTE), ("h", 60 * MINUTE), ("min", MINUTE), ("s", 1))


def format_duration(seconds: float) -> str:
    """Return a duration in one or two units: `40 s`, `22 min`, `3 h 10 min`, `2 d`."""
    remaining = int(max(seconds, 0))
    counts: list[tuple[int, str]] = []
    for name, length in UNITS if remaining < MINUTE else UNITS[:-1]:  # from a minute on, seconds are left out
        count, remaining = divmod(remaining, length)
        counts.append((count, name))
    while len(counts) > 1 and not counts[0][0]:
        del counts[0]
    return " ".join(f"{count} {name}" for count, name in counts[:2] if count) or "0 s"
