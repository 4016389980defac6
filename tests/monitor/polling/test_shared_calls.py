"""One account reads the metrics of several accounts in shared calls."""

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
    query_result,
)
from tests.registries import METRIC_SERVICES, STREAM_WRITE_BYTES
from tests.resources import resource
from tests.telemetries import Telemetries

NOW = 29_000_000  # minutes since the epoch
LAST = NOW - 4  # the newest complete minute
REGION = "eu-west-1"
MONITORING, FIRST, SECOND = "999999999999", "111111111111", "222222222222"
GET_METRIC_DATA: Any = SERVICE_MODELS.get_service_model("cloudwatch").operation_model("GetMetricData")


def metric(name: str) -> Metric:
    """Return the metric of a stream."""
    return Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName=name)


def stream_of(query: Query) -> str:
    """Return the stream that a query is for."""
    return str(query["MetricStat"]["Metric"]["Dimensions"][0]["Value"])


def account_of(query: Query) -> str:
    """Return the account that a query is for."""
    return str(query.get("AccountId", MONITORING))


@dataclass
class Accounts:
    """The readers of a monitoring account and of its linked accounts, which share calls."""

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
        self.readers[account] = MetricReader(
            cell, self.fleet, METRIC_SERVICES, shared_calls=lambda _: self.shared
        )
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

    def newest_value(self, account: str, name: str) -> float:
        """Return the newest value of the metric of a stream."""
        row = self.fleet.metrics((account, REGION))[metric_query(metric(name))]
        return float(self.fleet.rings.latest_value[row])

    def is_read(self, account: str, name: str) -> bool:
        row = self.fleet.metrics((account, REGION))[metric_query(metric(name))]
        return int(self.fleet.rings.read_through[row]) != NEVER

    def requested_metrics(self, account: str) -> float:
        """Return the number of requested metrics that an account pays for."""
        labels = {"aws_account": account, "aws_region": REGION, "aws_service": "kinesis"}
        return self.telemetry.registry.get_sample_value("headroom_metrics_requested_total", labels) or 0


@asynccontextmanager
async def linked_accounts(
    answer: Callable[[Body], Response], **names_by_account: tuple[str, ...]
) -> AsyncIterator[Accounts]:
    """Open accounts with streams of these names; each keyword is the letter `a` and an account's id."""

    def validate_and_answer(body: Body) -> Response:
        times = {key: float(body[key]) for key in ("StartTime", "EndTime")}
        validate_parameters({**body, **times}, GET_METRIC_DATA.input_shape)
        return answer(body)

    async with FakeCloudWatch(validate_and_answer) as server:
        telemetry = Telemetries()
        caller = Cell(fake_credentials(), MONITORING, REGION, telemetry.aws, {}, server.url, max_attempts=1)
        accounts = Accounts(SharedCalls(MetricCaller(caller, 1e9), wait=0.01), server, telemetry=telemetry)
        for keyword, stream_names in names_by_account.items():
            accounts.add(keyword.removeprefix("a"), *stream_names)
        yield accounts
        await accounts.shared.aclose()
        await caller.close()
        for reader in accounts.readers.values():
            await reader.cell.close()


def answer_by_account(body: Body) -> Response:
    """Return a different value for the metrics of each account."""
    values = {MONITORING: 9.0, FIRST: 1.0, SECOND: 2.0}
    queries = body["MetricDataQueries"]
    return {
        "MetricDataResults": [query_result(query, {LAST: values[account_of(query)]}) for query in queries]
    }


def reject_if(is_rejected: Callable[[Query], bool], error: ErrorResponse) -> Callable[[Body], Response]:
    """Return a handler that answers a request with an error if any of its queries is rejected."""

    def answer(body: Body) -> Response:
        return error if any(map(is_rejected, body["MetricDataQueries"])) else answer_by_account(body)

    return answer


async def test_one_call_reads_streams_of_the_same_name_in_several_accounts_without_mixing_them_up() -> None:
    names = ("orders", "payments")
    async with linked_accounts(
        answer_by_account, a999999999999=names, a111111111111=names, a222222222222=names
    ) as accounts:
        assert await accounts.read() == {MONITORING: [], FIRST: [], SECOND: []}
        (body,) = accounts.server.bodies
        assert len(body["MetricDataQueries"]) == 6
        assert [accounts.newest_value(account, "orders") for account in (MONITORING, FIRST, SECOND)] == [
            9,
            1,
            2,
        ]
        assert [accounts.newest_value(account, "payments") for account in (MONITORING, FIRST, SECOND)] == [
            9,
            1,
            2,
        ]


