"""Requests of tuned clients, compared with the requests of botocore's own clients."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import EndpointConnectionError, MissingDependencyException
from hypothesis import given
from hypothesis import strategies as st

from monitor.aws.call_signer import CallSigner
from monitor.aws.clients import CLIENT_CONFIG, ClientCache, sign_with

CREDENTIALS = ReadOnlyCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a/token==")

texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
header_names = st.sampled_from(
    [
        "Host",
        "Content-Type",
        "X-Amz-Target",
        "User-Agent",
        "Date",
        "x-amz-date",
        "Authorization",
        "X-B",
        "x-b",
    ]
)
paths = st.lists(st.sampled_from(["a", "..", ".", "", "b c", "%2F", "ä", "~", ":", "x=y"]), max_size=5)
ORIGINS = [
    "https://sqs.eu-west-1.amazonaws.com",
    "http://127.0.0.1:4566",
    "https://[::1]",
    "https://HOST:443",
]
bodies = st.one_of(
    st.none(), st.binary(max_size=30), st.dictionaries(texts, texts, max_size=3), st.just({"a": "ä b&"})
)


request_parts = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "post"]),
        "origin": st.sampled_from(ORIGINS),
        "path": paths.map("/".join),
        "query": st.sampled_from(["", "?b=2&a=1&a=0", "?x", "?a=%20b"]),
        "headers": st.lists(st.tuples(header_names, texts), max_size=5),
        "body": bodies,
        "params": st.dictionaries(texts, texts, max_size=3),
        "context": st.sampled_from([{}, {"payload_signing_enabled": False}]),
    }
)


def sign(signer: SigV4Auth, parts: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the URL, the method, the headers and the body of a request after signing."""
    url = f"{parts['origin']}/{parts['path']}{parts['query']}"
    request = AWSRequest(parts["method"], url, data=parts["body"], params=dict(parts["params"]))
    for name, value in parts["headers"]:
        request.headers[name] = value
    request.context.update(parts["context"])
    signer.add_auth(request)
    prepared = request.prepare()
    return prepared.url, prepared.method, [*prepared.headers.items()], sent_body(prepared.body)


def sent_body(body: Any) -> Any:
    """Return a body as it is sent: text as bytes."""
    return body.encode() if isinstance(body, str) else body


@given(request_parts, st.sampled_from([CREDENTIALS, CREDENTIALS._replace(token=None)]))
def test_a_request_is_signed_as_by_botocore(
    parts: Mapping[str, Any], credentials: ReadOnlyCredentials
) -> None:
    signer_arguments = credentials, "sqs", "eu-west-1"
    while True:
        second = int(time.time())
        signed = sign(CallSigner(*signer_arguments), parts)
        expected = sign(SigV4Auth(*signer_arguments), parts)
        if int(time.time()) == second:  # the time is a part of the signature
            break
    assert signed == expected


