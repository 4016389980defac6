"""Reading a cell's metrics from a real server, and all that can be wrong with its answers."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from collectors.base import Metric, Observed, total
from monitor.aws import Cell
from monitor.cloudwatch import ASKED, Reader
from monitor.fleet import Fleet, Key, Ruling, fragment
from monitor.rings import NEVER, WINDOW
from monitor.telemetry import Telemetry
from rules.limits import Band
from tests.fake_cloudwatch import Answer, Body, FakeCloudWatch, Query, Refusal, result, session

NOW = 29_000_000
DELAY = 3
LAST = NOW - DELAY - 1  # the newest minute that is asked for
CELL = "123456789012", "eu-west-1"


@dataclass
class Reading:
    """A reader of some streams' metrics, named by number, and what it reads from."""

    reader: Reader
    fleet: Fleet
    telemetry: Telemetry
    server: FakeCloudWatch

    def row(self, name: object) -> int:
        return self.fleet.metrics(CELL)[fragment(metric(name))]

    def last(self, names: Iterable[object]) -> list[float]:
        return [float(self.fleet.rings.last[self.row(name)]) for name in names]

    def read_up_to(self, names: Iterable[object]) -> list[int]:
        return [int(self.fleet.rings.read[self.row(name)]) for name in names]

    def counted(self, family: str, **labels: str) -> float:
        return self.telemetry.registry.get_sample_value(family, labels) or 0

    def calls(self, code: str = "") -> float:
        asked = {"service": "cloudwatch", "operation": "GetMetricData"}
        return self.counted("headroom_aws_calls_total", **asked, code=code)

    def paid(self, family: str) -> float:
        return self.counted(family, account=CELL[0], region=CELL[1], service="kinesis")

    def requested(self) -> float:
        return self.paid("headroom_metrics_requested_total")

    def errors(self, reason: str) -> float:
        return self.counted("headroom_decode_errors_total", reason=reason)


def metric(name: object) -> Metric:
    return Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName=str(name))


def name_of(query: Query) -> str:
    return str(query["MetricStat"]["Metric"]["Dimensions"][0]["Value"])


def put(fleet: Fleet, *names: object) -> None:
    for name in names:
        observed = Observed(signal="rate", resource=str(name), usage=total(metric(name)))
        ruling = Ruling(limit=None, band=Band(), delay=DELAY)
        fleet.put(Key(*CELL, "kinesis", "rate", str(name)), observed, ruling, NOW)


def drop(fleet: Fleet, name: object) -> None:
    fleet.drop(Key(*CELL, "kinesis", "rate", str(name)))


@asynccontextmanager
async def reading(answer: Callable[[Body], Answer], metrics: int) -> AsyncIterator[Reading]:
    fleet, telemetry = Fleet(), Telemetry()
    put(fleet, *range(metrics))
    async with FakeCloudWatch(answer) as server:
        cell = Cell(session(), *CELL, telemetry, {"cloudwatch": 1000.0}, server.url)
        yield Reading(Reader(cell, fleet), fleet, telemetry, server)
        await cell.close()


def own_number(query: Query) -> dict[str, Any]:
    """A complete result whose newest value is the stream's number."""
    return result(query, {LAST: float(name_of(query)), LAST - 1: 0.5})


def answering(*, by: Callable[[Query], dict[str, Any]] = own_number) -> Callable[[Body], Answer]:
    return lambda body: {"MetricDataResults": [by(query) for query in body["MetricDataQueries"]]}


async def test_1200_metrics_are_read_in_three_calls_and_paid_for_once() -> None:
    async with reading(answering(), 1200) as some:
        assert await some.reader.read(NOW) == []
        assert sorted(len(ids) for ids in some.server.asked) == [200, 500, 500]
        assert some.last(range(1200)) == [float(n) for n in range(1200)]
        assert some.read_up_to(range(1200)) == [LAST] * 1200
        assert (some.calls(), some.requested()) == (3, 1200)
        assert some.paid("headroom_estimated_cost_dollars_total") == pytest.approx(0.012)
        assert some.counted("headroom_points_total", source="poll", outcome="written") == 2 * 1200


