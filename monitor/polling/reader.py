"""Reads the metrics of a cell with GetMetricData into the fleet's rings."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np

from monitor.aws.cell import Cell
from monitor.aws.failure import Failure
from monitor.fleet.fleet import Fleet
from monitor.fleet.namespaces import NEVER
from monitor.fleet.publication_delay import PublicationDelays
from monitor.planning.planner import Planner
from monitor.planning.pruning import batches, prune
from monitor.planning.safe_parts import unsafe_parts
from monitor.polling import plan
from monitor.polling.codec import MetricResult
from monitor.polling.metric_caller import POINTS_PER_SECOND, CallPart, MetricCaller
from monitor.polling.metric_services import MetricServices
from monitor.polling.metric_source import MetricSource
from monitor.polling.rejected_metrics import InvalidRequestError, RejectedMetrics
from monitor.polling.shared_calls import SharedCalls, SharingReader
from rules.arrays import Floats, Ints


def shares_nothing(_: str) -> SharedCalls | None:
    """Return None, so that the metrics of every region are read in the cell's own calls."""
    return None


@dataclass(eq=False)
class MetricReader:
    """Reads the metrics of one cell into the fleet, one `read` at a time.

    metric_services: the services that requested metrics are charged to. polled: set at the end of each
    `read`. requested_count: how many metrics the last `read` requested. rejected: metrics that are not
    requested for a while. points_per_second: the maximum rate of requested points. shared_calls: returns the
    calls that read the metrics of a region together with those of other accounts; None if there are none.
    planner: plans which metrics are due, and what they may cost; without a planner, all metrics are due at
    each `read`.
    """

    cell: Cell
    fleet: Fleet
    metric_services: MetricServices
    polled: asyncio.Event = field(default_factory=asyncio.Event)
    rejected: RejectedMetrics = field(default_factory=RejectedMetrics)
    points_per_second: float = POINTS_PER_SECOND
    shared_calls: Callable[[str], SharedCalls | None] = shares_nothing
    planner: Planner | None = None
    requested_count: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._delays = PublicationDelays(self.fleet.rings.namespaces)
        self._callers: dict[str, MetricCaller] = {}  # by region
        self._requested_metrics: set[bytes] | None = set()  # None after `finish_first_polls`

    @property
    def has_metrics(self) -> bool:
        """True if the cell has metrics, so that a poll that requests none has read all that are due."""
        return bool(self.fleet.metrics(self.cell.key))

    @property
    def has_new_metrics(self) -> bool:
        """True if some metrics were not requested yet; false after `finish_first_polls`."""
        return bool(self._new_metrics())

    def _new_metrics(self) -> Mapping[bytes, int]:
        if (requested := self._requested_metrics) is None:
            return {}
        all_metrics = self.fleet.metrics(self.cell.key).items()
        return {metric: row for metric, row in all_metrics if metric not in requested}

    def finish_first_polls(self) -> None:
        """Stop recording which metrics were requested: all those of the first inventory were."""
        self._requested_metrics = None

    async def read(self, now: int, *, only_new: bool = False) -> list[Failure]:
        """Read all metrics that are due at the minute `now`, and return the failures.

        only_new: read only metrics that were not requested yet. A failure affects only its own call.
        """
        if self.planner:
            await self.planner.update(now)
        self.rejected.start_poll()
        self.requested_count = 0
        metrics = self._new_metrics() if only_new else self.fleet.metrics(self.cell.key)
        due = plan.due_metrics(self.fleet.rings, metrics, now)
        async with self._within_budget(due, now) as affordable:
            failures = await self._read(affordable, now)
        if self.planner and not only_new:
            failures += await self._read_at_once(now)
        self._delays.learn()
        if (skew := self.cell.clock.skew) is not None:
            self.cell.telemetry.clock_skew.labels(*self.cell.key).set(skew)
        self.polled.set()
        return failures

    async def _read_at_once(self, now: int) -> list[Failure]:
        """Prune metrics by the aggregates that were read, and read the metrics that must not wait."""
        rings, metrics = self.fleet.rings, self.fleet.metrics(self.cell.key)
        rows = np.fromiter(metrics.values(), np.int32)
        rows_at_once = {*unsafe_parts(rings, rows).tolist()}
        for batch in batches(rings, rows):
            rows_at_once.update(prune(rings, batch, now).tolist())
            await asyncio.sleep(0)
        if not rows_at_once:
            return []
        due = {metric: row for metric, row in metrics.items() if row in rows_at_once}
        async with self._within_budget(due, now) as affordable:
            return await self._read(affordable, now) if affordable else []

    @asynccontextmanager
    async def _within_budget(self, due: Mapping[bytes, int], now: int) -> AsyncIterator[Mapping[bytes, int]]:
        """Yield the due metrics that the budget allows now; the most overdue come first."""
        budget = self.planner.budget if self.planner else None
        if budget is None:
            yield due
            return
        async with budget.grant(self.fleet.payer_of(self.cell.key)[0], len(due)) as granted_count:
            yield plan.most_overdue(self.fleet.rings, due, now, granted_count)

    async def _read(self, metrics: Mapping[bytes, int], now: int) -> list[Failure]:
        """Request metrics, and return the failures."""
        if self._requested_metrics is not None:
            self._requested_metrics.update(metrics)
        accepted, retried = self.rejected.separate_retries(metrics)
        self.requested_count += len(accepted) + len(retried)
        self.fleet.keep_rejected(self.cell.key, self.rejected.metrics)
        requests_by_region: dict[str, list[plan.MetricRequest]] = {}
        for group in (accepted, retried):  # not in one request, as the retried may be rejected again
            for region, region_metrics in self.metric_services.by_region(group).items():
                planned = plan.plan_requests(self.fleet.rings, region_metrics, now)
                requests_by_region.setdefault(region or self.cell.region, []).extend(planned)
        calls = (self.send(self, region, requests) for region, requests in requests_by_region.items())
        return _flat(await asyncio.gather(*calls))

    async def send(
        self, reader: SharingReader, region: str, requests: Sequence[plan.MetricRequest]
    ) -> list[Failure]:
        """Send requests for metrics of the cell to a region, and return the failures.

        The calls are shared with other accounts if possible. reader: takes the results.
        """
        if requests and (shared := self.shared_calls(region)):
            return await shared.read(reader, requests)
        caller = self._callers.get(region)
        if caller is None:
            caller = MetricCaller(self.cell.in_region(region), self.points_per_second)
            self._callers[region] = caller
        return _flat(
            await asyncio.gather(*(reader.read_in_own_calls(caller, request) for request in requests))
        )

    async def read_in_own_calls(self, caller: MetricCaller, request: plan.MetricRequest) -> list[Failure]:
        """Send a request; send its halves instead if CloudWatch rejects a metric in it."""
        try:
            return [*(await caller.call([CallPart(self, request)])).values()]
        except InvalidRequestError as error:
            if len(request.metrics) > 1 and self.rejected.try_split():
                first, second = request.halves  # one after the other, as the splits are limited
                return await self.read_in_own_calls(caller, first) + await self.read_in_own_calls(
                    caller, second
                )
            if len(request.metrics) == 1:
                self._reject(request.metrics[0], error.failure)
            return [error.failure]

    @property
    def source(self) -> MetricSource:
        """The account and region that have the metrics."""
        return MetricSource(self.cell, self.metric_services)

    def _reject(self, metric: bytes, error: Failure) -> None:
        """Stop requesting a metric for a while, and make its series unobservable."""
        self.rejected.add(metric)
        self.fleet.mark_rejected(self.cell.key, metric, f"CloudWatch rejects the metric: {error.message}")

    def write(self, request: plan.MetricRequest, results: Mapping[int, MetricResult]) -> None:
        """Write complete results to the rings, and mark their minutes as read.

        results: by the number of the metric in the request. The results of a metric that an inventory has
        dropped are discarded, as another metric may have its row now. So are points of minutes that have not
        ended by AWS's clock. A minute without a point counts as read only after the publication delay.
        """
        rings, metrics = self.fleet.rings, self.fleet.metrics(self.cell.key)
        numbers = [n for n in results if metrics.get(request.metrics[n]) == request.rows[n]]
        usable_results = [results[n] for n in numbers]
        rows, period = request.rows[np.array(numbers, np.int32)], request.period
        point_counts = [len(result.values) for result in usable_results]
        times = np.array([time for result in usable_results for time in result.timestamps], np.float64)
        values = np.array([value for result in usable_results for value in result.values], np.float64)
        minutes = times // 60
        stop = min(request.now, self.cell.clock.minute())
        in_range = (minutes >= request.minutes.start) & (minutes + period <= stop)
        with np.errstate(over="ignore"):  # values beyond float32 become infinite, and `write` discards them
            values_in_range = values[in_range].astype(np.float32)
        point_rows, point_minutes, point_values = rings.spread(
            rows.repeat(point_counts)[in_range], minutes[in_range].astype(np.int32), values_in_range
        )
        last = slice(period - 1, None, period)  # the last minute of each point
        self._observe_delays(point_rows[last], point_minutes[last], point_values[last])
        rings.mark_requested(rows, stop - 1)
        unusable_minutes = rings.write(point_rows, point_minutes, point_values, mark_read_follows=True)
        unusable_count = unusable_minutes // period
        out_of_range_count = int(np.count_nonzero(~in_range))
        self.cell.telemetry.points.labels("poll", "written").inc(values_in_range.size - unusable_count)
        self.cell.telemetry.decode_errors.labels("point").inc(unusable_count + out_of_range_count)
        requested_from = NEVER if request.is_whole_window else request.minutes.start
        complete_until = (stop - rings.delays(rows)) // period * period
        rings.mark_read(rows, complete_until - 1, requested_from)

    def _observe_delays(self, rows: Ints, minutes: Ints, values: Floats) -> None:
        """Learn the publication delays. rows, minutes, values: the last minute of each point."""
        rings = self.fleet.rings
        has_changed = rings.at(rows, minutes) != values
        requested_before = rings.requested_through[rows] - minutes
        is_confirmed = minutes == rings.confirmed_point[rows]
        self._delays.observe(rings.namespace[rows], requested_before, has_changed, is_confirmed)


def _flat(failures: Iterable[Iterable[Failure]]) -> list[Failure]:
    return [failure for group in failures for failure in group]
