"""Live updates: events, heartbeats, and clients that disconnect, stall or connect all at once."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from monitor.api.app_state import EventTiming
from monitor.web.server_events import EventStream

Message = MutableMapping[str, Any]


class Browser:
    """One client of the stream: what it was sent, and when it goes. A slow one reads nothing."""

    def __init__(self, slow: bool = False) -> None:
        self.parts: asyncio.Queue[bytes] = asyncio.Queue()
        self.gone, self._slow = asyncio.Event(), slow

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self._slow:
            await asyncio.Event().wait()
        if message["type"] == "http.response.body":
            self.parts.put_nowait(message["body"])

    async def next_part(self) -> bytes:
        async with asyncio.timeout(10):
            return await self.parts.get()


class Monitor:
    """The judged series, and the pages that are open."""

    def __init__(self, heartbeat_interval: float = 60.0) -> None:
        self.timing = EventTiming(0.001, heartbeat_interval, send_timeout=0.01)
        self.open: set[EventStream] = set()
        self.snapshot, self.stopping = object(), asyncio.Event()

    @asynccontextmanager
    async def opened(self, browser: Browser) -> AsyncIterator[asyncio.Task[None]]:
        answer = EventStream(lambda: self.snapshot, self.stopping, self.open, self.timing)
        serving = asyncio.create_task(answer({"type": "http"}, browser.receive, browser.send))
        try:
            yield serving
        finally:
            browser.gone.set()
            await asyncio.wait_for(serving, 10)


async def test_each_judgement_is_one_event() -> None:
    monitor, browser = Monitor(), Browser()
    async with monitor.opened(browser):
        assert await browser.next_part() == b"retry: 5000\n\n"
        for _ in range(3):
            monitor.snapshot = object()
            assert await browser.next_part() == b"event: judged\ndata: 1\n\n"
        assert browser.parts.empty()


async def test_a_heartbeat_is_sent_without_judgements() -> None:
    browser = Browser()
    async with Monitor(heartbeat_interval=0.0).opened(browser):
        assert await browser.next_part() == b"retry: 5000\n\n"
        assert [await browser.next_part() for _ in range(2)] == [b":\n\n"] * 2


async def test_a_client_that_does_not_read_is_disconnected() -> None:
    monitor = Monitor()
    async with monitor.opened(Browser(slow=True)) as serving:
        await asyncio.wait_for(serving, 10)
    assert not monitor.open


async def test_the_stream_of_a_disconnected_client_is_removed() -> None:
    monitor, browser = Monitor(), Browser()
    async with monitor.opened(browser):
        await browser.next_part()
        assert len(monitor.open) == 1
    assert not monitor.open


async def test_fifty_clients_at_once_all_get_the_event() -> None:
    monitor, browsers = Monitor(), [Browser() for _ in range(50)]
    async with asyncio.TaskGroup() as group:

        async def stay(browser: Browser) -> None:
            async with monitor.opened(browser):
                await browser.next_part()
                assert await browser.next_part() == b"event: judged\ndata: 1\n\n"

        for browser in browsers:
            group.create_task(stay(browser))
        while len(monitor.open) < 50 or any(
            browser.parts.empty() for browser in browsers if not monitor.open
        ):
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        monitor.snapshot = object()
    assert not monitor.open


async def test_the_stream_ends_when_the_server_stops() -> None:
    monitor, browser = Monitor(), Browser()
    async with monitor.opened(browser) as serving:
        await browser.next_part()
        monitor.stopping.set()
        assert await browser.next_part() == b""
        await serving
    assert not monitor.open