async def test_the_calling_account_pays_for_all_metrics_of_a_call() -> None:
    async with linked_accounts(
        answer_by_account, a111111111111=("orders",), a222222222222=("orders", "payments")
    ) as accounts:
        await accounts.read()
        assert [accounts.requested_metrics(account) for account in (MONITORING, FIRST, SECOND)] == [3, 0, 0]


async def test_full_calls_hold_the_metrics_of_several_accounts() -> None:
    monitoring, first, second = (tuple(f"s{n}" for n in range(count)) for count in (620, 300, 80))
    async with linked_accounts(
        answer_by_account, a999999999999=monitoring, a111111111111=first, a222222222222=second
    ) as accounts:
        await accounts.read()
        assert [len(ids) for ids in accounts.server.requested_ids] == [500, 500]
        assert all(accounts.is_read(FIRST, name) for name in first)
        assert all(accounts.is_read(SECOND, name) for name in second)


async def test_a_rejected_metric_affects_neither_other_metrics_nor_other_accounts() -> None:
    def is_bad(query: Query) -> bool:
        return account_of(query) == FIRST and stream_of(query) == "bad"

    names = ("orders", "bad", "payments")
    answer = reject_if(is_bad, ErrorResponse("ValidationError"))
    async with linked_accounts(answer, a111111111111=names, a222222222222=names) as accounts:
        failures = await accounts.read()
        assert [[failure.code for failure in failures[account]] for account in (FIRST, SECOND)] == [
            ["ValidationError"],
            [],
        ]
        assert [accounts.is_read(FIRST, name) for name in names] == [True, False, True]
        assert all(accounts.is_read(SECOND, name) for name in names)
        accounts.server.bodies.clear()
        assert await accounts.read() == {FIRST: [], SECOND: []}
        (requested_ids,) = accounts.server.requested_ids
        assert len(requested_ids) == 5  # one call again, without the rejected metric


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "InvalidParameterValue"])
async def test_an_account_that_may_no_longer_be_read_affects_no_other_account(code: str) -> None:
    answer = reject_if(lambda query: account_of(query) == FIRST, ErrorResponse(code))
    async with linked_accounts(answer, a999999999999=("orders",), a111111111111=("orders",)) as accounts:
        failures = await accounts.read()
        assert [[failure.code for failure in failures[account]] for account in (MONITORING, FIRST)] == [
            [],
            [code],
        ]
        assert (accounts.newest_value(MONITORING, "orders"), accounts.is_read(FIRST, "orders")) == (9, False)


async def test_forbidden_metrics_are_failures_of_their_own_account_only() -> None:
    def forbid_first_account(body: Body) -> Response:
        return {
            "MetricDataResults": [
                query_result(query, {}, "Forbidden" if account_of(query) == FIRST else "Complete")
                for query in body["MetricDataQueries"]
            ]
        }

    query = without_abbreviations(metric_query(metric("orders"))).decode()
    async with linked_accounts(
        forbid_first_account, a111111111111=("orders",), a222222222222=("orders",)
    ) as accounts:
        failures = await accounts.read()
        assert [(failure.code, failure.message) for failure in failures[FIRST]] == [
            (
                "Forbidden",
                f"1 metric of {FIRST} may not be read, among them {query}",
            )
        ]
        assert failures[SECOND] == []
        assert (accounts.is_read(FIRST, "orders"), accounts.is_read(SECOND, "orders")) == (False, True)


async def test_a_throttled_call_is_not_repeated_for_each_account() -> None:
    def throttle(_: Body) -> Response:
        return ErrorResponse("ThrottlingException")

    async with linked_accounts(throttle, a111111111111=("orders",), a222222222222=("orders",)) as accounts:
        failures = await accounts.read()
        assert [[failure.code for failure in reader_failures] for reader_failures in failures.values()] == [
            ["ThrottlingException"],
            ["ThrottlingException"],
        ]
        assert len(accounts.server.bodies) == 1


async def test_cancelling_a_waiting_reader_does_not_cancel_the_call_of_other_readers() -> None:
    async with linked_accounts(
        answer_by_account, a111111111111=("orders",), a222222222222=("orders",)
    ) as accounts:
        cancelled_read = asyncio.create_task(accounts.readers[FIRST].read(NOW))
        remaining_read = asyncio.create_task(accounts.readers[SECOND].read(NOW))
        await asyncio.sleep(0)
        cancelled_read.cancel()
        assert await remaining_read == []
        assert accounts.newest_value(SECOND, "orders") == 2


async def test_a_malformed_response_fails_the_call_for_all_its_readers() -> None:
    async with linked_accounts(
        lambda _: b"<html>", a111111111111=("orders",), a222222222222=("orders",)
    ) as accounts:
        failures = await accounts.read()
        assert all(len(reader_failures) == 1 for reader_failures in failures.values())
        assert not accounts.is_read(FIRST, "orders")
