"""The right sizes that a report recommends, and the series whose past they need."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.fleet.columns import Ints
from monitor.fleet.fleet import Fleet
from monitor.fleet.purchases import Purchase
from monitor.fleet.rows import Row
from monitor.sizing.recommendations import Recommendation
from monitor.sizing.totals import SizingTotals
from rules.right_size import Advice


@dataclass(frozen=True, slots=True)
class RightSizes:
    """The recommendations of a scan. omitted: the number of purchases that were not looked at."""

    found: Sequence[Recommendation]
    omitted: int = 0

    @property
    def changes(self) -> Sequence[Recommendation]:
        """Those that are to be raised or lowered."""
        return [one for one in self.found if one.advice in (Advice.RAISE, Advice.LOWER)]

    @property
    def totals(self) -> SizingTotals:
        """The sums over all of them."""
        return SizingTotals.of(self.found)


def purchases_of(fleet: Fleet, rows: Iterable[Row], most: int) -> tuple[Ints, int]:
    """Return the slots of the series of whole purchases, at most `most`, and how many purchases are left out.

    rows: the most urgent first, as those of the purchases are chosen.
    """
    slots_of = defaultdict[Purchase, list[int]](list)
    for row in rows:
        series = fleet.series[row.key]
        if series.settings.paid and (size := series.settings.size):
            slots_of[Purchase.of(row.key, size)].append(series.slot)
    sums = np.cumsum([len(some) for some in slots_of.values()], dtype=np.int64)
    chosen = int(np.searchsorted(sums, most, side="right"))
    slots = [slot for some in [*slots_of.values()][:chosen] for slot in some]
    return np.array(slots, np.int32), len(slots_of) - chosen
