"""Formats durations for sentences."""

UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def format_duration(seconds: float) -> str:
    """Return a duration in one or two units: `40 s`, `22 min`, `3 h 10 min`, `2 d`."""
    words: list[str] = []
    left = int(max(seconds, 0))
    for name, length in UNITS[: -1 if left >= UNITS[-2][1] else len(UNITS)]:
        count, left = divmod(left, length)
        if count or words:
            words.append(f"{count} {name}" if count else "")
    return " ".join(filter(None, words[:2])) or "0 s"
