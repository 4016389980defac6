"""Reads the points of past days of a cell's metrics with GetMetricData.

Each metric is requested once for all days, as AWS bills metrics and not points. A call requests as many
metrics as one page can hold with all their points, so that memory holds few points at a time.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from monitor.aws.failure import Failure
from monitor.fleet.metric_query import with_period
from monitor.fleet.rings import Rings
from monitor.polling.codec import MetricResult
from monitor.polling.metric_caller import MAX_CONCURRENT_CALLS, CallPart, MetricCaller
from monitor.polling.metric_pages import MAX_POINTS_PER_PAGE
from monitor.polling.metric_source import MetricSource
from monitor.polling.plan import MAX_METRICS_PER_CALL, MetricRequest
from monitor.polling.rejected_metrics import InvalidRequestError
from rules.arrays import Floats, Ints, distinct_values

# AWS allows 396,000 points a second for requests whose start time is more than three hours ago.
PAST_POINTS_PER_SECOND = 300_000
MAX_CONSECUTIVE_FAILURES = 8  # failed calls in a row after which the rest of a region is not read

# Takes rows in the rings, and the points as arrays of row, minute and value.
WritePoints = Callable[[Ints, tuple[Ints, Ints, Floats]], None]


class HistoryReader:
    """Reads past minutes of the metrics of one cell.

    write_points: called with the rows of metrics that were read completely, and their points; may raise
    OSError. report_finished: called with the number of metrics that were finished since the previous call,
    whether they were read or not.
    """

    def __init__(
        self,
        source: MetricSource,
        rings: Rings,
        write_points: WritePoints,
        report_finished: Callable[[int], None],
    ) -> None:
        self.source, self._rings = source, rings
        self._write_points, self._report_finished = write_points, report_finished
        self._consecutive_failures = 0
        self._write_error: OSError | None = None

    async def read(self, metrics: Mapping[bytes, int], minutes: range) -> list[Failure]:
        """Read a range of past minutes of metrics, and return the failures.

        metrics: their rows in the rings, by query. Raises OSError if the points could not be written.
        """
        failures: list[Failure] = []
        for region, region_metrics in self.source.metric_services.by_region(metrics).items():
            self._consecutive_failures = 0
            cell = self.source.cell.in_region(region or self.source.cell.region)
            caller = MetricCaller(cell, PAST_POINTS_PER_SECOND)
            requests = self._requests(region_metrics, minutes)
            workers = (self._work(caller, requests) for _ in range(MAX_CONCURRENT_CALLS))
            for worker_failures in await asyncio.gather(*workers):
                failures += worker_failures
        if self._write_error:
            raise self._write_error
        return failures

    async def _work(self, caller: MetricCaller, requests: Iterator[MetricRequest]) -> list[Failure]:
        """Send requests one after the other until none is left; several workers share `requests`."""
        failures: list[Failure] = []
        for request in requests:
            failures += await self._read(caller, request)
            self._report_finished(len(request.metrics))
        return failures

    def _requests(self, metrics: Mapping[bytes, int], minutes: range) -> Iterator[MetricRequest]:
        """Yield requests, each for metrics of one period.

        After too many failures, the remaining metrics are reported as finished without a request.
        """
        rows = np.fromiter(metrics.values(), np.int32, len(metrics))
        queries = np.array([*metrics], np.object_)
        periods = self._rings.period[rows]
        for period in distinct_values(periods).tolist():
            whole_periods = range(minutes.start // period * period, minutes.stop // period * period)
            metrics_per_page = max(1, MAX_POINTS_PER_PAGE * period // max(len(whole_periods), 1))
            call_size = min(MAX_METRICS_PER_CALL, metrics_per_page)
            period_indexes = np.flatnonzero(periods == period)
            order = period_indexes[np.argsort(rows[period_indexes])]
            for first in range(0, order.size, call_size):
                part = order[first : first + call_size]
                if self._consecutive_failures < MAX_CONSECUTIVE_FAILURES and not self._write_error:
                    part_queries = [with_period(query, period) for query in queries[part].tolist()]
                    yield MetricRequest(part_queries, rows[part], whole_periods, minutes.stop, period)
                else:
                    self._report_finished(part.size)

    async def _read(self, caller: MetricCaller, request: MetricRequest) -> list[Failure]:
        """Send a request; send its halves instead if CloudWatch rejects it because of one metric."""
        try:
            failures = [*(await caller.call([CallPart(self, request)])).values()]
        except InvalidRequestError as error:
            if len(request.metrics) == 1:
                return [error.failure]
            return [failure for half in request.halves for failure in await self._read(caller, half)]
        self._consecutive_failures = self._consecutive_failures + 1 if failures else 0
        return failures

    def write(self, request: MetricRequest, results: Mapping[int, MetricResult]) -> None:
        """Write the points of complete results. results: by the number of the metric in the request."""
        rows = request.rows[np.fromiter(results, np.intp, len(results))]
        counts = np.fromiter((len(result.values) for result in results.values()), np.intp, len(results))
        times = np.array([time for result in results.values() for time in result.timestamps], np.float64)
        values = np.array([value for result in results.values() for value in result.values], np.float64)
        # Values beyond float32 become infinite; `write_points` leaves them out.
        with np.errstate(over="ignore"):
            points = rows.repeat(counts), (times // 60).astype(np.int32), values.astype(np.float32)
        try:
            self._write_points(rows, points)
        except OSError as error:  # not a failure of AWS: raised at the end of `read`
            self._write_error = error
