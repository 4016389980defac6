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

    counts: the number of recommendations by advice. saved, needed: what the changes save and what they cost,
    in US dollars a month at list prices, without changes whose price is unknown. unpriced: the number of
    changes whose price is unknown. maximum_changes: the number of changes of a configured maximum
    (`size.is_maximum`), which is not billed itself.
    """

    counts: Mapping[Advice, int]
    saved: float
    needed: float
    unpriced: int
    maximum_changes: int

    @classmethod
    def of(cls, recommendations: Iterable[Recommendation]) -> Self:
        """Return the totals of these recommendations."""
        terms = [(each.advice, each.size.is_maximum, each.monthly_dollars) for each in recommendations]
        changes = [
            (is_maximum, dollars)
            for advice, is_maximum, dollars in terms
            if advice in (Advice.RAISE, Advice.LOWER)
        ]
        known_changes = [dollars for _, dollars in changes if dollars is not None]
        maximum_changes = sum(is_maximum for is_maximum, _ in changes)
        counts = Counter(advice for advice, _, _ in terms)
        return cls(
            counts={advice: counts[advice] for advice in Advice},
            saved=-sum(dollars for dollars in known_changes if dollars < 0),
            needed=sum(dollars for dollars in known_changes if dollars > 0),
            unpriced=len(changes) - len(known_changes) - maximum_changes,
            maximum_changes=maximum_changes,
        )
