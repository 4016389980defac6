"""A server with authentication, and its clients, for the tests of access control."""

import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from monitor.access.authenticator import Authenticator
from monitor.access.middleware import AuthMiddleware
from monitor.access.settings import AuthConfig
from monitor.access.telemetry import AccessTelemetry
from monitor.stream.firehose import FIREHOSE_PATH as FIREHOSE
from monitor.web.error_pages import error_page
from tests.monitor.fleet_server import Server

Clock = Callable[[], float]

# The tokens of AUTH.
READER_TOKEN, OPERATOR_TOKEN, SCRAPER_TOKEN, EXPIRED_TOKEN = (
    f"the-token-of-{name}" for name in ("rita", "otto", "prom", "eve")
)
ADA_PASSWORD, BOB_PASSWORD = "correct horse: battery", "pässwörd staple"
# The hash of BOB_PASSWORD at the lowest cost: a check of a hash of the usual cost takes 0.2 s.
BOB_HASH = "$scrypt$ln=4,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$RrQP9YBBoblF3qqTY3ngWE5H8hVXGYNLl/dEeIJFRgo"
AUTH: dict[str, Any] = {
    "tokens": [
        {"name": "rita", "token": READER_TOKEN},
        {"name": "otto", "role": "operate", "token": OPERATOR_TOKEN, "expires": "2999-01-01"},
        {"name": "prom", "role": "metrics", "token": SCRAPER_TOKEN},
        {"name": "eve", "role": "operate", "token": EXPIRED_TOKEN, "expires": "2020-01-01"},
    ],
    "users": [
        {"name": "ada", "role": "operate", "password": ADA_PASSWORD},
        {"name": "bob", "password_hash": BOB_HASH},
    ],
    "proxy": {"header": "X-Forwarded-User", "from": ["10.0.0.0/8", "fd00::/8"], "role_header": "X-Role"},
}


def bearer(token: str | bytes) -> dict[str, Any]:
    return {"Authorization": b"Bearer " + (token if isinstance(token, bytes) else token.encode())}


def basic(user: str, password: str) -> dict[str, Any]:
    return {"Authorization": b"Basic " + b64encode(f"{user}:{password}".encode())}


class AuthenticatedServer:
    """A server with authentication, whose settings can be replaced."""

    def __init__(self, server: Server, auth: dict[str, Any] | None, now: Clock | None = None) -> None:
        self.server, self.registry = server, CollectorRegistry()
        self.authenticator = Authenticator(None, (FIREHOSE,), now or time.time)
        self.configure(auth)
        failures = AccessTelemetry(self.registry).failures
        server.app.add_middleware(
            AuthMiddleware, authenticator=self.authenticator, failures=failures, error_page=error_page
        )

    def configure(self, auth: dict[str, Any] | None) -> None:
        self.authenticator.configure(AuthConfig.model_validate(auth) if auth else None)

    def client(self, peer: str = "127.0.0.1", **headers: Any) -> httpx.AsyncClient:
        """Return a client that connects from the address of a peer."""
        transport = httpx.ASGITransport(self.server.app, raise_app_exceptions=False, client=(peer, 50000))
        return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers or None)

    def failures(self) -> dict[str, float]:
        """Return how many requests were denied, by reason."""
        samples = [sample for family in self.registry.collect() for sample in family.samples]
        return {
            sample.labels["reason"]: sample.value
            for sample in samples
            if sample.name == "headroom_auth_failures_total" and sample.value
        }


@asynccontextmanager
async def authenticated_server(
    folder: Path, auth: dict[str, Any] | None, now: Clock | None = None
) -> AsyncIterator[AuthenticatedServer]:
    async with Server.opened(folder) as server:
        yield AuthenticatedServer(server, auth, now)
