"""Limits that share one count of throttled demand, as bytes and records of a stream do.

Demand is throttled at the fullest limit, so the count says nothing about the other limits. Limits with the
same count were throttled in the same minutes. If the lowest utilization of a limit in these minutes is below
that of another limit, then the other limit was fuller in that minute, and explains the throttled demand.
"""

from typing import NamedTuple, Self

import numpy as np

from monitor.fleet.series_columns import SeriesColumns
from rules.arrays import Flags, Floats, Ints, distinct_values


class SharedThrottling(NamedTuple):
    """The series whose demand was throttled in the last fortnight.

    slot: their slots. lowest: the lowest utilization at which demand was throttled. count_number: a number
    that is equal for series which share a count of throttled demand.
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
        return distinct_values(np.concatenate([slots, self.slot[is_shared]])).astype(np.int32)
