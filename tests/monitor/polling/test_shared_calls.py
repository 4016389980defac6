"""Several accounts whose metrics one account reads, in calls that they share."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.validate import validate_parameters

from collectors.base import Metric, Observed, total
from monitor.aws.cell import Cell
from monitor.aws.failure import Failure
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.metric_query import metric_query, without_abbreviations
from monitor.fleet.namespaces import NEVER
from monitor.fleet.series_settings import SeriesSettings
from monitor.polling.metric_caller import MetricCaller
from monitor.polling.reader import MetricReader
from monitor.polling.shared_calls import SharedCalls
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.fake_aws import SERVICE_MODELS
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
LAST = NOW - 4
REGION = "eu-west-1"
MONITORING, FIRST, SECOND = "999999999999", "111111111111", "222222222222"
GET_METRIC_DATA: Any = SERVICE_MODELS.get_service_model("cloudwatch").operation_model("GetMetricData")


def metric(name: str) -> Metric:
    """Return the metric of a stream."""
    return Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName=name)


def name_of(query: Query) -> str:
    """Return the stream that a query is for."""
    return str(query["MetricStat"]["Metric"]["Dimensions"][0]["Value"])


def owner_of(query: Query) -> str:
    """Return the account that a query is for."""
    return str(query.get("AccountId", MONITORING))


@dataclass
class Accounts:
    """The readers of a monitoring account and of the accounts that are linked to it."""

    shared: SharedCalls
    server: FakeCloudWatch
    fleet: Fleet = field(default_factory=Fleet)
    telemetry: Telemetries = field(default_factory=Telemetries)
    readers: dict[str, MetricReader] = field(default_factory=dict)

    def add(self, account: str, *names: str) -> None:
        signer = "" if account == MONITORING else MONITORING
        cell = Cell(
            fake_credentials(), account, REGION, self.telemetry.aws, {}, self.server.url, signer=signer
        )
        self.readers[account] = MetricReader(cell, self.fleet, OWNERS, shared_calls=lambda _: self.shared)
        settings = SeriesSettings(
            signal=STREAM_WRITE_BYTES, limit=Limit(1e9, LimitSource.API, 0.0), band=Band(), delay=3
        )
        for name in names:
            observed = Observed(signal="rate", resource=resource(name), usage=total(metric(name)))
            self.fleet.put(Key(account, REGION, "kinesis", "rate", name), observed, settings, NOW)

    async def read(self) -> Mapping[str, list[Failure]]:
        """Have all readers read at once, and return their failures by account."""
        failures = await asyncio.gather(*(reader.read(NOW) for reader in self.readers.values()))
        return dict(zip(self.readers, failures, strict=True))

    def last(self, account: str, name: str) -> float:
        """Return the newest value of the metric of a stream."""
        row = self.fleet.metrics((account, REGION))[metric_query(metric(name))]
        return float(self.fleet.rings.latest_value[row])

    def is_read(self, account: str, name: str) -> bool:
        row = self.fleet.metrics((account, REGION))[metric_query(metric(name))]
        return int(self.fleet.rings.read_through[row]) != NEVER

    def requested(self, account: str) -> float:
        """Return the number of metrics that were requested of an account."""
        labels = {"aws_account": account, "aws_region": REGION, "aws_service": "kinesis"}
        return self.telemetry.registry.get_sample_value("headroom_metrics_requested_total", labels) or 0


@asynccontextmanager
async def accounts(answer: Callable[[Body], Response], **names: tuple[str, ...]) -> AsyncIterator[Accounts]:
    """Accounts with streams of these names; the keys are `a` and the account's id."""

    def checked(body: Body) -> Response:
        times = {key: float(body[key]) for key in ("StartTime", "EndTime")}
        validate_parameters({**body, **times}, GET_METRIC_DATA.input_shape)
        return answer(body)

    async with FakeCloudWatch(checked) as server:
        telemetry = Telemetries()
        caller = Cell(fake_credentials(), MONITORING, REGION, telemetry.aws, {}, server.url, max_attempts=1)
        some = Accounts(SharedCalls(MetricCaller(caller, 1e9), wait=0.01), server, telemetry=telemetry)
        for account, of_account in names.items():
            some.add(account.removeprefix("a"), *of_account)
        yield some
        await some.shared.aclose()
        await caller.close()
        for reader in some.readers.values():
            await reader.cell.close()


def of_owner(body: Body) -> Response:
    """A value that tells the account."""
    values = {MONITORING: 9.0, FIRST: 1.0, SECOND: 2.0}
    queries = body["MetricDataQueries"]
    return {"MetricDataResults": [result(query, {LAST: values[owner_of(query)]}) for query in queries]}


def refusing(refused: Callable[[Query], bool], error: ErrorResponse) -> Callable[[Body], Response]:
    """Return a CloudWatch that refuses each request with such a query."""

    def answer(body: Body) -> Response:
        return error if any(map(refused, body["MetricDataQueries"])) else of_owner(body)

    return answer


