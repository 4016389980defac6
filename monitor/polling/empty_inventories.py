"""The interval between inventories of a service that has no resources: it doubles after each inventory."""

MAX_UNUSED_INTERVAL = 6 * 3600.0  # seconds


class EmptyInventories:
    """Counts a service's empty inventories since the last inventory that found something or failed."""

    def __init__(self) -> None:
        self._empty_runs, self._ended_at = 0, 0.0

    def record(self, is_empty: bool, now: float) -> None:
        """Record that an inventory ended at `now`. is_empty: it found no resource, and no call failed."""
        self._empty_runs, self._ended_at = self._empty_runs + 1 if is_empty else 0, now

    def interval(self, usual_interval: float) -> float:
        """Return the seconds from the last inventory to the next. usual_interval: of a service in use.

        The second empty inventory follows the first after two usual intervals, the third follows the second
        after four, and so on up to MAX_UNUSED_INTERVAL.
        """
        doubled_interval = usual_interval * 2.0 ** min(self._empty_runs, 30)
        return min(doubled_interval, max(MAX_UNUSED_INTERVAL, usual_interval))

    def is_due(self, now: float, usual_interval: float) -> bool:
        """Return whether an inventory is to run at `now`. The caller asks every `usual_interval` seconds.

        An inventory may begin half a usual interval early, as the times of the calls vary.
        """
        elapsed = now - self._ended_at
        return not self._empty_runs or elapsed >= self.interval(usual_interval) - usual_interval / 2
