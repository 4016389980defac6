"""The right sizes that a report recommends, and the series whose past they need."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.fleet.fleet import Fleet
from monitor.fleet.purchases import Purchase
from monitor.fleet.rows import Row
from monitor.sizing.recommendations import Recommendation
from monitor.sizing.totals import SizingTotals
from rules.arrays import Ints
from rules.right_size import Advice


@dataclass(frozen=True, slots=True)
class RightSizes:
    """The recommendations of a scan. omitted: the number of purchases that were not examined."""

    recommendations: Sequence[Recommendation]
    omitted: int = 0

    @property
    def changes(self) -> Sequence[Recommendation]:
        """The recommendations to raise or to lower."""
        return [
            recommendation
            for recommendation in self.recommendations
            if recommendation.advice in (Advice.RAISE, Advice.LOWER)
        ]

    @property
    def totals(self) -> SizingTotals:
        """The totals of all recommendations."""
        return SizingTotals.of(self.recommendations)


def purchases_of(fleet: Fleet, rows: Iterable[Row], max_series: int) -> tuple[Ints, int]:
    """Return the slots of the series of the chosen purchases, and the number of purchases left out.

    rows: the most urgent first; the purchases of the most urgent series are chosen, each with all its series.
    max_series: the maximum number of slots.
    """
    slots_of = defaultdict[Purchase, list[int]](list)
    for row in rows:
        series = fleet.series[row.key]
        if series.settings.paid and (size := series.settings.size):
            slots_of[Purchase.of(row.key, size)].append(series.slot)
    series_counts = np.cumsum([len(slots) for slots in slots_of.values()], dtype=np.int64)
    chosen_count = int(np.searchsorted(series_counts, max_series, side="right"))
    slots = [slot for purchase_slots in [*slots_of.values()][:chosen_count] for slot in purchase_slots]
    return np.array(slots, np.int32), len(slots_of) - chosen_count
