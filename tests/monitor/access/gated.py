"""The application behind its gate, and what is asked of it."""

from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from monitor.access.access import REASONS, Access
from monitor.access.config import AuthConfig
from monitor.access.gate import Gate
from monitor.access.passwords import PasswordHash
from monitor.access.telemetry import AccessTelemetry
from monitor.alerting.alerting import Alerting
from monitor.app import App, Telling
from monitor.config import Config
from monitor.push.push import Push
from tests.monitor.served import Server

READER, OPERATOR, SCRAPER, EXPIRED = (f"the-token-of-{who}" for who in ("rita", "otto", "prom", "eve"))
SECRET, HASHED = "correct horse: battery", "pässwörd staple"
HASH = str(PasswordHash.of(HASHED))
AUTH: dict[str, Any] = {
    "tokens": [
        {"name": "rita", "token": READER},
        {"name": "otto", "role": "operate", "token": OPERATOR, "expires": "2999-01-01"},
        {"name": "prom", "role": "metrics", "token": SCRAPER},
        {"name": "eve", "role": "operate", "token": EXPIRED, "expires": "2020-01-01"},
    ],
    "users": [
        {"name": "ada", "role": "operate", "password": SECRET},
        {"name": "bob", "password_hash": HASH},
    ],
    "proxy": {"header": "X-Forwarded-User", "from": ["10.0.0.0/8", "fd00::/8"], "role_header": "X-Role"},
}


def bearer(token: str | bytes) -> dict[str, Any]:
    return {"Authorization": b"Bearer " + (token if isinstance(token, bytes) else token.encode())}


def basic(user: str, password: str) -> dict[str, Any]:
    return {"Authorization": b"Basic " + b64encode(f"{user}:{password}".encode())}


class Guarded:
    """A server whose gate has a configuration, which may be another one later."""

    def __init__(self, server: Server, auth: dict[str, Any] | None) -> None:
        self.server, self.registry = server, CollectorRegistry()
        self.access = Access()
        self.configure(auth)
        failures = AccessTelemetry(self.registry, REASONS).failures
        server.app.add_middleware(Gate, access=self.access, failures=failures)

    def configure(self, auth: dict[str, Any] | None) -> None:
        self.access.configure(AuthConfig.model_validate(auth) if auth else None)

    def client(self, peer: str = "127.0.0.1", **headers: Any) -> httpx.AsyncClient:
        """Somebody who connects from an address."""
        transport = httpx.ASGITransport(self.server.app, raise_app_exceptions=False, client=(peer, 50000))
        return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers or None)

    def failures(self) -> dict[str, float]:
        """How many were refused, by reason."""
        samples = [sample for family in self.registry.collect() for sample in family.samples]
        return {
            one.labels["reason"]: one.value
            for one in samples
            if one.name == "headroom_auth_failures_total" and one.value
        }


@asynccontextmanager
async def guarded(folder: Path, auth: dict[str, Any] | None) -> AsyncIterator[Guarded]:
    async with Server.opened(folder) as server:
        yield Guarded(server, auth)


@asynccontextmanager
async def whole(config: Config, reread: Callable[[], Config]) -> AsyncIterator[tuple[App, Telling]]:
    """All of Headroom but its socket and its loops."""
    app = App(config, reread)
    registry, journal = app.telemetry.registry, Path(config.journal)
    async with (
        Alerting.opened(config, app.fleet, registry) as alerting,
        Push.opened(journal, app.fleet, alerting.client, registry) as push,
    ):
        yield app, Telling(alerting, push)
