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

MINUTES = range(29_000_000, 29_000_005)
AT = MINUTES[0] * 60
ONCE = CLIENT_CONFIG_WITHOUT_VALIDATION.merge(
    AioConfig(retries={"mode": "standard", "total_max_attempts": 1})
)
AWKWARD = [
    "plain",
    'a "quoted" name',
    "two\nlines",
    "back\\slash",
    "naïve-日本-🎉",
    "tab\t",
    "\x7f",
    "{}[],:%s%d",
]

Ask = Callable[..., Awaitable[MetricPage]]


def session() -> AioSession:
    """A session whose credentials open nothing."""
    made = AioSession()
    made.set_credentials("testing", "testing")
    made.register_component("data_loader", model_loader())
    return made


@asynccontextmanager
async def asking(server: FakeCloudWatch, way: Ask) -> AsyncIterator[Any]:
    """A client of the server, with the hooks for the fast way."""
    async with session().create_client(
        "cloudwatch", region_name="eu-west-1", endpoint_url=server.url, config=ONCE
    ) as client:
        if way is codec.get_metric_data:
            assert codec.install(client)
        yield client


async def fetch(
    way: Ask, answer: Response, names: list[str], token: str | None = None
) -> tuple[MetricPage, Any]:
    """The page that comes back for metrics of resources by name, and the request's body."""
    metrics = {n: metric_query(metric(name)) for n, name in enumerate(names)}
    async with FakeCloudWatch(lambda _: answer) as server, asking(server, way) as client:
        page = await way(client, metrics, MINUTES, token)
        (body,) = server.bodies
        return page, body


def metric(name: str) -> Metric:
    return Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName=name, ShardId="shardId-0")


def one(**fields: Any) -> dict[str, Any]:
    """Return a response of GetMetricData with one result."""
    return {"MetricDataResults": [{"Id": "m0", "StatusCode": "Complete", **fields}]}


