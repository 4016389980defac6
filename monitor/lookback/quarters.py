"""The highest usage of each quarter of an hour of past days, of which the backtest makes forecasts."""

import numpy as np

from monitor.fleet.columns import Floats, Indices
from monitor.fleet.judged import Judged
from rules.analogs import BIN_MINUTES


class Quarters:
    """The quarters of an hour of some series, [series, quarter]. start: the minute in which the first begins.

    usage: the highest of each, as it was judged; NaN where none is known. near_from: the usage from which on
    the series is near its limit, at the end of each.
    """

    def __init__(self, slots: Indices, minutes: range) -> None:
        self.slots, self.start = slots, -(-minutes.start // BIN_MINUTES) * BIN_MINUTES
        self.count = max(0, (minutes.stop - self.start) // BIN_MINUTES)
        self.usage: Floats = np.full((slots.size, self.count), np.nan, np.float32)
        self.near_from: Floats = np.full((slots.size, self.count), np.nan, np.float32)

    def add(self, first: int, minutes: range, judged: Judged) -> None:
        """Add minutes of the series from the `first` on; `judged` has all minutes of one, then the next."""
        numbers = np.arange(minutes.start, minutes.stop) - self.start
        inside = (numbers >= 0) & (numbers < self.count * BIN_MINUTES)
        quarters, where = np.unique(numbers[inside] // BIN_MINUTES, return_inverse=True)
        if not quarters.size:
            return
        usage, near_from = _judged_usage(judged), judged.limit * judged.near
        series = slice(first, first + usage.size // len(minutes))
        edges = np.flatnonzero(np.diff(where, prepend=-1))
        shape, part = (-1, len(minutes)), slice(int(quarters[0]), int(quarters[-1]) + 1)
        highest = np.fmax.reduceat(usage.reshape(shape)[:, inside], edges, axis=1)
        self.usage[series, part] = np.fmax(self.usage[series, part], highest)
        last = np.append(edges[1:], where.size) - 1
        self.near_from[series, part] = near_from.reshape(shape)[:, inside][:, last]

    def quarter_of(self, minute: int) -> int:
        """Return the number of the quarter of a minute."""
        return (minute - self.start) // BIN_MINUTES


def _judged_usage(judged: Judged) -> Floats:
    """Return the usages; NaN for those that are not judged."""
    usage = judged.usage.copy()
    usage[judged.throttled_alone | judged.doubted] = np.nan
    return usage
