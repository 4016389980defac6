"""Sets how many minutes may pass until each metric of a fleet is read again."""

import asyncio
from collections.abc import Callable, Iterator

import numpy as np

from monitor.fleet.fleet import Fleet
from monitor.fleet.history import usage_histories
from monitor.fleet.judged import sample_minutes
from monitor.fleet.namespaces import ALWAYS, NEVER
from monitor.fleet.ring_columns import NOT_READ, WINDOW
from monitor.planning.budget import Budget
from monitor.planning.budget_keeper import BudgetKeeper
from monitor.planning.cadence import LATENESS, NEAR_MEMORY, Danger, cadences, is_near
from monitor.planning.intervals import Intervals
from monitor.planning.metric_cadences import MetricCadences
from monitor.planning.min_minutes import min_minutes
from monitor.planning.parts import formula_parts, ranges
from monitor.planning.rises import faded_rises, highest_rises
from monitor.planning.safe_parts import aggregates_only_for_parts
from monitor.planning.safe_series import SafeSeries
from rules.arrays import Flags, Floats, Ints

BATCH_SIZE = 256  # series; finding their rises blocks other tasks for about 5 ms
MAX_CLOCK_DIFFERENCE = 2  # minutes by which the clock of a cell that calls `update` may be behind another's
RISES_INTERVAL = 60  # minutes after which the rises of a series read every minute are found again
DELAYS_INTERVAL = 60  # minutes after which learned delays are looked up again if all intervals are equal

NO_SLOTS: Ints = np.empty(0, np.int32)


def no_slots() -> Ints:
    """Return no slots, as there are no alerts."""
    return NO_SLOTS


