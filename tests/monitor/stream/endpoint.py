"""The endpoint on a real server, and requests of Firehose to it."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from monitor.app import Server, bound
from monitor.stream import api, firehose
from monitor.stream.firehose import Allowed
from monitor.stream.ingest import Ingest
from tests.monitor.stream.bodies import SOURCE

KEYS = ("old-key", "new-key")


@dataclass
class Endpoint:
    """Where it listens. `allowed` and `ready` may be changed."""

    ingest: Ingest
    port: int = 0
    allowed: Allowed = field(default_factory=lambda: Allowed(KEYS))
    ready: bool = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{firehose.PATH}"

    async def post(
        self, body: bytes, request: str = "r-1", zipped: bool = False, **headers: str | None
    ) -> httpx.Response:
        """The answer to a request; a header given as None is left out, `a_b` is the header A-B."""
        told: dict[str, str | None] = {**headers_of(request)}
        told |= {"Content-Encoding": "gzip"} if zipped else {}
        changes = {name.replace("_", "-").title(): value for name, value in headers.items()}
        sent = {name: value for name, value in (told | changes).items() if value is not None}
        content = gzip.compress(body, 1) if zipped else body
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            return await client.post(self.url, content=content, headers=sent)


def headers_of(request: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-Amz-Firehose-Protocol-Version": "1.0",
        "X-Amz-Firehose-Request-Id": request,
        "X-Amz-Firehose-Source-Arn": SOURCE,
        "X-Amz-Firehose-Access-Key": KEYS[1],
    }


@asynccontextmanager
async def serving(ingest: Ingest) -> AsyncIterator[Endpoint]:
    """The endpoint over HTTP on loopback."""
    endpoint, app = Endpoint(ingest), FastAPI(redirect_slashes=False)
    app.include_router(firehose.create_router(ingest, lambda: endpoint.allowed, lambda: endpoint.ready))
    app.include_router(api.create_router(ingest))
    listening = bound("127.0.0.1", 0)
    endpoint.port = listening.getsockname()[1]
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = Server(config)
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield endpoint
    finally:
        server.should_exit = True
        await task
        ingest.close()


def conforms(answer: httpx.Response, status: int, request: str = "r-1") -> Mapping[str, Any]:
    """The reply, which must be as Firehose wants it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content) <= 2**20
    assert "content-encoding" not in answer.headers
    told: dict[str, Any] = answer.json()
    assert set(told) == {"requestId", "timestamp"} | ({"errorMessage"} if status != 200 else set())
    assert told["requestId"] == request
    assert isinstance(told["timestamp"], int)
    assert len(told.get("errorMessage", "")) <= 8192
    return told
