"""A fleet that is read from a simulated CloudWatch minute by minute, as its planner says."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from monitor.fleet.columns import Flags, Floats, Ints
from monitor.fleet.fleet import Fleet
from monitor.planning.budget import Budget
from monitor.planning.cadence import Intervals
from monitor.planning.planner import Planner, no_slots
from monitor.polling.plan import due_metrics, most_overdue, plan_requests
from rules.limits import Limit, LimitSource
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, SETTINGS, add, key

CELL = (ACCOUNT, REGION)
LIMIT = 100.0  # of every series, in its unit per second
DELAY = 2  # minutes until a point is visible
HISTORY = 180  # minutes of points before the start

ADAPTIVE = Intervals(shortest=1, longest=15, throttled=5)


class Simulation:
    """Series whose usage of each minute is known beforehand, from HISTORY minutes before the start.

    utilization: [series, minute]. fails: says whether CloudWatch refuses all calls of a minute.
    requested: the metrics requested so far. reads: how often each row was, and last_read: when.
    """

    def __init__(
        self,
        utilization: Floats,
        intervals: Intervals = ADAPTIVE,
        budget: Callable[["Simulation"], Budget] | None = None,
        fails: Callable[[int], bool] = lambda minute: False,
        alerting: Callable[[], Ints] = no_slots,
    ) -> None:
        self.usage, self.fleet, self.fails = utilization * LIMIT, Fleet(), fails
        self.minute, self.requested = 0, 0
        settings = replace(SETTINGS, limit=Limit(LIMIT, LimitSource.API, NOW * 60))
        self.series = [add(self.fleet, key(f"stream-{n}"), settings) for n in range(len(utilization))]
        rings = self.fleet.rings
        self.usage_rows = np.concatenate([block.rows[0] for block in self.fleet.usages])
        self.throttled_rows = np.concatenate([block.rows[0] for block in self.fleet.throttled])
        rings.delay[: rings.size] = DELAY
        self.planner = Planner(self.fleet, intervals, alerting, budget(self) if budget else None)
        self.reads = np.zeros(rings.size, np.int32)
        self.last_read = np.full(rings.size, NOW, np.int32)
        self.longest_gap = np.zeros(rings.size, np.int32)

    @property
    def now(self) -> int:
        """The minute of the clock."""
        return NOW + self.minute

    async def run(self, minutes: int) -> None:
        """Let minutes pass; in each, what is due is read."""
        for _ in range(minutes):
            await self.step()

    async def step(self) -> None:
        """Read what is due in this minute, and go to the next one."""
        await self.planner.update(self.now)
        if not self.fails(self.minute):
            self._read(self._affordable())
        self.minute += 1

    def _affordable(self) -> dict[bytes, int]:
        due = due_metrics(self.fleet.rings, self.fleet.metrics(CELL), self.now)
        if not (budget := self.planner.budget):
            return dict(due)
        allowance = budget.allowance(ACCOUNT)
        granted = allowance.reserve(len(due))
        allowance.release(granted)
        return dict(most_overdue(self.fleet.rings, due, self.now, granted))

    def _read(self, metrics: dict[bytes, int]) -> None:
        rings = self.fleet.rings
        for request in plan_requests(rings, metrics, self.now):
            rows = request.rows
            self.requested += rows.size
            self.reads[rows] += 1
            self.longest_gap[rows] = np.maximum(self.longest_gap[rows], self.now - self.last_read[rows])
            self.last_read[rows] = self.now
            self._write(rows, request.minutes)
            rings.mark_requested(rows, self.now - 1)
            rings.mark_read(rows, self.now - DELAY - 1, request.minutes.start)

    def _write(self, rows: Ints, minutes: Iterable[int]) -> None:
        """Write the points of usage that are visible now; throttled demand has none."""
        visible = np.array([minute for minute in minutes if minute < self.now - DELAY], np.int32)
        of_usage = np.flatnonzero(np.isin(self.usage_rows, rows))
        values = self.usage[np.ix_(of_usage, visible - NOW + HISTORY)] * 60
        every_row = np.repeat(self.usage_rows[of_usage], visible.size)
        known = ~np.isnan(values.ravel())
        self.fleet.rings.write(
            every_row[known], np.tile(visible, of_usage.size)[known], values.ravel()[known]
        )

    def known_through(self) -> Ints:
        """Return the newest minute that is known of each series, counted from the start."""
        minutes: Ints = self.fleet.rings.latest_minute[self.usage_rows] - NOW
        return minutes

    def above(self) -> Flags:
        """Return in which minutes each series is above its band, [series, minute from the start]."""
        high: Flags = self.usage[:, HISTORY:] >= SETTINGS.band.high * LIMIT
        return high
