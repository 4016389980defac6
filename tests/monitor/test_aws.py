import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError, EndpointConnectionError

from monitor.aws import (
    CALL_TIMEOUT,
    DEFAULT_RATE,
    SIDE_BY_SIDE,
    Cell,
    Failure,
    Look,
    batches,
    code_of,
    sentence_of,
)
from monitor.telemetry import Telemetry
from tests.fake_aws import ACCOUNT_ID, FakeAws, denied

LIMITS = {"OpenShardCount": 1, "ShardLimit": 50, "OnDemandStreamCount": 0, "OnDemandStreamCountLimit": 50}


class QuickLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it.

    It moves on by a microsecond at least, as a real one does, so that a timer of no length cannot stop it.
    """

    now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self.now = max(self.now + 1e-6, self._scheduled[0].when())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


def run(main: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        return runner.run(main)


def names(*streams: str, more: bool = False) -> dict[str, Any]:
    return {"StreamNames": list(streams), "HasMoreStreams": more}


def calls(aws: FakeAws, operation: str, code: str = "", service: str = "kinesis") -> float:
    labels = {"service": service, "operation": operation, "code": code}
    return aws.telemetry.registry.get_sample_value("headroom_aws_calls_total", labels) or 0


def started(aws: FakeAws, **rates: float) -> list[float]:
    """The moments of the calls that a cell of these rates makes from now on."""
    moments = []

    def answer(answered: dict[str, Any]) -> Any:
        def at(**_: Any) -> dict[str, Any]:
            moments.append(asyncio.get_running_loop().time())
            return answered

        return at

    aws.answers = {"describe_limits": answer(LIMITS), "list_streams": answer(names())}
    aws.cell.rates = {name.replace("__", ":"): rate for name, rate in rates.items()}
    return moments


async def test_a_call_is_answered_and_counted() -> None:
    aws = FakeAws(describe_limits=LIMITS)
    assert await aws.look.call("kinesis", "DescribeLimits") == LIMITS
    assert calls(aws, "DescribeLimits") == 1
    assert (aws.look.account, aws.look.region) == (ACCOUNT_ID, "eu-west-1")


async def test_a_refused_call_raises_and_is_counted_by_its_code() -> None:
    aws = FakeAws(describe_limits=denied("DescribeLimits"))
    with pytest.raises(ClientError):
        await aws.look.call("kinesis", "DescribeLimits")
    assert (calls(aws, "DescribeLimits", "AccessDeniedException"), calls(aws, "DescribeLimits")) == (1, 0)


async def test_an_attempt_that_is_refused_is_noted_and_answers_nothing() -> None:
    aws = FakeAws(list_streams=names("orders"))
    assert await aws.look.attempt("kinesis", "DescribeLimits") == {}
    assert await aws.look.attempt("kinesis", "ListStreams") == names("orders")
    assert aws.look.failures == [
        Failure("DescribeLimits", "", "AccessDeniedException", "not authorized to perform DescribeLimits")
    ]


async def test_the_items_of_all_pages_come_in_order_and_each_page_is_a_call() -> None:
    aws = FakeAws(list_streams=[names("a", "b", more=True), names(more=True), names("c")])
    assert [name async for name in aws.look.pages("kinesis", "ListStreams", "StreamNames")] == ["a", "b", "c"]
    assert calls(aws, "ListStreams") == 3


async def test_an_operation_without_pages_is_one_call() -> None:
    bucket = {"Name": "logs"}
    aws = FakeAws(list_bucket_metrics_configurations={"MetricsConfigurationList": [{"Id": "all"}]})
    found = aws.look.pages(
        "s3", "ListBucketMetricsConfigurations", "MetricsConfigurationList", Bucket=bucket["Name"]
    )
    assert [item["Id"] async for item in found] == ["all"]
    assert calls(aws, "ListBucketMetricsConfigurations", service="s3") == 1


async def test_pages_that_are_refused_half_way_raise_after_what_came_before() -> None:
    aws = FakeAws(list_streams=[names("a", more=True), denied("ListStreams")])
    came = []
    with pytest.raises(ClientError):
        async for name in aws.look.pages("kinesis", "ListStreams", "StreamNames"):
            came.append(name)
    assert came == ["a"]
    assert (calls(aws, "ListStreams"), calls(aws, "ListStreams", "AccessDeniedException")) == (1, 1)


async def test_many_are_asked_side_by_side_in_bounded_number_and_in_order() -> None:
    at_once = most = 0

    async def ask(item: int) -> int:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        return -item

    look = FakeAws().look
    found = [pair async for pair in look.each(range(50), ask, str)]
    assert found == [(n, -n) for n in range(50)]
    assert most == SIDE_BY_SIDE


async def test_one_that_fails_costs_itself_and_is_named() -> None:
    async def ask(item: str) -> str:
        if item == "b":
            raise denied("DescribeStreamSummary")
        return item.upper()

    async def listed() -> AsyncIterator[str]:
        for item in "abc":
            yield item

    look = FakeAws().look
    assert [pair async for pair in look.each(listed(), ask, lambda item: f"stream {item}")] == [
        ("a", "A"),
        ("c", "C"),
    ]
    assert [(one.operation, one.item, one.code) for one in look.failures] == [
        ("DescribeStreamSummary", "stream b", "AccessDeniedException")
    ]


async def test_an_answer_that_nobody_foresaw_costs_its_item_and_is_logged_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def ask(item: str) -> Any:
        return dict[str, Any]()[item]

    look = FakeAws().look
    assert [pair async for pair in look.each(["a"], ask, str)] == []
    assert [(one.item, one.code) for one in look.failures] == [("a", "KeyError")]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
async def test_items_in_batches(size: int) -> None:
    async def listed() -> AsyncIterator[int]:
        for n in range(7):
            yield n

    expected = [list(range(7))[first : first + size] for first in range(0, 7, size)]
    assert [batch async for batch in batches(range(7), size)] == expected
    assert [batch async for batch in batches(listed(), size)] == expected


def test_an_operation_with_a_rate_of_its_own_keeps_to_it() -> None:
    async def main() -> None:
        aws = FakeAws()
        moments = started(aws, kinesis__DescribeLimits=1.0, kinesis=1000.0)
        await asyncio.gather(*(aws.cell.call("kinesis", "DescribeLimits") for _ in range(5)))
        assert moments == pytest.approx([0, 1, 2, 3, 4], abs=0.01)

    run(main())


@pytest.mark.parametrize(("rates", "rate"), [({"kinesis": 5.0}, 5.0), ({}, DEFAULT_RATE)])
def test_the_operations_of_a_service_share_its_rate(rates: dict[str, float], rate: float) -> None:
    async def main() -> None:
        aws = FakeAws()
        moments = started(aws, **rates)
        operations = ["DescribeLimits", "ListStreams"] * 20
        await asyncio.gather(*(aws.cell.call("kinesis", operation) for operation in operations))
        assert len(moments) == 40
        assert moments[-1] == pytest.approx(
            (40 - rate) / rate, abs=0.01
        )  # the first second's worth goes at once

    run(main())


def test_two_cells_do_not_wait_for_each_other() -> None:
    async def main() -> None:
        moments = []
        for aws in (FakeAws(), FakeAws()):
            moments += started(aws, kinesis=1.0)
            await aws.cell.call("kinesis", "DescribeLimits")
        assert asyncio.get_running_loop().time() == 0

    run(main())


def test_a_call_that_never_gets_its_turn_ends_with_the_time_out() -> None:
    async def main() -> None:
        aws = FakeAws()
        moments = started(aws, kinesis=1.0)
        asked = [aws.cell.call("kinesis", "DescribeLimits") for _ in range(100)]
        ended = await asyncio.gather(*asked, return_exceptions=True)
        late = [one for one in ended if isinstance(one, TimeoutError)]
        assert len(late) == 100 - len(moments) > 0
        assert max(moments) <= CALL_TIMEOUT
        assert calls(aws, "DescribeLimits", "TimeoutError") == len(late)
        assert sentence_of(late[0]) == "no answer within 90 s"

    run(main())
    gc.collect()  # a coroutine that was made and never awaited would complain here


def test_a_call_that_is_never_answered_ends_with_the_time_out() -> None:
    closed = []

    class Silent:
        async def describe_limits(self) -> None:
            await asyncio.Event().wait()

        def can_paginate(self, _: str) -> bool:
            return False

    class Session:
        @asynccontextmanager
        async def create_client(self, service: str, **_: Any) -> AsyncIterator[Silent]:
            yield Silent()
            closed.append(service)

    async def main() -> None:
        cell = Cell(cast(AioSession, Session()), ACCOUNT_ID, "eu-west-1", Telemetry(), {})
        look = Look(cell)
        assert await look.attempt("kinesis", "DescribeLimits") == {}
        assert [failure.code for failure in look.failures] == ["TimeoutError"]
        assert asyncio.get_running_loop().time() == pytest.approx(CALL_TIMEOUT, abs=0.01)
        await asyncio.gather(*(cell.client(service) for service in ("kinesis", "s3", "kinesis")))
        await cell.close()
        assert sorted(closed) == ["kinesis", "s3"]

    run(main())


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (denied("Look"), "AccessDeniedException", "not authorized to perform Look"),
        (
            ClientError({"Error": {"Code": "Denied", "Message": "first line\n\tsecond line"}}, "Look"),
            "Denied",
            "first line second line",
        ),
        (
            ClientError({}, "Look"),
            "Unknown",
            "An error occurred (Unknown) when calling the Look operation: Unknown",
        ),
        (
            EndpointConnectionError(endpoint_url="http://a"),
            "EndpointConnectionError",
            'Could not connect to the endpoint URL: "http://a"',
        ),
        (TimeoutError(), "TimeoutError", "no answer within 90 s"),
        (OSError(), "OSError", "OSError"),
    ],
)
def test_an_error_is_told_by_its_code_and_in_one_line(error: Exception, code: str, sentence: str) -> None:
    assert (code_of(error), sentence_of(error)) == (code, sentence)
