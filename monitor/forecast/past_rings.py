"""Points of a fortnight, each of five minutes, from which formulas compute usage as from current points."""

from collections.abc import Mapping
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

    def __init__(self, rings: Rings, start: int, points: Mapping[int, Floats]) -> None:
        """Take points by row, each of five minutes; the first begins at `start`."""
        super().__init__()
        size, point_count = rings.size, max(map(len, points.values()), default=0)
        self.size, self._start, self._point_count = size, start, point_count
        self._index = np.full(size, len(points), np.intp)
        self._index[[*points]] = np.arange(len(points))
        self._points = np.stack([*points.values(), np.full(point_count, np.nan, np.float32)])
        is_zero_when_absent = rings.zero_when_absent[[*points]]
        for index in np.flatnonzero(is_zero_when_absent).tolist():
            known_indices = np.flatnonzero(np.isfinite(self._points[index]))
            first_known = known_indices[0] if known_indices.size else point_count
            self._points[index, first_known:] = np.nan_to_num(self._points[index, first_known:])
        self.period = np.maximum(rings.period[:size], POINT_MINUTES).astype(np.int16)
        self.latest_minute = np.full(size, start + point_count * POINT_MINUTES + AFTER_END, np.int32)
        self.latest_value = np.full(size, np.nan, np.float32)
        self.proven_through = np.full(size, ALWAYS, np.int32)

    def at(self, rows: Ints, minutes: Ints) -> Floats:
        """Return the value of each row in its minute; NaN if it is missing, or before the first point."""
        position = (minutes - self._start) // POINT_MINUTES
        is_read = (position >= 0) & (position < self._point_count)
        values = self._points[self._index[rows], np.clip(position, 0, max(self._point_count - 1, 0))]
        found: Floats = np.where(is_read, values, np.nan).astype(np.float32)
        return found
