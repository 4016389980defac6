"""An allowance of what may be spent of a budget: it grows with the time, and is not saved up."""

from dataclasses import dataclass

from monitor.cost.prices import SECONDS_PER_MONTH, Prices
from monitor.planning.intervals import MAX_INTERVAL

MINUTES_PER_MONTH = SECONDS_PER_MONTH / 60
MAX_ADVANCE = 0.01  # share of a month's budget that may be spent ahead, as for the first read of a fleet


def minimum_dollars(metrics: int, prices: Prices) -> float:
    """Return what a month costs if each metric is requested once in MAX_INTERVAL minutes."""
    return metrics * MINUTES_PER_MONTH / MAX_INTERVAL * prices.metric


@dataclass(slots=True)
class Allowance:
    """The dollars that may be spent within a budget, all minutes of a month alike.

    At most MAX_ADVANCE of a month's budget can be spent at once, so a month costs at most that much more.
    dollars_per_month: the budget. polled: the number of metrics. Each may be requested once in MAX_INTERVAL
    minutes, whatever the budget. ahead: dollars spent beyond what the budget had earned by `minute`, which is
    of a monotonic clock. reserved: dollars that are about to be spent.
    """

    dollars_per_month: float
    prices: Prices
    polled: int = 0
    ahead: float = 0.0
    minute: float | None = None
    reserved: float = 0.0

    @property
    def metrics_per_minute(self) -> float:
        """The metrics that may be requested in a minute on average."""
        budgeted = self.dollars_per_month / MINUTES_PER_MONTH / self.prices.metric
        return max(budgeted, self.polled / MAX_INTERVAL)

    @property
    def max_ahead(self) -> float:
        """The dollars that may be spent ahead."""
        return MAX_ADVANCE * self.metrics_per_minute * self.prices.metric * MINUTES_PER_MONTH

    def change(self, dollars_per_month: float, prices: Prices) -> None:
        """Change the budget and the prices; a new budget is ahead by no more than it allows."""
        is_other = dollars_per_month != self.dollars_per_month
        self.dollars_per_month, self.prices = dollars_per_month, prices
        if is_other:
            self.ahead = min(self.ahead, self.max_ahead)

    def charge(self, minute: float, dollars: float) -> None:
        """Charge dollars that were spent up to a minute of a monotonic clock."""
        passed = 0.0 if self.minute is None else max(minute - self.minute, 0.0)
        earned = passed * self.metrics_per_minute * self.prices.metric
        self.ahead, self.minute = max(self.ahead - earned, 0.0) + dollars, minute

    def reserve(self, metrics: int) -> int:
        """Return how many of these metrics may be requested now; `release` them when they were charged."""
        available = max(self.max_ahead - self.ahead - self.reserved, 0.0) / self.prices.metric
        granted = int(min(metrics, available + 1e-6))  # a whole number must not get lost by rounding
        self.reserved += granted * self.prices.metric
        return granted

    def release(self, metrics: int) -> None:
        """End a reservation."""
        self.reserved = max(self.reserved - metrics * self.prices.metric, 0.0)
