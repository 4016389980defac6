"""Bounds the cost of searches for parts of aggregates: a search that costs more than it saves is paused.

How an aggregate is published decides what it saves: where its points come earlier than those of its parts,
each throttled minute is unexplained at first, and all parts are requested at once.
"""

from math import exp

MEAN_MINUTES = 60  # minutes: the time constant of the mean rate of requests
PAUSE = 720  # minutes without a search after searches that saved nothing


class PartSearches:
    """The searches for parts, by the row of the aggregate."""

    def __init__(self) -> None:
        self._may_pause = True
        self._rates: dict[int, tuple[float, int]] = {}  # requests a minute, and the minute of that mean
        self._paused_until: dict[int, int] = {}

    def allow_pauses(self, are_allowed: bool) -> None:
        """Say whether searches may pause: not under a budget, which stretches the cadences of parts."""
        self._may_pause = are_allowed

    def note(self, aggregate: int, requests: int, saved_rate: float, now: int) -> None:
        """Note how many parts are requested at once in the minute `now`; pause if this saves nothing.

        saved_rate: the requests a minute that the aggregate saves without searches.
        """
        if not self._may_pause:
            return
        rate, at = self._rates.get(aggregate, (0.0, now))
        rate = rate * exp((at - now) / MEAN_MINUTES) + requests / MEAN_MINUTES
        self._rates[aggregate] = rate, now
        if rate > saved_rate:
            self._paused_until[aggregate] = now + PAUSE
            del self._rates[aggregate]

    def are_paused(self, aggregate: int, now: int) -> bool:
        """Return whether the parts of an aggregate are read as if there were no aggregate."""
        return self._may_pause and self._paused_until.get(aggregate, now) > now

    def resume(self, aggregate: int) -> None:
        """End a pause, as the aggregate was 0 for so long that nothing needs to be looked for."""
        self._paused_until.pop(aggregate, None)

    def paused(self, now: int) -> list[int]:
        """Return the aggregates whose searches are paused."""
        return [aggregate for aggregate in self._paused_until if self.are_paused(aggregate, now)]
