"""`headroom top` over a server on loopback, as somebody at a terminal sees it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from textual.pilot import Pilot
from textual.widgets import Input

from monitor.alerting.notice import Severity
from monitor.alerting.silences import Silences
from monitor.app import Server as WebServer
from monitor.app import bound
from monitor.fleet import Series
from monitor.top.app import Top
from monitor.top.lines import Lines
from monitor.top.overview import Overview
from rules.band import Zone
from tests.monitor.alerting.notices import notice
from tests.monitor.fleets import add, judged, key
from tests.monitor.served import Server
from tests.processes import PATIENCE

SIZE, NARROW, WIDE = (120, 40), (80, 24), (200, 60)
ONCE, OFTEN = 3600.0, 0.2  # seconds between two looks


@asynccontextmanager
async def listening(app: Any, port: int = 0) -> AsyncIterator[int]:
    """The port of an application that is served."""
    with bound("127.0.0.1", port) as socket:
        config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        server = WebServer(config)
        serving = asyncio.create_task(server.serve([socket]))
        try:
            yield socket.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


class Headroom:
    """A Headroom whose fleet is made by hand, on loopback; it may go away and come back."""

    def __init__(self, server: Server) -> None:
        self.server, self.port = server, 0
        self._listening = AsyncExitStack()

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path) -> AsyncIterator["Headroom"]:
        async with Server.opened(folder) as server:
            headroom = cls(server)
            await headroom.start()
            try:
                yield headroom
            finally:
                await headroom.stop()

    async def start(self) -> None:
        self.port = await self._listening.enter_async_context(listening(self.server.app, self.port))

    async def stop(self) -> None:
        await self._listening.aclose()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def silences(self) -> Silences:
        return self.server.alerting.alarm.silences

    async def stand(self, *zones: tuple[str, Zone, float]) -> list[Series]:
        """Publish streams, each in a zone with a utilization of its limit of 1,000 bytes/s."""
        fleet, made = self.server.fleet, []
        for name, zone, utilization in zones:
            series = fleet.series.get(key(name)) or add(fleet, key(name))
            judged(fleet, series, zone, utilization * 1000, 5.0 if zone is Zone.SATURATED else 0.0)
            made.append(series)
        await self.server.publish()
        return made

    def fire(self, series: Series, severity: Severity = Severity.WARNING, **changes: Any) -> str:
        """Have the alert of a series fire; its id."""
        told = notice(series.key.id, severity, resource=series.key.resource, **changes)
        self.server.alerting.alarm.standing[series.key.id] = told
        return series.key.id


class User:
    """Somebody who presses keys and reads the screen."""

    def __init__(self, pilot: Pilot[None], app: Top) -> None:
        self.pilot, self.app = pilot, app

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def write(self, text: str) -> None:
        """Put a text into the field that has the focus, instead of what is there."""
        field = self.app.focused
        assert isinstance(field, Input)
        field.value = text
        await self.pilot.pause()

    async def until(self, shown: Callable[[], bool]) -> None:
        """Wait for what comes over the wire."""
        async with asyncio.timeout(PATIENCE):
            while not shown():
                await self.pilot.pause(0.01)

    async def sees(self, *words: str) -> str:
        """The screen, once all of the words are on it."""
        try:
            await self.until(lambda: all(word in self.screen for word in words))
        except TimeoutError:
            raise AssertionError(f"not all of {words} in:\n{self.screen}") from None
        return self.screen

    @property
    def screen(self) -> str:
        """The text of all lines, with single spaces; and what pops up over them, in one piece."""
        popping = [one.message for one in self.app._notifications]
        return "\n".join(" ".join(line.split()) for line in (*self.lines, *popping))

    @property
    def lines(self) -> list[str]:
        """All lines as they are drawn."""
        return [strip.text for strip in self.app.screen._compositor.render_strips()]

    @property
    def rows(self) -> list[str]:
        """The names of the resources in the list."""
        return [row.told.resource for row in self.table.visible_items]

    @property
    def current(self) -> str:
        """The resource that has the cursor."""
        row = self.table.current
        return row.told.resource if row else ""

    @property
    def table(self) -> Lines[Any]:
        overview = next(one for one in self.app.screen_stack if isinstance(one, Overview))
        return overview.lines


@asynccontextmanager
async def at(address: str, every: float = ONCE, size: tuple[int, int] = SIZE) -> AsyncIterator[User]:
    """Somebody at a terminal of so many columns and lines, once there was an answer or none."""
    app = Top(address, every)
    async with app.run_test(size=size, notifications=True) as pilot:
        user = User(pilot, app)
        await user.until(lambda: bool(app.seen.complete or app.trouble))
        yield user
