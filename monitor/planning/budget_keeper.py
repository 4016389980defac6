"""Keeps the planned requests of a fleet within its budget, and logs once if the budget is too small."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import ceil

import numpy as np

from monitor.fleet.columns import Ints
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey
from monitor.fleet.ring_columns import NOT_READ, PRUNED_INTERVAL
from monitor.planning.allowance import Allowance, minimum_dollars
from monitor.planning.budget import Budget
from monitor.planning.parts import ranges
from monitor.planning.settings import BudgetTerms
from monitor.planning.stretching import longer_cadences

log = logging.getLogger(__name__)


class BudgetKeeper:
    """Stretches the cadences of metrics so that their cost keeps within a budget."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._warned = dict[str, int]()  # the logged minimum of dollars a month, by account
        self._rows: Mapping[str, list[Ints]] = {}  # rows of the metrics that may be polled, by payer
        self._layout = -1  # the rings' layout when `_rows` was filled
        self._payers: Mapping[CellKey, CellKey] = {}

    def keep(self, budget: Budget, terms: BudgetTerms, planned: Ints, now: int) -> Iterator[None]:
        """Stretch `planned` in place, part by part: the minutes between two requests, by row."""
        yield from self._find_rows()
        by_payer = {account: rows for account, rows in self._rows.items() if budget.covers(account)}
        groups = (
            by_payer
            if terms.each_account
            else {"": [of_cell for rows in by_payer.values() for of_cell in rows]}
        )
        for account, rows in groups.items():
            parts, counts = list[Ints](), np.zeros(NOT_READ, np.int64)
            for part in _in_parts(rows):
                polled = self._polled(part, planned, now)
                pruned = self._fleet.rings.pruned[polled]
                counts += np.bincount(np.where(pruned, PRUNED_INTERVAL, planned[polled]), minlength=NOT_READ)
                parts.append(polled[~pruned])
                yield
            allowance = budget.allowance(account)
            allowance.polled = int(counts.sum())
            self._warn_of_minimum(allowance, account)
            longer = longer_cadences(np.trim_zeros(counts, "b"), allowance.metrics_per_minute)
            for part in parts:
                planned[part] = longer[planned[part]]
                yield

    def _polled(self, rows: Ints, planned: Ints, now: int) -> Ints:
        """Return which rows are polled, without rows that were added since the plan began."""
        rows = rows[rows < planned.size]
        polled: Ints = rows[(planned[rows] < NOT_READ) & ~self._fleet.rings.is_streamed(rows, now)]
        return polled

    def _warn_of_minimum(self, budget: Allowance, account: str) -> None:
        """Log once that a budget is too small, and again when the minimum changes."""
        least = ceil(minimum_dollars(budget.polled, budget.prices))
        if budget.dollars_per_month >= least:
            self._warned.pop(account, None)
        elif self._warned.get(account) != least:
            self._warned[account] = least
            of_account = f" of account {account}" if account else ""
            log.warning(
                "the budget of $%g a month%s is too small: %d metrics, each requested once an hour, cost $%d",
                *(budget.dollars_per_month, of_account, budget.polled, least),
            )

    def _find_rows(self) -> Iterator[None]:
        """Find the rows of the metrics that are polled unless a stream delivers them, cell by cell."""
        fleet = self._fleet
        if self._layout == fleet.rings.layout and self._payers is fleet.payers:
            return
        layout, payers, found = fleet.rings.layout, fleet.payers, defaultdict[str, list[Ints]](list)
        for cell in {group[:2] for group in fleet.groups}:
            found[fleet.payer_of(cell)[0]].append(np.fromiter(fleet.metrics(cell).values(), np.int32))
            yield
        self._layout, self._payers, self._rows = layout, payers, found


def _in_parts(rows: list[Ints]) -> Iterator[Ints]:
    """Yield the rows of several cells, part by part."""
    every = np.concatenate([*rows, np.empty(0, np.int32)])
    return (every[part] for part in ranges(every.size))
