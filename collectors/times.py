"""Times in responses of AWS."""

from datetime import datetime


def epoch_seconds(time: datetime | str | None) -> float | None:
    """Return the epoch seconds of a time from botocore or in ISO 8601; None for None."""
    if time is None:
        return None
    return (datetime.fromisoformat(time) if isinstance(time, str) else time).timestamp()
