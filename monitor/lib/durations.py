"""Formats durations and locations for sentences."""

from collections.abc import Mapping

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


def format_location(labels: Mapping[str, str]) -> str:
    """Return the account's name or id, and the region; parts that the labels lack are left out."""
    account = labels.get("account_name") or labels.get("account", "")
    return ", ".join(filter(None, (account, labels.get("region"))))
