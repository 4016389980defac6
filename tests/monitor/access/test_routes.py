"""Every route of the whole application needs a role, but for those that are named here."""

from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from monitor.app import App
from monitor.config.config import Config
from tests.monitor.access.authenticated import AUTH, OPERATOR, READER, SCRAPER, bearer
from tests.registries import REGISTRY

OPEN = {"/-/healthy", "/-/ready", "/firehose/v1", "/static/{name}"}  # routes without authentication
UNTRUSTED: dict[str, Any] = {"X-Forwarded-User": "ada", "X-Role": "operate"}
NAMES = {"id": "an-id", "name": "a-name", "theme": "dark"}
INSIDE = 299


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[FastAPI]:
    """The application of a server, with all of its routes."""
    config = Config.model_validate({"auth": AUTH, "journal": str(tmp_path / "headroom.db")})
    async with App.opened(config, REGISTRY, lambda: config) as app:
        yield app.web


def calls(routes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Yield each method and path that a route has."""
    for route in routes:
        if router := getattr(route, "original_router", None):
            yield from calls(router.routes)
        else:
            yield from ((method, route.path) for method in sorted(route.methods))


def needed(method: str, path: str) -> list[tuple[str | None, bool]]:
    """Return, for each token, whether it is accepted."""
    if path in OPEN:
        return [(who, True) for who in (None, SCRAPER, READER, OPERATOR)]
    reading = method in ("GET", "HEAD")
    return [
        (None, False),
        (SCRAPER, reading and path == "/metrics"),
        (READER, reading),
        (OPERATOR, True),
    ]


async def inside(scope: Scope, receive: Receive, send: Send) -> None:
    """An application in place of the routes, behind the middleware."""
    await PlainTextResponse("let in", INSIDE)(scope, receive, send)


async def test_every_route_needs_a_role(web: FastAPI) -> None:
    found = list(calls(web.routes))
    assert {("GET", "/"), ("GET", "/live"), ("GET", "/metrics"), ("GET", "/openapi.json")} <= {*found}
    assert {("POST", "/-/reload"), ("GET", "/api/v1/stream/dead-letters")} <= {*found}
    assert {path for _, path in found} >= OPEN
    web.router = inside  # type: ignore[assignment]
    transport = httpx.ASGITransport(web)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for method, path in found:
            for token, let_in in needed(method, path):
                headers = UNTRUSTED | (bearer(token) if token else {})
                got = await client.request(method, path.format_map(NAMES), headers=headers)
                status = INSIDE if let_in else 403 if token else 401
                assert (method, path, token, got.status_code) == (method, path, token, status)
