"""Sets how many minutes may pass until each metric of a fleet is read again."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from math import ceil

import numpy as np

from monitor.fleet.columns import Flags, Floats, Indices, Int16s, Ints
from monitor.fleet.fleet import Fleet
from monitor.fleet.formulas import Formulas
from monitor.fleet.history import usage_histories
from monitor.fleet.judged import sample_minutes
from monitor.fleet.key import CellKey
from monitor.fleet.namespaces import NEVER, NO_NAMESPACE
from monitor.fleet.ring_columns import NO_BOUND, NOT_READ, PRUNED_INTERVAL, WINDOW
from monitor.planning.allowance import minimum_dollars
from monitor.planning.budget import Budget, BudgetTerms
from monitor.planning.cadence import (
    DELAY_SHARE,
    LATENESS,
    NEAR_MEMORY,
    Danger,
    Intervals,
    cadences,
    is_near,
)
from monitor.planning.idling import plan_idle
from monitor.planning.pruning import plan_aggregates
from monitor.planning.rises import highest_rises, remembered
from monitor.planning.stretching import stretched

BATCH_SIZE = 256  # series; to find their rises blocks other tasks for about 5 ms
MAX_CLOCK_DIFFERENCE = 2  # minutes between the clocks of two cells, which both call `update`
RISES_INTERVAL = 60  # minutes within which the rises of a series that is read every minute are found again
DELAYS_INTERVAL = 60  # minutes within which learned delays are looked up again where all is read equally
log = logging.getLogger(__name__)

NO_SLOTS: Ints = np.empty(0, np.int32)


def no_slots() -> Ints:
    """Return no slots."""
    return NO_SLOTS


class Planner:
    """Plans the reading of one fleet: `update` writes `cadence` of its series and of its metrics.

    alerting: returns the slots of series on which an alert is pending or fires. budget: None without one.
    """

    def __init__(
        self,
        fleet: Fleet,
        intervals: Intervals,
        alerting: Callable[[], Ints] = no_slots,
        budget: Budget | None = None,
    ) -> None:
        self._fleet, self._intervals, self._alerting = fleet, intervals, alerting
        self.budget = budget
        self._warned = dict[str, int]()  # the least dollars a month that were logged, by account
        self._updating, self._updated_at, self._equal_layout = False, NEVER, -1
        self._rows = defaultdict[str, list[Ints]](list)  # of the metrics that may be polled, by account
        self._layout = -1  # of the rings, when `_rows` was filled
        self._payers: Mapping[CellKey, CellKey] = {}

    @property
    def longest(self) -> int:
        """The longest minutes between two requests for a metric that is not idle."""
        return self._intervals.longest

    async def update(self, now: int) -> None:
        """Plan anew at the minute `now`, unless that was done or is being done. Other tasks run meanwhile."""
        if self._updating or 0 <= self._updated_at - now <= MAX_CLOCK_DIFFERENCE:
            return
        if self.reads_all_equally:
            self._plan_equally(now)
            return
        self._updating = True
        try:
            await self._find_rises(now)
            self.plan(now)
            self._updated_at = now
        finally:
            self._updating = False

    @property
    def reads_all_equally(self) -> bool:
        """True where no danger and no budget changes how often anything is read."""
        return self.budget is None and self._intervals.shortest >= self._intervals.longest

    def _plan_equally(self, now: int) -> None:
        """Give all series and metrics the one interval, once for each of them; delays are looked up again."""
        fleet, rings, shortest = self._fleet, self._fleet.rings, self._intervals.shortest
        if self._equal_layout == rings.layout and 0 <= now - self._updated_at < DELAYS_INTERVAL:
            return
        fleet.cadence[: fleet.size] = max(shortest, 1)
        rows = np.maximum(np.int32(shortest), self._at_least())
        rings.cadence[: rings.size] = np.where(rows <= shortest, 0, rows)
        self._equal_layout, self._updated_at = rings.layout, now

    def _at_least(self) -> Ints:
        """Return the minutes of each metric within which another request is of no use."""
        rings = self._fleet.rings
        delays = rings.delays(np.arange(rings.size, dtype=np.int32))
        at_least: Ints = np.maximum(delays // DELAY_SHARE, rings.period[: rings.size])
        return at_least

    async def _find_rises(self, now: int) -> None:
        """Find the rises in new samples, of the series that may wait for long because of them."""
        fleet = self._fleet
        slots = np.arange(fleet.size, dtype=np.int32)
        newest = fleet.usages.newest_minutes(fleet.rings, slots)
        unseen = newest - fleet.rises_through[slots]
        may_wait = cadences(self._danger(now), self._intervals) > max(self._intervals.shortest, 1) + LATENESS
        is_due = (unseen > 0) & (may_wait | (unseen >= RISES_INTERVAL)) & ~self._streamed(now)
        due = slots[is_due]
        for first in range(0, due.size, BATCH_SIZE):
            self._find_rises_of(due[first : first + BATCH_SIZE])
            await asyncio.sleep(0)

    def _streamed(self, now: int) -> Flags:
        """Return the series of which no metric is polled, as they need no plan."""
        streamed = np.zeros(self._fleet.size, np.bool_)
        for block in self._fleet.usages:
            streamed[block.series] = self._fleet.rings.is_streamed(block.rows, now).all(axis=0)
        return streamed

    def _find_rises_of(self, slots: Ints) -> None:
        fleet = self._fleet
        minutes, usage = usage_histories(fleet, slots)
        newest, first = minutes[:, -1], np.where(np.isnan(usage), -NEVER, minutes).min(axis=1)
        before = fleet.rises_through[slots]
        faded = remembered(fleet.rises[slots], np.where(before == NEVER, 0, newest - before))
        fleet.rises[slots] = np.fmax(faded, highest_rises(usage))
        fleet.rises_from[slots] = np.where(before == NEVER, first, fleet.rises_from[slots])
        fleet.rises_through[slots] = newest
        near = is_near(usage, fleet.high[slots, None] * fleet.limits_at(slots, newest)[:, None])
        last_near = np.where(near, minutes, NEVER).max(axis=1)
        fleet.near_at[slots] = np.maximum(fleet.near_at[slots], last_near)

    def plan(self, now: int) -> None:
        """Write the cadences of the series and of their metrics, by the rises found so far."""
        fleet, size = self._fleet, self._fleet.size
        danger = self._danger(now)
        fleet.cadence[:size] = cadences(danger, self._intervals)
        fleet.near_at[:size][is_near(danger.usage, danger.edge)] = now
        active = self._metric_cadences(danger.urgent)
        rows = plan_idle(fleet.rings, active, self._may_idle(danger.urgent), self._intervals.longest, now)
        fleet.set_stale_later(self._idle_minutes(rows - active))
        if self.budget and (terms := self.budget.terms):
            self._keep_budget(self.budget, terms, rows, now)
        fleet.rings.cadence[: rows.size] = np.where(rows <= self._intervals.shortest, 0, rows)

    def _danger(self, now: int) -> Danger:
        """Return what is known of all series."""
        fleet, size = self._fleet, self._fleet.size
        every = slice(size)
        sampled_at = sample_minutes(fleet, every)
        usage = fleet.usages.at(fleet.rings, every, sampled_at)
        if fleet.upper_bounds:
            usage = np.fmax(usage, fleet.upper_bounds.at(fleet.rings, every, sampled_at))
        edge: Floats = fleet.high[:size] * fleet.limits_at(every, sampled_at)
        edge[np.isnan(usage) | fleet.unjudged[:size] | ~fleet.observable[:size]] = np.nan
        alerting = np.zeros(size, np.bool_)
        slots = self._alerting()
        alerting[slots[slots < size]] = True
        return Danger(
            usage=usage,
            edge=edge,
            rises=fleet.rises[:size],
            history=fleet.rises_through[:size] - fleet.rises_from[:size],
            silence=now - np.maximum(sampled_at, now - WINDOW),
            since_near=now - np.maximum(fleet.near_at[:size], now - NEAR_MEMORY - 1),
            pending_for=fleet.pending_for[:size].astype(np.int32),
            alerting=alerting,
        )

    def _metric_cadences(self, urgent: Flags) -> Ints:
        """Return the minutes between two requests of each metric: those of its most endangered series."""
        fleet, rings, intervals = self._fleet, self._fleet.rings, self._intervals
        rows = np.full(rings.size, intervals.longest, np.int32)
        for formulas in (fleet.usages, fleet.upper_bounds, fleet.published_limits, fleet.served):
            _lower(rows, formulas, fleet.cadence)
        often = np.minimum(fleet.cadence[: fleet.size], intervals.throttled)
        _lower(rows, fleet.throttled, np.where(urgent, often, intervals.throttled))
        newest = self._newest_of_namespaces()
        rows[newest] = np.minimum(rows[newest], intervals.throttled)
        plan_aggregates(rings, rows, intervals.throttled)
        return np.maximum(rows, self._at_least()).astype(np.int32)

    def _may_idle(self, urgent: Flags) -> Flags:
        """Return which metrics may be read more rarely while they have no points.

        Not those of throttled demand, of series in danger, and those that prove what others are.
        """
        fleet, may_idle = self._fleet, np.ones(self._fleet.rings.size, np.bool_)
        for block in fleet.throttled:
            may_idle[block.rows] = False
        for formulas in (fleet.usages, fleet.upper_bounds, fleet.published_limits, fleet.served):
            for block in formulas:
                may_idle[block.rows[:, urgent[block.series]]] = False
        bounds = fleet.rings.bound[: may_idle.size]
        may_idle[bounds[bounds != NO_BOUND]] = False
        may_idle[self._newest_of_namespaces()] = False
        return may_idle

    def _idle_minutes(self, longer: Ints) -> Ints:
        """Return by how many minutes the samples of each series may be older, as its metrics are idle.

        One of their requests may fail. longer: by how much the metrics' cadences are longer.
        """
        minutes = np.zeros(self._fleet.size, np.int32)
        for formulas in (self._fleet.usages, self._fleet.upper_bounds):
            for block in formulas:
                of_series = 2 * longer[block.rows].max(axis=0)
                minutes[block.series] = np.maximum(minutes[block.series], of_series)
        return minutes

    def _newest_of_namespaces(self) -> Indices:
        """Return the row of the newest point in each namespace that has metrics which are zero when absent.

        Its points prove that a missing point of these metrics is a zero, so it is read as often as they are.
        """
        rings = self._fleet.rings
        namespaces, zero = rings.namespace[: rings.size], rings.zero_when_absent[: rings.size]
        has_absent = np.zeros(rings.namespaces.size, np.bool_)
        has_absent[namespaces[zero]] = True
        has_absent[NO_NAMESPACE] = False
        candidates = np.flatnonzero(
            has_absent[namespaces] & ~zero & (rings.newest_point[: rings.size] > NEVER)
        )
        order = candidates[np.lexsort((rings.newest_point[candidates], namespaces[candidates]))]
        is_last = np.append(namespaces[order[1:]] != namespaces[order[:-1]], True)[: order.size]
        newest: Indices = order[is_last]
        return newest

    def _keep_budget(self, budget: Budget, terms: BudgetTerms, rows: Ints, now: int) -> None:
        """Stretch the cadences of metrics, so that what they cost keeps within the budget."""
        polled = self._polled()
        groups = polled if terms.each_account else {"": [one for some in polled.values() for one in some]}
        for account, cells in groups.items():
            indices = np.concatenate([*cells, NO_SLOTS])
            is_read = rows[indices] < NOT_READ
            indices = indices[is_read & ~self._fleet.rings.is_streamed(indices, now)]
            allowance = budget.allowance(account)
            allowance.polled = indices.size
            self._warn_of_minimum(terms, account, indices.size)
            pruned = self._fleet.rings.pruned[indices]
            requested = np.where(pruned, PRUNED_INTERVAL, rows[indices])
            longer = stretched(requested, allowance.metrics_per_minute)
            rows[indices] = np.where(pruned, rows[indices], longer)

    def _warn_of_minimum(self, budget: BudgetTerms, account: str, metrics: int) -> None:
        """Log once by how much a budget is too small, and again when that changes."""
        least = ceil(minimum_dollars(metrics, budget.prices))
        if budget.dollars_per_month >= least:
            self._warned.pop(account, None)
        elif self._warned.get(account) != least:
            self._warned[account] = least
            log.warning(
                "the budget of $%g a month%s is too small: %d metrics, each requested once an hour, cost $%d",
                *(budget.dollars_per_month, f" of account {account}" if account else "", metrics, least),
            )

    def _polled(self) -> Mapping[str, list[Ints]]:
        """Return the rows of the metrics that are polled unless a stream delivers them, by who pays."""
        fleet = self._fleet
        if self._layout != fleet.rings.layout or self._payers is not fleet.payers:
            self._layout, self._rows = fleet.rings.layout, defaultdict(list)
            self._payers = fleet.payers
            for cell in {group[:2] for group in fleet.groups}:
                rows = np.fromiter(fleet.metrics(cell).values(), np.int32)
                self._rows[fleet.payer_of(cell)[0]].append(rows)
        return self._rows


def _lower(rows: Ints, formulas: Formulas, cadence: Ints | Int16s) -> None:
    """Lower the cadences of metrics to those of the series that use them."""
    for block in formulas:
        np.minimum.at(rows, block.rows, np.broadcast_to(cadence[block.series], block.rows.shape))
