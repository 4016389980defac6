"""The endpoint of Firehose on a real HTTP server, and requests to it."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from monitor.api import stream as api
from monitor.server.listener import HttpServer, bind_socket
from monitor.stream import firehose
from monitor.stream.firehose import BODY_TIMEOUT
from monitor.stream.firehose_access import FirehoseAccess
from monitor.stream.ingest import Ingest
from tests.monitor.stream.bodies import SOURCE
from tests.processes import tls

KEYS = ("old-key", "new-key")


@dataclass
class Endpoint:
    """The endpoint, served on a port of loopback. A test may change `access`."""

    ingest: Ingest
    port: int = 0
    access: FirehoseAccess = field(default_factory=lambda: FirehoseAccess(KEYS))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{firehose.FIREHOSE_PATH}"

    async def post(
        self, body: bytes, request_id: str = "r-1", gzipped: bool = False, **headers: str | None
    ) -> httpx.Response:
        """Post a request. headers: `a_b` sets the header A-B; None leaves it out."""
        defaults: dict[str, str | None] = {**headers_of(request_id)}
        defaults |= {"Content-Encoding": "gzip"} if gzipped else {}
        changes = {name.replace("_", "-").title(): value for name, value in headers.items()}
        sent_headers = {name: value for name, value in (defaults | changes).items() if value is not None}
        content = gzip.compress(body, 1) if gzipped else body
        async with httpx.AsyncClient(trust_env=False, timeout=30, verify=tls()) as client:
            return await client.post(self.url, content=content, headers=sent_headers)


def headers_of(request_id: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-Amz-Firehose-Protocol-Version": "1.0",
        "X-Amz-Firehose-Request-Id": request_id,
        "X-Amz-Firehose-Source-Arn": SOURCE,
        "X-Amz-Firehose-Access-Key": KEYS[1],
    }


@asynccontextmanager
async def serve_endpoint(ingest: Ingest, body_timeout: float = BODY_TIMEOUT) -> AsyncIterator[Endpoint]:
    """Yield the endpoint, served over HTTP on loopback."""
    endpoint, app = Endpoint(ingest), FastAPI(redirect_slashes=False)
    app.include_router(firehose.firehose_router(ingest, lambda: endpoint.access, body_timeout))
    app.include_router(api.stream_router(ingest.dead_letters))
    listening_socket = bind_socket("127.0.0.1", 0)
    endpoint.port = listening_socket.getsockname()[1]
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = HttpServer(config)
    task = asyncio.create_task(server.serve([listening_socket]))
    try:
        yield endpoint
    finally:
        server.should_exit = True
        await task
        ingest.close()


def check_reply(answer: httpx.Response, status: int, request_id: str = "r-1") -> Mapping[str, Any]:
    """Check that a response has this status and conforms to the protocol; return its members."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content) <= 2**20
    assert "content-encoding" not in answer.headers
    reply: dict[str, Any] = answer.json()
    assert set(reply) == {"requestId", "timestamp"} | ({"errorMessage"} if status != 200 else set())
    assert reply["requestId"] == request_id
    assert isinstance(reply["timestamp"], int)
    assert len(reply.get("errorMessage", "")) <= 8192
    return reply
