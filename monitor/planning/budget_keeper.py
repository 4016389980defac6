"""Keeps the planned requests of a fleet within its budget, and logs once if the budget is too small."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import ceil

import numpy as np

from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey
from monitor.fleet.ring_columns import NOT_READ, PRUNED_INTERVAL
from monitor.planning.allowance import Allowance, minimum_dollars
from monitor.planning.budget import Budget
from monitor.planning.parts import ranges
from monitor.planning.settings import BudgetTerms
from monitor.planning.stretching import longer_cadences
from rules.arrays import Ints

log = logging.getLogger(__name__)


class BudgetKeeper:
    """Stretches the cadences of metrics so that their cost keeps within a budget."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._logged_minimums = dict[str, int]()  # by account, the logged minimum, in dollars a month
        self._rows_by_payer: Mapping[str, list[Ints]] = {}  # rows of the metrics that may be polled, by payer
        self._layout = -1  # the rings' layout when `_rows_by_payer` was filled
        self._payers: Mapping[CellKey, CellKey] = {}

    def keep_within(
        self, budget: Budget, terms: BudgetTerms, planned_minutes: Ints, now: int
    ) -> Iterator[None]:
        """Stretch `planned_minutes` in place, part by part.

        planned_minutes: the minutes between two requests of a metric, by row.
        """
        yield from self._find_rows()
        covered_rows = {
            account: rows for account, rows in self._rows_by_payer.items() if budget.covers(account)
        }
        rows_by_allowance = (
            covered_rows
            if terms.each_account
            else {"": [cell_rows for rows in covered_rows.values() for cell_rows in rows]}
        )
        for account, rows in rows_by_allowance.items():
            parts = list[Ints]()
            counts = np.zeros(NOT_READ, np.int64)  # of metrics, by cadence
            for part in _in_parts(rows):
                polled = self._polled_rows(part, planned_minutes, now)
                pruned = self._fleet.rings.pruned[polled]
                minutes = np.where(pruned, PRUNED_INTERVAL, planned_minutes[polled])
                counts += np.bincount(minutes, minlength=NOT_READ)
                parts.append(polled[~pruned])
                yield
            allowance = budget.allowance(account)
            allowance.set_polled_count(int(counts.sum()))
            self._warn_of_minimum(allowance, account)
            stretched = longer_cadences(np.trim_zeros(counts, "b"), allowance.metrics_per_minute)
            for part in parts:
                planned_minutes[part] = stretched[planned_minutes[part]]
                yield

    def _polled_rows(self, rows: Ints, planned_minutes: Ints, now: int) -> Ints:
        """Return those of the rows that are polled, and were in the fleet when the plan began."""
        rows = rows[rows < planned_minutes.size]
        polled: Ints = rows[(planned_minutes[rows] < NOT_READ) & ~self._fleet.rings.is_streamed(rows, now)]
        return polled

    def _warn_of_minimum(self, allowance: Allowance, account: str) -> None:
        """Log once that the budget of an allowance is too small, and again when the minimum changes."""
        minimum = ceil(minimum_dollars(allowance.polled_metric_count, allowance.prices))
        if allowance.dollars_per_month >= minimum:
            self._logged_minimums.pop(account, None)
        elif self._logged_minimums.get(account) != minimum:
            self._logged_minimums[account] = minimum
            account_text = f" of account {account}" if account else ""
            log.warning(
                "the budget of $%g a month%s is too small: %d metrics, each requested once an hour, cost $%d",
                *(allowance.dollars_per_month, account_text, allowance.polled_metric_count, minimum),
            )

    def _find_rows(self) -> Iterator[None]:
        """Find the rows of the metrics that are polled unless a stream delivers them, cell by cell."""
        fleet = self._fleet
        if self._layout == fleet.rings.layout and self._payers is fleet.payers:
            return
        layout, payers, rows_by_payer = fleet.rings.layout, fleet.payers, defaultdict[str, list[Ints]](list)
        for cell in {group[:2] for group in fleet.groups}:
            rows_by_payer[fleet.payer_of(cell)[0]].append(np.fromiter(fleet.metrics(cell).values(), np.int32))
            yield
        self._layout, self._payers, self._rows_by_payer = layout, payers, rows_by_payer


def _in_parts(rows: list[Ints]) -> Iterator[Ints]:
    """Yield the rows of several cells, part by part."""
    all_rows = np.concatenate([*rows, np.empty(0, np.int32)])
    return (all_rows[part] for part in ranges(all_rows.size))
