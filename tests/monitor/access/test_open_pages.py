"""The event stream of an open page: it ends with an event `ended` when access ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.monitor.access.authenticated_server import (
    AUTH,
    BOB_PASSWORD,
    OPERATOR_TOKEN,
    READER_TOKEN,
    AuthenticatedServer,
    authenticated_server,
    basic,
    bearer,
)

EXPIRY = datetime(2999, 1, 1, tzinfo=UTC).timestamp()
ENDED = b"event: ended\ndata: 1\n\n"


class Clock:
    """A clock that decides whether credentials have expired; it starts at a second before EXPIRY."""

    def __init__(self) -> None:
        self.now = EXPIRY - 1


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server(tmp_path: Path, clock: Clock) -> AsyncIterator[AuthenticatedServer]:
    async with authenticated_server(tmp_path, AUTH, lambda: clock.now) as server:
        yield server


class Browser:
    """A client that receives the body of a response in parts, here the events of an open page."""

    def __init__(self) -> None:
        self.status, self.parts = 0, asyncio.Queue[bytes]()
        self.disconnected = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.disconnected.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.parts.put_nowait(message["body"] if message.get("more_body") else b"the end")

    async def next_part(self) -> bytes:
        async with asyncio.timeout(10):
            return await self.parts.get()


@asynccontextmanager
async def open_page(
    server: AuthenticatedServer, headers: dict[str, Any], peer: str = "192.0.2.1"
) -> AsyncIterator[Browser]:
    """Open the event stream of a page, and skip its first part."""
    browser = Browser()
    header_list = [
        (name.lower().encode(), text if isinstance(text, bytes) else text.encode())
        for name, text in headers.items()
    ]
    scope = {"type": "http", "method": "GET", "path": "/live", "query_string": b"", "headers": header_list}
    scope |= {"client": (peer, 1), "server": ("headroom", 80), "scheme": "http", "root_path": ""}
    serving = asyncio.create_task(server.server.app(scope, browser.receive, browser.send))
    try:
        await browser.next_part()
        yield browser
    finally:
        browser.disconnected.set()
        await asyncio.wait_for(serving, 10)


async def test_a_token_that_expires_ends_an_open_event_stream(
    server: AuthenticatedServer, clock: Clock
) -> None:
    async with open_page(server, bearer(OPERATOR_TOKEN)) as browser:
        assert browser.status == 200
        await server.server.publish()
        assert await browser.next_part() == b"event: judged\ndata: 1\n\n"
        clock.now = EXPIRY
        assert [await browser.next_part(), await browser.next_part()] == [ENDED, b"the end"]
    async with open_page(server, bearer(OPERATOR_TOKEN)) as browser:
        assert browser.status == 401


# By name: headers and peer of an open page, and the change of settings that removes its credentials.
CREDENTIALS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "a token": (bearer(READER_TOKEN), "192.0.2.1", {"tokens": []}),
    "another token with the same name": (
        bearer(READER_TOKEN),
        "192.0.2.1",
        {"tokens": [{"name": "rita", "token": "another-token-of-rita"}]},
    ),
    "a user": (basic("bob", BOB_PASSWORD), "192.0.2.1", {"users": AUTH["users"][:1]}),
    "the proxy": ({"X-Forwarded-User": "carol"}, "10.0.0.1", {"proxy": None}),
}


@pytest.mark.parametrize("case", CREDENTIALS)
async def test_an_open_event_stream_ends_when_new_settings_lack_its_credentials(
    server: AuthenticatedServer, clock: Clock, case: str
) -> None:
    headers, peer, change = CREDENTIALS[case]
    async with open_page(server, headers, peer) as browser:
        server.configure(AUTH | {"open_metrics": True})
        await server.server.publish()
        assert await browser.next_part() == b"event: judged\ndata: 1\n\n"  # the credentials are still valid
        server.configure(AUTH | change)
        assert [await browser.next_part(), await browser.next_part()] == [ENDED, b"the end"]


@pytest.mark.parametrize("auth", [AUTH, {"allow_anonymous": True, "anonymous_role": "metrics"}])
async def test_new_settings_that_require_a_login_end_an_anonymous_event_stream(
    server: AuthenticatedServer, clock: Clock, auth: dict[str, Any]
) -> None:
    server.configure({"allow_anonymous": True})
    async with open_page(server, {}) as browser:
        server.configure(auth)
        assert [await browser.next_part(), await browser.next_part()] == [ENDED, b"the end"]


async def test_the_event_stream_needs_the_role_read(server: AuthenticatedServer, clock: Clock) -> None:
    async with open_page(server, {}) as browser:
        assert browser.status == 401
    async with open_page(server, bearer("the-token-of-prom")) as browser:
        assert browser.status == 403
