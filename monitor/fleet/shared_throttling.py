"""Limits that share one count of throttled demand, as bytes and records of a stream do.

Demand is throttled at the fullest limit, so the count says nothing about the other limits. Of limits with the
same count, the lowest utilization at which demand was throttled is of the same minutes. In the minute of its
own lowest one, a limit was therefore less full than another limit whose lowest one is higher.
"""

from typing import NamedTuple, Self

import numpy as np

from monitor.fleet.series_columns import SeriesColumns
from rules.arrays import Flags, Floats, Ints


class SharedThrottling(NamedTuple):
    """The series whose demand was throttled in the last fortnight.

    slot: their slots. lowest: the lowest utilization at which demand was throttled. count_number: the number
    of the count of throttled demand; series with the same metrics have the same one.
    """

    slot: Ints
    lowest: Floats
    count_number: Ints

    @classmethod
    def of(cls, columns: SeriesColumns) -> Self:
        """Find the series by the column `throttled_from`."""
        slots = np.flatnonzero(np.isfinite(columns.throttled_from[: columns.size])).astype(np.int32)
        slots = slots[columns.throttled.has(slots)]
        return cls(slots, columns.throttled_from[slots], columns.throttled.metric_set_numbers(slots))

    def explained(self, size: int) -> Flags:
        """Return by slot, below `size`, whether a fuller limit explains the throttled demand."""
        highest = np.zeros(self.slot.size, np.float32)
        np.maximum.at(highest, self.count_number, self.lowest)
        explained = np.zeros(size, np.bool_)
        explained[self.slot] = self.lowest < highest[self.count_number]
        return explained

    def with_others(self, slots: Ints) -> Ints:
        """Return these slots and the slots of all series that share a count with one of them."""
        is_shared = np.isin(self.count_number, self.count_number[np.isin(self.slot, slots)])
        return np.union1d(slots, self.slot[is_shared]).astype(np.int32)
