"""Points of past days, from which formulas compute usage as from current points."""

from collections.abc import Mapping, Set
from typing import Final

import numpy as np

from monitor.fleet.namespaces import ALWAYS
from monitor.fleet.rings import Rings
from monitor.polling.past_points import POINT_MINUTES
from rules.arrays import Floats, Ints

# Minutes from the last point to `latest_minute`, which is so late that formulas never ask for `latest_value`,
# but look up each point.
AFTER_END: Final = 1000


class PastRings(Rings):
    """The points of some metrics, with the rows that they have in the rings of a fleet.

    All minutes were read long after they were published: a point that is missing does not exist. A metric
    that is zero when absent is 0 from its first point on, as it is unknown whether it existed before.
    """

    def __init__(
        self,
        rings: Rings,
        start: int,
        points: Mapping[int, Floats],
        point_minutes: int = POINT_MINUTES,
        with_earlier_points: Set[bytes] = frozenset(),
    ) -> None:
        """Take points by row, each of `point_minutes`; the first begins at `start`.

        with_earlier_points: the queries of metrics that have a point before `start`.
        """
        super().__init__()
        size, point_count = rings.size, max(map(len, points.values()), default=0)
        self.size, self._start, self._point_count = size, start, point_count
        self._point_minutes = point_minutes
        # By row, the index of its points in `_points`; the last points are missing, for rows without points.
        self._index = np.full(size, len(points), np.intp)
        self._index[[*points]] = np.arange(len(points))
        self._points = np.stack([*points.values(), np.full(point_count, np.nan, np.float32)])
        for index, row in enumerate(points):
            if rings.zero_when_absent[row]:
                is_known = np.isfinite(self._points[index])
                has_earlier = rings.metric[row] in with_earlier_points
                exists = np.logical_or.accumulate(is_known) | has_earlier
                self._points[index][exists & ~is_known] = 0
        self.period = np.maximum(rings.period[:size], point_minutes).astype(np.int16)
        self.latest_minute = np.full(size, start + point_count * point_minutes + AFTER_END, np.int32)
        self.newest_point = self.read_through = self.joined_through = self.latest_minute
        self.latest_value = np.full(size, np.nan, np.float32)
        self.proven_through = np.full(size, ALWAYS, np.int32)

    def at(self, rows: Ints, minutes: Ints) -> Floats:
        """Return the value of each row in its minute; NaN if it is missing, or before the first point."""
        position = (minutes - self._start) // self._point_minutes
        is_read = (position >= 0) & (position < self._point_count)
        values = self._points[self._index[rows], np.clip(position, 0, max(self._point_count - 1, 0))]
        found: Floats = np.where(is_read, values, np.nan).astype(np.float32)
        return found

    def has_points(self, row: int, minutes: range) -> bool:
        """Return whether a metric has a value in some minute; false for a metric that is not in the rings."""
        first, end = (
            (minute - self._start) // self._point_minutes for minute in (minutes.start, minutes.stop)
        )
        return bool(np.isfinite(self._points[self._index[row], max(first, 0) : max(end, 0)]).any())
