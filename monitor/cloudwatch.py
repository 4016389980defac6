"""Reading a cell's metrics: GetMetricData, 500 a call, into the fleet's rings."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
from aiobotocore.config import AioConfig
from aiolimiter import AsyncLimiter
from botocore.exceptions import PaginationError

from collectors.base import Metric
from monitor import codec, plan
from monitor.aws import AWS_ERRORS, CLIENT_CONFIG, Cell, Failure, failure
from monitor.codec import Result
from monitor.fleet import Fleet, fragment
from monitor.price import PAYERS

CALLS_AT_ONCE = 4  # per cell
POINTS_PER_SECOND = 150_000  # AWS allows 180,000 per second and region, of the last three hours
ASKED = 3  # times, at most, for a metric whose result is not complete
CONFIG = CLIENT_CONFIG.merge(
    AioConfig(parameter_validation=False)
)  # the queries are ours, checked when built

DIMENSIONS = b'"Dimensions"'
SERVICES = {
    fragment(Metric(*metric, stat="")).partition(DIMENSIONS)[0]: service for metric, service in PAYERS.items()
}


class Reader:
    """Reads the metrics of one cell into the fleet; one `read` at a time."""

    def __init__(self, cell: Cell, fleet: Fleet) -> None:
        self._cell, self._fleet = cell, fleet
        self._points = AsyncLimiter(POINTS_PER_SECOND, 1)
        self._at_once = asyncio.Semaphore(CALLS_AT_ONCE)
        self._client: Any = None
        self._ask = codec.plain

    async def read(self, now: int) -> list[Failure]:
        """Ask for all that is due at the minute `now`; return what failed, which costs its metrics only."""
        if self._client is None:
            try:
                self._client = await self._cell.new_client("cloudwatch", CONFIG)
            except AWS_ERRORS as error:
                return [failure(error, "GetMetricData")]
            self._ask = codec.fast if codec.install(self._client) else codec.plain
        requests = plan.due(self._fleet.rings, self._fleet.metrics(self._cell.key), now)
        failed = await asyncio.gather(*(self._read(request) for request in requests))
        return [one for one in failed if one]

    async def _read(self, request: plan.Request) -> Failure | None:
        asked = dict(enumerate(request.metrics))
        async with self._at_once:
            try:
                for _ in range(ASKED):
                    results = await self._results(asked, request)
                    done = {n: result for n, result in results.items() if usable(result)}
                    self._keep(request, done)
                    asked = {n: metric for n, metric in asked.items() if n not in done}
                    if not asked:
                        return None
            except Exception as error:
                if not isinstance(error, AWS_ERRORS):  # an answer that nobody foresaw
                    self._cell.telemetry.decode_errors.labels("answer").inc()
                return failure(error, "GetMetricData")
        self._cell.telemetry.decode_errors.labels("incomplete").inc(len(asked))
        example = next(iter(asked.values())).decode()
        sentence = f"{len(asked)} metrics stayed incomplete after {ASKED} requests, among them {example}"
        return Failure("GetMetricData", "", "Incomplete", sentence)

    async def _results(self, metrics: Mapping[int, bytes], request: plan.Request) -> dict[int, Result]:
        """The results of all pages, by the metric's number."""
        results: dict[int, Result] = {}
        numbers = {codec.query_id(n): n for n in metrics}
        token: str | None = None
        while True:
            await self._points.acquire(len(metrics) * len(request.minutes))
            ask = partial(self._ask, self._client, metrics, request.minutes, token)
            page = await self._cell.counted("cloudwatch", "GetMetricData", ask)
            if token is None:  # AWS bills what it answered, and its pages together
                for service, number in payers(metrics.values()).items():
                    self._cell.telemetry.requested(*self._cell.key, service, number)
            for result in page.metric_data_results:
                if result.id in numbers:
                    n = numbers[result.id]
                    results[n] = joined(results[n], result) if n in results else result
            if not page.next_token:
                return results
            if page.next_token == token:
                raise PaginationError(message="the same next token was received twice")
            token = page.next_token

    def _keep(self, request: plan.Request, results: Mapping[int, Result]) -> None:
        """Write complete results to the rings, points and absences alike.

        A metric that an inventory dropped meanwhile is left out: its row may be another one's by now.
        """
        rings, listed = self._fleet.rings, self._fleet.metrics(self._cell.key)
        there = {n: one for n, one in results.items() if listed.get(request.metrics[n]) == request.rows[n]}
        rows = request.rows[np.fromiter(there, np.int32, len(there))]
        points = [len(result.values) for result in there.values()]
        times = np.array([time for result in there.values() for time in result.timestamps], np.float64)
        values = np.array([value for result in there.values() for value in result.values], np.float64)
        minutes = times // 60
        wanted = (minutes >= request.minutes.start) & (minutes < request.minutes.stop)
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
            told = values[wanted].astype(np.float32)
        unusable = rings.write(rows.repeat(points)[wanted], minutes[wanted].astype(np.int32), told)
        self._cell.telemetry.points.labels("poll", "written").inc(told.size - unusable)
        self._cell.telemetry.decode_errors.labels("point").inc(unusable + int(np.count_nonzero(~wanted)))
        rings.mark_read(rows, request.minutes.stop - 1)


def payers(metrics: Iterable[bytes]) -> Mapping[str, int]:
    """How many of the metrics, as fragments, are read for each service."""
    return Counter(SERVICES.get(metric.partition(DIMENSIONS)[0], "") for metric in metrics)


def joined(earlier: Result, later: Result) -> Result:
    """One metric's result from two pages; the later page has the last word on whether it is complete."""
    timestamps, values = earlier.timestamps + later.timestamps, earlier.values + later.values
    return Result(later.id, timestamps, values, later.status_code)


def usable(result: Result) -> bool:
    """Whether a result is complete and each of its values has a time."""
    return result.status_code == "Complete" and len(result.timestamps) == len(result.values)
