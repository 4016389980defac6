"""The sums over recommendations: what is saved, and what is needed."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from monitor.sizing.recommendations import Recommendation
from rules.right_size import Advice


@dataclass(frozen=True, slots=True)
class SizingTotals:
    """The numbers of recommendations.

    counts: by advice. saved, needed: US dollars of a month by list price, of those whose price is known.
    unpriced: of what is to be raised or lowered, the number of those whose price is not known.
    """

    counts: Mapping[Advice, int]
    saved: float
    needed: float
    unpriced: int

    @classmethod
    def of(cls, found: Iterable[Recommendation]) -> Self:
        """Return the sums."""
        every = [*found]
        changes = [one.monthly_dollars for one in every if one.advice in (Advice.RAISE, Advice.LOWER)]
        known = [one for one in changes if one is not None]
        counts = Counter(one.advice for one in every)
        return cls(
            {advice: counts[advice] for advice in Advice},
            -sum(one for one in known if one < 0),
            sum(one for one in known if one > 0),
            len(changes) - len(known),
        )
