"""Responses of a proxy or a load balancer instead of the service, in every protocol of AWS."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from monitor.aws.cell import Cell
from monitor.aws.failure import AWS_ERRORS, Failure, failure_from, is_retryable
from monitor.aws.failure_class import FailureClass
from monitor.aws.telemetry import AwsTelemetry
from tests.fake_aws import ACCOUNT_ID
from tests.fake_cloudwatch import fake_credentials
from tests.http_endpoint import serve_http

HTML = "<!DOCTYPE html>\n<html><head><title>Oops</title></head><body><h1>Try later</h1></body></html>"
# A service and an operation, by protocol.
CALLS: Mapping[str, tuple[str, str]] = {
    "json": ("kinesis", "ListStreams"),
    "query": ("elasticache", "DescribeUsers"),
    "ec2": ("ec2", "DescribeVpcs"),
    "rest-xml": ("s3", "ListBuckets"),
    "rest-json": ("lambda", "ListFunctions"),
    "smithy-rpc-v2-cbor": ("eventbridgev2", "ListEventBuses"),
}


@asynccontextmanager
async def cell_with_response(
    status: int, body: str, max_attempts: int = 1
) -> AsyncIterator[tuple[Cell, list[str]]]:
    """Yield a cell whose calls all get this response, and the HTTP methods of the requests so far."""
    methods: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        methods.append(request.method)
        return web.Response(status=status, text=body)

    async with serve_http(respond) as port:
        cell = Cell(
            fake_credentials(),
            ACCOUNT_ID,
            "eu-west-1",
            AwsTelemetry(CollectorRegistry()),
            {},
            endpoint_url=f"http://127.0.0.1:{port}",
            max_attempts=max_attempts,
        )
        try:
            yield cell, methods
        finally:
            await cell.close()


@pytest.mark.parametrize("body", [HTML, "upstream <connect> error", "<HTML >"])
@pytest.mark.parametrize("status", [200, 403, 404, 500, 502, 503])
@pytest.mark.parametrize("protocol", CALLS)
async def test_a_page_or_text_instead_of_a_response_is_reported_in_a_sentence(
    protocol: str, status: int, body: str
) -> None:
    service, operation = CALLS[protocol]
    async with cell_with_response(status, body) as (cell, _):
        with pytest.raises(AWS_ERRORS) as raised:
            await cell.call(service, operation)
    assert isinstance(raised.value, Exception)
    message = f"a page or text instead of a response of AWS, with HTTP status {status}"
    assert failure_from(raised.value) == Failure(operation, "", "ForeignResponseError", message)
    assert failure_from(raised.value).failure_class == FailureClass.UNREACHABLE
    assert is_retryable(raised.value)


@pytest.mark.parametrize("body", ["upstream <connect> error", "<a><b>", "{", ""])
@pytest.mark.parametrize("protocol", CALLS)
async def test_the_response_of_a_broken_gateway_is_retried_and_logged_in_one_line(
    protocol: str, body: str
) -> None:
    service, operation = CALLS[protocol]
    async with cell_with_response(502, body, max_attempts=2) as (cell, methods):
        with pytest.raises(AWS_ERRORS) as raised:
            await cell.call(service, operation)
    assert isinstance(raised.value, Exception)
    failure = failure_from(raised.value)
    assert failure.failure_class == FailureClass.UNREACHABLE
    assert len(methods) == 2
    assert "retries" not in failure.message  # botocore's advice to retry is left out
    assert len(failure.message) < 120  # a line
