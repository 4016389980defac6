"""The settings of how often metrics are read, and of how much the requests may cost."""

from typing import NamedTuple

from pydantic import Field

from monitor.cost.prices import PRICES, PriceTable
from monitor.planning.intervals import Intervals
from monitor.schema.types import ConfigModel, Number


class BudgetConfig(ConfigModel):
    """The monthly budget for CloudWatch.

    Accounts that are not billed in US dollars, or at prices that are not known, are not limited.
    """

    dollars_per_month: Number = Field(gt=0, description="US dollars that requested metrics may cost a month.")
    each_account: bool = Field(
        default=False,
        description="Whether every account has this budget for itself. Default: all accounts share it.",
    )


class BudgetTerms(NamedTuple):
    """A configured budget. each_account: whether every account has this budget. prices: by partition."""

    dollars_per_month: float
    each_account: bool = False
    prices: PriceTable = PRICES


def intervals_of(shortest: float, longest: float, throttled: float) -> Intervals:
    """Convert seconds to intervals in whole minutes. Less than a minute becomes 0: at every poll."""
    longest = max(shortest, longest)
    throttled = min(max(shortest, throttled), longest)
    return Intervals(*(int(seconds // 60) for seconds in (shortest, longest, throttled)))
