"""The whole app over the demo's AWS, as the endpoint that Firehose delivers to."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.app import App
from monitor.config.config import Config
from monitor.server.listener import bind_socket
from monitor.server.options import DEFAULT_SERVER, ServerOptions
from monitor.stream import firehose
from monitor.stream.settings import ACCESS_KEYS_VARIABLE
from tests.aws_environment import set_aws_environment
from tests.monitor.stream.bodies import NOW, Update
from tests.monitor.stream.endpoint import KEYS, headers_of
from tests.processes import PROCESS_TIMEOUT, get, tls
from tests.registries import REGISTRY


def update_now() -> Update:
    """Return an update of the present minute, for a stream of the demo's AWS."""
    return Update(dimensions=(("StreamName", "audit"),), minutes_ago=NOW // 60 - int(time.time() // 60))


@dataclass
class ComposedApp:
    """The app. It runs in the process of the test, so that the test can set its time-outs."""

    app: App
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def post(self, content: bytes | AsyncIterator[bytes], **headers: str | None) -> httpx.Response:
        """Post a delivery. headers: `a_b` is the header A-B; None leaves the header out."""
        changes = {name.replace("_", "-").title(): value for name, value in headers.items()}
        sent_headers = {
            name: value for name, value in (headers_of("r-1") | changes).items() if value is not None
        }
        async with httpx.AsyncClient(trust_env=False, timeout=60, verify=tls()) as client:
            return await client.post(self.url + firehose.FIREHOSE_PATH, content=content, headers=sent_headers)

    async def series_detail(self, **filters: str) -> Mapping[str, Any]:
        """Return the API's detail of the one series of `stream_write_bytes`. filters: query parameters."""
        query = {"service": "kinesis", "signal": "stream_write_bytes", **filters}
        page = await get(f"{self.url}/api/v1/series", **query)
        assert page
        (item,) = page.json()["items"]
        answer = await get(f"{self.url}/api/v1/series/{item['id']}")
        assert answer
        detail: Mapping[str, Any] = answer.json()
        return detail


@asynccontextmanager
async def composed_app(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    server: ServerOptions = DEFAULT_SERVER,
) -> AsyncIterator[ComposedApp]:
    """Yield a running app that has read and judged all series."""
    set_aws_environment(monkeypatch, environ)
    monkeypatch.setenv(ACCESS_KEYS_VARIABLE, ",".join(KEYS))
    settings = {"services": ["kinesis"], "regions": ["eu-west-1"], "journal": f"{folder}/headroom.db"}
    config = Config.model_validate(settings)
    listening_socket, stop = bind_socket("127.0.0.1", 0), asyncio.Event()
    async with App.opened(config, REGISTRY, lambda: config, server) as app:
        app_task = asyncio.create_task(app.run(listening_socket, stop))
        try:
            async with asyncio.timeout(PROCESS_TIMEOUT):
                await app.judged.wait()
            yield ComposedApp(app, listening_socket.getsockname()[1])
        finally:
            stop.set()
            await app_task
