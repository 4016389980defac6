"""`headroom top`: what is seen, asked for again and again, and the screens that show it."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from textual import work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.reactive import reactive

from monitor.top.closeup import Closeup
from monitor.top.closeups import Closeups
from monitor.top.overview import Overview
from monitor.top.seen import Seen
from monitor.top.server import NoAnswer, Server
from monitor.top.view import View


class Top(App[None]):
    """A Headroom at an address, asked every so many seconds.

    seen: what was answered last. trouble: why there is no newer answer; empty when there is. view: what is
    asked for. Each loop is a worker: it ends with the application, and what it raises ends the application.
    """

    CSS_PATH = "top.tcss"
    ENABLE_COMMAND_PALETTE = False
    TITLE = "Headroom"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+z", "suspend_process", show=False)]

    seen: reactive[Seen] = reactive(Seen())
    trouble: reactive[str] = reactive("")
    view: reactive[View] = reactive(View())

    def __init__(self, address: str, every: float) -> None:
        super().__init__()
        self.server, self.every = Server(address), every
        self.closeups = Closeups(self.server, self._came)

    def get_default_screen(self) -> Overview:
        return Overview()

    def on_mount(self) -> None:
        self.run_worker(self.closeups.run())

    def on_unmount(self) -> None:
        self.server.close()

    def action_help_quit(self) -> None:
        """Ctrl-C ends it, as it ends everything in a terminal."""
        self.exit()

    def watch_view(self) -> None:
        self.follow()

    @work(exclusive=True, group="follow")
    async def follow(self) -> None:
        """Ask for everything, now and again."""
        while True:
            try:
                await self._ask()
                self.trouble = ""
            except NoAnswer as error:
                self.trouble = str(error)
            await asyncio.sleep(self.every)

    async def _ask(self) -> None:
        view = self.view
        page = await self.server.page(view.query)
        closeups = self.closeups.keep([one.id for one in page.items])
        self.seen = replace(self.seen, view=view, page=page, closeups=closeups, at=time.time())
        alerts = await self.server.alerts()
        waiting = "" if page.total else await self._waiting()
        self.seen = replace(self.seen, alerts=alerts, waiting=waiting, complete=True)

    def _came(self, closeups: Mapping[str, Closeup]) -> None:
        self.seen = replace(self.seen, closeups=closeups)

    async def closeup(self, identity: str) -> Closeup:
        """One series, and what was told of its alert. Raises NoAnswer."""
        told = await self.server.series(identity)
        return Closeup(told, time.time(), await self.server.told(identity))

    async def _waiting(self) -> str:
        try:
            await self.server.ready()
        except NoAnswer as error:
            return str(error)
        return ""