async def test_streams_of_the_same_name_in_several_accounts_are_read_in_one_call_and_not_mixed_up() -> None:
    names = ("orders", "payments")
    async with accounts(of_owner, a999999999999=names, a111111111111=names, a222222222222=names) as some:
        assert await some.read() == {MONITORING: [], FIRST: [], SECOND: []}
        (body,) = some.server.bodies
        assert len(body["MetricDataQueries"]) == 6
        assert [some.last(account, "orders") for account in (MONITORING, FIRST, SECOND)] == [9, 1, 2]
        assert [some.last(account, "payments") for account in (MONITORING, FIRST, SECOND)] == [9, 1, 2]


async def test_the_calling_account_pays_for_all_metrics_of_a_call() -> None:
    async with accounts(of_owner, a111111111111=("orders",), a222222222222=("orders", "payments")) as some:
        await some.read()
        assert [some.requested(account) for account in (MONITORING, FIRST, SECOND)] == [3, 0, 0]


async def test_calls_are_full_whichever_account_the_metrics_are_of() -> None:
    many = [tuple(f"s{n}" for n in range(size)) for size in (620, 300, 80)]
    async with accounts(
        of_owner, a999999999999=many[0], a111111111111=many[1], a222222222222=many[2]
    ) as some:
        await some.read()
        assert [len(ids) for ids in some.server.requested_ids] == [500, 500]
        read = [some.is_read(FIRST, name) for name in many[1]] + [some.is_read(SECOND, n) for n in many[2]]
        assert all(read)


async def test_a_metric_that_is_rejected_affects_itself_and_neither_other_metrics_nor_accounts() -> None:
    def is_bad(query: Query) -> bool:
        return owner_of(query) == FIRST and name_of(query) == "bad"

    names = ("orders", "bad", "payments")
    answer = refusing(is_bad, ErrorResponse("ValidationError"))
    async with accounts(answer, a111111111111=names, a222222222222=names) as some:
        failures = await some.read()
        assert [[one.code for one in failures[account]] for account in (FIRST, SECOND)] == [
            ["ValidationError"],
            [],
        ]
        assert [some.is_read(FIRST, name) for name in names] == [True, False, True]
        assert all(some.is_read(SECOND, name) for name in names)
        some.server.bodies.clear()
        assert await some.read() == {FIRST: [], SECOND: []}
        assert [len(ids) for ids in some.server.requested_ids] == [5]  # in one call again, without that one


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "InvalidParameterValue"])
async def test_an_account_that_may_not_be_read_any_more_affects_no_other(code: str) -> None:
    answer = refusing(lambda query: owner_of(query) == FIRST, ErrorResponse(code))
    async with accounts(answer, a999999999999=("orders",), a111111111111=("orders",)) as some:
        failures = await some.read()
        assert [[one.code for one in failures[account]] for account in (MONITORING, FIRST)] == [[], [code]]
        assert (some.last(MONITORING, "orders"), some.is_read(FIRST, "orders")) == (9, False)


async def test_metrics_that_are_forbidden_are_reported_to_be_so_of_their_account_alone() -> None:
    def forbidding(body: Body) -> Response:
        status = {FIRST: "Forbidden"}
        return {
            "MetricDataResults": [
                result(query, {}, status.get(owner_of(query), "Complete"))
                for query in body["MetricDataQueries"]
            ]
        }

    query = without_abbreviations(metric_query(metric("orders"))).decode()
    async with accounts(forbidding, a111111111111=("orders",), a222222222222=("orders",)) as some:
        failures = await some.read()
        assert [(one.code, one.message) for one in failures[FIRST]] == [
            (
                "Forbidden",
                f"1 metrics of {FIRST} may not be read, among them {query}",
            )
        ]
        assert failures[SECOND] == []
        assert (some.is_read(FIRST, "orders"), some.is_read(SECOND, "orders")) == (False, True)


async def test_a_throttled_call_is_not_repeated_by_account() -> None:
    def throttled(_: Body) -> Response:
        return ErrorResponse("ThrottlingException")

    async with accounts(throttled, a111111111111=("orders",), a222222222222=("orders",)) as some:
        failures = await some.read()
        assert [[one.code for one in of_account] for of_account in failures.values()] == [
            ["ThrottlingException"],
            ["ThrottlingException"],
        ]
        assert len(some.server.bodies) == 1


async def test_a_reader_that_ends_while_it_waits_does_not_end_the_call_of_the_others() -> None:
    async with accounts(of_owner, a111111111111=("orders",), a222222222222=("orders",)) as some:
        gone = asyncio.create_task(some.readers[FIRST].read(NOW))
        other = asyncio.create_task(some.readers[SECOND].read(NOW))
        await asyncio.sleep(0)
        gone.cancel()
        assert await other == []
        assert some.last(SECOND, "orders") == 2


async def test_an_answer_of_an_unexpected_form_fails_the_call_for_everybody_in_it() -> None:
    async with accounts(lambda _: b"<html>", a111111111111=("orders",), a222222222222=("orders",)) as some:
        failures = await some.read()
        assert all(len(of_account) == 1 for of_account in failures.values())
        assert not some.is_read(FIRST, "orders")
