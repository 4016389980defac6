"""Servers on loopback that answer as they are told, and what the tests tell of."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import trustme
from aiohttp import web

from monitor.alerting.notice import Kind, Notice, Notification, Severity
from monitor.notifiers.receiver import Base

NOW = 1_767_323_045.0  # 2026-01-02 03:04:05 UTC
SINCE = NOW - 1320

LOCAL: dict[str, Any] = {"name": "team", "allow_insecure": True, "allow_private": True, "timeout": 5}

Made = TypeVar("Made", bound=Base)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def made(kind: type[Made], **fields: Any) -> Made:
    """A receiver as the configuration makes it, on loopback."""
    return kind.model_validate(LOCAL | fields)


def notice(**changes: Any) -> Notice:
    """A Kinesis stream near its limit."""
    given: dict[str, Any] = {
        "alert": "a1b2c3",
        "number": 7,
        "kind": Kind.FIRING,
        "severity": Severity.WARNING,
        "zone": "critical",
        "summary": "Kinesis stream clicks (prod, eu-west-1) writes 3.6 MiB/s of 4 MiB/s (90 %).",
        "labels": {
            "account": "123456789012",
            "account_name": "prod",
            "region": "eu-west-1",
            "service": "kinesis",
            "signal": "stream_write_bytes",
            "resource": "clicks",
            "severity": "warning",
            "tag_team": "core",
        },
        "at": NOW,
        "since": SINCE,
        "usage": 3.6 * 2**20,
        "limit": 4 * 2**20,
        "unit": "bytes/s",
        "source": "DescribeStreamSummary",
        "utilization": 0.9,
        "refused": 12.0,
        "sampled": NOW - 60,
        "remedy": ("Add shards.", "Or switch to on-demand."),
        "docs": "https://docs.example.com/kinesis",
        "links": {"page": "https://headroom.example.com/s/1?a=1&b=2", "runbook": "https://runs.example.com"},
    }
    return Notice(**given | changes)


def resolved(**changes: Any) -> Notice:
    reason = "the limit was raised from 4 MiB/s to 8 MiB/s"
    return notice(**{"kind": Kind.RESOLVED, "zone": "within", "reason": reason, "number": 8} | changes)


def notification(*notices: Notice, **changes: Any) -> Notification:
    given: dict[str, Any] = {
        "id": "n-1",
        "receiver": "team",
        "group": {"account_name": "prod", "region": "eu-west-1", "service": "kinesis"},
        "notices": notices or (notice(),),
        "at": NOW,
    }
    return Notification(**given | changes)


@dataclass
class Server:
    """Answers each request with the next of `answers`, the last one for ever; remembers what it was sent."""

    answers: list[web.Response] = field(default_factory=lambda: [web.Response()])
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.requests]

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.raw_path, headers, await request.read()))
        told = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=told.status, body=told.body, headers=told.headers)


@asynccontextmanager
async def serving(
    *answers: web.Response, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Server]:
    server = Server(list(answers) or [web.Response()], scheme="https" if tls else "http")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=1, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0, ssl_context=tls).start()
        server.port = runner.addresses[0][1]
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def speaking(handler: Handler) -> AsyncIterator[int]:
    """The port of a server that speaks whatever `handler` does."""

    connections = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.current_task())
        try:
            await handler(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        async with asyncio.timeout(5):
            await asyncio.gather(*filter(None, connections))


def says(answer: bytes) -> Handler:
    """Reads a request's head, answers with these bytes and closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return handle


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads until the other side gives up."""
    while await reader.read(1024):
        pass


def server_tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("localhost", "127.0.0.1"))).configure_cert(context)
    return context
