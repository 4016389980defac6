"""AWS's time by the clocks of all cells, and the check of this machine's clock against it."""

import time
from collections.abc import Callable, Iterable
from statistics import median

from monitor.aws.clock import MAX_SKEW, AwsClock
from monitor.aws.failure import Failure
from monitor.aws.run_status import RunStatus

CLOCK_SKEW = "ClockSkew"  # the code of the failure of a skewed clock


class MedianClock:
    """The median of several clocks, which a single wrong clock does not change.

    status: the result of the last check of this machine's clock.
    """

    def __init__(self, clocks: Callable[[], Iterable[AwsClock]]) -> None:
        self._clocks, self.status = clocks, RunStatus()

    @property
    def skew(self) -> float | None:
        """Seconds by which this machine's clock is ahead of AWS's (negative: behind); None: not known."""
        known_skews = [skew for clock in self._clocks() if (skew := clock.skew) is not None]
        return median(known_skews) if known_skews else None

    def now(self) -> float:
        """Return epoch seconds: this machine's, or AWS's if the two differ by more than MAX_SKEW."""
        skew = self.skew
        return time.time() - (skew if skew is not None and abs(skew) > MAX_SKEW else 0)

    def check(self) -> None:
        """Compare this machine's clock with AWS's, and record the result."""
        if (skew := self.skew) is not None:
            self.status.end(skew_failures(skew), time.time())


def skew_failures(skew: float) -> list[Failure]:
    """Return the failure of a check that found this skew, in seconds; none within MAX_SKEW."""
    if abs(skew) <= MAX_SKEW:
        return []
    direction = "ahead of" if skew > 0 else "behind"
    message = f"this machine's clock is {abs(skew) / 60:.0f} min {direction} AWS's, which is used instead"
    return [Failure("", "", CLOCK_SKEW, message)]
