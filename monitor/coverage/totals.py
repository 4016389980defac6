"""The number of quotas in each state, and the cost of watching them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from monitor.coverage.quota_coverage import QuotaCoverage
from monitor.coverage.verdicts import CoverageState


@dataclass(frozen=True, slots=True)
class CoverageTotals:
    """Totals of some quotas.

    count_by_state: the number of quotas by state, without states that have none. monthly_dollars: the sum of
    the known costs. unknown_costs: the number of quotas that could be watched at an unknown cost.
    """

    count_by_state: Mapping[CoverageState, int]
    monthly_dollars: float
    unknown_costs: int

    @classmethod
    def of(cls, quotas: Iterable[QuotaCoverage]) -> Self:
        """Count some quotas."""
        states, dollars, unknown_costs = Counter[CoverageState](), 0.0, 0
        for quota in quotas:
            states[quota.state] += 1
            dollars += quota.monthly_dollars or 0.0
            unknown_costs += quota.has_unknown_cost
        return cls(states, dollars, unknown_costs)

    @property
    def quota_count(self) -> int:
        """The number of quotas."""
        return sum(self.count_by_state.values())
