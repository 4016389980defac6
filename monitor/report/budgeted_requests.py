"""The intervals of requests that a budget allows, for the projection of a month's cost."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from monitor.cost.prices import AccountPrices
from monitor.fleet.fleet import Fleet
from monitor.fleet.ring_columns import NOT_READ
from monitor.planning.budget import AllowanceStatus, Budget
from monitor.planning.settings import BudgetTerms
from monitor.planning.spending import InMemorySpendingStore
from monitor.planning.stretching import longer_cadences
from rules.arrays import Ints


def lengthen_to_budget(
    fleet: Fleet, terms: BudgetTerms, prices: AccountPrices, minutes: Ints
) -> Sequence[AllowanceStatus]:
    """Lengthen `minutes` in place as far as a budget demands, and return the budget of each account.

    All accounts may share one budget. minutes: between two requests of each metric, by row.
    """
    budget = Budget(InMemorySpendingStore(), _stopped_clock, _stopped_clock, dict, prices.partitions)
    budget.configure(terms)
    for account, rows in _requested_rows(fleet, budget, terms, minutes).items():
        allowance = budget.allowance(account)
        allowance.set_polled_count(rows.size)
        longer = longer_cadences(np.bincount(minutes[rows]), allowance.metrics_per_minute)
        minutes[rows] = longer[minutes[rows]]
    return budget.statuses()


def _stopped_clock() -> float:
    """Return the same time at each call: the budget earns and spends nothing, as no request is made."""
    return 0.0


def _requested_rows(fleet: Fleet, budget: Budget, terms: BudgetTerms, minutes: Ints) -> Mapping[str, Ints]:
    """Return the rows of the metrics that each budget pays for, by account; "" if all share one."""
    rows_by_account = defaultdict[str, set[int]](set)
    for cell in {key.cell for key in fleet.series}:
        payer, _ = fleet.payer_of(cell)
        if budget.covers(payer):
            rows_by_account[payer if terms.each_account else ""].update(fleet.metrics(cell).values())
    return {
        account: np.array([row for row in sorted(rows) if minutes[row] < NOT_READ], np.int32)
        for account, rows in rows_by_account.items()
    }
