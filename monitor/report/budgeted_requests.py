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


def keep_budget(
    fleet: Fleet, terms: BudgetTerms, prices: AccountPrices, minutes: Ints
) -> Sequence[AllowanceStatus]:
    """Lengthen `minutes` in place as far as a budget demands, and return the budget of each account.

    All accounts may share one budget. minutes: between two requests of each metric, by row.
    """
    budget = Budget(InMemorySpendingStore(), _never, _never, dict, prices.partitions)
    budget.configure(terms)
    for account, rows in _requested_rows(fleet, budget, terms, minutes).items():
        allowance = budget.allowance(account)
        allowance.set_polled_count(rows.size)
        longer = longer_cadences(np.bincount(minutes[rows]), allowance.metrics_per_minute)
        minutes[rows] = longer[minutes[rows]]
    return budget.statuses()


def _never() -> float:
    """Return a time that does not pass, as nothing is requested."""
    return 0.0


def _requested_rows(fleet: Fleet, budget: Budget, terms: BudgetTerms, minutes: Ints) -> Mapping[str, Ints]:
    """Return the rows of the metrics that each budget pays for, by account; "" if all share one."""
    rows = defaultdict[str, set[int]](set)
    for cell in {key.cell for key in fleet.series}:
        payer, _ = fleet.payer_of(cell)
        if budget.covers(payer):
            rows[payer if terms.each_account else ""].update(fleet.metrics(cell).values())
    arrays = {account: np.array(sorted(of_account), np.int32) for account, of_account in rows.items()}
    return {account: of_account[minutes[of_account] < NOT_READ] for account, of_account in arrays.items()}
