"""AWS's time, taken from the `Date` header of its responses.

If this machine's clock differs from AWS's time, polls choose minutes by AWS's time. Between two
responses, AWS's time advances with the monotonic clock, so that a step of the wall clock is noticed at once.
"""

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

MAX_SKEW = 60.0  # seconds by which the clocks may differ


class AwsClock:
    """AWS's time by the responses of one cell; before the first response, this machine's time.

    wall: returns the machine's epoch seconds. monotonic: returns the seconds of a monotonic clock.
    """

    def __init__(
        self, wall: Callable[[], float] | None = None, monotonic: Callable[[], float] | None = None
    ) -> None:
        self._wall, self._monotonic = wall or _wall_clock, monotonic or time.monotonic
        self._offset: float | None = None  # AWS's epoch seconds less the monotonic clock's

    @property
    def skew(self) -> float | None:
        """Seconds by which this machine's clock is ahead of AWS's (negative: behind); None: not known."""
        if self._offset is None:
            return None
        return self._wall() - (self._monotonic() + self._offset)

    def observe(self, date: str | None) -> None:
        """Record the `Date` header of a response that was received just now; an invalid one is ignored."""
        try:
            now = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, OverflowError):
            return
        self._offset = now - self._monotonic()

    def now(self) -> float:
        """Return epoch seconds: this machine's, or AWS's if the two differ by more than MAX_SKEW."""
        skew, wall = self.skew, self._wall()
        return wall if skew is None or abs(skew) <= MAX_SKEW else wall - skew

    def minute(self) -> int:
        """Return the current minute, in minutes since the epoch."""
        return int(self.now() // 60)


def _wall_clock() -> float:
    return time.time()


def date_header(response: Mapping[str, Any]) -> str | None:
    """Return the `Date` header of a response of botocore; None if it has none."""
    date: str | None = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return date
