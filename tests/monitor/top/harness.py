"""A simulated user of `headroom top`, and a Headroom server on loopback that `headroom top` shows."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any

import uvicorn
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import Input

from monitor.alerting.silences import Silences
from monitor.fleet.fleet import Series
from monitor.notifiers.notice import Severity
from monitor.server.listener import HttpServer as WebServer
from monitor.server.listener import bind_socket
from monitor.top.app import Top
from monitor.top.overview import OverviewScreen
from monitor.top.table import ItemTable
from rules.band import Zone
from tests.monitor.alerting.notices import notice
from tests.monitor.fleet.fleets import add, key, set_judgement
from tests.monitor.fleet_server import Server
from tests.processes import PROCESS_TIMEOUT

SIZE, NARROW, WIDE = (120, 40), (80, 24), (200, 60)  # columns and lines of the terminal
# One text in the SVG of a screenshot. Groups: its x, the number of its line, the text itself.
SCREENSHOT_TEXT = re.compile(r'<text class="\S+" x="([\d.]+)"[^>]+-line-(\d+)\)">([^<]*)</text>')
CHARACTER_WIDTH = 12.2  # in the unit of x in the SVG
NO_REFRESH, FAST_REFRESH = 3600.0, 0.2  # seconds between two polls


@asynccontextmanager
async def serve_on_loopback(app: Any, port: int = 0) -> AsyncIterator[int]:
    """Serve an ASGI application and yield its port."""
    with bind_socket("127.0.0.1", port) as socket:
        config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        server = WebServer(config)
        server_task = asyncio.create_task(server.serve([socket]))
        try:
            yield socket.getsockname()[1]
        finally:
            server.should_exit = True
            await server_task


class Headroom:
    """A Headroom server on loopback whose fleet the test builds; it can be stopped and started again."""

    def __init__(self, server: Server) -> None:
        self.server, self.port = server, 0
        self._listening = AsyncExitStack()

    @classmethod
    @asynccontextmanager
    async def run(cls, folder: Path) -> AsyncIterator["Headroom"]:
        async with Server.opened(folder) as server:
            headroom = cls(server)
            await headroom.start()
            try:
                yield headroom
            finally:
                await headroom.stop()

    async def start(self) -> None:
        self.port = await self._listening.enter_async_context(serve_on_loopback(self.server.app, self.port))

    async def stop(self) -> None:
        await self._listening.aclose()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def silences(self) -> Silences:
        return self.server.alerting.engine.silences

    async def publish_streams(self, *streams: tuple[str, Zone, float]) -> list[Series]:
        """Publish streams with a limit of 1,000 bytes/s. streams: the name, zone and utilization of each."""
        fleet, published_series = self.server.fleet, []
        for name, zone, utilization in streams:
            series = fleet.series.get(key(name)) or add(fleet, key(name))
            set_judgement(fleet, series, zone, utilization * 1000, 5.0 if zone is Zone.SATURATED else 0.0)
            published_series.append(series)
        await self.server.publish()
        return published_series

    def fire_alert(self, series: Series, severity: Severity = Severity.WARNING, **changes: Any) -> str:
        """Let the alert of a series fire, and return the alert's id."""
        alert = notice(series.key.id, severity, resource=series.key.resource, **changes)
        self.server.alerting.engine.alerts[series.key.id] = alert
        return series.key.id


class User:
    """A user who presses keys and reads the screen."""

    def __init__(self, pilot: Pilot[None], app: Top) -> None:
        self.pilot, self.app = pilot, app

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def write(self, text: str) -> None:
        """Replace the text of the focused field."""
        field = self.app.focused
        assert isinstance(field, Input)
        field.value = text
        await self.pilot.pause()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(PROCESS_TIMEOUT):
            while not condition():
                await self.pilot.pause(0.01)

    async def wait_for(self, *words: str) -> str:
        """Wait until all words are on the screen, and return the text of the screen."""
        screen = self.screen  # read once per turn of the loop, as a screenshot takes 20 ms
        try:
            async with asyncio.timeout(PROCESS_TIMEOUT):
                while not all(word in screen for word in words):
                    await self.pilot.pause(0.01)
                    screen = self.screen
        except TimeoutError:
            raise AssertionError(f"not all of {words} in:\n{screen}") from None
        return screen

    @property
    def screen(self) -> str:
        """The text of all lines, with single spaces, followed by the text of the toasts."""
        toasts = [str(toast.render()) for toast in self.app.screen.query("Toast")]
        return "\n".join(" ".join(line.split()) for line in (*self.lines, *toasts))

    @property
    def lines(self) -> list[str]:
        """The lines of a screenshot, without spaces at their ends."""
        lines = [""] * self.app.size.height
        for x, row, text in SCREENSHOT_TEXT.findall(self.app.export_screenshot(simplify=True)):
            line, column = lines[int(row)], round(float(x) / CHARACTER_WIDTH)
            padding = " " * (column - cell_len(line))
            lines[int(row)] = line + padding + unescape(text).replace("\N{NO-BREAK SPACE}", " ")
        return [line.rstrip() for line in lines]

    @property
    def rows(self) -> list[str]:
        """The names of the resources in the rows of the list that are on the screen."""
        return [row.model.resource for row in self.table.visible_items]

    @property
    def current(self) -> str:
        """The resource under the cursor."""
        row = self.table.current
        return row.model.resource if row else ""

    @property
    def table(self) -> ItemTable[Any]:
        screens = self.app.screen_stack
        return next(screen for screen in screens if isinstance(screen, OverviewScreen)).table


@asynccontextmanager
async def run_top(
    address: str, interval: float = NO_REFRESH, size: tuple[int, int] = SIZE
) -> AsyncIterator[User]:
    """Run the application in a terminal of `size` columns and lines until its first poll has ended."""
    app = Top(address, interval)
    async with app.run_test(size=size, notifications=True) as pilot:
        user = User(pilot, app)
        await user.wait_until(lambda: bool(app.snapshot.complete or app.error))
        yield user
