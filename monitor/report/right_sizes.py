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
    slots_by_purchase = defaultdict[Purchase, list[int]](list)
    for row in rows:
        series = fleet.series[row.key]
        if series.settings.paid and (size := series.settings.size):
            slots_by_purchase[Purchase.of(row.key, size)].append(series.slot)
    slots_of_purchases = [*slots_by_purchase.values()]
    cumulative_counts = np.cumsum([len(slots) for slots in slots_of_purchases], dtype=np.int64)
    chosen_count = int(np.searchsorted(cumulative_counts, max_series, side="right"))
    chosen_slots = [slot for slots in slots_of_purchases[:chosen_count] for slot in slots]
    return np.array(chosen_slots, np.int32), len(slots_of_purchases) - chosen_count
