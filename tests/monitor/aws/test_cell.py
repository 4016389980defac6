"""Calls of a cell, also through a scan: pages, rates, attempts and errors."""

import asyncio
import itertools
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, PaginationError, ReadTimeoutError

from collectors.errors import ServiceNotOfferedError
from monitor.aws.cell import DEFAULT_RATE, MAX_ATTEMPTS, Cell
from monitor.aws.clients import ClientCache
from monitor.aws.failure import CALL_TIMEOUT, Failure, error_code, error_message, failure_from
from monitor.aws.pagination import MAX_PAGES
from monitor.aws.rate_limiter import GROUP_INTERVAL
from monitor.aws.scan import MAX_CONCURRENT_ITEMS, Scan
from monitor.aws.telemetry import SERVICE_LABELS
from tests.fake_aws import ACCOUNT_ID, FakeAws, denied
from tests.fake_cloudwatch import fake_credentials
from tests.kinesis_answers import SHARD_LIMITS
from tests.quick_loop import run
from tests.resources import resource
from tests.telemetries import Telemetries


def streams_page(*streams: str, has_more: bool = False) -> dict[str, Any]:
    """Return a response of ListStreams."""
    return {"StreamNames": list(streams), "HasMoreStreams": has_more}


def call_count(aws: FakeAws, operation: str, code: str = "", service: str = "kinesis") -> float:
    """Return the number of calls that were counted for an operation. code: of their error; empty for none."""
    labels = {"aws_service": service, "operation": operation, "code": code}
    return aws.registry.get_sample_value("headroom_aws_calls_total", labels) or 0


def record_call_times(aws: FakeAws, **rates: float) -> list[float]:
    """Set the cell's rates, and return a list to which each later call appends its time in seconds.

    rates: calls per second, by `service` or `service__Operation`.
    """
    times = []

    def recording_answer(response: dict[str, Any]) -> Any:
        def respond(**_: Any) -> dict[str, Any]:
            times.append(asyncio.get_running_loop().time())
            return response

        return respond

    aws.answers = {
        "describe_limits": recording_answer(SHARD_LIMITS),
        "list_streams": recording_answer(streams_page()),
    }
    aws.cell.rates = {name.replace("__", ":"): rate for name, rate in rates.items()}
    return times


async def test_a_successful_call_is_counted() -> None:
    aws = FakeAws(describe_limits=SHARD_LIMITS)
    assert await aws.scan.call("kinesis", "DescribeLimits") == SHARD_LIMITS
    assert call_count(aws, "DescribeLimits") == 1
    assert (aws.scan.account, aws.scan.region) == (ACCOUNT_ID, "eu-west-1")


async def test_a_denied_call_raises_and_is_counted_by_its_code() -> None:
    aws = FakeAws(describe_limits=denied("DescribeLimits"))
    with pytest.raises(ClientError):
        await aws.scan.call("kinesis", "DescribeLimits")
    assert (
        call_count(aws, "DescribeLimits", "AccessDeniedException"),
        call_count(aws, "DescribeLimits"),
    ) == (1, 0)


async def test_try_call_records_the_failure_of_a_denied_call_and_returns_an_empty_response() -> None:
    aws = FakeAws(list_streams=streams_page("orders"))
    assert await aws.scan.try_call("kinesis", "DescribeLimits") == {}
    assert await aws.scan.try_call("kinesis", "ListStreams") == streams_page("orders")
    assert aws.scan.failures == [
        Failure("DescribeLimits", "", "AccessDeniedException", "not authorized to perform DescribeLimits")
    ]


async def test_the_items_of_all_pages_are_yielded_in_order_with_one_call_for_each_page() -> None:
    aws = FakeAws(
        list_streams=[streams_page("a", "b", has_more=True), streams_page(has_more=True), streams_page("c")]
    )
    assert [name async for name in aws.scan.list_items("kinesis", "ListStreams", "StreamNames")] == [
        "a",
        "b",
        "c",
    ]
    assert call_count(aws, "ListStreams") == 3


