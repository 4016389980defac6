"""The HTTP application with a fleet by hand, as tests ask it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

from monitor.api import State, create_app
from monitor.exposition import Exposition
from monitor.fleet import Fleet
from monitor.status import Told
from monitor.telemetry import Telemetry
from tests.monitor.fleets import ACCOUNT


@dataclass
class Server:
    """The application and what a test has it tell of."""

    fleet: Fleet = field(default_factory=Fleet)
    told: Told = field(default_factory=Told)
    reload: Callable[[], Awaitable[None]] | None = None
    reloads: int = 0

    def __post_init__(self) -> None:
        self.exposition = Exposition(self.fleet)
        self.app: FastAPI = create_app(
            State(
                fleet=self.fleet,
                exposition=self.exposition,
                telemetry=Telemetry(),
                told=lambda: self.told,
                reload=self._reload,
            )
        )

    async def _reload(self) -> None:
        self.reloads += 1
        if self.reload:
            await self.reload()

    async def publish(self) -> None:
        await self.exposition.publish({ACCOUNT: "production"})


def client_of(server: Server) -> httpx.AsyncClient:
    """A client; what the application raises is an answer, as on the wire."""
    transport = httpx.ASGITransport(server.app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://headroom")


async def answer(client: httpx.AsyncClient, path: str) -> Any:
    """The JSON of an answer that is a success."""
    got = await client.get(path)
    assert got.status_code == 200, got.text
    return got.json()


def refusal(got: httpx.Response) -> str:
    """The sentence of an answer that is an error."""
    assert got.headers["content-type"] == "application/json"
    assert list(got.json()) == ["error"]
    return str(got.json()["error"])
