"""Reads past days of a cell's metrics from a fake CloudWatch over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from collectors.base import Metric, Observed, total
from monitor.aws.cell import Cell
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.series_settings import SeriesSettings
from monitor.polling.history_reader import MAX_CONSECUTIVE_FAILURES, HistoryReader
from monitor.polling.metric_pages import MAX_POINTS_PER_PAGE
from monitor.polling.metric_source import MetricSource
from rules.arrays import Floats, Ints
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.fake_cloudwatch import (
    Body,
    ErrorResponse,
    FakeCloudWatch,
    Query,
    Response,
    fake_credentials,
    query_result,
)
from tests.registries import METRIC_SERVICES, STREAM_WRITE_BYTES
from tests.resources import resource
from tests.telemetries import Telemetries

NOW = 29_000_000 // 60 * 60  # minutes since the epoch, at the start of an hour
CELL = "123456789012", "eu-west-1"
DAY = 24 * 60  # minutes
FORTNIGHT = range(NOW - 14 * DAY, NOW)


@dataclass
class PastReading:
    """A reader over a fake CloudWatch, and what it has written.

    read_rows: the rows of the metrics that were read. points: by row and minute. finished_count: how many
    metrics the reader has reported as finished. error: raised when points are to be written.
    """

    reader: HistoryReader
    fleet: Fleet
    server: FakeCloudWatch
    telemetry: Telemetries
    read_rows: list[int] = field(default_factory=list)
    points: dict[tuple[int, int], float] = field(default_factory=dict)
    finished_count: int = 0
    error: OSError | None = None

    def write(self, rows: Ints, points: tuple[Ints, Ints, Floats]) -> None:
        if self.error:
            raise self.error
        self.read_rows += rows.tolist()
        point_rows, minutes, values = (array.tolist() for array in points)
        self.points |= dict(zip(zip(point_rows, minutes, strict=True), values, strict=True))

    def count(self, metrics: int) -> None:
        self.finished_count += metrics

    async def read(self, minutes: range = FORTNIGHT) -> list[str]:
        """Read these minutes of all metrics; return a sentence for each failure."""
        return [failure.sentence for failure in await self.reader.read(self.fleet.metrics(CELL), minutes)]

    @property
    def queries(self) -> list[Query]:
        return [query for body in self.server.bodies for query in body["MetricDataQueries"]]


def stream_of(query: Query) -> str:
    return str(query["MetricStat"]["Metric"]["Dimensions"][0]["Value"])


@asynccontextmanager
async def past_reading(
    answer: Callable[[Body], Response], streams: int, period: int = 60
) -> AsyncIterator[PastReading]:
    """Yield a reader of streams with one metric each. period: of the metrics, in seconds."""
    fleet, telemetry = Fleet(), Telemetries()
    for name in map(str, range(streams)):
        metric = Metric("AWS/Kinesis", "IncomingBytes", "Sum", period=period).of(StreamName=name)
        observed = Observed(signal="rate", resource=resource(name), usage=total(metric))
        limit = Limit(1e9, LimitSource.API, 0.0)
        series_settings = SeriesSettings(signal=STREAM_WRITE_BYTES, limit=limit, band=Band())
        fleet.put(Key(*CELL, "kinesis", "rate", name), observed, series_settings, NOW)
    async with FakeCloudWatch(answer) as server:
        cell = Cell(fake_credentials(), *CELL, telemetry.aws, {"cloudwatch": 1000.0}, server.url)
        reading: PastReading

        def write(rows: Ints, points: tuple[Ints, Ints, Floats]) -> None:
            reading.write(rows, points)

        def count(metrics: int) -> None:
            reading.count(metrics)

        reader = HistoryReader(MetricSource(cell, METRIC_SERVICES), fleet.rings, write, count)
        reading = PastReading(reader, fleet, server, telemetry)
        yield reading
        await cell.close()


def response_of(result_of: Callable[[Query], dict[str, Any]]) -> Callable[[Body], Response]:
    """Return an answer to requests, with the result of each query."""
    return lambda body: {"MetricDataResults": [result_of(query) for query in body["MetricDataQueries"]]}


def two_points(query: Query) -> dict[str, Any]:
    """Return a point a fortnight ago, whose value is the stream's number, and a point of five minutes ago."""
    return query_result(query, {NOW - 14 * DAY: float(stream_of(query)), NOW - 5: 0.5})