async def test_an_operation_without_pages_is_one_call() -> None:
    aws = FakeAws(list_bucket_metrics_configurations={"MetricsConfigurationList": [{"Id": "all"}]})
    items = aws.scan.list_items(
        "s3", "ListBucketMetricsConfigurations", "MetricsConfigurationList", Bucket="logs"
    )
    assert [item["Id"] async for item in items] == ["all"]
    assert call_count(aws, "ListBucketMetricsConfigurations", service="s3") == 1


async def test_parameters_for_the_first_page_are_not_sent_with_a_token() -> None:
    params_of_calls = []

    def page(**params: Any) -> dict[str, Any]:
        params_of_calls.append(params)
        return {"Shards": [], **({} if "NextToken" in params else {"NextToken": "2"})}

    items = FakeAws(list_shards=page).scan.list_items(
        "kinesis", "ListShards", "Shards", {"StreamName": "orders"}
    )
    assert [item async for item in items] == []
    assert params_of_calls == [{"StreamName": "orders"}, {"NextToken": "2"}]


async def test_a_token_that_aws_returns_twice_ends_the_pages_with_an_error() -> None:
    aws = FakeAws(list_shards={"Shards": [], "NextToken": "again"})
    with pytest.raises(PaginationError):
        async for _ in aws.scan.list_items("kinesis", "ListShards", "Shards", {"StreamName": "orders"}):
            pass
    assert call_count(aws, "ListShards") == 2


async def test_the_fake_raises_for_a_parameter_that_aws_would_reject_on_the_next_page() -> None:
    with pytest.raises(AssertionError, match="StreamName"):
        async for _ in FakeAws(list_shards={}).scan.list_items(
            "kinesis", "ListShards", "Shards", StreamName="a"
        ):
            pass


async def test_the_next_page_may_need_several_tokens() -> None:
    params_of_calls: list[dict[str, str]] = []

    def respond(**params: str) -> dict[str, Any]:
        params_of_calls.append(params)
        page: dict[str, Any] = {"ResourceRecordSets": [], "IsTruncated": False, "MaxItems": "300"}
        if "StartRecordName" in params:
            return page
        return page | {"IsTruncated": True, "NextRecordName": "b", "NextRecordType": "A"}

    aws = FakeAws(list_resource_record_sets=respond)
    pages = aws.scan.paginate("route53", "ListResourceRecordSets", HostedZoneId="Z1")
    assert len([page async for page in pages]) == 2
    assert params_of_calls[1] == {"HostedZoneId": "Z1", "StartRecordName": "b", "StartRecordType": "A"}


async def test_a_failing_page_raises_after_the_items_of_earlier_pages() -> None:
    aws = FakeAws(list_streams=[streams_page("a", has_more=True), denied("ListStreams")])
    received = []
    with pytest.raises(ClientError):
        async for name in aws.scan.list_items("kinesis", "ListStreams", "StreamNames"):
            received.append(name)
    assert received == ["a"]
    assert (call_count(aws, "ListStreams"), call_count(aws, "ListStreams", "AccessDeniedException")) == (1, 1)


async def test_items_are_queried_concurrently_up_to_a_maximum() -> None:
    running = max_running = 0
    all_running = asyncio.Event()

    async def query(item: int) -> int:
        nonlocal running, max_running
        running += 1
        max_running = max(max_running, running)
        if running == MAX_CONCURRENT_ITEMS:
            all_running.set()
        await all_running.wait()
        running -= 1
        return -item

    scan = FakeAws().scan
    items_and_results = [pair async for pair in scan.map(range(50), query, lambda n: resource(str(n)))]
    assert sorted(items_and_results) == [(n, -n) for n in range(50)]
    assert max_running == MAX_CONCURRENT_ITEMS


async def test_a_failed_query_affects_only_its_item_and_the_failure_names_the_item() -> None:
    async def query(item: str) -> str:
        if item == "b":
            raise denied("DescribeStreamSummary")
        return item.upper()

    async def items() -> AsyncIterator[str]:
        for item in "abc":
            yield item

    scan = FakeAws().scan
    assert [pair async for pair in scan.map(items(), query, lambda item: resource(f"stream {item}"))] == [
        ("a", "A"),
        ("c", "C"),
    ]
    assert [(failure.operation, failure.resource, failure.code) for failure in scan.failures] == [
        ("DescribeStreamSummary", "stream b", "AccessDeniedException")
    ]


