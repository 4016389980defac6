"""A fake CloudWatch on loopback: an HTTP server that records the requests that it receives."""

import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Self

from aiohttp import web
from botocore.credentials import ReadOnlyCredentials

from monitor.aws.credentials import Credentials
from tests.http_endpoint import serve_http

Query = dict[str, Any]  # one of MetricDataQueries
Body = dict[str, Any]  # a request body, parsed from JSON


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """An AWS error in the JSON protocol."""

    code: str
    status: int = 400

    @property
    def body(self) -> bytes:
        return json.dumps(
            {"__type": f"com.amazonaws#{self.code}", "message": f"rejected: {self.code}"}
        ).encode()


Response = dict[str, Any] | bytes | ErrorResponse


@dataclass
class FakeCloudWatch:
    """A server that responds to each request with the result of `answer` for its body.

    bodies: the request bodies so far. minute: the epoch minute of its `Date` headers; None: the real time.
    """

    answer: Callable[[Body], Response]
    bodies: list[Body] = field(default_factory=list)
    url: str = ""
    minute: int | None = None

    async def __aenter__(self) -> Self:
        self._serving = AsyncExitStack()
        port = await self._serving.enter_async_context(serve_http(self._handle))
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._serving.aclose()

    async def _handle(self, request: web.Request) -> web.Response:
        assert request.headers["X-Amz-Target"].endswith(".GetMetricData")
        self.bodies.append(await request.json())
        answer = self.answer(self.bodies[-1])
        headers = None if self.minute is None else {"Date": formatdate(self.minute * 60 + 30, usegmt=True)}
        if isinstance(answer, ErrorResponse):
            return web.Response(status=answer.status, body=answer.body, headers=headers)
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return web.Response(body=body, headers=headers)

    @property
    def requested_ids(self) -> list[list[str]]:
        """The query ids of each request."""
        return [[query["Id"] for query in body["MetricDataQueries"]] for body in self.bodies]


class FakeCredentials(Credentials):
    """Credentials for a fake AWS, which does not verify signatures."""

    async def frozen(self) -> ReadOnlyCredentials:
        return ReadOnlyCredentials("testing", "testing", None)

    async def _reload(self) -> None:
        pass


def fake_credentials() -> Credentials:
    """Return credentials for a cell of a fake AWS."""
    return FakeCredentials()


def query_result(
    query: Query, points: dict[int, Any], status: str = "Complete", **more: Any
) -> dict[str, Any]:
    """Return the result of a query. points: values by minute. more: further members of the result."""
    times = [minute * 60 for minute in points]
    return {
        "Id": query["Id"],
        "Label": query["MetricStat"]["Metric"]["MetricName"],
        "Timestamps": times,
        "Values": list(points.values()),
        "StatusCode": status,
        **more,
    }
