"""Halves the rate of calls when AWS throttles them, and raises it again little by little."""

from dataclasses import dataclass
from typing import NamedTuple

MIN_SHARE = 1 / 32  # the lowest rate as a share of the highest, however long AWS throttles
RECOVERY_TIME = 300.0  # seconds of successful calls in which a rate would grow from 0 to its highest
MAX_GROWTH_PAUSE = 10.0  # seconds; a longer pause between two successful calls counts as this long


class LoweredRate(NamedTuple):
    """The rate of calls to a service, or to one operation of it, while AWS throttles them: see `CallRate`."""

    service: str
    operation: str
    calls_per_second: float
    highest: float


@dataclass(slots=True)
class CallRate:
    """A rate that is halved when AWS throttles, and grows by the same amount in each second of success.

    Additive increase, multiplicative decrease: clients of one quota that all do so share it fairly.
    highest: calls per second while AWS throttles none. present: calls per second now. lowered_at: when the
    rate was last halved, by the same clock as the arguments of the methods; None: never.
    """

    highest: float
    present: float = 0.0
    lowered_at: float | None = None
    _changed_at: float = 0.0

    def __post_init__(self) -> None:
        self.present = self.highest

    @property
    def is_lowered(self) -> bool:
        """True while fewer calls are made than without throttling."""
        return self.present < self.highest

    def set_highest(self, calls_per_second: float) -> None:
        """Change the highest rate, which is also the present one until AWS throttles."""
        self.highest = self.present = calls_per_second

    def record_throttling(self, sent_at: float, now: float) -> None:
        """Halve the rate, as AWS throttled a call; ignore a call that was sent before the rate last fell."""
        if self._is_of_former_rate(sent_at):
            return
        self.present = max(self.present / 2, self.highest * MIN_SHARE)
        self.lowered_at = self._changed_at = now

    def record_success(self, sent_at: float, now: float) -> None:
        """Raise the rate, as a call succeeded; ignore a call that was sent before the rate last fell."""
        if not self.is_lowered or self._is_of_former_rate(sent_at):
            return
        elapsed = min(max(now - self._changed_at, 0.0), MAX_GROWTH_PAUSE)
        self.present = min(self.present + self.highest * elapsed / RECOVERY_TIME, self.highest)
        self._changed_at = now

    def _is_of_former_rate(self, sent_at: float) -> bool:
        return self.lowered_at is not None and sent_at < self.lowered_at
