"""Times in responses."""

from datetime import UTC, datetime


def utc_datetime(seconds: float) -> datetime:
    """Return epoch seconds as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
