"""A fleet that is read from a simulated CloudWatch minute by minute, as its planner plans."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from collectors.base import per_second
from collectors.metric_bounds import MetricBounds
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.namespaces import NEVER
from monitor.planning.budget import Budget
from monitor.planning.intervals import Intervals
from monitor.planning.planner import Planner, no_slots
from monitor.planning.pruning import batches, prune
from monitor.planning.safe_parts import unsafe_parts
from monitor.polling.plan import due_metrics, most_overdue, plan_requests
from rules.arrays import Flags, Floats, Ints
from rules.bounds import Bound
from rules.limits import Limit, LimitSource
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, SETTINGS, add, key, throttled_metric, traffic

CELL = (ACCOUNT, REGION)
LIMIT = 100.0  # the limit of every series, in its unit per second
DELAY = 2  # minutes until a point is visible
HISTORY = 180  # minutes of points before the start
REVISED_SHARE = 0.2  # share of points that are revised
FIRST_SHARE = 0.83  # the first value of a revised point, as a share of its last value
LATE_SHARE = 0.02  # share of points that come later
LATE_BY = 5  # minutes by which they come later

SUM_OF_THROTTLED = Bound(
    namespace=throttled_metric.namespace,
    metrics=(throttled_metric.name,),
    dimensions=("StreamName",),
    shared_dimensions=(),
    inequality="all streams together throttle what each of them does",
    source="https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html",
)
SUM_OF_USAGE = SUM_OF_THROTTLED.model_copy(update={"metrics": (traffic.name,), "is_usage": True})
SUM_OF_STREAMS = MetricBounds.of([SUM_OF_THROTTLED])
ADAPTIVE = Intervals(shortest=1, longest=15, throttled=5)


@dataclass(frozen=True)
class Lists:
    """Lists of recently active metrics, one list in `Intervals.longest` minutes.

    delay: minutes until a visible point is listed. fails: whether the list of a minute fails. always_listed:
    the series that are in every list.
    """

    delay: int = 0
    fails: Callable[[int], bool] = lambda minute: False
    always_listed: Iterable[int] = ()


@dataclass(frozen=True)
class Publication:
    """The times at which CloudWatch publishes the points of each series, [series, minute].

    delays: minutes from the end of a minute until its point is visible. revised: whether a point has only
    FIRST_SHARE of its value until a minute later. of_wholes: the times for the two metrics of all series
    together, throttled demand and usage; None: these metrics have the sums of the visible points of the
    series.
    """

    delays: Ints
    revised: Flags
    of_wholes: "Publication | None" = None

    @classmethod
    def uniform(cls, shape: tuple[int, ...]) -> "Publication":
        """Return DELAY for all points, without revisions. shape: the numbers of series and of minutes."""
        return cls(np.full(shape, DELAY, np.int32), np.zeros(shape, np.bool_))

    @classmethod
    def random(
        cls, shape: tuple[int, ...], generator: np.random.Generator, *, independent_wholes: bool = False
    ) -> "Publication":
        """Return delays of up to DELAY; some points are revised, and some come LATE_BY minutes later."""
        late = np.where(generator.random(shape) < LATE_SHARE, LATE_BY, 0)
        delays = (generator.integers(0, DELAY + 1, shape) + late).astype(np.int32)
        revised = generator.random(shape) < REVISED_SHARE
        return cls(delays, revised, cls.random((2, *shape[1:]), generator) if independent_wholes else None)

    def shares(self, minutes: Ints, now: int) -> Floats:
        """Return the share of its value that each point has at `now`, [series, minute]; NaN: not visible.

        minutes, now: counted from the first minute.
        """
        waited = now - minutes - 1 - self.delays[:, minutes]
        shares = np.where(self.revised[:, minutes] & (waited == 0), FIRST_SHARE, 1.0)
        return np.where(waited < 0, np.nan, shares).astype(np.float32)

    def visible(self, values: tuple[Floats, Floats], minutes: Ints, now: int) -> Floats:
        """Return the visible points: usage and throttled demand of the series, then the sums of both.

        values: the throttled demand and the usage in these minutes, [series, minute]. The throttled demand
        may have more rows, of parts that are not in the fleet.
        """
        throttled, usage = values
        shares = self.shares(minutes, now)
        if self.of_wholes:
            sums = np.stack([parts.sum(axis=0) for parts in values]) * self.of_wholes.shares(minutes, now)
        else:
            sums = np.stack([_sum_of_visible(parts, shares) for parts in values])
        return np.concatenate([usage * shares, throttled[: len(usage)] * shares, sums])


def _sum_of_visible(values: Floats, shares: Floats) -> Floats:
    """Return the sum of the visible values in each minute; NaN where none is visible."""
    visible, others = values[: len(shares)] * shares, values[len(shares) :]
    total = np.nansum(visible, axis=0) + others.sum(axis=0)
    return np.where(np.isnan(visible).all(axis=0), np.nan, total).astype(np.float32)


@dataclass(frozen=True)
class Demand:
    """The demand of each series, [series, minute]; without `throttled`, no demand is throttled.

    has_aggregate: whether an aggregate metric has the sum of throttled demand. lists: None: no lists are
    made. has_whole: whether a metric of the whole has the usage of all series together. whole_limit: the
    limit of a series whose usage is this metric; None: there is no such series. publication: None: each point
    comes DELAY minutes after its minute.
    """

    utilization: Floats
    throttled: Floats | None = None
    has_aggregate: bool = True
    lists: Lists | None = None
    has_whole: bool = False
    whole_limit: float | None = None
    publication: Publication | None = None


class Simulation:
    """Series whose usage of each minute is known beforehand, from HISTORY minutes before the start.

    demand: a Demand, or only the utilization, without an aggregate. fails: returns whether all calls
    of a minute fail. requested: the number of metrics requested so far. reads: how often each row was
    read. last_read: the minute in which each row was read last. longest_gap: the longest time between two
    reads of each row, in minutes. aggregate, whole: the rows of the metrics of
    all series together, of their throttled demand and of their usage; below 0 without such a metric.
    """

    def __init__(
        self,
        demand: Floats | Demand,
        intervals: Intervals = ADAPTIVE,
        budget: Callable[["Simulation"], Budget] | None = None,
        fails: Callable[[int], bool] = lambda minute: False,
        alerting: Callable[[], Ints] = no_slots,
    ) -> None:
        if not isinstance(demand, Demand):
            demand = Demand(demand, has_aggregate=False)
        self.usage, self.fleet, self.fails = demand.utilization * LIMIT, Fleet(), fails
        self.throttled = np.zeros_like(self.usage) if demand.throttled is None else demand.throttled
        self.publication = demand.publication or Publication.uniform(self.usage.shape)
        self.fleet.set_bounds(
            MetricBounds.of([SUM_OF_THROTTLED] * demand.has_aggregate + [SUM_OF_USAGE] * demand.has_whole)
        )
        self.minute, self.requested, self.lists = 0, 0, demand.lists
        self.series = list[Series]()
        self._add(len(self.usage))
        rings = self.fleet.rings
        self.aggregate = int(rings.bound[self.throttled_rows[0]])
        self.whole = int(rings.whole[self.usage_rows[0]])
        if demand.whole_limit is not None:
            settings = replace(SETTINGS, limit=Limit(demand.whole_limit, LimitSource.API, NOW * 60))
            add(self.fleet, key("whole"), settings, usage=per_second(traffic), throttled=None)
        self.longest = intervals.longest
        self.planner = Planner(self.fleet, intervals, alerting, budget(self) if budget else None)
        self.reads = np.zeros(rings.size, np.int32)
        self.last_read = np.full(rings.size, NOW, np.int32)
        self.longest_gap = np.zeros(rings.size, np.int32)

    def _add(self, count: int) -> None:
        """Add series to the fleet, the last ones of `usage`."""
        settings = replace(SETTINGS, limit=Limit(LIMIT, LimitSource.API, NOW * 60))
        names = range(len(self.series), len(self.series) + count)
        self.series += [add(self.fleet, key(f"stream-{n}"), settings) for n in names]
        self.usage_rows = np.concatenate([block.rows[0] for block in self.fleet.usages])
        self.throttled_rows = np.concatenate([block.rows[0] for block in self.fleet.throttled])
        self.fleet.rings.delay[: self.fleet.rings.size] = DELAY

    def grow(self, utilization: Floats) -> None:
        """Add series, as an inventory finds them."""
        self.usage = np.concatenate([self.usage, utilization * LIMIT])
        self.throttled = np.concatenate([self.throttled, np.zeros_like(utilization)])
        self.publication = Publication.uniform(self.usage.shape)
        self._add(len(utilization))
        added_count = self.fleet.rings.size - self.reads.size
        self.reads = np.append(self.reads, np.zeros(added_count, np.int32))
        self.last_read = np.append(self.last_read, np.full(added_count, self.now, np.int32))
        self.longest_gap = np.append(self.longest_gap, np.zeros(added_count, np.int32))

    @property
    def now(self) -> int:
        """The minute of the clock."""
        return NOW + self.minute

    async def run(self, minutes: int) -> None:
        """Let minutes pass, and read in each minute the metrics that are due."""
        for _ in range(minutes):
            await self.step()

    async def step(self) -> None:
        """Read the metrics that are due in this minute, and advance to the next minute."""
        self._list()
        await self.planner.update(self.now)
        if not self.fails(self.minute):
            metrics, rings = self.fleet.metrics(CELL), self.fleet.rings
            self._read(self._affordable(due_metrics(rings, metrics, self.now)))
            rows = np.fromiter(metrics.values(), np.int32)
            due_at_once = {
                row for batch in batches(rings, rows) for row in prune(rings, batch, self.now).tolist()
            }
            due_at_once |= {*unsafe_parts(rings, rows).tolist()}
            self._read(self._affordable({name: row for name, row in metrics.items() if row in due_at_once}))
        self.minute += 1

    def _list(self) -> None:
        """Request the list of recently active metrics if it is due in this minute."""
        if not (lists := self.lists) or self.minute % self.longest or lists.fails(self.minute):
            return
        self.requested += 1
        through = HISTORY + self.minute - DELAY - lists.delay
        recent = (~np.isnan(self.usage[:, max(through - HISTORY, 0) : max(through, 0)])).any(axis=1)
        recent |= np.isin(np.arange(len(recent)), [*lists.always_listed])
        self.fleet.rings.note_list(self.usage_rows, recent, self.now)

    def _affordable(self, due: Mapping[bytes, int]) -> dict[bytes, int]:
        """Return the due metrics that the budget pays for, the most overdue first."""
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
            requested_from = NEVER if request.is_whole_window else request.minutes.start
            rings.mark_read(rows, self.now - DELAY - 1, requested_from)

    def _write(self, rows: Ints, minutes: Iterable[int]) -> None:
        """Write the points that are visible now: throttled demand has none while it is 0."""
        requested_minutes = np.array([minute for minute in minutes if minute < self.now], np.int32)
        columns = requested_minutes - NOW + HISTORY
        values = self.throttled[:, columns], self.usage[:, columns] * 60
        visible = self.publication.visible(values, columns, self.minute + HISTORY)
        all_rows = np.concatenate(
            [self.usage_rows, self.throttled_rows, np.array([self.aggregate, self.whole], np.int32)]
        )
        value_when_absent = np.full(all_rows.size, np.nan)
        value_when_absent[self.usage_rows.size : -1] = 0.0
        requested = np.flatnonzero(np.isin(all_rows, rows))
        points = visible[requested]
        known = np.flatnonzero(~np.isnan(points) & (points != value_when_absent[requested, None]))
        point_rows = all_rows[requested].repeat(columns.size)
        point_minutes = np.tile(requested_minutes, requested.size)
        self.fleet.rings.write(point_rows[known], point_minutes[known], points.ravel()[known])

    def known_through(self) -> Ints:
        """Return the newest minute that is known of each series, counted from the start."""
        minutes: Ints = self.fleet.rings.latest_minute[self.usage_rows] - NOW
        return minutes

    def throttled_through(self) -> Ints:
        """Return the minute up to which the throttled demand of each series is known."""
        minutes: Ints = self.fleet.rings.polled_through[self.throttled_rows] - NOW
        return minutes

    def above(self) -> Flags:
        """Return in which minutes each series is above its band, [series, minute from the start]."""
        is_above: Flags = self.usage[:, HISTORY:] >= SETTINGS.band.high * LIMIT
        return is_above
