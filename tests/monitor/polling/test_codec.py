"""The fast codec compared with botocore's: the same requests and results over real HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError
from msgspec.structs import replace

from collectors.base import Metric
from monitor.fleet.metric_query import metric_query
from monitor.lib.botocore_models import model_loader
from monitor.polling import codec
from monitor.polling.codec import MetricPage, MetricResult
from monitor.polling.metric_caller import CLIENT_CONFIG_WITHOUT_VALIDATION
from tests.fake_cloudwatch import ErrorResponse, FakeCloudWatch, Response

MINUTES = range(29_000_000, 29_000_005)  # since the epoch
START = MINUTES[0] * 60  # epoch seconds
NO_RETRIES = CLIENT_CONFIG_WITHOUT_VALIDATION.merge(
    AioConfig(retries={"mode": "standard", "total_max_attempts": 1})
)
NAMES_TO_ESCAPE = [
    "plain",
    'a "quoted" name',
    "two\nlines",
    "back\\slash",
    "naïve-日本-🎉",
    "tab\t",
    "\x7f",
    "{}[],:%s%d",
]

RequestPage = Callable[..., Awaitable[MetricPage]]


def session() -> AioSession:
    """Return a session with invalid credentials."""
    result = AioSession()
    result.set_credentials("testing", "testing")
    result.register_component("data_loader", model_loader())
    return result


@asynccontextmanager
async def cloudwatch_client(server: FakeCloudWatch, request_page: RequestPage) -> AsyncIterator[Any]:
    """Yield a client of the server, with the hooks of the codec if `request_page` is the codec's."""
    async with session().create_client(
        "cloudwatch", region_name="eu-west-1", endpoint_url=server.url, config=NO_RETRIES
    ) as client:
        if request_page is codec.get_metric_data:
            assert codec.install(client)
        yield client


async def fetch(
    request_page: RequestPage, response: Response, names: list[str], token: str | None = None
) -> tuple[MetricPage, Any]:
    """Request one metric of each named stream; return the page, and the body of the request."""
    metrics = {n: metric_query(metric(name)) for n, name in enumerate(names)}
    async with (
        FakeCloudWatch(lambda _: response) as server,
        cloudwatch_client(server, request_page) as client,
    ):
        page = await request_page(client, metrics, MINUTES, token)
        (body,) = server.bodies
        return page, body


def metric(name: str) -> Metric:
    """Return a metric of the stream with this name."""
    return Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName=name, ShardId="shardId-0")


def one_result(**fields: Any) -> dict[str, Any]:
    """Return a response of GetMetricData with one result."""
    return {"MetricDataResults": [{"Id": "m0", "StatusCode": "Complete", **fields}]}


RESPONSES = {
    "two points": one_result(Timestamps=[START, START + 60], Values=[1, 2.5], Label="IncomingBytes"),
    "fractions of a second": one_result(Timestamps=[START + 0.25], Values=[1.5e-7]),
    "values that are no JSON numbers": one_result(
        Timestamps=[START, START + 60, START + 120], Values=["NaN", "Infinity", "-Infinity"]
    ),
    "large numbers": one_result(Timestamps=[START], Values=[1.7976931348623157e308]),
    "no points": one_result(Timestamps=[], Values=[]),
    "neither points nor status": {"MetricDataResults": [{"Id": "m0"}]},
    "a partial result": one_result(Timestamps=[START], Values=[1], StatusCode="PartialData"),
    "an internal error": one_result(
        Timestamps=[], Values=[], StatusCode="InternalError", Messages=[{"Code": "x"}]
    ),
    "fewer timestamps than values": one_result(Timestamps=[START], Values=[1, 2]),
    "another page": one_result(Timestamps=[START], Values=[1]) | {"NextToken": 'a"b\\c+/='},
    "an empty token": one_result() | {"NextToken": ""},
    "messages without results": {
        "MetricDataResults": [],
        "Messages": [{"Code": "MaxMetricsExceeded", "Value": "…"}],
    },
    "unknown fields": one_result(Timestamps=[START], Values=[1], Colour={"a": [1, {}]}) | {"Weather": None},
    "a label outside ASCII": one_result(Label='日本\n"🎉"'),
    "no results": {"MetricDataResults": []},
    "an empty document": {},
}


@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES.keys())
async def test_the_codec_and_botocore_decode_a_response_to_the_same_page(response: Response) -> None:
    by_codec, _ = await fetch(codec.get_metric_data, response, ["a"])
    by_botocore, _ = await fetch(codec.get_metric_data_by_botocore, response, ["a"])
    assert replace(by_codec, date=None) == replace(by_botocore, date=None)
    assert by_codec.date and by_codec.date.endswith("GMT")


