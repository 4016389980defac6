"""Every route of the application needs a role, except the routes in OPEN."""

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
PATH_PARAMETERS = {"id": "an-id", "name": "a-name", "theme": "dark"}
INSIDE = 299  # a status that no route returns


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[FastAPI]:
    """The application of a server, with all of its routes."""
    config = Config.model_validate({"auth": AUTH, "journal": str(tmp_path / "headroom.db")})
    async with App.opened(config, REGISTRY, lambda: config) as app:
        yield app.web


def calls(routes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Yield each method and path of the routes."""
    for route in routes:
        if router := getattr(route, "original_router", None):
            yield from calls(router.routes)
        else:
            yield from ((method, route.path) for method in sorted(route.methods))


def tokens_accepted(method: str, path: str) -> list[tuple[str | None, bool]]:
    """Return, for no token and for each token, whether it is accepted."""
    if path in OPEN:
        return [(token, True) for token in (None, SCRAPER, READER, OPERATOR)]
    is_read = method in ("GET", "HEAD")
    return [
        (None, False),
        (SCRAPER, is_read and path == "/metrics"),
        (READER, is_read),
        (OPERATOR, True),
    ]


async def inside(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with INSIDE to each request that passes the middleware."""
    await PlainTextResponse("let in", INSIDE)(scope, receive, send)


async def test_every_route_needs_a_role(web: FastAPI) -> None:
    all_calls = list(calls(web.routes))
    assert {("GET", "/"), ("GET", "/live"), ("GET", "/metrics"), ("GET", "/openapi.json")} <= {*all_calls}
    assert {("POST", "/-/reload"), ("GET", "/api/v1/stream/dead-letters")} <= {*all_calls}
    assert {path for _, path in all_calls} >= OPEN
    web.router = inside  # type: ignore[assignment]
    transport = httpx.ASGITransport(web)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for method, path in all_calls:
            for token, is_accepted in tokens_accepted(method, path):
                headers = UNTRUSTED | (bearer(token) if token else {})
                response = await client.request(method, path.format_map(PATH_PARAMETERS), headers=headers)
                status = INSIDE if is_accepted else 403 if token else 401
                assert (method, path, token, response.status_code) == (method, path, token, status)
