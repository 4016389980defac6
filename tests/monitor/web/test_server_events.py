"""Live updates: events, heartbeats, and clients that disconnect, stall or connect all at once."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from monitor.api.app_state import EventTiming
from monitor.web.server_events import EventStream

Message = MutableMapping[str, Any]


class Browser:
    """A client of the stream.

    parts: the bodies sent to it. closed: set it to disconnect. stalled: it never reads.
    """

    def __init__(self, stalled: bool = False) -> None:
        self.parts: asyncio.Queue[bytes] = asyncio.Queue()
        self.closed, self._stalled = asyncio.Event(), stalled

    async def receive(self) -> Message:
        await self.closed.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self._stalled:
            await asyncio.Event().wait()
        if message["type"] == "http.response.body":
            self.parts.put_nowait(message["body"])

    async def next_part(self) -> bytes:
        async with asyncio.timeout(10):
            return await self.parts.get()


class StreamServer:
    """A server's latest snapshot and its open streams."""

    def __init__(self, heartbeat_interval: float = 60.0) -> None:
        self.timing = EventTiming(0.001, heartbeat_interval, send_timeout=0.01)
        self.open_streams: set[EventStream] = set()
        self.snapshot, self.stopping = object(), asyncio.Event()

    @asynccontextmanager
    async def open_stream(self, browser: Browser) -> AsyncIterator[asyncio.Task[None]]:
        answer = EventStream(lambda: self.snapshot, self.stopping, self.open_streams, self.timing)
        serving = asyncio.create_task(answer({"type": "http"}, browser.receive, browser.send))
        try:
            yield serving
        finally:
            browser.closed.set()
            await asyncio.wait_for(serving, 10)


async def test_each_judgement_is_one_event() -> None:
    server, browser = StreamServer(), Browser()
    async with server.open_stream(browser):
        assert await browser.next_part() == b"retry: 5000\n\n"
        for _ in range(3):
            server.snapshot = object()
            assert await browser.next_part() == b"event: judged\ndata: 1\n\n"
        assert browser.parts.empty()


async def test_a_heartbeat_is_sent_without_judgements() -> None:
    browser = Browser()
    async with StreamServer(heartbeat_interval=0.0).open_stream(browser):
        assert await browser.next_part() == b"retry: 5000\n\n"
        assert [await browser.next_part() for _ in range(2)] == [b":\n\n"] * 2


async def test_a_client_that_does_not_read_is_disconnected() -> None:
    server = StreamServer()
    async with server.open_stream(Browser(stalled=True)) as serving:
        await asyncio.wait_for(serving, 10)
    assert not server.open_streams


async def test_the_stream_of_a_disconnected_client_is_removed() -> None:
    server, browser = StreamServer(), Browser()
    async with server.open_stream(browser):
        await browser.next_part()
        assert len(server.open_streams) == 1
    assert not server.open_streams


async def test_fifty_clients_all_get_the_event() -> None:
    server, browsers = StreamServer(), [Browser() for _ in range(50)]
    async with asyncio.TaskGroup() as group:

        async def receive_event(browser: Browser) -> None:
            async with server.open_stream(browser):
                await browser.next_part()
                assert await browser.next_part() == b"event: judged\ndata: 1\n\n"

        for browser in browsers:
            group.create_task(receive_event(browser))
        while len(server.open_streams) < 50:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        server.snapshot = object()
    assert not server.open_streams


async def test_the_stream_ends_when_the_server_stops() -> None:
    server, browser = StreamServer(), Browser()
    async with server.open_stream(browser) as serving:
        await browser.next_part()
        server.stopping.set()
        assert await browser.next_part() == b""
        await serving
    assert not server.open_streams
