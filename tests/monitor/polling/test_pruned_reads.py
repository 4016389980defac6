"""Polls of a cell: the throttles of functions are read only while the account's total is above 0."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from collectors.base import Metric, Observed, per_second, total
from monitor.aws.cell import Cell
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.metric_query import metric_query
from monitor.fleet.series_settings import SeriesSettings
from monitor.planning.intervals import Intervals
from monitor.planning.planner import Planner
from monitor.polling.reader import MetricReader
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.fake_cloudwatch import Body, FakeCloudWatch, Query, Response, fake_credentials, query_result
from tests.registries import METRIC_SERVICES, REGISTRY, STREAM_WRITE_BYTES
from tests.resources import resource
from tests.telemetries import Telemetries

START, DELAY = 29_000_000, 2  # minutes
CELL = "123456789012", "eu-west-1"
FUNCTIONS = [f"function-{n}" for n in range(12)]
CONCURRENCY = Metric("AWS/Lambda", "ConcurrentExecutions", "Maximum")
THROTTLES = Metric("AWS/Lambda", "Throttles", "Sum", zero_when_absent=True)


class LambdaMetrics:
    """A fake CloudWatch with metrics of functions.

    throttled: by function, a minute and the throttles in it. request_counts: by metric name and function; ""
    is the account.
    """

    def __init__(self) -> None:
        self.now = START
        self.throttled = dict[str, tuple[int, float]]()
        self.request_counts = Counter[tuple[str, str]]()

    def answer(self, body: Body) -> Response:
        return {"MetricDataResults": [self._result(query) for query in body["MetricDataQueries"]]}

    def _result(self, query: Query) -> dict[str, Any]:
        metric = query["MetricStat"]["Metric"]
        function = next((pair["Value"] for pair in metric["Dimensions"]), "")
        self.request_counts[metric["MetricName"], function] += 1
        points: dict[int, float] = {}
        if metric["MetricName"] == "ConcurrentExecutions":
            points = {self.now - DELAY - 1 - minutes_ago: 1.0 for minutes_ago in range(20)}
        for name, (minute, number) in self.throttled.items():
            if metric["MetricName"] == "Throttles" and function in ("", name) and minute < self.now - DELAY:
                points[minute] = points.get(minute, 0) + number
        return query_result(query, points)


@asynccontextmanager
async def reader_of(aws: LambdaMetrics) -> AsyncIterator[MetricReader]:
    """Yield a reader of the metrics of FUNCTIONS and of the throttles of their account."""
    fleet = Fleet()
    fleet.set_bounds(REGISTRY.bounds)
    limit = Limit(1000.0, LimitSource.API, 0.0)
    for name in FUNCTIONS:
        observed = Observed(
            signal="function_reserved_concurrency",
            resource=resource(name),
            usage=total(CONCURRENCY.of(FunctionName=name)),
            throttled=per_second(THROTTLES.of(FunctionName=name)),
        )
        settings = SeriesSettings(signal=STREAM_WRITE_BYTES, limit=limit, band=Band(), delay=DELAY)
        key = Key(*CELL, "lambda", "function_reserved_concurrency", observed.resource)
        fleet.put(key, observed, settings, START)
    async with FakeCloudWatch(aws.answer) as server:
        telemetry = Telemetries()
        cell = Cell(fake_credentials(), *CELL, telemetry.aws, {"cloudwatch": 1000.0}, server.url)
        yield MetricReader(cell, fleet, METRIC_SERVICES, planner=Planner(fleet, Intervals(1, 15, 5)))
        await cell.close()


async def poll(reader: MetricReader, aws: LambdaMetrics, minutes: int) -> None:
    """Poll once in each of the next minutes."""
    for _ in range(minutes):
        assert await reader.read(aws.now) == []
        aws.now += 1


def stored_throttles(reader: MetricReader, name: str, minute: int) -> float:
    """Return the stored throttles of a function in a minute; NaN: unknown."""
    row = reader.fleet.metrics(CELL)[metric_query(THROTTLES.of(FunctionName=name))]
    return float(reader.fleet.rings.at(np.array([row], np.int32), np.array([minute], np.int32))[0])


async def test_throttles_of_functions_are_read_once_while_the_account_has_none() -> None:
    aws = LambdaMetrics()
    async with reader_of(aws) as reader:
        await poll(reader, aws, 60)
        assert {aws.request_counts["Throttles", name] for name in FUNCTIONS} == {1}
        assert aws.request_counts["Throttles", ""] == 60
        assert {stored_throttles(reader, name, aws.now - 10) for name in FUNCTIONS} == {0.0}


async def test_the_poll_that_reads_throttles_of_the_account_finds_the_throttled_function() -> None:
    aws = LambdaMetrics()
    async with reader_of(aws) as reader:
        await poll(reader, aws, 30)
        throttled_minute = aws.now
        aws.throttled["function-7"] = throttled_minute, 9.0
        await poll(reader, aws, DELAY + 1)
        assert np.isnan(stored_throttles(reader, "function-7", throttled_minute))
        await poll(reader, aws, 1)
        assert stored_throttles(reader, "function-7", throttled_minute) == 9.0
        await poll(reader, aws, 10)
        assert {stored_throttles(reader, name, throttled_minute) for name in FUNCTIONS} == {0.0, 9.0}
        assert {aws.request_counts["Throttles", name] for name in FUNCTIONS if name != "function-7"} == {2}