async def test_an_unexpected_response_affects_only_its_item_and_is_logged_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def query(item: str) -> Any:
        return dict[str, Any]()[item]

    scan = FakeAws().scan
    assert [pair async for pair in scan.map(["a"], query, resource)] == []
    assert [(failure.resource, failure.code) for failure in scan.failures] == [("a", "KeyError")]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info


def test_an_operation_with_a_rate_of_its_own_keeps_to_it() -> None:
    async def main() -> None:
        aws = FakeAws()
        times = record_call_times(aws, kinesis__DescribeLimits=1.0, kinesis=1000.0)
        await asyncio.gather(*(aws.cell.call("kinesis", "DescribeLimits") for _ in range(5)))
        assert times == pytest.approx([0, 1, 2, 3, 4], abs=0.01)

    run(main())


@pytest.mark.parametrize(("rates", "expected_rate"), [({"kinesis": 5.0}, 5.0), ({}, DEFAULT_RATE)])
def test_the_operations_of_a_service_share_its_rate(rates: dict[str, float], expected_rate: float) -> None:
    async def main() -> None:
        aws = FakeAws()
        times = record_call_times(aws, **rates)
        operations = ["DescribeLimits", "ListStreams"] * 20
        await asyncio.gather(*(aws.cell.call("kinesis", operation) for operation in operations))
        assert len(times) == 40
        last_time = 39 / expected_rate  # the first call is sent at once; there is no burst at the start
        assert last_time - GROUP_INTERVAL < times[-1] < last_time + 0.01

    run(main())


def test_calls_of_two_cells_do_not_wait_for_each_other() -> None:
    async def main() -> None:
        for aws in (FakeAws(), FakeAws()):
            record_call_times(aws, kinesis=1.0)
            await aws.cell.call("kinesis", "DescribeLimits")
        assert asyncio.get_running_loop().time() == 0

    run(main())


def test_the_timeout_of_a_call_excludes_the_wait_for_the_rate_limiter() -> None:
    async def main() -> None:
        aws = FakeAws()
        times = record_call_times(aws, kinesis=1.0)
        await asyncio.gather(*(aws.cell.call("kinesis", "DescribeLimits") for _ in range(200)))
        assert max(times) > CALL_TIMEOUT
        assert call_count(aws, "DescribeLimits") == 200

    run(main())


class SilentClient:
    """A client whose calls never get a response."""

    async def describe_limits(self) -> None:
        await asyncio.Event().wait()


class SilentClientCache(ClientCache):
    """A cache with only silent clients."""

    async def get(self, *_: Any) -> Any:
        return SilentClient()


def test_a_call_without_a_response_ends_after_the_timeout_with_a_failure_that_names_the_call() -> None:
    async def main() -> None:
        clients = SilentClientCache()
        scan = Scan(Cell(fake_credentials(), ACCOUNT_ID, "eu-west-1", Telemetries().aws, {}, clients=clients))

        async def query(_: str) -> Any:
            return await scan.call("kinesis", "DescribeLimits")

        assert [pair async for pair in scan.map(["clicks"], query, resource)] == []
        assert [failure.sentence for failure in scan.failures] == [
            "DescribeLimits of clicks: no answer within 90 s (TimeoutError)"
        ]
        assert asyncio.get_running_loop().time() == pytest.approx(CALL_TIMEOUT, abs=0.01)

    run(main())