class Planner:
    """Plans the reading of one fleet: `update` writes `cadence` of its series and of its metrics.

    alerting: returns the slots of series on which an alert is pending or fires. budget: None if there is no
    budget.
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
        self._keeper = BudgetKeeper(fleet)
        self._updating, self._updated_at, self._equally_planned_layout = False, NEVER, -1

    @property
    def longest(self) -> int:
        """The most minutes between two requests for a metric that is not idle."""
        return self._intervals.longest

    async def update(self, now: int) -> None:
        """Plan anew at the minute `now`, unless this minute has a plan or a plan is being made.

        Other tasks run meanwhile.
        """
        if self._updating or 0 <= self._updated_at - now <= MAX_CLOCK_DIFFERENCE:
            return
        if self.reads_all_equally:
            self._plan_equally(now)
            return
        self._updating = True
        try:
            await self._find_rises(now)
            for _ in self._plan_in_parts(now):
                await asyncio.sleep(0)
            self._updated_at = now
        finally:
            self._updating = False

    @property
    def reads_all_equally(self) -> bool:
        """True if neither danger nor a budget changes how often metrics are read."""
        return self.budget is None and self._intervals.shortest >= self._intervals.longest

    def _plan_equally(self, now: int) -> None:
        """Give all series and metrics one interval: when metrics were added, or after DELAYS_INTERVAL."""
        fleet, rings, shortest = self._fleet, self._fleet.rings, self._intervals.shortest
        if self._equally_planned_layout == rings.layout and 0 <= now - self._updated_at < DELAYS_INTERVAL:
            return
        fleet.cadence[: fleet.size] = max(shortest, 1)
        minutes = np.maximum(np.int32(shortest), min_minutes(rings, np.arange(rings.size, dtype=np.int32)))
        minutes[aggregates_only_for_parts(rings)] = NOT_READ
        rings.cadence[: rings.size] = np.where(minutes <= shortest, 0, minutes)
        self._equally_planned_layout, self._updated_at = rings.layout, now

    async def _find_rises(self, now: int) -> None:
        """Find the rises in new samples, except of streamed series, which need no plan.

        A series that may be read rarely is searched after each new sample, any other every RISES_INTERVAL.
        """
        alerting = self._alerting_flags()
        streamed = await self._streamed_series(now)
        for part in ranges(alerting.size):
            due_slots = self._slots_with_new_samples(part, self._danger(part, alerting, now))
            due_slots = due_slots[~streamed[due_slots]]
            for first in range(0, due_slots.size, BATCH_SIZE):
                self._find_rises_of(due_slots[first : first + BATCH_SIZE])
                await asyncio.sleep(0)
            await asyncio.sleep(0)

    def _slots_with_new_samples(self, part: slice, danger: Danger) -> Ints:
        """Return the slots in a part of the series whose rises are to be found again."""
        fleet, slots = self._fleet, np.arange(part.start, part.stop, dtype=np.int32)
        newest = fleet.usages.newest_minutes(fleet.rings, slots)
        new_minutes = newest - fleet.rises_through[part]
        may_wait = cadences(danger, self._intervals) > max(self._intervals.shortest, 1) + LATENESS
        return slots[(new_minutes > 0) & (may_wait | (new_minutes >= RISES_INTERVAL))]

    async def _streamed_series(self, now: int) -> Flags:
        """Return which series need no plan, as a stream delivers their metrics; other tasks run meanwhile."""
        fleet, slot_count, row_count = self._fleet, self._fleet.size, self._fleet.rings.size
        streamed_series, streamed_rows = np.zeros(slot_count + 1, np.bool_), np.zeros(row_count + 1, np.bool_)
        for part in ranges(row_count):
            streamed_rows[part] = fleet.rings.is_streamed(
                np.arange(part.start, part.stop, dtype=np.int32), now
            )
            await asyncio.sleep(0)
        if streamed_rows.any():
            for part_slots, part_rows in formula_parts(fleet.usages, slot_count, row_count):
                streamed_series[part_slots] = streamed_rows[part_rows].all(axis=0)
                await asyncio.sleep(0)
        return streamed_series

    def _find_rises_of(self, slots: Ints) -> None:
        fleet = self._fleet
        minutes, usage = usage_histories(fleet, slots)
        newest, oldest = minutes[:, -1], np.where(np.isnan(usage), ALWAYS, minutes).min(axis=1)
        former_through = fleet.rises_through[slots]
        faded_former_rises = faded_rises(
            fleet.rises[slots], np.where(former_through == NEVER, 0, newest - former_through)
        )
        fleet.rises[slots] = np.fmax(faded_former_rises, highest_rises(usage))
        fleet.rises_from[slots] = np.where(former_through == NEVER, oldest, fleet.rises_from[slots])
        fleet.rises_through[slots] = newest
        is_near_edge = is_near(usage, fleet.high[slots, None] * fleet.limits_at(slots, newest)[:, None])
        last_near = np.where(is_near_edge, minutes, NEVER).max(axis=1)
        fleet.near_upper_edge_at[slots] = np.maximum(fleet.near_upper_edge_at[slots], last_near)

    def plan(self, now: int) -> None:
        """Write the cadences of the series and of their metrics, by the rises found so far."""
        for _ in self._plan_in_parts(now):
            pass

    def _plan_in_parts(self, now: int) -> Iterator[None]:
        """Do what `plan` does, part by part."""
        fleet, alerting = self._fleet, self._alerting_flags()
        urgent = np.zeros(alerting.size, np.bool_)
        fleet.rings.part_searches.allow_pauses(not (self.budget and self.budget.terms))
        safe_series = SafeSeries(fleet, self._intervals, alerting.size)
        yield from safe_series.find(now)
        for part in ranges(alerting.size):
            danger = self._danger(part, alerting, now)
            fleet.cadence[part] = cadences(danger, self._intervals)
            fleet.near_upper_edge_at[part][is_near(danger.usage, danger.edge)] = now
            urgent[part] = danger.is_urgent
            safe_series.note(part, danger)
            yield
        metrics = MetricCadences(fleet, self._intervals, urgent, safe_series)
        yield from metrics.plan(now)
        planned_minutes = metrics.planned_minutes
        if self.budget and (terms := self.budget.terms):
            yield from self._keeper.keep_within(self.budget, terms, planned_minutes, now)
        fleet.rings.cadence[: planned_minutes.size] = np.where(
            planned_minutes <= self._intervals.shortest, 0, planned_minutes
        )

    def _alerting_flags(self) -> Flags:
        """Return on which series an alert is pending or fires, by slot."""
        alerting, slots = np.zeros(self._fleet.size, np.bool_), self._alerting()
        alerting[slots[slots < alerting.size]] = True
        return alerting

    def _danger(self, part: slice, alerting: Flags, now: int) -> Danger:
        """Return the danger of a part of the series."""
        fleet, slots = self._fleet, np.arange(part.start, part.stop, dtype=np.int32)
        sampled_at = sample_minutes(fleet, slots)
        usage = fleet.usages.at(fleet.rings, slots, sampled_at)
        if fleet.upper_bounds:
            usage = np.fmax(usage, fleet.upper_bounds.at(fleet.rings, slots, sampled_at))
        edge: Floats = fleet.high[part] * fleet.limits_at(slots, sampled_at)
        edge[np.isnan(usage) | fleet.unjudged[part] | ~fleet.observable[part]] = np.nan
        return Danger(
            usage=usage,
            edge=edge,
            rises=fleet.rises[part],
            history_minutes=fleet.rises_through[part] - fleet.rises_from[part],
            sample_age_minutes=now - np.maximum(sampled_at, now - WINDOW),
            minutes_since_near=now - np.maximum(fleet.near_upper_edge_at[part], now - NEAR_MEMORY - 1),
            pending_for=fleet.pending_for[part].astype(np.int32),
            is_alerting=alerting[part],
        )
