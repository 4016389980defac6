"""Inventories of services of which nothing was found: they run ever more rarely."""

MAX_UNUSED_INTERVAL = 6 * 3600.0  # seconds


class UnusedService:
    """The inventories of a service that have found nothing, since the last one that has found something."""

    def __init__(self) -> None:
        self._empty_runs, self._ended_at = 0, 0.0

    def record(self, is_unused: bool, now: float) -> None:
        """Record the end of an inventory. is_unused: it found nothing, and nothing failed. now: seconds."""
        self._empty_runs, self._ended_at = self._empty_runs + 1 if is_unused else 0, now

    def interval(self, usual: float) -> float:
        """Return the seconds from the last inventory to the next. usual: the interval of the schedule.

        The second empty inventory follows the first after two intervals, the third after four, and so on up
        to MAX_UNUSED_INTERVAL.
        """
        return min(usual * 2.0 ** min(self._empty_runs, 30), max(MAX_UNUSED_INTERVAL, usual))

    def is_due(self, now: float, interval: float) -> bool:
        """Return whether a scheduled inventory is to be run at `now`. interval: of the schedule, in seconds.

        A run may be half an interval early, as those of a schedule vary.
        """
        return not self._empty_runs or now - self._ended_at >= self.interval(interval) - interval / 2
