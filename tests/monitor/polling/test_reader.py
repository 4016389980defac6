"""A reader reads the metrics of a cell from a fake CloudWatch over HTTP, whose responses may be invalid."""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from collectors.base import Metric, Observed, total
from monitor.aws.cell import MAX_ATTEMPTS, Cell
from monitor.aws.clock import AwsClock
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.key import Key
from monitor.fleet.metric_query import metric_query
from monitor.fleet.namespaces import NEVER
from monitor.fleet.publication_delay import MIN_POLLS
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.series_settings import SeriesSettings
from monitor.polling.metric_caller import MAX_REQUESTS_PER_METRIC
from monitor.polling.plan import REVISED_MINUTES
from monitor.polling.reader import MetricReader
from monitor.polling.rejected_metrics import MAX_SPLITS, RETRY_INTERVAL, RejectedMetrics
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

NOW = 29_000_000  # minutes since the epoch
DELAY = 3  # minutes, as it is declared
LAST = NOW - DELAY - 1  # the newest complete minute; later minutes are requested, too
CELL = "123456789012", "eu-west-1"
LIMIT = Limit(1e9, LimitSource.API, 0.0)


@dataclass
class Reading:
    """A reader of one metric per stream, its fleet and its fake CloudWatch. Names of streams are numbers."""

    reader: MetricReader
    fleet: Fleet
    telemetry: Telemetries
    server: FakeCloudWatch
    cell: Cell

    def row(self, name: object) -> int:
        """Return the row of the metric of a stream."""
        return self.fleet.metrics(CELL)[metric_query(metric(name))]

    def newest_values(self, names: Iterable[object]) -> list[float]:
        """Return the newest values of the metrics of streams."""
        return [float(self.fleet.rings.latest_value[self.row(name)]) for name in names]

    def read_up_to(self, names: Iterable[object]) -> list[int]:
        """Return the minute up to which the metric of each stream was read."""
        return [int(self.fleet.rings.read_through[self.row(name)]) for name in names]

    def exported(self, family: str, **labels: str) -> float:
        """Return the value of an exported family; 0 if it has no sample with these labels."""
        return self.telemetry.registry.get_sample_value(family, labels) or 0

    def calls(self, code: str = "") -> float:
        """Return the number of GetMetricData calls that ended with an error code; empty: without an error."""
        labels = {"aws_service": "cloudwatch", "operation": "GetMetricData"}
        return self.exported("headroom_aws_calls_total", **labels, code=code)

    def of_kinesis(self, family: str) -> float:
        """Return the value of an exported family for Kinesis in the cell."""
        return self.exported(family, aws_account=CELL[0], aws_region=CELL[1], aws_service="kinesis")

    def is_rejected(self, series: Series) -> bool:
        """Return whether a series is unobservable because CloudWatch rejects its metric."""
        return series.unobservable is not None and "rejected" in series.unobservable.reason

    def requested(self) -> float:
        """Return how many requested metrics were counted."""
        return self.of_kinesis("headroom_metrics_requested_total")

    def errors(self, reason: str) -> float:
        """Return how many decode errors were counted for a reason."""
        return self.exported("headroom_decode_errors_total", reason=reason)


def metric(name: object) -> Metric:
    """Return the metric of a stream."""
    return Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName=str(name))


def stream_of(query: Query) -> str:
    """Return the stream that a query is for."""
    return str(query["MetricStat"]["Metric"]["Dimensions"][0]["Value"])


def put(fleet: Fleet, *names: object) -> None:
    """Register the series of streams."""
    for name in names:
        observed = Observed(signal="rate", resource=resource(str(name)), usage=total(metric(name)))
        series_settings = SeriesSettings(signal=STREAM_WRITE_BYTES, limit=LIMIT, band=Band(), delay=DELAY)
        fleet.put(Key(*CELL, "kinesis", "rate", str(name)), observed, series_settings, NOW)


def drop(fleet: Fleet, name: object) -> None:
    """Drop the series of a stream."""
    fleet.drop(Key(*CELL, "kinesis", "rate", str(name)))


