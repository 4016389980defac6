"""The peaks of demand that recommendations are based on, by slot of the fleet."""

from typing import NamedTuple, Self

import numpy as np

from rules.arrays import Floats, Ints


class Peaks(NamedTuple):
    """The peaks of demand to expect of some series, and their demand in the last fortnight, by slot.

    peak: the expected 99th percentile of the highest demand of each quarter of an hour (see
    `rules.expected_peak`), in the unit of usage; NaN if unknown.
    weekly_growth: the growth from week to week that the peak contains, as a share; 0 if none is counted.
    known_bins: the number of quarters of an hour with known demand.
    span_bins: the number of quarters of an hour since the first with known demand.
    ceiling: the lowest utilization above 0 at which demand was throttled; NaN if no demand was throttled, or
    if a fuller limit explains it (see `monitor.fleet.shared_throttling`).
    throttled_days: the number of days on which demand was throttled; 0 if a fuller limit explains it.
    """

    peak: Floats
    weekly_growth: Floats
    known_bins: Ints
    span_bins: Ints
    ceiling: Floats
    throttled_days: Ints

    @classmethod
    def unknown(cls, size: int) -> Self:
        """Return the peaks of `size` series whose demand is unknown."""
        nan, zero = np.full(size, np.nan, np.float32), np.zeros(size, np.int32)
        return cls(
            peak=nan,
            weekly_growth=np.zeros(size, np.float32),
            known_bins=zero,
            span_bins=zero.copy(),
            ceiling=nan.copy(),
            throttled_days=zero.copy(),
        )
