"""Live updates: events, heartbeats, and clients that go, stall or come all at once."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from monitor.web import live
from monitor.web.live import Events

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

    async def told(self) -> bytes:
        async with asyncio.timeout(10):
            return await self.parts.get()


class Monitor:
    """What is judged, and which pages are open."""

    def __init__(self) -> None:
        self.open: set[Events] = set()
        self.snapshot, self.stopping = object(), asyncio.Event()

    @asynccontextmanager
    async def opened(self, browser: Browser) -> AsyncIterator[asyncio.Task[None]]:
        answer = Events(lambda: self.snapshot, self.stopping, self.open)
        serving = asyncio.create_task(answer({"type": "http"}, browser.receive, browser.send))
        try:
            yield serving
        finally:
            browser.gone.set()
            await asyncio.wait_for(serving, 10)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"LOOK": 0.001, "HEARTBEAT": 60.0, "PATIENCE": 0.01}.items():
        monkeypatch.setattr(live, name, seconds)


async def test_each_judgement_is_one_event() -> None:
    monitor, browser = Monitor(), Browser()
    async with monitor.opened(browser):
        assert await browser.told() == b"retry: 5000\n\n"
        for _ in range(3):
            monitor.snapshot = object()
            assert await browser.told() == b"event: judged\ndata: 1\n\n"
        assert browser.parts.empty()


async def test_without_judgements_there_is_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0.0)
    browser = Browser()
    async with Monitor().opened(browser):
        assert await browser.told() == b"retry: 5000\n\n"
        assert [await browser.told() for _ in range(2)] == [b":\n\n"] * 2


async def test_a_client_that_does_not_read_is_dropped() -> None:
    monitor = Monitor()
    async with monitor.opened(Browser(slow=True)) as serving:
        await asyncio.wait_for(serving, 10)
    assert not monitor.open


async def test_a_client_that_goes_is_forgotten() -> None:
    monitor, browser = Monitor(), Browser()
    async with monitor.opened(browser):
        await browser.told()
        assert len(monitor.open) == 1
    assert not monitor.open


async def test_fifty_come_back_at_once_and_all_are_told() -> None:
    monitor, browsers = Monitor(), [Browser() for _ in range(50)]
    async with asyncio.TaskGroup() as group:

        async def stay(browser: Browser) -> None:
            async with monitor.opened(browser):
                await browser.told()
                assert await browser.told() == b"event: judged\ndata: 1\n\n"

        for browser in browsers:
            group.create_task(stay(browser))
        while len(monitor.open) < 50 or any(
            browser.parts.empty() for browser in browsers if not monitor.open
        ):
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        monitor.snapshot = object()
    assert not monitor.open


async def test_the_servers_stop_ends_the_stream_in_order() -> None:
    monitor, browser = Monitor(), Browser()
    async with monitor.opened(browser) as serving:
        await browser.told()
        monitor.stopping.set()
        assert await browser.told() == b""
        await serving
    assert not monitor.open
