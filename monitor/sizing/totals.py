"""The totals of recommendations: what they save and what they cost."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from monitor.sizing.recommendations import Recommendation
from rules.right_size import Advice


@dataclass(frozen=True, slots=True)
class SizingTotals:
    """The totals of recommendations.

    counts: the number of recommendations by advice. saved, needed: US dollars a month by list price, for
    changes with a known price. unpriced: the number of changes without a known price.
    """

    counts: Mapping[Advice, int]
    saved: float
    needed: float
    unpriced: int

    @classmethod
    def of(cls, found: Iterable[Recommendation]) -> Self:
        """Return the totals of these recommendations."""
        recommendations = [*found]
        changes = [
            recommendation.monthly_dollars
            for recommendation in recommendations
            if recommendation.advice in (Advice.RAISE, Advice.LOWER)
        ]
        known = [dollars for dollars in changes if dollars is not None]
        counts = Counter(recommendation.advice for recommendation in recommendations)
        return cls(
            {advice: counts[advice] for advice in Advice},
            -sum(dollars for dollars in known if dollars < 0),
            sum(dollars for dollars in known if dollars > 0),
            len(changes) - len(known),
        )
