"""Each route of the application needs a role, unless it is in OPEN_PATHS."""

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
from tests.monitor.access.authenticated_server import (
    AUTH,
    OPERATOR_TOKEN,
    READER_TOKEN,
    SCRAPER_TOKEN,
    bearer,
)
from tests.registries import REGISTRY

OPEN_PATHS = {"/-/healthy", "/-/ready", "/firehose/v1", "/static/{name}"}  # routes without authentication
UNTRUSTED_HEADERS: dict[str, Any] = {"X-Forwarded-User": "ada", "X-Role": "operate"}
PATH_PARAMETERS = {"id": "an-id", "name": "a-name", "theme": "dark"}
PASSED = 299  # the status of a request that passed the middleware; no route returns it


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[FastAPI]:
    """The application of a server, with all of its routes."""
    config = Config.model_validate({"auth": AUTH, "journal": str(tmp_path / "headroom.db")})
    async with App.opened(config, REGISTRY, lambda: config) as app:
        yield app.web


def methods_and_paths(routes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Yield each method and path of the routes."""
    for route in routes:
        if router := getattr(route, "original_router", None):
            yield from methods_and_paths(router.routes)
        else:
            yield from ((method, route.path) for method in sorted(route.methods))


def expected_access(method: str, path: str) -> list[tuple[str | None, bool]]:
    """Return pairs: a token, or None for no token; and whether a request with it is accepted."""
    if path in OPEN_PATHS:
        return [(token, True) for token in (None, SCRAPER_TOKEN, READER_TOKEN, OPERATOR_TOKEN)]
    is_read = method in ("GET", "HEAD")
    return [
        (None, False),
        (SCRAPER_TOKEN, is_read and path == "/metrics"),
        (READER_TOKEN, is_read),
        (OPERATOR_TOKEN, True),
    ]


async def respond_passed(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with the status PASSED to each request that passes the middleware."""
    await PlainTextResponse("passed", PASSED)(scope, receive, send)


async def test_every_route_needs_a_role_except_open_paths(web: FastAPI) -> None:
    all_calls = list(methods_and_paths(web.routes))
    assert {("GET", "/"), ("GET", "/live"), ("GET", "/metrics"), ("GET", "/openapi.json")} <= {*all_calls}
    assert {("POST", "/-/reload"), ("GET", "/api/v1/stream/dead-letters")} <= {*all_calls}
    assert {path for _, path in all_calls} >= OPEN_PATHS
    web.router = respond_passed  # type: ignore[assignment]
    transport = httpx.ASGITransport(web)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for method, path in all_calls:
            for token, is_accepted in expected_access(method, path):
                headers = UNTRUSTED_HEADERS | (bearer(token) if token else {})
                response = await client.request(method, path.format_map(PATH_PARAMETERS), headers=headers)
                denial = 403 if token else 401
                status = PASSED if is_accepted else denial
                assert (method, path, token, response.status_code) == (method, path, token, status)
