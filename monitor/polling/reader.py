"""Reads the metrics of a cell with GetMetricData, 500 a call, into the fleet's rings."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from aiobotocore.config import AioConfig

from monitor.aws.cell import Cell
from monitor.aws.clients import CLIENT_CONFIG
from monitor.aws.failure import AWS_ERRORS, Failure, failure_from
from monitor.aws.rate_limiter import RateLimiter
from monitor.fleet.columns import Floats, Ints
from monitor.fleet.fleet import Fleet
from monitor.fleet.namespaces import NEVER
from monitor.fleet.publication_delay import PublicationDelays
from monitor.polling import codec, plan
from monitor.polling.codec import MetricResult
from monitor.polling.metric_owners import MetricOwners
from monitor.polling.metric_pages import MetricPages
from monitor.polling.rejected_metrics import InvalidRequestError, RejectedMetrics, is_validation_error

MAX_CONCURRENT_CALLS = 4  # per cell
POINTS_PER_SECOND = 90_000  # AWS allows 180,000 of the last three hours, and one request may have 90,000
MAX_REQUESTS_PER_METRIC = 3  # in one poll, while its result is incomplete
# Validation is left out, as the queries were built from checked metrics.
CLIENT_CONFIG_WITHOUT_VALIDATION = CLIENT_CONFIG.merge(AioConfig(parameter_validation=False))


@dataclass(eq=False)
class MetricReader:
    """Reads the metrics of one cell into the fleet, one `read` at a time.

    owners: the services that requested metrics are charged to. polled: set at the end of each `read`.
    rejected: the metrics to leave out. points_per_second: requested at most.
    """

    cell: Cell
    fleet: Fleet
    owners: MetricOwners
    polled: asyncio.Event = field(default_factory=asyncio.Event)
    rejected: RejectedMetrics = field(default_factory=RejectedMetrics)
    points_per_second: float = POINTS_PER_SECOND

    def __post_init__(self) -> None:
        self._delays = PublicationDelays(self.fleet.rings.namespaces)
        self._point_limiter = RateLimiter(self.points_per_second)
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENT_CALLS)
        self._requested: set[bytes] | None = set()

    @property
    def has_new_metrics(self) -> bool:
        """True if there are metrics that were not requested yet; False after `finish_first_polls`."""
        return bool(self._new_metrics())

    def _new_metrics(self) -> Mapping[bytes, int]:
        if (requested := self._requested) is None:
            return {}
        listed = self.fleet.metrics(self.cell.key).items()
        return {metric: row for metric, row in listed if metric not in requested}

    def finish_first_polls(self) -> None:
        """Stop recording which metrics were requested, once all of the first inventory were."""
        self._requested = None

    async def read(self, now: int, *, only_new: bool = False) -> list[Failure]:
        """Read all metrics that are due at the minute `now`, and return the failures.

        only_new: only metrics that were not requested yet. A failure affects the metrics of its call only.
        """
        self.rejected.start_poll()
        listed = self._new_metrics() if only_new else self.fleet.metrics(self.cell.key)
        if self._requested is not None:
            self._requested.update(listed)
        accepted, retried = self.rejected.partition(listed)
        self.fleet.keep_rejected(self.cell.key, self.rejected.metrics)
        rings = self.fleet.rings
        requests = [
            (self.cell.in_region(region) if region else self.cell, request)
            for listed in (accepted, retried)
            for region, metrics in self.owners.by_region(listed).items()
            for request in plan.plan_requests(rings, metrics, now)
        ]
        failed = await asyncio.gather(*(self._read(cell, request) for cell, request in requests))
        self._delays.learn()
        if (skew := self.cell.clock.skew) is not None:
            self.cell.telemetry.clock_skew.labels(*self.cell.key).set(skew)
        self.polled.set()
        return [failure for failures in failed for failure in failures]

    async def _read(self, cell: Cell, request: plan.MetricRequest) -> list[Failure]:
        """Send a request; in halves when CloudWatch rejects all of it because of one metric."""
        try:
            failed = await self._fetch(cell, request)
        except InvalidRequestError as error:
            if len(request.metrics) > 1 and self.rejected.try_split():
                first, second = halves(request)  # one after the other, as the splits are limited
                return await self._read(cell, first) + await self._read(cell, second)
            failed = error.failure
            if len(request.metrics) == 1:
                self._reject(request.metrics[0], failed)
        return [failed] if failed else []

    def _reject(self, metric: bytes, error: Failure) -> None:
        """Leave a metric out for a while, and make its series unobservable."""
        self.rejected.add(metric)
        self.fleet.mark_rejected(self.cell.key, metric, f"CloudWatch rejects the metric: {error.message}")

    async def _fetch(self, cell: Cell, request: plan.MetricRequest) -> Failure | None:
        """Send a request until all of its results are complete; return the failure, if any.

        Raises InvalidRequestError when CloudWatch rejects its content.
        """
        missing = dict(enumerate(request.metrics))
        async with self._semaphore:
            try:
                for _ in range(MAX_REQUESTS_PER_METRIC):
                    results = await self._fetch_pages(cell, missing, request)
                    done = {n: result for n, result in results.items() if is_usable(result)}
                    self._write(request, done)
                    missing = {n: metric for n, metric in missing.items() if n not in done}
                    if not missing:
                        return None
            except Exception as error:
                if not isinstance(error, AWS_ERRORS):  # a response of an unexpected form
                    self.cell.telemetry.decode_errors.labels("answer").inc()
                failed = failure_from(error, "GetMetricData")
                if is_validation_error(error):
                    raise InvalidRequestError(failed) from error
                return failed
        self.cell.telemetry.decode_errors.labels("incomplete").inc(len(missing))
        example = next(iter(missing.values())).decode()
        requests = f"{MAX_REQUESTS_PER_METRIC} requests"
        sentence = f"{len(missing)} metrics stayed incomplete after {requests}, among them {example}"
        return Failure("GetMetricData", "", "Incomplete", sentence)

    async def _fetch_pages(
        self, cell: Cell, metrics: Mapping[int, bytes], request: plan.MetricRequest
    ) -> dict[int, MetricResult]:
        """Request all pages of metrics by number, and return their results by number.

        Raises one of AWS_ERRORS, among them PaginationError when there are more points than there can be.
        """
        client = await cell.client("cloudwatch", CLIENT_CONFIG_WITHOUT_VALIDATION)
        send = codec.get_metric_data if codec.install(client) else codec.get_metric_data_by_botocore
        pages = MetricPages(metrics, len(request.minutes) // request.period)
        await self._point_limiter.acquire(pages.max_points)
        while True:
            send_page = partial(send, client, metrics, request.minutes, pages.token)
            page = await cell.call_with_retries("cloudwatch", "GetMetricData", send_page)
            self.cell.clock.observe(page.date)
            if pages.token is None:  # AWS bills successful requests, all pages together
                for service, number in self.owners.count(metrics.values()).items():
                    self.cell.telemetry.count_requested_metrics(*self.cell.key, service, number)
            if pages.add(page):
                return pages.results

    def _write(self, request: plan.MetricRequest, results: Mapping[int, MetricResult]) -> None:
        """Write complete results to the rings, and mark their minutes as read.

        A metric that an inventory has dropped is left out, as another metric may have its row now. Points of
        future minutes by AWS's clock are discarded, and a minute without a point counts as read only after
        the publication delay.
        """
        rings, listed = self.fleet.rings, self.fleet.metrics(self.cell.key)
        still_listed = {
            n: result for n, result in results.items() if listed.get(request.metrics[n]) == request.rows[n]
        }
        rows, period = request.rows[np.fromiter(still_listed, np.int32, len(still_listed))], request.period
        points = [len(result.values) for result in still_listed.values()]
        times = np.array([time for result in still_listed.values() for time in result.timestamps], np.float64)
        values = np.array([value for result in still_listed.values() for value in result.values], np.float64)
        minutes = times // 60
        stop = min(request.now, self.cell.clock.minute())
        in_range = (minutes >= request.minutes.start) & (minutes + period <= stop)
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which `write` discards
            values_in_range = values[in_range].astype(np.float32)
        point_rows, every_minute, every_value = rings.spread(
            rows.repeat(points)[in_range], minutes[in_range].astype(np.int32), values_in_range
        )
        last = slice(period - 1, None, period)  # of the minutes of each point
        self._observe_delays(point_rows[last], every_minute[last], every_value[last])
        rings.mark_requested(rows, stop - 1)
        unusable = rings.write(point_rows, every_minute, every_value, marked_next=True) // period
        self.cell.telemetry.points.labels("poll", "written").inc(values_in_range.size - unusable)
        self.cell.telemetry.decode_errors.labels("point").inc(unusable + int(np.count_nonzero(~in_range)))
        requested_from = NEVER if request.is_whole_window else request.minutes.start
        complete = (stop - rings.delays(rows)) // period * period
        rings.mark_read(rows, complete - 1, requested_from)

    def _observe_delays(self, rows: Ints, minutes: Ints, values: Floats) -> None:
        """Learn how late points are published, from the last minute of each."""
        rings = self.fleet.rings
        has_changed = rings.at(rows, minutes) != values
        requested_before = rings.requested_through[rows] - minutes
        self._delays.observe(rings.namespace[rows], requested_before, has_changed)


def halves(request: plan.MetricRequest) -> list[plan.MetricRequest]:
    """Two requests with half of the metrics each."""
    middle = len(request.metrics) // 2
    parts = slice(middle), slice(middle, None)
    return [replace(request, metrics=request.metrics[part], rows=request.rows[part]) for part in parts]


def is_usable(result: MetricResult) -> bool:
    """Return true if a result is complete and each of its values has a timestamp."""
    return result.status_code == "Complete" and len(result.timestamps) == len(result.values)
