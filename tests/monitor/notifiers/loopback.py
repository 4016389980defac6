"""Servers on loopback whose responses a test sets, and notices to send to them."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import trustme
from aiohttp import web

from monitor.notifiers.notice import Notice, NoticeKind, Notification, NotificationReason, Severity
from monitor.notifiers.receiver import BaseReceiver
from tests.http_endpoint import serve_http

NOW = 1_767_323_045.0  # 2026-01-02 03:04:05 UTC
SINCE = NOW - 22 * 60

LOCAL: dict[str, Any] = {"name": "team", "allow_insecure": True, "allow_private": True, "timeout": 5}

ReceiverT = TypeVar("ReceiverT", bound=BaseReceiver)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def build_receiver(kind: type[ReceiverT], **fields: Any) -> ReceiverT:
    """Build a receiver for a server on loopback, as the configuration does."""
    return kind.model_validate(LOCAL | fields)


def notice(**changes: Any) -> Notice:
    """Return a notice of a Kinesis stream near its limit, with changes."""
    fields: dict[str, Any] = {
        "alert": "a1b2c3",
        "number": 7,
        "kind": NoticeKind.FIRING,
        "severity": Severity.WARNING,
        "zone": "near",
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
        "throttled": 12.0,
        "sampled": NOW - 60,
        "remedy": ("Add shards.", "Or switch to on-demand."),
        "docs": "https://docs.example.com/kinesis",
        "links": {"page": "https://headroom.example.com/s/1?a=1&b=2", "runbook": "https://runs.example.com"},
    }
    return Notice(**fields | changes)


def resolved_notice(**changes: Any) -> Notice:
    """Return the notice of a resolved alert."""
    reason = "the limit was raised from 4 MiB/s to 8 MiB/s"
    return notice(
        **{"kind": NoticeKind.RESOLVED, "zone": "within", "resolution_reason": reason, "number": 8} | changes
    )


def notification(*notices: Notice, **changes: Any) -> Notification:
    """Return a notification of the notices, by default of a single notice, with changes."""
    fields: dict[str, Any] = {
        "id": "n-1",
        "receiver": "team",
        "group": {"account_name": "prod", "region": "eu-west-1", "service": "kinesis"},
        "notices": notices or (notice(),),
        "at": NOW,
        "reason": NotificationReason.FIRST,
    }
    return Notification(**fields | changes)


@dataclass
class Server:
    """Responds with each of `answers` in turn, then always with the last one, and records the requests.

    requests: the path, headers and body of each request.
    """

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
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


@asynccontextmanager
async def http_server(
    *answers: web.Response, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Server]:
    """Run an HTTP server, and yield it."""
    server = Server(list(answers) or [web.Response()], scheme="https" if tls else "http")
    async with serve_http(server.handle, tls, host) as server.port:
        yield server


@asynccontextmanager
async def tcp_server(handler: Handler) -> AsyncIterator[int]:
    """Run a TCP server whose connections `handler` handles, and yield its port."""

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


def responds_with(answer: bytes) -> Handler:
    """Return a handler that reads the head of a request, responds with these bytes, and closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return handle


async def never_responds(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read until the client closes the connection."""
    while await reader.read(1024):
        pass


def server_tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """Return the TLS context of a server with a certificate for the names, by default of loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("localhost", "127.0.0.1"))).configure_cert(context)
    return context
