"""The application behind `headroom top`: it polls the API of a running Headroom and updates the screens."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from textual import work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.reactive import reactive

from monitor.top.client import HeadroomClient, RequestError
from monitor.top.detail import SeriesDetail
from monitor.top.detail_loader import DetailLoader
from monitor.top.filters import SeriesView
from monitor.top.overview import OverviewScreen
from monitor.top.snapshot import TopSnapshot


class Top(App[None]):
    """Shows the Headroom server at an address, and polls the server every `interval` seconds.

    snapshot: the latest responses. error: the error of the latest poll; empty when it succeeded. view: the
    filters and the order of the series. Each loop is a textual worker: it ends with the application, and an
    unexpected exception in it ends the application.
    """

    CSS_PATH = "top.tcss"
    ENABLE_COMMAND_PALETTE = False
    TITLE = "Headroom"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+z", "suspend_process", show=False)]

    snapshot: reactive[TopSnapshot] = reactive(TopSnapshot())
    error: reactive[str] = reactive("")
    view: reactive[SeriesView] = reactive(SeriesView())

    def __init__(self, address: str, interval: float) -> None:
        super().__init__()
        self.client, self.interval = HeadroomClient(address), interval
        self.loader = DetailLoader(self.client, self._on_details)

    def get_default_screen(self) -> OverviewScreen:
        """Return the list of series."""
        return OverviewScreen()

    def on_mount(self) -> None:
        """Start loading details."""
        self.run_worker(self.loader.run())

    def on_unmount(self) -> None:
        """Close the client."""
        self.client.close()

    def action_help_quit(self) -> None:
        """Exit on Ctrl-C; textual would only show which key exits."""
        self.exit()

    def watch_view(self) -> None:
        """Poll at once when the view changes."""
        self.poll()

    @work(exclusive=True, group="poll")
    async def poll(self) -> None:
        """Fetch the series and the alerts now and after each interval; another call replaces this loop."""
        while True:
            try:
                await self._fetch()
                self.error = ""
            except RequestError as error:
                self.error = str(error)
            await asyncio.sleep(self.interval)

    async def _fetch(self) -> None:
        view = self.view
        page = await self.client.list_series(view.query)
        details = self.loader.retain([series.id for series in page.items])
        self.snapshot = replace(self.snapshot, view=view, page=page, details=details, fetched_at=time.time())
        alerts = await self.client.list_alerts()
        pending = "" if page.total else await self._pending_text()
        self.snapshot = replace(self.snapshot, alerts=alerts, pending=pending, complete=True)

    def _on_details(self, details: Mapping[str, SeriesDetail]) -> None:
        self.snapshot = replace(self.snapshot, details=details)

    async def get_detail(self, identity: str) -> SeriesDetail:
        """Fetch one series and the notices of its alert. Raises RequestError."""
        model = await self.client.get_series(identity)
        return SeriesDetail(model, time.time(), await self.client.list_notices(identity))

    async def _pending_text(self) -> str:
        """Return a phrase with the accounts and services that were not read yet, or the request's error."""
        try:
            pending = (await self.client.get_readiness()).pending
        except RequestError as error:
            return str(error)
        return f"not read yet: {', '.join(pending)}" if pending else ""
