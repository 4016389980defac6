"""The peaks of demand that recommendations are based on, by slot of the fleet."""

from typing import NamedTuple, Self

import numpy as np

from monitor.fleet.columns import Floats, Ints


class Peaks(NamedTuple):
    """The demand of some series in a fortnight, by slot, in the unit of usage.

    peak: the 99th percentile of the highest demand of each quarter of an hour; NaN is unknown. known: the
    number of quarters with known demand. span: the number of quarters since the first known one. ceiling: the
    lowest utilization above 0 at which demand was refused; NaN if none was. throttled_days: on how many days
    demand was refused.
    """

    peak: Floats
    known: Ints
    span: Ints
    ceiling: Floats
    throttled_days: Ints

    @classmethod
    def unknown(cls, size: int) -> Self:
        """Return the peaks of `size` series whose demand is unknown."""
        nan, none = np.full(size, np.nan, np.float32), np.zeros(size, np.int32)
        return cls(nan, none, none.copy(), nan.copy(), none.copy())