@asynccontextmanager
async def reader_of(
    answer: Callable[[Body], Response],
    metric_count: int,
    rejected: RejectedMetrics | None = None,
    points_per_second: float = 1e9,
) -> AsyncIterator[Reading]:
    """Yield a reader of metrics of streams, whose names are the numbers from 0 on. metric_count: how many."""
    fleet, telemetry = Fleet(), Telemetries()
    put(fleet, *range(metric_count))
    async with FakeCloudWatch(answer) as server:
        cell = Cell(fake_credentials(), *CELL, telemetry.aws, {"cloudwatch": 1000.0}, server.url)
        reader = MetricReader(
            cell,
            fleet,
            METRIC_SERVICES,
            rejected=rejected or RejectedMetrics(),
            points_per_second=points_per_second,
        )
        yield Reading(reader, fleet, telemetry, server, cell)
        await cell.close()


def own_number(query: Query) -> dict[str, Any]:
    """Return a complete result whose newest value is the stream's number."""
    return query_result(query, {LAST: float(stream_of(query)), LAST - 1: 0.5})


def answer_with_results(
    *, result_of: Callable[[Query], dict[str, Any]] = own_number
) -> Callable[[Body], Response]:
    """Return an answer of GetMetricData with a result for each query."""
    return lambda body: {"MetricDataResults": [result_of(query) for query in body["MetricDataQueries"]]}


async def test_1200_metrics_are_read_in_three_calls_and_counted_once() -> None:
    async with reader_of(answer_with_results(), 1200) as reading:
        assert await reading.reader.read(NOW) == []
        assert sorted(len(ids) for ids in reading.server.requested_ids) == [200, 500, 500]
        assert reading.newest_values(range(1200)) == [float(n) for n in range(1200)]
        assert reading.read_up_to(range(1200)) == [LAST] * 1200
        assert (reading.calls(), reading.requested()) == (3, 1200)
        assert reading.of_kinesis("headroom_estimated_cost_dollars_total") == pytest.approx(0.012)
        assert reading.exported("headroom_points_total", source="poll", outcome="written") == 2 * 1200


