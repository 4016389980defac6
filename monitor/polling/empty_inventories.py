"""The interval between inventories of a service that has no resources: it doubles after each inventory."""

MAX_UNUSED_INTERVAL = 6 * 3600.0  # seconds


class UnusedService:
    """Counts a service's empty inventories since the last inventory that found something or failed."""

    def __init__(self) -> None:
        self._empty_runs, self._ended_at = 0, 0.0

    def record(self, is_unused: bool, now: float) -> None:
        """Record that an inventory ended at `now`. is_unused: it found no resource, and nothing failed."""
        self._empty_runs, self._ended_at = self._empty_runs + 1 if is_unused else 0, now

    def interval(self, usual: float) -> float:
        """Return the seconds from the last inventory to the next. usual: the interval of a used service.

        The second empty inventory follows the first after two usual intervals, the third follows the second
        after four, and so on up to MAX_UNUSED_INTERVAL.
        """
        return min(usual * 2.0 ** min(self._empty_runs, 30), max(MAX_UNUSED_INTERVAL, usual))

    def is_due(self, now: float, usual: float) -> bool:
        """Return whether an inventory is to run at `now`. The caller asks every `usual` seconds.

        An inventory may begin half a usual interval early, as the times of the calls vary.
        """
        return not self._empty_runs or now - self._ended_at >= self.interval(usual) - usual / 2
