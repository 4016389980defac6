"""The allowance of a budget: how much may be spent now.

Spending lowers it. Time raises it again, up to what may be spent ahead; more is not saved up.
"""

from dataclasses import dataclass

from monitor.cost.prices import MINUTES_PER_MONTH, Prices
from monitor.planning.intervals import MAX_INTERVAL

MAX_ADVANCE = 0.01  # share of a month's budget that may be spent ahead, such as for a fleet's first read


def minimum_dollars(metric_count: int, prices: Prices) -> float:
    """Return what a month costs if each metric is requested once in MAX_INTERVAL minutes."""
    return metric_count * MINUTES_PER_MONTH / MAX_INTERVAL * prices.metric


@dataclass(slots=True)
class Allowance:
    """The dollars that may be spent of a budget, which are earned evenly over the minutes of a month.

    At most MAX_ADVANCE of a month's budget can be spent ahead, so a month exceeds its budget by at most that.
    Whatever the budget, each polled metric may be requested once in MAX_INTERVAL minutes.

    dollars_per_month: the budget. polled_metric_count: the number of polled metrics. ahead_dollars: the
    dollars spent, up to the last charge, beyond the dollars earned. charged_minute: the minute of the last
    charge, by a monotonic clock. reserved_dollars: the dollars that are about to be spent.
    """

    dollars_per_month: float
    prices: Prices
    polled_metric_count: int = 0
    ahead_dollars: float = 0.0
    charged_minute: float | None = None
    reserved_dollars: float = 0.0

    @property
    def metrics_per_minute(self) -> float:
        """The number of metrics that may be requested in a minute on average."""
        affordable = self.dollars_per_month / MINUTES_PER_MONTH / self.prices.metric
        granted_anyway = self.polled_metric_count / MAX_INTERVAL
        return max(affordable, granted_anyway)

    @property
    def max_ahead_dollars(self) -> float:
        """The dollars that may be spent ahead."""
        return MAX_ADVANCE * self.metrics_per_minute * self.prices.metric * MINUTES_PER_MONTH

    def change(self, dollars_per_month: float, prices: Prices) -> None:
        """Change the budget and the prices; `ahead_dollars` is lowered to the maximum of a new budget."""
        has_changed = dollars_per_month != self.dollars_per_month
        self.dollars_per_month, self.prices = dollars_per_month, prices
        if has_changed:
            self.ahead_dollars = min(self.ahead_dollars, self.max_ahead_dollars)

    def set_polled_count(self, metric_count: int) -> None:
        """Record how many metrics are polled, each of which may be requested whatever the budget."""
        self.polled_metric_count = metric_count

    def charge(self, minute: float, dollars: float) -> None:
        """Charge dollars that were spent up to a minute of a monotonic clock."""
        elapsed_minutes = 0.0 if self.charged_minute is None else max(minute - self.charged_minute, 0.0)
        earned_dollars = elapsed_minutes * self.metrics_per_minute * self.prices.metric
        self.ahead_dollars = max(self.ahead_dollars - earned_dollars, 0.0) + dollars
        self.charged_minute = minute

    def reserve(self, metric_count: int) -> int:
        """Reserve the dollars for up to this number of metrics; return how many may be requested now."""
        available_dollars = max(self.max_ahead_dollars - self.ahead_dollars - self.reserved_dollars, 0.0)
        affordable_count = available_dollars / self.prices.metric + 1e-6  # 2.9999999 is 3, inexactly computed
        granted_count = int(min(metric_count, affordable_count))
        self.reserved_dollars += granted_count * self.prices.metric
        return granted_count

    def release(self, metric_count: int) -> None:
        """End the reservation of this number of metrics, which `reserve` returned."""
        self.reserved_dollars = max(self.reserved_dollars - metric_count * self.prices.metric, 0.0)
