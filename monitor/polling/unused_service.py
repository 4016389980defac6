"""The inventories of services that have no resources: they run ever more rarely."""

MAX_UNUSED_INTERVAL = 6 * 3600.0  # seconds


class UnusedService:
    """Counts the inventories of a service that found nothing since the last one that found something."""

    def __init__(self) -> None:
        self._empty_runs, self._ended_at = 0, 0.0

    def record(self, is_unused: bool, now: float) -> None:
        """Record that an inventory ended at `now`. is_unused: it found nothing, and nothing failed."""
        self._empty_runs, self._ended_at = self._empty_runs + 1 if is_unused else 0, now

    def interval(self, usual: float) -> float:
        """Return the seconds from the last inventory to the next. usual: the interval of the schedule.

        The second empty inventory follows the first after two intervals, the third after four, and so on up
        to MAX_UNUSED_INTERVAL.
        """
        return min(usual * 2.0 ** min(self._empty_runs, 30), max(MAX_UNUSED_INTERVAL, usual))

    def is_due(self, now: float, interval: float) -> bool:
        """Return whether to run a scheduled inventory at `now`. interval: seconds between scheduled runs.

        A run may be up to half an interval early, as the times of scheduled runs vary.
        """
        return not self._empty_runs or now - self._ended_at >= self.interval(interval) - interval / 2
