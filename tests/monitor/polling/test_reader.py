"""Reading the metrics of a cell from an HTTP server, and everything that can be wrong with its responses."""

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
    result,
)
from tests.registries import OWNERS, STREAM_WRITE_BYTES
from tests.resources import resource
from tests.telemetries import Telemetries

NOW = 29_000_000
DELAY = 3
LAST = NOW - DELAY - 1  # the newest minute that counts as complete; those up to NOW are requested, too
CELL = "123456789012", "eu-west-1"
LIMIT = Limit(1e9, LimitSource.API, 0.0)


@dataclass
class Reading:
    """A reader of some streams' metrics, named by number, and what it reads from."""

    reader: MetricReader
    fleet: Fleet
    telemetry: Telemetries
    server: FakeCloudWatch
    cell: Cell

    def row(self, name: object) -> int:
        """Return the row of the metric of a stream."""
        return self.fleet.metrics(CELL)[metric_query(metric(name))]

    def last(self, names: Iterable[object]) -> list[float]:
        """Return the newest values of the metrics of streams."""
        return [float(self.fleet.rings.latest_value[self.row(name)]) for name in names]

    def read_up_to(self, names: Iterable[object]) -> list[int]:
        return [int(self.fleet.rings.read_through[self.row(name)]) for name in names]

    def counted(self, family: str, **labels: str) -> float:
        """Return the value of a family."""
        return self.telemetry.registry.get_sample_value(family, labels) or 0

    def calls(self, code: str = "") -> float:
        """Return the number of GetMetricData calls that ended with a code."""
        labels = {"aws_service": "cloudwatch", "operation": "GetMetricData"}
        return self.counted("headroom_aws_calls_total", **labels, code=code)

    def paid(self, family: str) -> float:
        """Return the value of a family for Kinesis in the cell."""
        return self.counted(family, aws_account=CELL[0], aws_region=CELL[1], aws_service="kinesis")

    def hides(self, series: Series) -> bool:
        """Return whether a series is unobservable because CloudWatch rejects its metric."""
        return series.unobservable is not None and "rejected" in series.unobservable.reason

    def requested(self) -> float:
        return self.paid("headroom_metrics_requested_total")

    def errors(self, reason: str) -> float:
        return self.counted("headroom_decode_errors_total", reason=reason)


def metric(name: object) -> Metric:
    """Return the metric of a stream."""
    return Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName=str(name))


def name_of(query: Query) -> str:
    """Return the stream that a query is for."""
    return str(query["MetricStat"]["Metric"]["Dimensions"][0]["Value"])


def put(fleet: Fleet, *names: object) -> None:
    """Register the series of streams."""
    for name in names:
        observed = Observed(signal="rate", resource=resource(str(name)), usage=total(metric(name)))
        series_settings = SeriesSettings(signal=STREAM_WRITE_BYTES, limit=LIMIT, band=Band(), delay=DELAY)
        fleet.put(Key(*CELL, "kinesis", "rate", str(name)), observed, series_settings, NOW)


def drop(fleet: Fleet, name: object) -> None:
    fleet.drop(Key(*CELL, "kinesis", "rate", str(name)))


@asynccontextmanager
async def reading(
    answer: Callable[[Body], Response],
    metrics: int,
    rejected: RejectedMetrics | None = None,
    points_per_second: float = 1e9,
) -> AsyncIterator[Reading]:
    fleet, telemetry = Fleet(), Telemetries()
    put(fleet, *range(metrics))
    async with FakeCloudWatch(answer) as server:
        cell = Cell(fake_credentials(), *CELL, telemetry.aws, {"cloudwatch": 1000.0}, server.url)
        reader = MetricReader(
            cell,
            fleet,
            OWNERS,
            rejected=rejected or RejectedMetrics(),
            points_per_second=points_per_second,
        )
        yield Reading(reader, fleet, telemetry, server, cell)
        await cell.close()


def own_number(query: Query) -> dict[str, Any]:
    """A complete result whose newest value is the stream's number."""
    return result(query, {LAST: float(name_of(query)), LAST - 1: 0.5})


