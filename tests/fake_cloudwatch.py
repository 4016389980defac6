"""CloudWatch on loopback: a real HTTP server that remembers what it was asked, for what crosses the wire."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiobotocore.session import AioSession
from aiohttp import web

Query = dict[str, Any]  # one of MetricDataQueries
Body = dict[str, Any]  # a request's, as JSON


@dataclass(frozen=True, slots=True)
class Refusal:
    """An AWS error, as the JSON protocol words it."""

    code: str
    status: int = 400

    @property
    def body(self) -> bytes:
        return json.dumps(
            {"__type": f"com.amazonaws#{self.code}", "message": f"refused: {self.code}"}
        ).encode()


Answer = dict[str, Any] | bytes | Refusal


@dataclass
class FakeCloudWatch:
    """Answers each request with what `answer` gives for its body; `bodies` are those asked so far."""

    answer: Callable[[Body], Answer]
    bodies: list[Body] = field(default_factory=list)
    url: str = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/{rest:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        assert request.headers["X-Amz-Target"].endswith(".GetMetricData")
        self.bodies.append(await request.json())
        answer = self.answer(self.bodies[-1])
        if isinstance(answer, Refusal):
            return web.Response(status=answer.status, body=answer.body)
        return web.Response(body=answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    @property
    def asked(self) -> list[list[str]]:
        """The ids of each request."""
        return [[query["Id"] for query in body["MetricDataQueries"]] for body in self.bodies]


def session() -> AioSession:
    """A session whose credentials open nothing."""
    made = AioSession()
    made.set_credentials("testing", "testing")
    return made


def result(query: Query, points: dict[int, Any], status: str = "Complete", **more: Any) -> dict[str, Any]:
    """The result of a query: values by minute."""
    times = [minute * 60 for minute in points]
    return {
        "Id": query["Id"],
        "Label": query["MetricStat"]["Metric"]["MetricName"],
        "Timestamps": times,
        "Values": list(points.values()),
        "StatusCode": status,
        **more,
    }