async def test_a_page_of_metric_data_is_decoded() -> None:
    response = one_result(Timestamps=[START, START + 60], Values=[1, "NaN"], StatusCode="PartialData") | {
        "NextToken": "more"
    }
    page, _ = await fetch(codec.get_metric_data, response, ["a"])
    assert replace(page, date=None) == MetricPage(
        [MetricResult("m0", [START, START + 60], [1.0, "NaN"], "PartialData")], "more"
    )


@pytest.mark.parametrize("token", [None, 'a"b\\c+/=é'])
async def test_the_codec_and_botocore_encode_a_request_to_the_same_document(token: str | None) -> None:
    _, by_codec = await fetch(codec.get_metric_data, {}, NAMES_TO_ESCAPE, token)
    _, by_botocore = await fetch(codec.get_metric_data_by_botocore, {}, NAMES_TO_ESCAPE, token)
    assert by_codec == by_botocore


async def test_a_request_names_each_metric_and_its_minutes() -> None:
    _, body = await fetch(codec.get_metric_data, {}, NAMES_TO_ESCAPE, "more")
    assert (body["StartTime"], body["EndTime"]) == (START, START + 300)
    assert body["NextToken"] == "more"
    queries = body["MetricDataQueries"]
    assert [query["Id"] for query in queries] == [f"m{n}" for n in range(len(NAMES_TO_ESCAPE))]
    assert [query["MetricStat"]["Metric"]["Dimensions"][1]["Value"] for query in queries] == NAMES_TO_ESCAPE


@pytest.mark.parametrize(
    "error",
    [ErrorResponse("AccessDenied", 403), ErrorResponse("Throttling"), ErrorResponse("InternalFailure", 500)],
)
async def test_the_codec_and_botocore_raise_the_same_error_for_a_rejected_request(
    error: ErrorResponse,
) -> None:
    errors = []
    for request_page in (codec.get_metric_data, codec.get_metric_data_by_botocore):
        with pytest.raises(ClientError) as caught:
            await fetch(request_page, error, ["a"])
        errors.append(caught.value.response["Error"])
    assert errors[0] == errors[1]
    assert errors[0]["Code"] == error.code
    assert errors[0]["Message"] == f"rejected: {error.code}"


async def test_concurrent_requests_of_one_client_get_their_own_responses() -> None:
    def echo(body: dict[str, Any]) -> Response:
        return {"MetricDataResults": [{"Id": query["Id"]} for query in body["MetricDataQueries"]]}

    async def requested_ids(client: Any, n: int) -> list[str]:
        page = await codec.get_metric_data(client, {n: metric_query(metric(str(n)))}, MINUTES, None)
        return [result.id for result in page.metric_data_results]

    async with FakeCloudWatch(echo) as server, cloudwatch_client(server, codec.get_metric_data) as client:
        assert await asyncio.gather(*(requested_ids(client, n) for n in range(20))) == [
            [f"m{n}"] for n in range(20)
        ]


@pytest.mark.parametrize("protocol", ["query", "smithy-rpc-v2-cbor", "rest-json"])
def test_no_hooks_are_installed_for_another_protocol(protocol: str) -> None:
    registered_events: list[str] = []
    events = SimpleNamespace(register=lambda event, _: registered_events.append(event))
    model = SimpleNamespace(resolved_protocol=protocol)
    assert not codec.install(SimpleNamespace(meta=SimpleNamespace(service_model=model, events=events)))
    assert registered_events == []


async def test_botocores_cloudwatch_client_uses_the_protocol_of_the_hooks() -> None:
    async with session().create_client("cloudwatch", region_name="eu-west-1") as client:
        assert codec.install(client)


@pytest.mark.parametrize("request_page", [codec.get_metric_data, codec.get_metric_data_by_botocore])
async def test_a_metric_of_another_account_is_requested_with_the_account_id(
    request_page: RequestPage,
) -> None:
    metrics = {n: metric_query(metric("orders")) for n in range(3)}
    accounts = {0: "111122223333", 2: "444455556666"}
    async with FakeCloudWatch(lambda _: {}) as server, cloudwatch_client(server, request_page) as client:
        await request_page(client, metrics, MINUTES, None, accounts)
        (body,) = server.bodies
    queries = body["MetricDataQueries"]
    assert [query.get("AccountId") for query in queries] == ["111122223333", None, "444455556666"]
    assert [query["Id"] for query in queries] == ["m0", "m1", "m2"]