def answering(*, by: Callable[[Query], dict[str, Any]] = own_number) -> Callable[[Body], Response]:
    """Return a CloudWatch that responds to each query so."""
    return lambda body: {"MetricDataResults": [by(query) for query in body["MetricDataQueries"]]}


async def test_1200_metrics_are_read_in_three_calls_and_paid_for_once() -> None:
    async with reading(answering(), 1200) as some:
        assert await some.reader.read(NOW) == []
        assert sorted(len(ids) for ids in some.server.requested_ids) == [200, 500, 500]
        assert some.last(range(1200)) == [float(n) for n in range(1200)]
        assert some.read_up_to(range(1200)) == [LAST] * 1200
        assert (some.calls(), some.requested()) == (3, 1200)
        assert some.paid("headroom_estimated_cost_dollars_total") == pytest.approx(0.012)
        assert some.counted("headroom_points_total", source="poll", outcome="written") == 2 * 1200


async def test_the_first_read_takes_the_window_and_later_ones_new_or_revisable_minutes() -> None:
    async with reading(answering(), 1) as some:
        await some.reader.read(NOW)
        await some.reader.read(NOW + 5)
        spans = [(body["StartTime"] // 60, body["EndTime"] // 60) for body in some.server.bodies]
        assert spans == [(NOW - WINDOW, NOW), (LAST + 1 - 10, NOW + 5)]


async def test_a_revised_value_replaces_the_earlier_one() -> None:
    values = iter([7.0, 9.0])
    async with reading(answering(by=lambda query: result(query, {LAST: next(values)})), 1) as some:
        newest = []
        for _ in range(2):
            await some.reader.read(NOW)
            newest += some.last([0])
        assert newest == [7, 9]


async def test_without_metrics_no_request_is_sent() -> None:
    async with reading(answering(), 0) as some:
        assert await some.reader.read(NOW) == []
        assert some.server.bodies == []


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden"])
async def test_only_incomplete_metrics_are_requested_again(status: str) -> None:
    seen = set[str]()

    def later(query: Query) -> dict[str, Any]:
        first = name_of(query) not in seen
        seen.add(name_of(query))
        return result(query, {LAST: 1.0}, status) if first and name_of(query) in "13" else own_number(query)

    async with reading(answering(by=later), 4) as some:
        assert await some.reader.read(NOW) == []
        assert [[name_of(query) for query in body["MetricDataQueries"]] for body in some.server.bodies] == [
            ["0", "1", "2", "3"],
            ["1", "3"],
        ]
        assert some.last(range(4)) == [0, 1, 2, 3]
        assert some.requested() == 6


async def test_metrics_that_stay_incomplete_are_reported_and_not_marked_as_read() -> None:
    def partly(query: Query) -> dict[str, Any]:
        return result(query, {LAST: 1.0}, "PartialData") if name_of(query) == "1" else own_number(query)

    async with reading(answering(by=partly), 3) as some:
        (failure,) = await some.reader.read(NOW)
        assert (failure.operation, failure.code) == ("GetMetricData", "Incomplete")
        assert '"Value":"1"' in failure.message
        assert some.errors("incomplete") == 1
        assert len(some.server.bodies) == MAX_REQUESTS_PER_METRIC
        assert some.read_up_to(range(3)) == [LAST, NEVER, LAST]
        await some.reader.read(NOW)
        assert (
            some.server.bodies[MAX_REQUESTS_PER_METRIC]["StartTime"] // 60 == NOW - WINDOW
        )  # all of it, once more


async def test_a_metric_that_the_response_leaves_out_is_not_taken_as_read() -> None:
    def without_the_second(body: Body) -> Response:
        queries = [query for query in body["MetricDataQueries"] if name_of(query) != "1"]
        return {"MetricDataResults": [own_number(query) for query in queries]}

    async with reading(without_the_second, 3) as some:
        (failure,) = await some.reader.read(NOW)
        assert failure.code == "Incomplete"
        assert some.read_up_to(range(3)) == [LAST, NEVER, LAST]


async def test_values_without_a_time_of_their_own_are_not_used() -> None:
    def short(query: Query) -> dict[str, Any]:
        return result(query, {LAST: 1.0}, Values=[1.0, 2.0]) if name_of(query) == "1" else own_number(query)

    async with reading(answering(by=short), 3) as some:
        assert [failure.code for failure in await some.reader.read(NOW)] == ["Incomplete"]
        assert some.read_up_to(range(3)) == [LAST, NEVER, LAST]


@pytest.mark.parametrize(
    "refusal", [ErrorResponse("ThrottlingException"), ErrorResponse("InternalFailure", 500)]
)
async def test_no_request_is_sent_that_is_not_counted(refusal: ErrorResponse) -> None:
    """Only the cell sends another one, not botocore, whose own are neither counted nor limited."""
    async with reading(lambda _: refusal, metrics=1) as given:
        given.cell.max_attempts = 1
        await given.reader.read(NOW)
        assert given.calls(refusal.code) == len(given.server.bodies) == 1


async def test_a_denied_call_affects_only_its_own_metrics() -> None:
    def partly(body: Body) -> Response:
        denied = any(name_of(query) == "0" for query in body["MetricDataQueries"])
        return ErrorResponse("AccessDenied", 403) if denied else answering()(body)

    async with reading(partly, 600) as some:
        (failure,) = await some.reader.read(NOW)
        assert (failure.operation, failure.code) == ("GetMetricData", "AccessDenied")
        read = [up_to == LAST for up_to in some.read_up_to(range(600))]
        assert (read[0], read.count(True)) == (False, 100)
        assert (some.calls("AccessDenied"), some.calls()) == (1, 1)
        assert some.requested() == 100  # a refused request is not billed


async def test_a_response_in_pages_is_put_together() -> None:
    def pages(body: Body) -> Response:
        first, second = body["MetricDataQueries"]
        if body.get("NextToken") is None:
            results = [result(first, {LAST: 1.0}, "PartialData"), result(second, {LAST: 5.0})]
            return {"MetricDataResults": results, "NextToken": "page two"}
        return {"MetricDataResults": [result(first, {LAST - 1: 2.0})]}

    async with reading(pages, 2) as some:
        assert await some.reader.read(NOW) == []
        assert [body.get("NextToken") for body in some.server.bodies] == [None, "page two"]
        assert some.last(range(2)) == [1, 5]
        row = some.row(0)
        assert some.fleet.rings.at(np.array([row]), np.array([LAST - 1])) == [2]
        assert (some.calls(), some.requested()) == (2, 2)


async def test_pages_without_end_are_given_up() -> None:
    def again(body: Body) -> Response:
        if len(some.server.bodies) > 10:
            return ErrorResponse("AccessDenied")
        return {"MetricDataResults": [], "NextToken": "again"}

    async with reading(again, 1) as some:
        (failure,) = await some.reader.read(NOW)
        assert failure.code == "PaginationError"
        assert len(some.server.bodies) == 2


async def test_pages_with_ever_new_tokens_fail_their_own_request_alone() -> None:
    """The points of other requests are stored."""

    def on_and_on(body: Body) -> Response:
        if len(body["MetricDataQueries"]) == 500:
            return answering()(body)
        return {"MetricDataResults": [], "NextToken": f"page {len(some.server.bodies)}"}

    async with reading(on_and_on, 600) as some:
        (failure,) = await some.reader.read(NOW)
        assert (failure.operation, failure.code) == ("GetMetricData", "PaginationError")
        assert len(some.server.bodies) < 20
        assert some.read_up_to(range(600)).count(LAST) == 500


async def test_more_points_than_were_requested_end_the_pages() -> None:
    def flooding(body: Body) -> Response:
        (query,) = body["MetricDataQueries"]
        points = dict.fromkeys(range(LAST - WINDOW, LAST + 1), 1.0)
        return {"MetricDataResults": [result(query, points)], "NextToken": f"{len(some.server.bodies)}"}

    async with reading(flooding, 1) as some:
        (failure,) = await some.reader.read(NOW)
        assert (failure.code, len(some.server.bodies)) == ("PaginationError", 1)


# Metrics that CloudWatch refuses


def refusing(*bad: int, code: str = "ValidationError") -> Callable[[Body], Response]:
    """Refuses each request that has a metric of these."""
    names = {str(name) for name in bad}

    def answer(body: Body) -> Response:
        refused = names & {name_of(query) for query in body["MetricDataQueries"]}
        return ErrorResponse(code) if refused else answering()(body)

    return answer


async def test_a_rejected_metric_affects_only_its_own_series_which_is_unobservable() -> None:
    async with reading(refusing(77), 500) as some:
        (failure,) = await some.reader.read(NOW)
        assert failure.code == "ValidationError"
        assert [n for n, up_to in enumerate(some.read_up_to(range(500))) if up_to != LAST] == [77]
        assert len(some.server.bodies) <= 1 + 2 * 9
        assert [series.key.resource for series in some.fleet.series.values() if some.hides(series)] == ["77"]


async def test_a_refused_metric_is_left_out_until_it_is_tried_again() -> None:
    now = 0.0
    async with reading(refusing(3), 10, RejectedMetrics(lambda: now)) as some:
        await some.reader.read(NOW)
        some.server.bodies.clear()
        assert await some.reader.read(NOW + 1) == []
        (body,) = some.server.bodies
        assert "3" not in {name_of(query) for query in body["MetricDataQueries"]}

        now += RETRY_INTERVAL
        some.server.bodies.clear()
        assert len(await some.reader.read(NOW + 2)) == 1
        assert sorted(len(ids) for ids in some.server.requested_ids) == [1, 9]

        now += RETRY_INTERVAL
        some.server.answer = answering()
        assert await some.reader.read(NOW + 3) == []
        put(some.fleet, 3)  # as the next inventory does
        assert not any(map(some.hides, some.fleet.series.values()))


async def test_the_next_inventory_does_not_show_a_refused_metric_as_readable() -> None:
    async with reading(refusing(3), 4) as some:
        await some.reader.read(NOW)
        put(some.fleet, 3)
        assert [series.key.resource for series in some.fleet.series.values() if some.hides(series)] == ["3"]


async def test_rejected_metrics_are_forgotten_with_their_reader() -> None:
    async with reading(refusing(3), 4) as some:
        await some.reader.read(NOW)
        some.server.answer = answering()
        await MetricReader(some.cell, some.fleet, OWNERS).read(NOW + 1)  # as after a reload
        put(some.fleet, 3)
        assert not any(map(some.hides, some.fleet.series.values()))


async def test_a_metric_that_was_dropped_when_it_was_to_be_tried_again_is_readable_when_it_is_back() -> None:
    now = 0.0
    async with reading(refusing(3), 4, RejectedMetrics(lambda: now)) as some:
        await some.reader.read(NOW)
        drop(some.fleet, 3)
        now += RETRY_INTERVAL
        some.server.answer = answering()
        await some.reader.read(NOW + 1)
        put(some.fleet, 3)
        assert not any(map(some.hides, some.fleet.series.values()))


async def test_halving_is_bounded_and_goes_on_with_the_next_poll() -> None:
    bad = range(0, 500, 2)
    async with reading(refusing(*bad), 500) as some:
        polls = 0
        while await some.reader.read(NOW):
            polls += 1
            assert polls < 20
            assert len(some.server.bodies) <= polls * (2 * MAX_SPLITS + 1)
        assert polls > 1
        read = {n for n, up_to in enumerate(some.read_up_to(range(500))) if up_to == LAST}
        assert read == set(range(500)) - set(bad)


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidNextToken", "ExpiredToken"])
async def test_only_requests_with_invalid_content_are_halved(code: str) -> None:
    async with reading(refusing(3, code=code), 10) as some:
        assert len(await some.reader.read(NOW)) == 1
        assert len(some.server.bodies) == 1
        assert not any(map(some.hides, some.fleet.series.values()))


async def test_values_of_other_minutes_than_those_requested_are_refused_and_counted() -> None:
    points = {NOW: 1.0, LAST: 5.0, NOW - WINDOW - 1: 2.0, -1: 3.0, 10**13: 4.0, 10**300: 4.0}
    async with reading(answering(by=lambda query: result(query, points)), 1) as some:
        assert await some.reader.read(NOW) == []
        assert some.last([0]) == [5]
        assert some.read_up_to([0]) == [LAST]
        assert some.errors("point") == 5


async def test_a_value_that_is_no_number_is_a_missing_point_and_counts_as_an_error() -> None:
    points = {LAST: "NaN", LAST - 1: "Infinity", LAST - 2: "-Infinity", LAST - 3: 1e300, LAST - 4: 5.0}
    async with reading(answering(by=lambda query: result(query, points)), 1) as some:
        assert await some.reader.read(NOW) == []
        assert some.last([0]) == [5]
        assert some.fleet.rings.latest_minute[some.row(0)] == LAST - 4
        assert some.errors("point") == 4


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [
        (b"", 1),
        (b"<html>", MAX_ATTEMPTS),  # it is none of AWS
        (b"[]", 1),
        (b'{"MetricDataResults":[{"Id":"\xff"}]}', 1),
        (b'{"x":' + b"[" * 100_000, 1),
        (b"null", MAX_ATTEMPTS),
    ],
    ids=["empty", "HTML", "an array", "no UTF-8", "too deep", "null"],
)
async def test_an_unreadable_response_affects_only_its_own_metrics(answer: bytes, attempts: int) -> None:
    def partly(body: Body) -> Response:
        broken = any(name_of(query) == "0" for query in body["MetricDataQueries"])
        return answer if broken else answering()(body)

    async with reading(partly, 600) as some:
        (failure,) = await some.reader.read(NOW)
        assert failure.operation == "GetMetricData"
        assert some.read_up_to(range(600)).count(LAST) == 100
        assert some.errors("answer") == 1
        assert some.calls(failure.code) == attempts


async def test_results_that_were_not_requested_are_ignored() -> None:
    strange = {"Id": "m7", "Timestamps": [LAST * 60], "Values": [1.0], "StatusCode": "Complete"}

    def more(body: Body) -> Response:
        return {"MetricDataResults": [strange, *map(own_number, body["MetricDataQueries"]), {"Id": ""}]}

    async with reading(more, 2) as some:
        assert await some.reader.read(NOW) == []
        assert some.last(range(2)) == [0, 1]


async def test_a_metric_dropped_while_it_was_read_leaves_nothing_in_the_row_of_another() -> None:
    def meanwhile(body: Body) -> Response:
        drop(some.fleet, 0)
        put(some.fleet, "new")  # in the row of the one that is gone
        return answering(by=lambda query: result(query, {LAST: 5.0}))(body)

    async with reading(meanwhile, 2) as some:
        assert await some.reader.read(NOW) == []
        assert some.read_up_to(["new", 1]) == [NEVER, LAST]
        assert np.isnan(some.last(["new"])).all()


async def test_a_client_that_cannot_be_made_is_a_failure_of_the_cell() -> None:
    cell = Cell(fake_credentials(), CELL[0], "no such region", Telemetries().aws, {})
    fleet = Fleet()
    observed = Observed(signal="rate", resource=resource("0"), usage=total(metric(0)))
    key = Key(*cell.key, "kinesis", "rate", "0")
    fleet.put(
        key, observed, SeriesSettings(signal=STREAM_WRITE_BYTES, limit=None, band=Band(), delay=DELAY), NOW
    )
    (failure,) = await MetricReader(cell, fleet, OWNERS).read(NOW)
    assert failure.code == "InvalidRegionError"
    await cell.close()


# AWS's clock and ours


@pytest.mark.parametrize("ahead", [15, 60])
async def test_points_of_minutes_that_have_not_begun_by_the_clock_of_aws_are_rejected(ahead: int) -> None:
    """This machine's clock was set forward, so that they are requested."""
    beyond = {NOW + ahead - 5: 9.0, LAST: 5.0}
    async with reading(answering(by=lambda query: result(query, beyond)), 2) as some:
        some.server.minute = NOW
        assert await some.reader.read(NOW + ahead) == []
        assert some.last(range(2)) == [5, 5]
        assert some.read_up_to(range(2)) == [LAST] * 2
        assert some.errors("point") == 2
        await some.reader.read(NOW + 1)  # the clock is right again
        some.server.minute = NOW + 1
        await some.reader.read(NOW + 1)
        assert some.read_up_to(range(2)) == [LAST + 1] * 2


async def test_minutes_are_requested_by_the_clock_of_aws_and_the_skew_is_exported() -> None:
    async with reading(answering(), 1) as some:
        some.server.minute = NOW
        await some.reader.read(NOW)
        assert some.cell.clock.minute() in {NOW, NOW + 1}
        cell = {"aws_account": CELL[0], "aws_region": CELL[1]}
        skew = some.counted("headroom_clock_skew_seconds", **cell)
        assert skew == pytest.approx(time.time() - NOW * 60, abs=60)


async def test_the_time_of_aws_is_read_from_errors_too() -> None:
    """Requests that are signed at a time too far from AWS's are refused, for one."""
    async with reading(lambda _: ErrorResponse("RequestExpired"), 1) as some:
        some.server.minute = NOW
        (failure,) = await some.reader.read(NOW + 60)
        assert failure.code == "RequestExpired"
        assert some.cell.clock.minute() in {NOW, NOW + 1}


async def test_a_point_of_a_minute_that_just_ended_is_taken_and_provisional() -> None:
    points = {NOW - 1: 3.0}
    async with reading(answering(by=lambda query: result(query, points)), 1) as some:
        row = np.array([some.row(0)], np.int32)
        await some.reader.read(NOW)
        assert some.last([0]) == [3]
        assert some.fleet.rings.complete_through(row) == LAST
        points[NOW - 1] = 8.0
        await some.reader.read(NOW + DELAY)
        assert some.last([0]) == [8]
        assert some.fleet.rings.complete_through(row) == NOW - 1


async def test_a_namespace_that_is_late_is_requested_from_its_last_point_on() -> None:
    points = {LAST - 30: 5.0}
    async with reading(answering(by=lambda query: result(query, points)), 2) as some:
        await some.reader.read(NOW)
        await some.reader.read(NOW + 1)
        assert some.server.bodies[-1]["StartTime"] // 60 == LAST - 30 + 1 - REVISED_MINUTES
        points |= dict.fromkeys(range(LAST - 29, LAST + 2), 6.0)
        await some.reader.read(NOW + 2)
        rows = np.full(31, some.row(0), np.int32)
        minutes = np.arange(LAST - 29, LAST + 2, dtype=np.int32)
        assert (some.fleet.rings.at(rows, minutes) == 6.0).all()
        assert some.requested() == 6  # a metric a poll, whatever the number of minutes


# How late a namespace is


@pytest.mark.parametrize("interval", [1, 5, 15])
@pytest.mark.parametrize("every", [1, 30])
async def test_a_single_late_metric_is_read_however_late_its_points_come(interval: int, every: int) -> None:
    """Its namespace is in time, so that a minute without a point of it counts as 0 meanwhile.

    every: minutes between two points of it. Those that come when the next one is there may be missed by a
    request from the newest point on.
    """
    late, counted = 40, replace(metric("late"), zero_when_absent=True)
    published = {LAST - 90 + minute: 5.0 for minute in range(180) if minute % every == 0}

    def by(query: Query) -> dict[str, Any]:
        delay = late if name_of(query) == "late" else 1
        points = published if delay == late else {LAST - 90 + minute: 1.0 for minute in range(180)}
        now = server.minute or 0
        return result(query, {at: value for at, value in points.items() if at + delay < now})

    server, fleet = FakeCloudWatch(answering(by=by)), Fleet()
    put(fleet, "steady")
    observed = Observed(signal="rate", resource=resource("late"), usage=total(counted))
    series_settings = SeriesSettings(signal=STREAM_WRITE_BYTES, limit=LIMIT, band=Band(), delay=DELAY)
    fleet.put(Key(*CELL, "kinesis", "rate", "late"), observed, series_settings, NOW)
    async with server:
        cell = Cell(fake_credentials(), *CELL, Telemetries().aws, {"cloudwatch": 1000.0}, server.url)
        reader = MetricReader(cell, fleet, OWNERS)
        for now in range(NOW, NOW + 91, interval):
            server.minute = now
            await reader.read(now)
        await cell.close()
    row = fleet.metrics(CELL)[metric_query(counted)]
    minutes = np.arange(NOW - 60, NOW + 91 - late - 35, dtype=np.int32)
    values = fleet.rings.at(np.full(minutes.size, row), minutes).tolist()
    assert values == [published.get(minute, 0.0) for minute in minutes.tolist()]


async def test_first_reads_of_metrics_do_not_change_the_learnt_delay() -> None:
    def growing(query: Query) -> dict[str, Any]:
        return result(query, {minute: float(NOW - minute) for minute in range(NOW - 30, NOW)})

    async with reading(answering(by=growing), 1) as some:
        for polls in range(1, 2 * MIN_POLLS):  # as an inventory finds more and more
            put(some.fleet, *range(polls * 10))
            await some.reader.read(NOW, only_new=True)
        assert some.fleet.rings.delays(np.array([some.row(0)])).tolist() == [DELAY]


async def test_a_pause_without_reads_does_not_change_the_learnt_delay() -> None:
    async with reading(answering(), 1) as some:
        row, learnt = np.array([some.row(0)]), set[int]()
        for now in range(NOW, NOW + 60):

            def steady(query: Query, end: int = now) -> dict[str, Any]:
                return result(query, {minute: 1.0 for minute in range(NOW - 30, end - 1)})

            denied = NOW + 20 <= now < NOW + 40
            some.server.answer = refusing(0, code="AccessDenied") if denied else answering(by=steady)
            await some.reader.read(now)
            if now >= NOW + 20:
                learnt |= set(some.fleet.rings.delays(row).tolist())
        assert learnt == {1}


@pytest.mark.parametrize(("revisions", "age"), [(0, 2), (1, 2), (3, 4)])
async def test_a_falling_usage_is_shown_when_its_points_no_longer_change(revisions: int, age: int) -> None:
    """Another metric of the namespace comes three minutes late, so that its minutes are complete then.

    revisions: by how many polls each point is raised after it came. age: of the newest minute that is shown.
    """

    def by(query: Query, now: int = NOW) -> dict[str, Any]:
        newest = now - (4 if name_of(query) == "0" else 1)
        points = {
            minute: 1000.0 - 10 * (minute - NOW) - max(0, revisions + 1 - now + minute)
            for minute in range(now - 30, newest + 1)
        }
        return result(query, points)

    async with reading(answering(by=by), 2) as some:
        for now in range(NOW, NOW + 20):
            some.server.answer = answering(by=partial(by, now=now))
            await some.reader.read(now)
        row = np.array([some.row(1)], np.int32)
        assert some.fleet.rings.complete_through(row) == now - 4
        assert some.fleet.rings.latest_minute[row] == now - age
        assert some.last([1]) == [1000.0 - 10 * (now - age - NOW) - max(0, revisions + 1 - age)]


@pytest.mark.parametrize("step", [3600, -3600])
async def test_a_step_of_the_wall_clock_by_an_hour_loses_no_minute(step: int) -> None:
    async with reading(answering(), 1) as some:
        seconds = stepped = 0

        def wall() -> float:
            return NOW * 60.0 + 30 + seconds + stepped

        some.cell.clock = AwsClock(wall, lambda: float(seconds))
        for minute in range(6):
            seconds, stepped = minute * 60, step if minute >= 3 else 0
            some.server.minute = NOW + minute
            await some.reader.read(some.cell.clock.minute())
        assert [body["EndTime"] // 60 - NOW for body in some.server.bodies] == [*range(6)]
