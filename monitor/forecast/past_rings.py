"""Points of a fortnight, each of five minutes, from which formulas compute usage as from current points."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from monitor.fleet.columns import Floats, Ints
from monitor.fleet.namespaces import ALWAYS
from monitor.fleet.rings import Rings
from monitor.polling.past_points import POINT_MINUTES

AFTER_END: Final = 1000  # minutes from the end to `latest_minute`, so that formulas look up points


class PastRings(Rings):
    """The points of some metrics, with the rows that they have in the rings of a fleet.

    All minutes were read long after they were published: a point that is missing does not exist. A metric
    that is zero when absent is 0 from its first point on, as it is unknown whether it existed before.
    """

    def __init__(self, rings: Rings, start: int, points: Mapping[int, Floats]) -> None:
        """Take points by row, each of five minutes; the first begins at `start`."""
        super().__init__()
        size, steps = rings.size, max(map(len, points.values()), default=0)
        self.size, self._start, self._steps = size, start, steps
        self._index = np.full(size, len(points), np.intp)
        self._index[[*points]] = np.arange(len(points))
        self._points = np.stack([*points.values(), np.full(steps, np.nan, np.float32)])
        zero = rings.zero_when_absent[[*points]]
        for index in np.flatnonzero(zero).tolist():
            known = np.flatnonzero(np.isfinite(self._points[index]))
            since = known[0] if known.size else steps
            self._points[index, since:] = np.nan_to_num(self._points[index, since:])
        self.period = np.maximum(rings.period[:size], POINT_MINUTES).astype(np.int16)
        self.latest_minute = np.full(size, start + steps * POINT_MINUTES + AFTER_END, np.int32)
        self.latest_value = np.full(size, np.nan, np.float32)
        self.proven_through = np.full(size, ALWAYS, np.int32)

    def at(self, rows: Ints, minutes: Ints) -> Floats:
        """Return the value of each row in its minute; NaN if it is missing, or before the first point."""
        step = (minutes - self._start) // POINT_MINUTES
        inside = (step >= 0) & (step < self._steps)
        values = self._points[self._index[rows], np.clip(step, 0, max(self._steps - 1, 0))]
        found: Floats = np.where(inside, values, np.nan).astype(np.float32)
        return found
