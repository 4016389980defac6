"""Reads the points of past days of a cell's metrics with GetMetricData, each metric once: AWS bills metrics.

A call has as many metrics as fill one page with their points, so that little is in memory at a time.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from monitor.aws.failure import Failure
from monitor.fleet.columns import Floats, Ints
from monitor.fleet.metric_query import with_period
from monitor.fleet.rings import Rings
from monitor.polling.codec import MetricResult
from monitor.polling.metric_caller import MAX_CONCURRENT_CALLS, CallPart, MetricCaller
from monitor.polling.metric_pages import MAX_POINTS_PER_PAGE
from monitor.polling.metric_source import MetricSource
from monitor.polling.plan import MetricRequest
from monitor.polling.rejected_metrics import InvalidRequestError

# AWS allows 396,000 points a second where a request begins more than three hours ago.
PAST_POINTS_PER_SECOND = 300_000
MAX_METRICS_PER_CALL = 500  # of GetMetricData
STALLED_AFTER = 8  # calls that fail one after the other, after which no further ones are made in a region

Write = Callable[[Ints, tuple[Ints, Ints, Floats]], None]  # rows, and their points


class HistoryReader:
    """Reads past minutes of the metrics of one cell.

    write: takes the rows of metrics that were read completely, and their points; may raise OSError.
    report: called with the number of metrics that were tried.
    """

    def __init__(
        self, source: MetricSource, rings: Rings, write: Write, report: Callable[[int], None]
    ) -> None:
        self.source, self._rings, self._write, self._report = source, rings, write, report
        self._failed_in_a_row = 0
        self._write_error: OSError | None = None

    async def read(self, metrics: Mapping[bytes, int], minutes: range) -> list[Failure]:
        """Read the minutes of metrics, which `metrics` maps to their rows; return the failures.

        Raises OSError if the points could not be written.
        """
        failures: list[Failure] = []
        for region, some in self.source.owners.by_region(metrics).items():
            self._failed_in_a_row = 0
            cell = self.source.cell.in_region(region or self.source.cell.region)
            caller = MetricCaller(cell, PAST_POINTS_PER_SECOND)
            requests = self._requests(some, minutes)
            workers = (self._work(caller, requests) for _ in range(MAX_CONCURRENT_CALLS))
            failures += [one for found in await asyncio.gather(*workers) for one in found]
        if self._write_error:
            raise self._write_error
        return failures

    async def _work(self, caller: MetricCaller, requests: Iterator[MetricRequest]) -> list[Failure]:
        """Send requests one after the other until none is left; others take their share of them."""
        failures: list[Failure] = []
        for request in requests:
            failures += await self._read(caller, request)
            self._report(len(request.metrics))
        return failures

    def _requests(self, metrics: Mapping[bytes, int], minutes: range) -> Iterator[MetricRequest]:
        """Yield requests for metrics of one period each; of no more once all calls fail."""
        rows = np.fromiter(metrics.values(), np.int32, len(metrics))
        queries = np.array([*metrics, None], np.object_)[:-1]
        periods = self._rings.period[rows]
        for period in np.unique(periods).tolist():
            whole = range(minutes.start // period * period, minutes.stop // period * period)
            size = min(MAX_METRICS_PER_CALL, max(1, MAX_POINTS_PER_PAGE * period // max(len(whole), 1)))
            of_period = np.flatnonzero(periods == period)
            order = of_period[np.argsort(rows[of_period])]
            for first in range(0, order.size, size):
                part = order[first : first + size]
                if self._failed_in_a_row < STALLED_AFTER and not self._write_error:
                    wanted = [with_period(query, period) for query in queries[part].tolist()]
                    yield MetricRequest(wanted, rows[part], whole, minutes.stop, period)
                else:
                    self._report(part.size)

    async def _read(self, caller: MetricCaller, request: MetricRequest) -> list[Failure]:
        """Send a request; in halves when CloudWatch rejects all of it because of one metric."""
        try:
            failed = [*(await caller.call([CallPart(self, request)])).values()]
        except InvalidRequestError as error:
            if len(request.metrics) == 1:
                return [error.failure]
            return [one for half in request.halves for one in await self._read(caller, half)]
        self._failed_in_a_row = self._failed_in_a_row + 1 if failed else 0
        return failed

    def write(self, request: MetricRequest, results: Mapping[int, MetricResult]) -> None:
        """Pass on the points of complete results."""
        rows = request.rows[np.fromiter(results, np.intp, len(results))]
        counts = np.fromiter((len(one.values) for one in results.values()), np.intp, len(results))
        times = np.array([time for one in results.values() for time in one.timestamps], np.float64)
        values = np.array([value for one in results.values() for value in one.values], np.float64)
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which is left out
            points = rows.repeat(counts), (times // 60).astype(np.int32), values.astype(np.float32)
        try:
            self._write(rows, points)
        except OSError as error:  # no failure of AWS
            self._write_error = error