async def test_the_metrics_that_a_scan_requests_page_by_page_are_counted() -> None:
    metric = {"Namespace": "AWS/SQS", "MetricName": "NumberOfMessagesSent"}
    query = {"Id": "one", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    aws = FakeAws(get_metric_data={"MetricDataResults": []})
    params: dict[str, Any] = {"MetricDataQueries": [query, query], "StartTime": 0, "EndTime": 60}
    assert len([page async for page in aws.scan.paginate("cloudwatch", "GetMetricData", **params)]) == 1
    labels = dict(zip(SERVICE_LABELS, (ACCOUNT_ID, "eu-west-1", ""), strict=True))
    assert aws.registry.get_sample_value("headroom_metrics_requested_total", labels) == 2


# Attempts


def failing_aws(*errors: Exception) -> FakeAws:
    """Return an AWS whose calls raise these errors one after the other, and then succeed."""
    remaining = [*errors]

    def respond(**_: Any) -> Any:
        return remaining.pop(0) if remaining else SHARD_LIMITS

    aws = FakeAws(describe_limits=respond)
    aws.cell.max_attempts = MAX_ATTEMPTS
    return aws


def client_error(code: str, status: int = 400) -> ClientError:
    """Return the error of a response with this code and HTTP status."""
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "DescribeLimits")


@pytest.mark.parametrize(
    "error",
    [
        client_error("LimitExceededException"),
        client_error("ThrottlingException"),
        client_error("InternalFailure", 500),
        client_error("503", 503),
        EndpointConnectionError(endpoint_url="http://a"),
        ReadTimeoutError(endpoint_url="http://a"),
    ],
)
def test_a_temporary_failure_is_retried_and_every_attempt_is_counted(error: Exception) -> None:
    async def main() -> None:
        aws = failing_aws(error, error)
        assert await aws.cell.call("kinesis", "DescribeLimits") == SHARD_LIMITS
        assert (call_count(aws, "DescribeLimits", error_code(error)), call_count(aws, "DescribeLimits")) == (
            2,
            1,
        )
        assert 0 < asyncio.get_running_loop().time() < CALL_TIMEOUT

    run(main())


def test_retries_keep_to_the_rate_which_each_throttled_attempt_halves() -> None:
    async def main() -> None:
        aws = failing_aws(*[client_error("ThrottlingException")] * 3)
        aws.cell.rates = {"kinesis:DescribeLimits": 0.05}
        await aws.cell.call("kinesis", "DescribeLimits")
        # The wait after an attempt is set when the attempt is sent, by the rate before it is halved again.
        assert asyncio.get_running_loop().time() == pytest.approx(20 + 40 + 80, abs=0.01)

    run(main())


def test_a_call_that_keeps_failing_is_given_up_after_the_last_attempt() -> None:
    async def main() -> None:
        aws = failing_aws(*[client_error("ThrottlingException")] * 10)
        with pytest.raises(ClientError):
            await aws.cell.call("kinesis", "DescribeLimits")
        assert call_count(aws, "DescribeLimits", "ThrottlingException") == MAX_ATTEMPTS

    run(main())


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException", "ValidationException"])
def test_permanent_errors_are_not_retried(code: str) -> None:
    async def main() -> None:
        aws = failing_aws(client_error(code))
        with pytest.raises(ClientError):
            await aws.cell.call("kinesis", "DescribeLimits")
        assert call_count(aws, "DescribeLimits", code) == 1
        assert asyncio.get_running_loop().time() == 0

    run(main())


def test_the_operation_is_added_to_an_error_that_does_not_name_it() -> None:
    async def main() -> None:
        aws = failing_aws(*[EndpointConnectionError(endpoint_url="http://a")] * MAX_ATTEMPTS)
        assert await aws.scan.try_call("kinesis", "DescribeLimits") == {}
        with pytest.raises(EndpointConnectionError) as raised:
            aws.answers["describe_limits"] = EndpointConnectionError(endpoint_url="http://a")
            await aws.scan.call("kinesis", "DescribeLimits")
        assert failure_from(raised.value).operation == "DescribeLimits"

    run(main())


# Services that a region does not offer


def unknown_host(errno: int = socket.EAI_NONAME) -> EndpointConnectionError:
    """Return the error of a call to an endpoint whose host name has no address."""
    error = EndpointConnectionError(endpoint_url="https://dax.eu-west-1.amazonaws.com/")
    error.__cause__ = socket.gaierror(errno, "Name or service not known")
    return error


@pytest.mark.parametrize("answer", [{"TableNames": []}, denied("ListTables")])
async def test_a_service_whose_endpoint_has_no_address_is_not_offered_if_another_service_responded(
    answer: Any,
) -> None:
    aws = FakeAws(describe_clusters=unknown_host(), list_tables=answer)
    with suppress(ClientError):
        await aws.cell.call("dynamodb", "ListTables")
    with pytest.raises(ServiceNotOfferedError):
        await aws.cell.call("dax", "DescribeClusters")
    assert aws.calls.count("dax:DescribeClusters") == 1


