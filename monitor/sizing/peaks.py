"""The peaks of demand that recommendations are based on, by slot of the fleet."""

from typing import NamedTuple, Self

import numpy as np

from rules.arrays import Floats, Ints


class Peaks(NamedTuple):
    """The demand of some series in the last fortnight, by slot.

    peak: the 99th percentile of the highest demand of each quarter of an hour, in the unit of usage; NaN if
    unknown.
    known_bins: the number of quarters of an hour with known demand.
    span_bins: the number of quarters of an hour since the first with known demand.
    ceiling: the lowest utilization above 0 at which demand was throttled; NaN if no demand was throttled.
    throttled_days: the number of days on which demand was throttled.
    """

    peak: Floats
    known_bins: Ints
    span_bins: Ints
    ceiling: Floats
    throttled_days: Ints

    @classmethod
    def unknown(cls, size: int) -> Self:
        """Return the peaks of `size` series whose demand is unknown."""
        nan, zero = np.full(size, np.nan, np.float32), np.zeros(size, np.int32)
        return cls(nan, zero, zero.copy(), nan.copy(), zero.copy())