async def test_the_first_read_covers_the_window_and_the_second_only_new_and_revisable_minutes() -> None:
    async with reader_of(answer_with_results(), 1) as reading:
        await reading.reader.read(NOW)
        await reading.reader.read(NOW + 5)
        spans = [(body["StartTime"] // 60, body["EndTime"] // 60) for body in reading.server.bodies]
        assert spans == [(NOW - WINDOW, NOW), (LAST + 1 - 10, NOW + 5)]


async def test_a_revised_value_replaces_the_earlier_one() -> None:
    values = iter([7.0, 9.0])
    async with reader_of(
        answer_with_results(result_of=lambda query: query_result(query, {LAST: next(values)})), 1
    ) as reading:
        newest = []
        for _ in range(2):
            await reading.reader.read(NOW)
            newest += reading.newest_values([0])
        assert newest == [7, 9]


async def test_without_metrics_no_request_is_sent() -> None:
    async with reader_of(answer_with_results(), 0) as reading:
        assert await reading.reader.read(NOW) == []
        assert reading.server.bodies == []


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden"])
async def test_only_incomplete_metrics_are_requested_again(status: str) -> None:
    requested_before = set[str]()

    def complete_at_second_request(query: Query) -> dict[str, Any]:
        is_first = stream_of(query) not in requested_before
        requested_before.add(stream_of(query))
        return (
            query_result(query, {LAST: 1.0}, status)
            if is_first and stream_of(query) in "13"
            else own_number(query)
        )

    async with reader_of(answer_with_results(result_of=complete_at_second_request), 4) as reading:
        assert await reading.reader.read(NOW) == []
        assert [
            [stream_of(query) for query in body["MetricDataQueries"]] for body in reading.server.bodies
        ] == [
            ["0", "1", "2", "3"],
            ["1", "3"],
        ]
        assert reading.newest_values(range(4)) == [0, 1, 2, 3]
        assert reading.requested() == 6


async def test_metrics_that_stay_incomplete_are_reported_and_not_marked_as_read() -> None:
    def incomplete_for_stream_1(query: Query) -> dict[str, Any]:
        return (
            query_result(query, {LAST: 1.0}, "PartialData") if stream_of(query) == "1" else own_number(query)
        )

    async with reader_of(answer_with_results(result_of=incomplete_for_stream_1), 3) as reading:
        (failure,) = await reading.reader.read(NOW)
        assert (failure.operation, failure.code) == ("GetMetricData", "Incomplete")
        assert '"Value":"1"' in failure.message
        assert reading.errors("incomplete") == 1
        assert len(reading.server.bodies) == MAX_REQUESTS_PER_METRIC
        assert reading.read_up_to(range(3)) == [LAST, NEVER, LAST]
        await reading.reader.read(NOW)
        start = reading.server.bodies[MAX_REQUESTS_PER_METRIC]["StartTime"] // 60
        assert start == NOW - WINDOW  # the whole window again


async def test_a_metric_that_is_missing_in_the_response_does_not_count_as_read() -> None:
    def answer_without_stream_1(body: Body) -> Response:
        queries = [query for query in body["MetricDataQueries"] if stream_of(query) != "1"]
        return {"MetricDataResults": [own_number(query) for query in queries]}

    async with reader_of(answer_without_stream_1, 3) as reading:
        (failure,) = await reading.reader.read(NOW)
        assert failure.code == "Incomplete"
        assert reading.read_up_to(range(3)) == [LAST, NEVER, LAST]


async def test_a_result_with_more_values_than_timestamps_is_not_used() -> None:
    def extra_value_for_stream_1(query: Query) -> dict[str, Any]:
        return (
            query_result(query, {LAST: 1.0}, Values=[1.0, 2.0])
            if stream_of(query) == "1"
            else own_number(query)
        )

    async with reader_of(answer_with_results(result_of=extra_value_for_stream_1), 3) as reading:
        assert [failure.code for failure in await reading.reader.read(NOW)] == ["Incomplete"]
        assert reading.read_up_to(range(3)) == [LAST, NEVER, LAST]


@pytest.mark.parametrize(
    "error_response", [ErrorResponse("ThrottlingException"), ErrorResponse("InternalFailure", 500)]
)
async def test_each_request_that_is_sent_is_counted(error_response: ErrorResponse) -> None:
    """Only the cell repeats requests: repetitions by botocore would be neither counted nor limited."""
    async with reader_of(lambda _: error_response, metric_count=1) as reading:
        reading.cell.max_attempts = 1
        await reading.reader.read(NOW)
        assert reading.calls(error_response.code) == len(reading.server.bodies) == 1


async def test_a_denied_call_affects_only_its_own_metrics() -> None:
    def deny_stream_0(body: Body) -> Response:
        is_denied = any(stream_of(query) == "0" for query in body["MetricDataQueries"])
        return ErrorResponse("AccessDenied", 403) if is_denied else answer_with_results()(body)

    async with reader_of(deny_stream_0, 600) as reading:
        (failure,) = await reading.reader.read(NOW)
        assert (failure.operation, failure.code) == ("GetMetricData", "AccessDenied")
        is_read = [up_to == LAST for up_to in reading.read_up_to(range(600))]
        assert (is_read[0], is_read.count(True)) == (False, 100)
        assert (reading.calls("AccessDenied"), reading.calls()) == (1, 1)
        assert reading.requested() == 100  # a denied request is not billed


async def test_the_points_of_all_pages_are_joined() -> None:
    def answer_in_two_pages(body: Body) -> Response:
        first, second = body["MetricDataQueries"]
        if body.get("NextToken") is None:
            results = [query_result(first, {LAST: 1.0}, "PartialData"), query_result(second, {LAST: 5.0})]
            return {"MetricDataResults": results, "NextToken": "page two"}
        return {"MetricDataResults": [query_result(first, {LAST - 1: 2.0})]}

    async with reader_of(answer_in_two_pages, 2) as reading:
        assert await reading.reader.read(NOW) == []
        assert [body.get("NextToken") for body in reading.server.bodies] == [None, "page two"]
        assert reading.newest_values(range(2)) == [1, 5]
        row = reading.row(0)
        assert reading.fleet.rings.at(np.array([row]), np.array([LAST - 1])) == [2]
        assert (reading.calls(), reading.requested()) == (2, 2)


async def test_pages_that_repeat_a_token_end_the_request() -> None:
    def repeat_token(body: Body) -> Response:
        if len(reading.server.bodies) > 10:
            return ErrorResponse("AccessDenied")
        return {"MetricDataResults": [], "NextToken": "again"}

    async with reader_of(repeat_token, 1) as reading:
        (failure,) = await reading.reader.read(NOW)
        assert failure.code == "PaginationError"
        assert len(reading.server.bodies) == 2


async def test_a_request_with_endless_pages_fails_alone() -> None:
    """The points of the other request are stored."""

    def endless_pages(body: Body) -> Response:
        if len(body["MetricDataQueries"]) == 500:
            return answer_with_results()(body)
        return {"MetricDataResults": [], "NextToken": f"page {len(reading.server.bodies)}"}

    async with reader_of(endless_pages, 600) as reading:
        (failure,) = await reading.reader.read(NOW)
        assert (failure.operation, failure.code) == ("GetMetricData", "PaginationError")
        assert len(reading.server.bodies) < 20
        assert reading.read_up_to(range(600)).count(LAST) == 500


async def test_a_request_ends_once_its_pages_have_more_points_than_were_requested() -> None:
    def flood_with_points(body: Body) -> Response:
        (query,) = body["MetricDataQueries"]
        points = dict.fromkeys(range(LAST - WINDOW, LAST + 1), 1.0)
        return {
            "MetricDataResults": [query_result(query, points)],
            "NextToken": f"{len(reading.server.bodies)}",
        }

    async with reader_of(flood_with_points, 1) as reading:
        (failure,) = await reading.reader.read(NOW)
        assert (failure.code, len(reading.server.bodies)) == ("PaginationError", 1)


# Metrics that CloudWatch rejects


def reject_streams(*rejected_streams: int, code: str = "ValidationError") -> Callable[[Body], Response]:
    """Return an answer that rejects each request for a metric of these streams."""
    names = {str(name) for name in rejected_streams}

    def answer(body: Body) -> Response:
        rejected = names & {stream_of(query) for query in body["MetricDataQueries"]}
        return ErrorResponse(code) if rejected else answer_with_results()(body)

    return answer


async def test_a_rejected_metric_affects_only_its_own_series_which_is_unobservable() -> None:
    async with reader_of(reject_streams(77), 500) as reading:
        (failure,) = await reading.reader.read(NOW)
        assert failure.code == "ValidationError"
        assert [n for n, up_to in enumerate(reading.read_up_to(range(500))) if up_to != LAST] == [77]
        assert len(reading.server.bodies) <= 1 + 2 * 9
        assert [
            series.key.resource for series in reading.fleet.series.values() if reading.is_rejected(series)
        ] == ["77"]


async def test_a_rejected_metric_is_not_requested_until_the_retry_interval_has_passed() -> None:
    now = 0.0
    async with reader_of(reject_streams(3), 10, RejectedMetrics(lambda: now)) as reading:
        await reading.reader.read(NOW)
        reading.server.bodies.clear()
        assert await reading.reader.read(NOW + 1) == []
        (body,) = reading.server.bodies
        assert "3" not in {stream_of(query) for query in body["MetricDataQueries"]}

        now += RETRY_INTERVAL
        reading.server.bodies.clear()
        assert len(await reading.reader.read(NOW + 2)) == 1
        assert sorted(len(ids) for ids in reading.server.requested_ids) == [1, 9]

        now += RETRY_INTERVAL
        reading.server.answer = answer_with_results()
        assert await reading.reader.read(NOW + 3) == []
        put(reading.fleet, 3)  # the next inventory registers the series again
        assert not any(map(reading.is_rejected, reading.fleet.series.values()))


async def test_the_next_inventory_does_not_make_a_rejected_metric_observable() -> None:
    async with reader_of(reject_streams(3), 4) as reading:
        await reading.reader.read(NOW)
        put(reading.fleet, 3)
        assert [
            series.key.resource for series in reading.fleet.series.values() if reading.is_rejected(series)
        ] == ["3"]


async def test_a_new_reader_requests_metrics_that_its_predecessor_found_rejected() -> None:
    async with reader_of(reject_streams(3), 4) as reading:
        await reading.reader.read(NOW)
        reading.server.answer = answer_with_results()
        await MetricReader(reading.cell, reading.fleet, METRIC_SERVICES).read(NOW + 1)  # as after a reload
        put(reading.fleet, 3)
        assert not any(map(reading.is_rejected, reading.fleet.series.values()))


async def test_a_metric_that_is_dropped_while_rejected_is_observable_when_it_comes_back() -> None:
    now = 0.0
    async with reader_of(reject_streams(3), 4, RejectedMetrics(lambda: now)) as reading:
        await reading.reader.read(NOW)
        drop(reading.fleet, 3)
        now += RETRY_INTERVAL
        reading.server.answer = answer_with_results()
        await reading.reader.read(NOW + 1)
        put(reading.fleet, 3)
        assert not any(map(reading.is_rejected, reading.fleet.series.values()))


async def test_a_poll_halves_a_bounded_number_of_requests_and_the_next_poll_continues() -> None:
    rejected_streams = range(0, 500, 2)
    async with reader_of(reject_streams(*rejected_streams), 500) as reading:
        polls = 0
        while await reading.reader.read(NOW):
            polls += 1
            assert polls < 20
            assert len(reading.server.bodies) <= polls * (2 * MAX_SPLITS + 1)
        assert polls > 1
        read_streams = {n for n, up_to in enumerate(reading.read_up_to(range(500))) if up_to == LAST}
        assert read_streams == set(range(500)) - set(rejected_streams)


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidNextToken", "ExpiredToken"])
async def test_only_requests_with_invalid_content_are_halved(code: str) -> None:
    async with reader_of(reject_streams(3, code=code), 10) as reading:
        assert len(await reading.reader.read(NOW)) == 1
        assert len(reading.server.bodies) == 1
        assert not any(map(reading.is_rejected, reading.fleet.series.values()))


async def test_points_of_minutes_that_were_not_requested_are_discarded_and_counted() -> None:
    points = {NOW: 1.0, LAST: 5.0, NOW - WINDOW - 1: 2.0, -1: 3.0, 10**13: 4.0, 10**300: 4.0}
    async with reader_of(
        answer_with_results(result_of=lambda query: query_result(query, points)), 1
    ) as reading:
        assert await reading.reader.read(NOW) == []
        assert reading.newest_values([0]) == [5]
        assert reading.read_up_to([0]) == [LAST]
        assert reading.errors("point") == 5


async def test_a_value_that_is_not_finite_is_a_missing_point_and_counts_as_an_error() -> None:
    points = {LAST: "NaN", LAST - 1: "Infinity", LAST - 2: "-Infinity", LAST - 3: 1e300, LAST - 4: 5.0}
    async with reader_of(
        answer_with_results(result_of=lambda query: query_result(query, points)), 1
    ) as reading:
        assert await reading.reader.read(NOW) == []
        assert reading.newest_values([0]) == [5]
        assert reading.fleet.rings.latest_minute[reading.row(0)] == LAST - 4
        assert reading.errors("point") == 4


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [
        (b"", 1),
        (b"<html>", MAX_ATTEMPTS),  # not a response of AWS, so the call is repeated
        (b"[]", 1),
        (b'{"MetricDataResults":[{"Id":"\xff"}]}', 1),
        (b'{"x":' + b"[" * 100_000, 1),
        (b"null", MAX_ATTEMPTS),
    ],
    ids=["empty", "HTML", "an array", "no UTF-8", "too deep", "null"],
)
async def test_an_unreadable_response_affects_only_its_own_metrics(answer: bytes, attempts: int) -> None:
    def break_stream_0(body: Body) -> Response:
        is_broken = any(stream_of(query) == "0" for query in body["MetricDataQueries"])
        return answer if is_broken else answer_with_results()(body)

    async with reader_of(break_stream_0, 600) as reading:
        (failure,) = await reading.reader.read(NOW)
        assert failure.operation == "GetMetricData"
        assert reading.read_up_to(range(600)).count(LAST) == 100
        assert reading.errors("answer") == 1
        assert reading.calls(failure.code) == attempts


async def test_results_that_were_not_requested_are_ignored() -> None:
    unrequested = {"Id": "m7", "Timestamps": [LAST * 60], "Values": [1.0], "StatusCode": "Complete"}

    def with_unrequested_results(body: Body) -> Response:
        return {"MetricDataResults": [unrequested, *map(own_number, body["MetricDataQueries"]), {"Id": ""}]}

    async with reader_of(with_unrequested_results, 2) as reading:
        assert await reading.reader.read(NOW) == []
        assert reading.newest_values(range(2)) == [0, 1]


async def test_results_of_a_metric_that_was_dropped_during_its_read_are_discarded() -> None:
    def drop_while_reading(body: Body) -> Response:
        drop(reading.fleet, 0)
        put(reading.fleet, "new")  # takes the row of the dropped metric
        return answer_with_results(result_of=lambda query: query_result(query, {LAST: 5.0}))(body)

    async with reader_of(drop_while_reading, 2) as reading:
        assert await reading.reader.read(NOW) == []
        assert reading.read_up_to(["new", 1]) == [NEVER, LAST]
        assert np.isnan(reading.newest_values(["new"])).all()


async def test_if_the_client_cannot_be_created_the_read_returns_a_failure() -> None:
    cell = Cell(fake_credentials(), CELL[0], "no such region", Telemetries().aws, {})
    fleet = Fleet()
    observed = Observed(signal="rate", resource=resource("0"), usage=total(metric(0)))
    key = Key(*cell.key, "kinesis", "rate", "0")
    fleet.put(
        key, observed, SeriesSettings(signal=STREAM_WRITE_BYTES, limit=None, band=Band(), delay=DELAY), NOW
    )
    (failure,) = await MetricReader(cell, fleet, METRIC_SERVICES).read(NOW)
    assert failure.code == "InvalidRegionError"
    await cell.close()


# The clock of AWS and the clock of this machine


@pytest.mark.parametrize("minutes_ahead", [15, 60])
async def test_points_of_minutes_that_have_not_begun_by_the_clock_of_aws_are_rejected(
    minutes_ahead: int,
) -> None:
    """The clock of this machine is ahead, so that these minutes are requested."""
    points = {NOW + minutes_ahead - 5: 9.0, LAST: 5.0}
    async with reader_of(
        answer_with_results(result_of=lambda query: query_result(query, points)), 2
    ) as reading:
        reading.server.minute = NOW
        assert await reading.reader.read(NOW + minutes_ahead) == []
        assert reading.newest_values(range(2)) == [5, 5]
        assert reading.read_up_to(range(2)) == [LAST] * 2
        assert reading.errors("point") == 2
        await reading.reader.read(NOW + 1)  # the clock of this machine is right again
        reading.server.minute = NOW + 1
        await reading.reader.read(NOW + 1)
        assert reading.read_up_to(range(2)) == [LAST + 1] * 2


async def test_minutes_are_requested_by_the_clock_of_aws_and_the_skew_is_exported() -> None:
    async with reader_of(answer_with_results(), 1) as reading:
        reading.server.minute = NOW
        await reading.reader.read(NOW)
        assert reading.cell.clock.minute() in {NOW, NOW + 1}
        cell = {"aws_account": CELL[0], "aws_region": CELL[1]}
        skew = reading.exported("headroom_clock_skew_seconds", **cell)
        assert skew == pytest.approx(time.time() - NOW * 60, abs=60)


async def test_the_time_of_aws_is_read_from_errors_too() -> None:
    """For example, AWS rejects requests that are signed at a time too far from its own."""
    async with reader_of(lambda _: ErrorResponse("RequestExpired"), 1) as reading:
        reading.server.minute = NOW
        (failure,) = await reading.reader.read(NOW + 60)
        assert failure.code == "RequestExpired"
        assert reading.cell.clock.minute() in {NOW, NOW + 1}


async def test_a_point_of_the_minute_that_just_ended_is_used_and_provisional() -> None:
    points = {NOW - 1: 3.0}
    async with reader_of(
        answer_with_results(result_of=lambda query: query_result(query, points)), 1
    ) as reading:
        row = np.array([reading.row(0)], np.int32)
        await reading.reader.read(NOW)
        assert reading.newest_values([0]) == [3]
        assert reading.fleet.rings.complete_through(row) == LAST
        points[NOW - 1] = 8.0
        await reading.reader.read(NOW + DELAY)
        assert reading.newest_values([0]) == [8]
        assert reading.fleet.rings.complete_through(row) == NOW - 1


async def test_metrics_of_a_late_namespace_are_requested_from_their_last_point_on() -> None:
    points = {LAST - 30: 5.0}
    async with reader_of(
        answer_with_results(result_of=lambda query: query_result(query, points)), 2
    ) as reading:
        await reading.reader.read(NOW)
        await reading.reader.read(NOW + 1)
        assert reading.server.bodies[-1]["StartTime"] // 60 == LAST - 30 + 1 - REVISED_MINUTES
        points |= dict.fromkeys(range(LAST - 29, LAST + 2), 6.0)
        await reading.reader.read(NOW + 2)
        rows = np.full(31, reading.row(0), np.int32)
        minutes = np.arange(LAST - 29, LAST + 2, dtype=np.int32)
        assert (reading.fleet.rings.at(rows, minutes) == 6.0).all()
        assert reading.requested() == 6  # two metrics in three polls, whatever the number of minutes


# Publication delays


@pytest.mark.parametrize("interval", [1, 5, 15])
@pytest.mark.parametrize("point_interval", [1, 30])
async def test_a_single_late_metric_is_read_however_late_its_points_come(
    interval: int, point_interval: int
) -> None:
    """Another metric of its namespace is in time, so that its missing points count as 0 until they come.

    point_interval: minutes between two points of the late metric. With 30, each point comes when the one
    before it is 70 minutes old, and requests no longer begin there: only requests for the whole window,
    twice an hour, find it.
    """
    late_minutes, late_metric = 40, replace(metric("late"), zero_when_absent=True)
    published = {LAST - 90 + minute: 5.0 for minute in range(180) if minute % point_interval == 0}

    def result_of(query: Query) -> dict[str, Any]:
        delay = late_minutes if stream_of(query) == "late" else 1
        points = published if delay == late_minutes else {LAST - 90 + minute: 1.0 for minute in range(180)}
        now = server.minute or 0
        return query_result(
            query, {minute: value for minute, value in points.items() if minute + delay < now}
        )

    server, fleet = FakeCloudWatch(answer_with_results(result_of=result_of)), Fleet()
    put(fleet, "in time")
    observed = Observed(signal="rate", resource=resource("late"), usage=total(late_metric))
    series_settings = SeriesSettings(signal=STREAM_WRITE_BYTES, limit=LIMIT, band=Band(), delay=DELAY)
    fleet.put(Key(*CELL, "kinesis", "rate", "late"), observed, series_settings, NOW)
    async with server:
        cell = Cell(fake_credentials(), *CELL, Telemetries().aws, {"cloudwatch": 1000.0}, server.url)
        reader = MetricReader(cell, fleet, METRIC_SERVICES)
        for now in range(NOW, NOW + 91, interval):
            server.minute = now
            await reader.read(now)
        await cell.close()
    row = fleet.metrics(CELL)[metric_query(late_metric)]
    minutes = np.arange(NOW - 60, NOW + 91 - late_minutes - 35, dtype=np.int32)
    values = fleet.rings.at(np.full(minutes.size, row), minutes).tolist()
    assert values == [published.get(minute, 0.0) for minute in minutes.tolist()]


async def test_first_reads_of_metrics_do_not_change_the_learned_delay() -> None:
    def falling_values(query: Query) -> dict[str, Any]:
        return query_result(query, {minute: float(NOW - minute) for minute in range(NOW - 30, NOW)})

    async with reader_of(answer_with_results(result_of=falling_values), 1) as reading:
        for polls in range(1, 2 * MIN_POLLS):  # each inventory finds more metrics
            put(reading.fleet, *range(polls * 10))
            await reading.reader.read(NOW, only_new=True)
        assert reading.fleet.rings.delays(np.array([reading.row(0)])).tolist() == [DELAY]


async def test_a_pause_without_reads_does_not_change_the_learned_delay() -> None:
    async with reader_of(answer_with_results(), 1) as reading:
        row, learned_delays = np.array([reading.row(0)]), set[int]()
        for now in range(NOW, NOW + 60):

            def result_in_time(query: Query, end: int = now) -> dict[str, Any]:
                return query_result(query, {minute: 1.0 for minute in range(NOW - 30, end - 1)})

            is_denied = NOW + 20 <= now < NOW + 40
            reading.server.answer = (
                reject_streams(0, code="AccessDenied")
                if is_denied
                else answer_with_results(result_of=result_in_time)
            )
            await reading.reader.read(now)
            if now >= NOW + 20:
                learned_delays |= set(reading.fleet.rings.delays(row).tolist())
        assert learned_delays == {1}


@pytest.mark.parametrize(("revisions", "age"), [(0, 2), (1, 2), (3, 4)])
async def test_a_falling_usage_is_shown_once_its_points_no_longer_change(revisions: int, age: int) -> None:
    """Another metric of the namespace comes three minutes late, so minutes are complete three minutes later.

    revisions: how many polls raise each point after it came. age: the age of the newest minute that is shown.
    """

    def result_of(query: Query, now: int = NOW) -> dict[str, Any]:
        newest = now - (4 if stream_of(query) == "0" else 1)
        points = {
            minute: 1000.0 - 10 * (minute - NOW) - max(0, revisions + 1 - now + minute)
            for minute in range(now - 30, newest + 1)
        }
        return query_result(query, points)

    async with reader_of(answer_with_results(result_of=result_of), 2) as reading:
        for now in range(NOW, NOW + 20):
            reading.server.answer = answer_with_results(result_of=partial(result_of, now=now))
            await reading.reader.read(now)
        row = np.array([reading.row(1)], np.int32)
        assert reading.fleet.rings.complete_through(row) == now - 4
        assert reading.fleet.rings.latest_minute[row] == now - age
        assert reading.newest_values([1]) == [1000.0 - 10 * (now - age - NOW) - max(0, revisions + 1 - age)]


@pytest.mark.parametrize("step", [3600, -3600])
async def test_a_step_of_the_wall_clock_by_an_hour_loses_no_minute(step: int) -> None:
    async with reader_of(answer_with_results(), 1) as reading:
        seconds = step_seconds = 0

        def wall_clock() -> float:
            return NOW * 60.0 + 30 + seconds + step_seconds

        reading.cell.clock = AwsClock(wall_clock, lambda: float(seconds))
        for minute in range(6):
            seconds, step_seconds = minute * 60, step if minute >= 3 else 0
            reading.server.minute = NOW + minute
            await reading.reader.read(reading.cell.clock.minute())
        assert [body["EndTime"] // 60 - NOW for body in reading.server.bodies] == [*range(6)]