async def test_a_service_counts_as_offered_while_no_service_has_responded() -> None:
    aws = FakeAws(describe_clusters=unknown_host())
    with pytest.raises(EndpointConnectionError) as raised:
        await aws.cell.call("dax", "DescribeClusters")
    assert not isinstance(raised.value, ServiceNotOfferedError)


async def test_a_service_that_responded_before_counts_as_offered() -> None:
    aws = FakeAws(describe_clusters={"Clusters": []}, list_tables={"TableNames": []})
    await aws.cell.call("dax", "DescribeClusters")
    await aws.cell.call("dynamodb", "ListTables")
    aws.answers["describe_clusters"] = unknown_host()
    with pytest.raises(EndpointConnectionError) as raised:
        await aws.cell.call("dax", "DescribeClusters")
    assert not isinstance(raised.value, ServiceNotOfferedError)


async def test_a_service_counts_as_offered_while_the_dns_resolver_does_not_respond() -> None:
    aws = FakeAws(describe_clusters=unknown_host(socket.EAI_AGAIN), list_tables={"TableNames": []})
    await aws.cell.call("dynamodb", "ListTables")
    with pytest.raises(EndpointConnectionError) as raised:
        await aws.cell.call("dax", "DescribeClusters")
    assert not isinstance(raised.value, ServiceNotOfferedError)


# Pages


async def test_a_token_that_returns_after_another_token_ends_the_pages_with_an_error() -> None:
    tokens = itertools.cycle(["one", "two"])
    aws = FakeAws(list_streams=lambda **_: streams_page("a", has_more=True) | {"NextToken": next(tokens)})
    received = []
    with pytest.raises(PaginationError):
        async for name in aws.scan.list_items("kinesis", "ListStreams", "StreamNames"):
            received.append(name)
    assert len(received) == 3


def test_endless_pages_end_with_an_error_at_the_maximum() -> None:
    async def main() -> None:
        numbers = itertools.count()
        aws = FakeAws(
            list_streams=lambda **_: streams_page("a", has_more=True) | {"NextToken": f"t{next(numbers)}"}
        )
        received = []
        with pytest.raises(PaginationError, match="pages"):
            async for name in aws.scan.list_items("kinesis", "ListStreams", "StreamNames"):
                received.append(name)
        assert len(received) == MAX_PAGES

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
def test_an_error_is_described_by_its_code_and_in_one_line(
    error: Exception, code: str, sentence: str
) -> None:
    assert (error_code(error), error_message(error)) == (code, sentence)


async def test_the_token_of_the_next_page_may_be_nested() -> None:
    params_of_calls: list[dict[str, str]] = []

    def respond(**params: str) -> dict[str, Any]:
        params_of_calls.append(params)
        next_token = {} if "Marker" in params else {"NextMarker": "2"}
        return {"FunctionList": {"MaxItems": 100, "Quantity": 0, "Items": [], **next_token}}

    pages = FakeAws(list_functions=respond).scan.paginate("cloudfront", "ListFunctions")
    assert len([page async for page in pages]) == 2
    assert params_of_calls == [{}, {"Marker": "2"}]


async def test_the_name_of_the_last_item_may_be_the_token_of_the_next_page() -> None:
    params_of_calls: list[dict[str, str]] = []

    def respond(**params: str) -> dict[str, Any]:
        params_of_calls.append(params)
        is_first = not params
        stream_names = ["a", "b"] if is_first else ["c"]
        return {"DeliveryStreamNames": stream_names, "HasMoreDeliveryStreams": is_first}

    pages = FakeAws(list_delivery_streams=respond).scan.paginate("firehose", "ListDeliveryStreams")
    assert [name async for page in pages for name in page["DeliveryStreamNames"]] == ["a", "b", "c"]
    assert params_of_calls == [{}, {"ExclusiveStartDeliveryStreamName": "b"}]