ANSWERS = {
    "points": one(Timestamps=[AT, AT + 60], Values=[1, 2.5], Label="IncomingBytes"),
    "fractions of a second": one(Timestamps=[AT + 0.25], Values=[1.5e-7]),
    "no numbers": one(Timestamps=[AT, AT + 60, AT + 120], Values=["NaN", "Infinity", "-Infinity"]),
    "large numbers": one(Timestamps=[AT], Values=[1.7976931348623157e308]),
    "no points": one(Timestamps=[], Values=[]),
    "neither points nor status": {"MetricDataResults": [{"Id": "m0"}]},
    "incomplete": one(Timestamps=[AT], Values=[1], StatusCode="PartialData"),
    "an internal error": one(Timestamps=[], Values=[], StatusCode="InternalError", Messages=[{"Code": "x"}]),
    "one length differs": one(Timestamps=[AT], Values=[1, 2]),
    "another page": one(Timestamps=[AT], Values=[1]) | {"NextToken": 'a"b\\c+/='},
    "an empty token": one() | {"NextToken": ""},
    "messages": {"MetricDataResults": [], "Messages": [{"Code": "MaxMetricsExceeded", "Value": "…"}]},
    "fields nobody knows": one(Timestamps=[AT], Values=[1], Colour={"a": [1, {}]}) | {"Weather": None},
    "a name outside ASCII": one(Label='日本\n"🎉"'),
    "nothing": {"MetricDataResults": []},
    "nothing at all": {},
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
async def test_a_response_decoded_both_ways_is_the_same_page(answer: Response) -> None:
    fast, _ = await fetch(codec.get_metric_data, answer, ["a"])
    plain, _ = await fetch(codec.get_metric_data_by_botocore, answer, ["a"])
    assert replace(fast, date=None) == replace(plain, date=None)
    assert fast.date and fast.date.endswith("GMT")


async def test_a_page_of_metric_data_is_decoded() -> None:
    answer = one(Timestamps=[AT, AT + 60], Values=[1, "NaN"], StatusCode="PartialData") | {
        "NextToken": "more"
    }
    page, _ = await fetch(codec.get_metric_data, answer, ["a"])
    assert replace(page, date=None) == MetricPage(
        [MetricResult("m0", [AT, AT + 60], [1.0, "NaN"], "PartialData")], "more"
    )


@pytest.mark.parametrize("token", [None, 'a"b\\c+/=é'])
async def test_a_request_encoded_both_ways_is_the_same_document(token: str | None) -> None:
    _, fast = await fetch(codec.get_metric_data, {}, AWKWARD, token)
    _, plain = await fetch(codec.get_metric_data_by_botocore, {}, AWKWARD, token)
    assert fast == plain


async def test_a_request_names_each_metric_and_its_minutes() -> None:
    _, body = await fetch(codec.get_metric_data, {}, AWKWARD, "more")
    assert (body["StartTime"], body["EndTime"]) == (AT, AT + 300)
    assert body["NextToken"] == "more"
    queries = body["MetricDataQueries"]
    assert [query["Id"] for query in queries] == [f"m{n}" for n in range(len(AWKWARD))]
    assert [query["MetricStat"]["Metric"]["Dimensions"][1]["Value"] for query in queries] == AWKWARD


@pytest.mark.parametrize(
    "error",
    [ErrorResponse("AccessDenied", 403), ErrorResponse("Throttling"), ErrorResponse("InternalFailure", 500)],
)
async def test_an_error_of_aws_is_the_same_both_ways(error: ErrorResponse) -> None:
    errors = []
    for way in (codec.get_metric_data, codec.get_metric_data_by_botocore):
        with pytest.raises(ClientError) as caught:
            await fetch(way, error, ["a"])
        errors.append(caught.value.response["Error"])
    assert errors[0] == errors[1]
    assert errors[0]["Code"] == error.code
    assert errors[0]["Message"] == f"rejected: {error.code}"


async def test_concurrent_requests_of_one_client_get_their_own_responses() -> None:
    def echo(body: dict[str, Any]) -> Response:
        return {"MetricDataResults": [{"Id": query["Id"]} for query in body["MetricDataQueries"]]}

    async def ask(client: Any, n: int) -> list[str]:
        page = await codec.get_metric_data(client, {n: metric_query(metric(str(n)))}, MINUTES, None)
        return [found.id for found in page.metric_data_results]

    async with FakeCloudWatch(echo) as server, asking(server, codec.get_metric_data) as client:
        assert await asyncio.gather(*(ask(client, n) for n in range(20))) == [[f"m{n}"] for n in range(20)]


@pytest.mark.parametrize("protocol", ["query", "smithy-rpc-v2-cbor", "rest-json"])
def test_the_hooks_are_left_off_another_protocol(protocol: str) -> None:
    registered: list[str] = []
    events = SimpleNamespace(register=lambda event, _: registered.append(event))
    model = SimpleNamespace(resolved_protocol=protocol)
    assert not codec.install(SimpleNamespace(meta=SimpleNamespace(service_model=model, events=events)))
    assert registered == []


async def test_botocore_speaks_the_protocol_that_the_fast_way_needs() -> None:
    async with session().create_client("cloudwatch", region_name="eu-west-1") as client:
        assert codec.install(client)


@pytest.mark.parametrize("way", [codec.get_metric_data, codec.get_metric_data_by_botocore])
async def test_a_metric_of_another_account_is_requested_with_its_id(way: Ask) -> None:
    metrics = {n: metric_query(metric("orders")) for n in range(3)}
    accounts = {0: "111122223333", 2: "444455556666"}
    async with FakeCloudWatch(lambda _: {}) as server, asking(server, way) as client:
        await way(client, metrics, MINUTES, None, accounts)
        (body,) = server.bodies
    queries = body["MetricDataQueries"]
    assert [query.get("AccountId") for query in queries] == ["111122223333", None, "444455556666"]
    assert [query["Id"] for query in queries] == ["m0", "m1", "m2"]