async def test_the_window_is_read_first_and_then_what_is_new_or_may_be_revised() -> None:
    async with reading(answering(), 1) as some:
        await some.reader.read(NOW)
        await some.reader.read(NOW + 5)
        spans = [(body["StartTime"] // 60, body["EndTime"] // 60) for body in some.server.bodies]
        assert spans == [(LAST + 1 - WINDOW, LAST + 1), (LAST + 1 - 10, LAST + 6)]


async def test_a_revised_value_replaces_the_earlier_one() -> None:
    values = iter([7.0, 9.0])
    async with reading(answering(by=lambda query: result(query, {LAST: next(values)})), 1) as some:
        told = []
        for _ in range(2):
            await some.reader.read(NOW)
            told += some.last([0])
        assert told == [7, 9]


async def test_nothing_to_read_asks_nothing() -> None:
    async with reading(answering(), 0) as some:
        assert await some.reader.read(NOW) == []
        assert some.server.bodies == []


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden"])
async def test_what_is_not_complete_is_asked_for_again_and_only_that(status: str) -> None:
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


async def test_what_stays_incomplete_is_reported_and_not_taken_as_read() -> None:
    def partly(query: Query) -> dict[str, Any]:
        return result(query, {LAST: 1.0}, "PartialData") if name_of(query) == "1" else own_number(query)

    async with reading(answering(by=partly), 3) as some:
        (failure,) = await some.reader.read(NOW)
        assert (failure.operation, failure.code) == ("GetMetricData", "Incomplete")
        assert '"Value":"1"' in failure.message
        assert some.errors("incomplete") == 1
        assert len(some.server.bodies) == ASKED
        assert some.read_up_to(range(3)) == [LAST, NEVER, LAST]
        await some.reader.read(NOW)
        assert some.server.bodies[ASKED]["StartTime"] // 60 == LAST + 1 - WINDOW  # all of it, once more


async def test_a_metric_that_the_answer_leaves_out_is_not_taken_as_read() -> None:
    def without_the_second(body: Body) -> Answer:
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


async def test_a_denied_call_costs_its_own_metrics_only() -> None:
    def partly(body: Body) -> Answer:
        denied = any(name_of(query) == "0" for query in body["MetricDataQueries"])
        return Refusal("AccessDenied", 403) if denied else answering()(body)

    async with reading(partly, 600) as some:
        (failure,) = await some.reader.read(NOW)
        assert (failure.operation, failure.code) == ("GetMetricData", "AccessDenied")
        read = [up_to == LAST for up_to in some.read_up_to(range(600))]
        assert (read[0], read.count(True)) == (False, 100)
        assert (some.calls("AccessDenied"), some.calls()) == (1, 1)
        assert some.requested() == 100  # a refused request is not billed


async def test_an_answer_in_pages_is_put_together() -> None:
    def pages(body: Body) -> Answer:
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
    def again(body: Body) -> Answer:
        if len(some.server.bodies) > 10:
            return Refusal("AccessDenied")
        return {"MetricDataResults": [], "NextToken": "again"}

    async with reading(again, 1) as some:
        (failure,) = await some.reader.read(NOW)
        assert failure.code == "PaginationError"
        assert len(some.server.bodies) == 2


async def test_values_of_other_minutes_than_those_asked_for_are_refused_and_counted() -> None:
    points = {LAST + 1: 1.0, LAST: 5.0, LAST - WINDOW: 2.0, -1: 3.0, 10**13: 4.0, 10**300: 4.0}
    async with reading(answering(by=lambda query: result(query, points)), 1) as some:
        assert await some.reader.read(NOW) == []
        assert some.last([0]) == [5]
        assert some.read_up_to([0]) == [LAST]
        assert some.errors("point") == 5


async def test_what_is_no_number_is_a_missing_point_and_counted() -> None:
    points = {LAST: "NaN", LAST - 1: "Infinity", LAST - 2: "-Infinity", LAST - 3: 1e300, LAST - 4: 5.0}
    async with reading(answering(by=lambda query: result(query, points)), 1) as some:
        assert await some.reader.read(NOW) == []
        assert some.last([0]) == [5]
        assert some.fleet.rings.known[some.row(0)] == LAST - 4
        assert some.errors("point") == 4


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"[]", b'{"MetricDataResults":[{"Id":"\xff"}]}', b'{"x":' + b"[" * 100_000, b"null"],
    ids=["empty", "HTML", "an array", "no UTF-8", "too deep", "null"],
)
async def test_an_answer_that_nobody_can_read_costs_its_own_metrics_only(answer: bytes) -> None:
    def partly(body: Body) -> Answer:
        broken = any(name_of(query) == "0" for query in body["MetricDataQueries"])
        return answer if broken else answering()(body)

    async with reading(partly, 600) as some:
        (failure,) = await some.reader.read(NOW)
        assert failure.operation == "GetMetricData"
        assert some.read_up_to(range(600)).count(LAST) == 100
        assert some.errors("answer") == 1
        assert some.calls(failure.code) == 1


async def test_results_that_nobody_asked_for_are_ignored() -> None:
    strange = {"Id": "m7", "Timestamps": [LAST * 60], "Values": [1.0], "StatusCode": "Complete"}

    def more(body: Body) -> Answer:
        return {"MetricDataResults": [strange, *map(own_number, body["MetricDataQueries"]), {"Id": ""}]}

    async with reading(more, 2) as some:
        assert await some.reader.read(NOW) == []
        assert some.last(range(2)) == [0, 1]


async def test_a_metric_forgotten_while_it_was_read_leaves_nothing_in_the_row_of_another() -> None:
    def meanwhile(body: Body) -> Answer:
        drop(some.fleet, 0)
        put(some.fleet, "new")  # in the row of the one that is gone
        return answering(by=lambda query: result(query, {LAST: 5.0}))(body)

    async with reading(meanwhile, 2) as some:
        assert await some.reader.read(NOW) == []
        assert some.read_up_to(["new", 1]) == [NEVER, LAST]
        assert np.isnan(some.last(["new"])).all()


async def test_a_client_that_cannot_be_made_is_a_failure_of_the_cell() -> None:
    cell = Cell(session(), CELL[0], "no such region", Telemetry(), {})
    fleet = Fleet()
    put(fleet, 0)
    (failure,) = await Reader(cell, fleet).read(NOW)
    assert failure.code == "InvalidRegionError"
    await cell.close()
