"""Reading past days of a cell's metrics from an HTTP server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from collectors.base import Metric, Observed, total
from monitor.aws.cell import Cell
from monitor.fleet.columns import Floats, Ints
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.series_settings import SeriesSettings
from monitor.polling.history_reader import STALLED_AFTER, HistoryReader
from monitor.polling.metric_pages import MAX_POINTS_PER_PAGE
from monitor.polling.metric_source import MetricSource
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.fake_cloudwatch import (
    Body,
    ErrorResponse,
    FakeCloudWatch,
    Query,
    Response,
    fake_credentials,
    result,
)
from tests.registries import OWNERS, STREAM_WRITE_BYTES
from tests.resources import resource
from tests.telemetries import Telemetries

NOW = 29_000_000 // 60 * 60
CELL = "123456789012", "eu-west-1"
DAY = 24 * 60
FORTNIGHT = range(NOW - 14 * DAY, NOW)


@dataclass
class PastReading:
    """A reader, what it reads from, and what it has written: the rows, and points by row and minute."""

    reader: HistoryReader
    fleet: Fleet
    server: FakeCloudWatch
    telemetry: Telemetries
    read: list[int] = field(default_factory=list)
    points: dict[tuple[int, int], float] = field(default_factory=dict)
    tried: int = 0
    error: OSError | None = None

    def write(self, rows: Ints, points: tuple[Ints, Ints, Floats]) -> None:
        if self.error:
            raise self.error
        self.read += rows.tolist()
        of, minutes, values = (one.tolist() for one in points)
        self.points |= dict(zip(zip(of, minutes, strict=True), values, strict=True))

    def count(self, metrics: int) -> None:
        self.tried += metrics

    async def failures(self, minutes: range = FORTNIGHT) -> list[str]:
        return [one.sentence for one in await self.reader.read(self.fleet.metrics(CELL), minutes)]

    @property
    def queries(self) -> list[Query]:
        return [query for body in self.server.bodies for query in body["MetricDataQueries"]]


def name_of(query: Query) -> str:
    return str(query["MetricStat"]["Metric"]["Dimensions"][0]["Value"])


@asynccontextmanager
async def past_reading(
    answer: Callable[[Body], Response], streams: int, period: int = 60
) -> AsyncIterator[PastReading]:
    fleet, telemetry = Fleet(), Telemetries()
    for name in map(str, range(streams)):
        metric = Metric("AWS/Kinesis", "IncomingBytes", "Sum", period=period).of(StreamName=name)
        observed = Observed(signal="rate", resource=resource(name), usage=total(metric))
        limit = Limit(1e9, LimitSource.API, 0.0)
        series_settings = SeriesSettings(signal=STREAM_WRITE_BYTES, limit=limit, band=Band())
        fleet.put(Key(*CELL, "kinesis", "rate", name), observed, series_settings, NOW)
    async with FakeCloudWatch(answer) as server:
        cell = Cell(fake_credentials(), *CELL, telemetry.aws, {"cloudwatch": 1000.0}, server.url)
        some: PastReading

        def write(rows: Ints, points: tuple[Ints, Ints, Floats]) -> None:
            some.write(rows, points)

        def count(metrics: int) -> None:
            some.count(metrics)

        reader = HistoryReader(MetricSource(cell, OWNERS), fleet.rings, write, count)
        some = PastReading(reader, fleet, server, telemetry)
        yield some
        await cell.close()


def each(by: Callable[[Query], dict[str, Any]]) -> Callable[[Body], Response]:
    return lambda body: {"MetricDataResults": [by(query) for query in body["MetricDataQueries"]]}


def two_points(query: Query) -> dict[str, Any]:
    return result(query, {NOW - 14 * DAY: float(name_of(query)), NOW - 5: 0.5})


async def test_a_fortnight_of_each_metric_is_requested_once_and_paid_for_once() -> None:
    async with past_reading(each(two_points), 11) as some:
        assert await some.failures() == []
        assert sorted(map(name_of, some.queries), key=int) == [str(n) for n in range(11)]
        spans = {(body["StartTime"] // 60, body["EndTime"] // 60) for body in some.server.bodies}
        assert spans == {(FORTNIGHT.start, FORTNIGHT.stop)}
        assert sorted(some.read) == sorted(some.fleet.metrics(CELL).values())
        assert some.points[some.read[0], NOW - 5] == 0.5
        labels = {"aws_account": CELL[0], "aws_region": CELL[1], "aws_service": "kinesis"}
        requested = some.telemetry.registry.get_sample_value("headroom_metrics_requested_total", labels)
        assert (requested, some.tried) == (11, 11)


async def test_a_call_has_no_more_metrics_than_fill_a_page() -> None:
    async with past_reading(each(two_points), 30) as some:
        await some.failures()
        calls = [len(ids) for ids in some.server.requested_ids]
        assert max(calls) == MAX_POINTS_PER_PAGE // len(FORTNIGHT)
        assert sum(calls) == 30


async def test_pages_are_joined() -> None:
    def paged(body: Body) -> Response:
        (query,) = body["MetricDataQueries"]
        if "NextToken" in body:
            return {"MetricDataResults": [result(query, {NOW - 7: 7.0})]}
        return {"MetricDataResults": [result(query, {NOW - 5: 5.0}, "PartialData")], "NextToken": "more"}

    async with past_reading(paged, 1) as some:
        assert await some.failures() == []
        assert sorted(some.points.values()) == [5.0, 7.0]


async def test_metrics_are_requested_with_the_period_that_the_rings_have() -> None:
    async with past_reading(each(two_points), 2) as some:
        some.fleet.rings.period[: some.fleet.rings.size] = 5
        await some.failures(range(NOW - 63 * DAY, NOW))
        assert {query["MetricStat"]["Period"] for query in some.queries} == {300}
    async with past_reading(each(two_points), 2, period=3600) as some:
        await some.failures(range(NOW - 14 * DAY + 15, NOW - 15))
        assert {query["MetricStat"]["Period"] for query in some.queries} == {3600}
        (body,) = some.server.bodies
        assert (body["StartTime"] % 3600, body["EndTime"] % 3600) == (0, 0)


async def test_a_forbidden_metric_is_reported_and_the_others_are_read() -> None:
    def forbidding(query: Query) -> dict[str, Any]:
        return result(query, {}, "Forbidden") if name_of(query) == "2" else two_points(query)

    async with past_reading(each(forbidding), 9) as some:
        (sentence,) = await some.failures()
        assert "may not be read" in sentence
        assert len(some.read) == 8


async def test_a_rejected_metric_is_found_and_the_others_are_read() -> None:
    def rejecting(body: Body) -> Response:
        if any(name_of(query) == "3" for query in body["MetricDataQueries"]):
            return ErrorResponse("ValidationError")
        return {"MetricDataResults": [two_points(query) for query in body["MetricDataQueries"]]}

    async with past_reading(rejecting, 9) as some:
        (sentence,) = await some.failures()
        assert "ValidationError" in sentence
        assert len(some.read) == 8


async def test_when_all_requests_are_denied_only_some_are_made() -> None:
    async with past_reading(lambda _: ErrorResponse("AccessDenied", 403), 400) as some:
        failures = await some.failures()
        assert all("AccessDenied" in one for one in failures)
        assert STALLED_AFTER <= len(some.server.bodies) <= 2 * STALLED_AFTER
        assert some.tried == 400


async def test_a_disk_that_is_full_is_no_failure_of_aws() -> None:
    async with past_reading(each(two_points), 400) as some:
        some.error = OSError(28, "No space left on device")
        with pytest.raises(OSError, match="No space"):
            await some.failures()
        assert len(some.server.bodies) < 20


async def test_values_beyond_float32_and_odd_ones_are_left_to_the_file() -> None:
    async with past_reading(each(lambda query: result(query, {NOW - 5: 1e300, NOW - 6: "NaN"})), 1) as some:
        assert await some.failures() == []
        assert not np.isfinite([*some.points.values()]).any()


async def test_a_read_of_the_past_can_be_cancelled() -> None:
    was_requested = asyncio.Event()

    def slow(body: Body) -> Response:
        was_requested.set()
        return {"MetricDataResults": [two_points(query) for query in body["MetricDataQueries"]]}

    async with past_reading(slow, 200) as some:
        task = asyncio.create_task(some.failures())
        await was_requested.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
