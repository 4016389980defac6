"""The HTTP application with a fleet by hand, as tests ask it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from monitor.alerting.alerting import Alerting
from monitor.api import State, create_app
from monitor.config import Config
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
        self.telemetry = Telemetry()
        self.app: FastAPI
        self.alerting: Alerting

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path) -> AsyncIterator["Server"]:
        """A server whose journal is in the folder."""
        server = cls()
        config = Config(journal=str(folder / "headroom.db"))
        async with Alerting.opened(config, server.fleet, server.telemetry.registry) as server.alerting:
            server.app = create_app(
                State(
                    fleet=server.fleet,
                    exposition=server.exposition,
                    telemetry=server.telemetry,
                    told=lambda: server.told,
                    reload=server._reload,
                    alerting=server.alerting,
                )
            )
            yield server

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
