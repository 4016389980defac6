"""The intervals at which metrics are read, as a projection of the cost needs them."""

from dataclasses import dataclass

from monitor.config.config import Config
from monitor.planning.settings import BudgetTerms


@dataclass(frozen=True, slots=True)
class ReadIntervals:
    """The intervals at which metrics are read, in seconds.

    longest: between two requests for a metric of usage, while its series is far from the limit. throttled:
    the same for a metric of throttled demand. streamed: services whose metrics a metric stream delivers.
    budget: the budget that may lengthen the intervals; None without a budget.
    """

    longest: float
    throttled: float
    streamed: frozenset[str] = frozenset()
    budget: BudgetTerms | None = None

    @classmethod
    def of(cls, config: Config) -> "ReadIntervals":
        """Return the configured intervals, and the budget that may lengthen them."""
        longest = max(config.interval, config.max_interval)
        throttled = max(config.intervals.throttled * 60.0, config.interval)
        return cls(longest, throttled, budget=config.budget_terms)

    @property
    def is_every_minute(self) -> bool:
        """True if all metrics are read every minute, unless a budget lengthens the interval."""
        return max(self.longest, self.throttled) <= 60  # noqa: PLR2004