# The service, the method of its client, and the parameters.
CALLS: list[tuple[str, str, Mapping[str, Any]]] = [
    ("ec2", "describe_vpcs", {}),
    ("ec2", "describe_vpcs", {"VpcIds": ["a b"]}),
    ("sqs", "list_queues", {}),
    (
        "sqs",
        "get_queue_attributes",
        {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/a", "AttributeNames": []},
    ),
    ("sns", "list_topics", {}),
    ("sts", "get_caller_identity", {}),
    ("iam", "list_roles", {}),
    ("dynamodb", "list_tables", {}),
    ("dynamodb", "describe_table", {"TableName": "a"}),
    ("kinesis", "list_streams", {}),
    ("kinesis", "describe_stream_summary", {"StreamARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/a"}),
    ("kinesis", "describe_stream_summary", {"StreamARN": "arn:aws:kinesis:eu-west-1:210987654321:stream/b"}),
    ("s3", "list_buckets", {}),
    ("s3", "get_bucket_location", {"Bucket": "a"}),
    ("s3", "get_bucket_location", {"Bucket": "b"}),
    ("lambda", "list_functions", {}),
    ("lambda", "get_function", {"FunctionName": "a/b:c"}),
    ("route53", "list_hosted_zones", {}),
    ("cloudfront", "list_distributions", {}),
    ("apigateway", "get_rest_apis", {"limit": 5}),
    ("events", "list_event_buses", {}),
    ("events", "put_events", {"Entries": [{}]}),
    ("cloudwatch", "list_metrics", {"Namespace": "AWS/SQS"}),
    ("rds", "describe_db_instances", {}),
    ("efs", "describe_file_systems", {}),
]


class CapturedError(Exception):
    """Raised in place of sending a request."""


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def request_of(client: Any, method: str, params: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the request that a client would send for a call, without its signature and time."""
    sent_requests: list[Any] = []

    def capture(request: Any, **_: Any) -> None:
        sent_requests.append(request)
        raise CapturedError

    client.meta.events.register("before-send", capture)
    with pytest.raises(CapturedError), sign_with(CREDENTIALS):
        await getattr(client, method)(**params)
    client.meta.events.unregister("before-send", capture)
    (request,) = sent_requests  # there is one attempt
    # Botocore's retry headers, the time, and the signature, which covers both.
    ignored = ("amz-sdk-invocation-id", "amz-sdk-request", "authorization", "x-amz-date")
    headers = {name.lower(): value for name, value in request.headers.items() if name.lower() not in ignored}
    return request.method, request.url, headers, sent_body(request.body)


@pytest.mark.parametrize("region", ["eu-west-1", "ap-southeast-2"])
async def test_a_tuned_client_sends_the_request_that_botocore_sends(
    region: str, stack: AsyncExitStack
) -> None:
    session, cache = AioSession(), ClientCache()
    botocore_clients = {}
    for service in {service for service, _, _ in CALLS}:
        context = session.create_client(
            service,
            region,
            aws_access_key_id=CREDENTIALS.access_key,
            aws_secret_access_key=CREDENTIALS.secret_key,
            aws_session_token=CREDENTIALS.token,
            config=CLIENT_CONFIG,
        )
        botocore_clients[service] = await stack.enter_async_context(context)
    stack.push_async_callback(cache.aclose)
    # The second time, the tuned client uses the endpoints that it cached the first time.
    for service, method, params in CALLS * 2:
        tuned = await request_of(await cache.get(service, region, None), method, params)
        expected = await request_of(botocore_clients[service], method, params)
        assert tuned == expected, (service, method)


async def test_the_cached_endpoint_of_an_operation_is_not_used_for_a_call_with_an_endpoint_id() -> None:
    async with AsyncExitStack() as stack:
        cache = ClientCache()
        stack.push_async_callback(cache.aclose)
        client = await cache.get("events", "eu-west-1", None)
        await request_of(client, "put_events", {"Entries": [{}]})
        # An endpoint id makes botocore sign for several regions, which needs awscrt.
        with pytest.raises(MissingDependencyException), sign_with(CREDENTIALS):
            await client.put_events(Entries=[{}], EndpointId="abcde.veo")


async def test_a_client_with_retries_of_its_own_keeps_them(stack: AsyncExitStack) -> None:
    cache = ClientCache()
    stack.push_async_callback(cache.aclose)
    config = CLIENT_CONFIG.merge(AioConfig(retries={"mode": "standard", "total_max_attempts": 2}))
    attempts: dict[AioConfig, int] = {CLIENT_CONFIG: 0, config: 0}
    for client_config in attempts:
        client = await cache.get("sqs", "eu-west-1", "http://127.0.0.1:1", client_config)

        def count_attempt(client_config: AioConfig = client_config, **_: Any) -> None:
            attempts[client_config] += 1

        client.meta.events.register("before-send", count_attempt)
        with pytest.raises(EndpointConnectionError), sign_with(CREDENTIALS):
            await client.list_queues()
    assert [*attempts.values()] == [1, 2]