async def test_a_fortnight_of_each_metric_is_requested_once_and_counted_once() -> None:
    async with past_reading(response_of(two_points), 11) as reading:
        assert await reading.read() == []
        assert sorted(map(stream_of, reading.queries), key=int) == [str(n) for n in range(11)]
        spans = {(body["StartTime"] // 60, body["EndTime"] // 60) for body in reading.server.bodies}
        assert spans == {(FORTNIGHT.start, FORTNIGHT.stop)}
        assert sorted(reading.read_rows) == sorted(reading.fleet.metrics(CELL).values())
        assert reading.points[reading.read_rows[0], NOW - 5] == 0.5
        labels = {"aws_account": CELL[0], "aws_region": CELL[1], "aws_service": "kinesis"}
        requested = reading.telemetry.registry.get_sample_value("headroom_metrics_requested_total", labels)
        assert (requested, reading.finished_count) == (11, 11)


async def test_a_call_requests_no_more_metrics_than_fit_on_a_page_with_all_points() -> None:
    async with past_reading(response_of(two_points), 30) as reading:
        await reading.read()
        calls = [len(ids) for ids in reading.server.requested_ids]
        assert max(calls) == MAX_POINTS_PER_PAGE // len(FORTNIGHT)
        assert sum(calls) == 30


async def test_the_points_of_all_pages_are_written() -> None:
    def answer_in_two_pages(body: Body) -> Response:
        (query,) = body["MetricDataQueries"]
        if "NextToken" in body:
            return {"MetricDataResults": [query_result(query, {NOW - 7: 7.0})]}
        return {
            "MetricDataResults": [query_result(query, {NOW - 5: 5.0}, "PartialData")],
            "NextToken": "more",
        }

    async with past_reading(answer_in_two_pages, 1) as reading:
        assert await reading.read() == []
        assert sorted(reading.points.values()) == [5.0, 7.0]


async def test_metrics_are_requested_with_their_period_in_the_rings() -> None:
    async with past_reading(response_of(two_points), 2) as reading:
        reading.fleet.rings.period[: reading.fleet.rings.size] = 5
        await reading.read(range(NOW - 63 * DAY, NOW))
        assert {query["MetricStat"]["Period"] for query in reading.queries} == {300}
    async with past_reading(response_of(two_points), 2, period=3600) as reading:
        await reading.read(range(NOW - 14 * DAY + 15, NOW - 15))
        assert {query["MetricStat"]["Period"] for query in reading.queries} == {3600}
        (body,) = reading.server.bodies
        assert (body["StartTime"] % 3600, body["EndTime"] % 3600) == (0, 0)


async def test_a_forbidden_metric_is_reported_and_the_others_are_read() -> None:
    def result_or_forbidden(query: Query) -> dict[str, Any]:
        return query_result(query, {}, "Forbidden") if stream_of(query) == "2" else two_points(query)

    async with past_reading(response_of(result_or_forbidden), 9) as reading:
        (sentence,) = await reading.read()
        assert "may not be read" in sentence
        assert len(reading.read_rows) == 8


async def test_a_rejected_metric_is_reported_and_the_others_are_read() -> None:
    def answer_or_rejection(body: Body) -> Response:
        if any(stream_of(query) == "3" for query in body["MetricDataQueries"]):
            return ErrorResponse("ValidationError")
        return {"MetricDataResults": [two_points(query) for query in body["MetricDataQueries"]]}

    async with past_reading(answer_or_rejection, 9) as reading:
        (sentence,) = await reading.read()
        assert "ValidationError" in sentence
        assert len(reading.read_rows) == 8


async def test_after_several_denied_calls_no_further_calls_are_made() -> None:
    async with past_reading(lambda _: ErrorResponse("AccessDenied", 403), 400) as reading:
        failures = await reading.read()
        assert all("AccessDenied" in failure for failure in failures)
        assert MAX_CONSECUTIVE_FAILURES <= len(reading.server.bodies) <= 2 * MAX_CONSECUTIVE_FAILURES
        assert reading.finished_count == 400


async def test_a_full_disk_raises_an_oserror_and_ends_the_read() -> None:
    async with past_reading(response_of(two_points), 400) as reading:
        reading.error = OSError(28, "No space left on device")
        with pytest.raises(OSError, match="No space"):
            await reading.read()
        assert len(reading.server.bodies) < 20


async def test_values_beyond_float32_and_nan_are_written_as_values_that_are_not_finite() -> None:
    async with past_reading(
        response_of(lambda query: query_result(query, {NOW - 5: 1e300, NOW - 6: "NaN"})), 1
    ) as reading:
        assert await reading.read() == []
        assert not np.isfinite([*reading.points.values()]).any()


async def test_a_read_of_the_past_can_be_cancelled() -> None:
    was_requested = asyncio.Event()

    def answer(body: Body) -> Response:
        was_requested.set()
        return {"MetricDataResults": [two_points(query) for query in body["MetricDataQueries"]]}

    async with past_reading(answer, 200) as reading:
        task = asyncio.create_task(reading.read())
        await was_requested.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
