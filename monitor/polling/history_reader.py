"""Reads the points of past days of a cell's metrics with GetMetricData.

Each metric is requested once for all days, as AWS bills metrics and not points. A call requests as many
metrics as one page can hold with all their points, so that memory holds few points at a time.
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

# AWS allows 396,000 points a second for requests whose start time is more than three hours ago.
PAST_POINTS_PER_SECOND = 300_000
MAX_METRICS_PER_CALL = 500  # the maximum of GetMetricData
STALLED_AFTER = 8  # consecutive failed calls in a region after which no further calls are made there

# Takes rows, and points as arrays of row, minute and value.
Write = Callable[[Ints, tuple[Ints, Ints, Floats]], None]


class HistoryReader:
    """Reads past minutes of the metrics of one cell.

    write: called with the rows of metrics that were read completely, and their points; may raise OSError.
    report: called with the number of further metrics that are finished, whether read or not.
    """

    def __init__(
        self, source: MetricSource, rings: Rings, write: Write, report: Callable[[int], None]
    ) -> None:
        self.source, self._rings, self._write, self._report = source, rings, write, report
        self._failed_in_a_row = 0
        self._write_error: OSError | None = None

    async def read(self, metrics: Mapping[bytes, int], minutes: range) -> list[Failure]:
        """Read some past minutes of metrics, and return the failures.

        metrics: rows in the rings, by query. Raises OSError if the points could not be written.
        """
        failures: list[Failure] = []
        for region, of_region in self.source.owners.by_region(metrics).items():
            self._failed_in_a_row = 0
            cell = self.source.cell.in_region(region or self.source.cell.region)
            caller = MetricCaller(cell, PAST_POINTS_PER_SECOND)
            requests = self._requests(of_region, minutes)
            workers = (self._work(caller, requests) for _ in range(MAX_CONCURRENT_CALLS))
            failures += [failure for found in await asyncio.gather(*workers) for failure in found]
        if self._write_error:
            raise self._write_error
        return failures

    async def _work(self, caller: MetricCaller, requests: Iterator[MetricRequest]) -> list[Failure]:
        """Send requests one after the other until none is left; several workers share `requests`."""
        failures: list[Failure] = []
        for request in requests:
            failures += await self._read(caller, request)
            self._report(len(request.metrics))
        return failures

    def _requests(self, metrics: Mapping[bytes, int], minutes: range) -> Iterator[MetricRequest]:
        """Yield requests, each for metrics of one period; once calls keep failing, only report the rest."""
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
        """Send a request; send its halves instead if CloudWatch rejects the request for a metric in it."""
        try:
            failed = [*(await caller.call([CallPart(self, request)])).values()]
        except InvalidRequestError as error:
            if len(request.metrics) == 1:
                return [error.failure]
            return [failure for half in request.halves for failure in await self._read(caller, half)]
        self._failed_in_a_row = self._failed_in_a_row + 1 if failed else 0
        return failed

    def write(self, request: MetricRequest, results: Mapping[int, MetricResult]) -> None:
        """Pass on the points of complete results. results: by the number of the metric in the request."""
        rows = request.rows[np.fromiter(results, np.intp, len(results))]
        counts = np.fromiter((len(result.values) for result in results.values()), np.intp, len(results))
        times = np.array([time for result in results.values() for time in result.timestamps], np.float64)
        values = np.array([value for result in results.values() for value in result.values], np.float64)
        with np.errstate(over="ignore"):  # values beyond float32 become infinite; `write` leaves them out
            points = rows.repeat(counts), (times // 60).astype(np.int32), values.astype(np.float32)
        try:
            self._write(rows, points)
        except OSError as error:  # not a failure of AWS: raised at the end of `read`
            self._write_error = error
