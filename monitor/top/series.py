"""The screen of one series: its chart, its limit, remedies, and its alert."""

import asyncio
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Footer, Static

from monitor.lib.text import escape_unprintable
from monitor.top.bars import ERROR_STYLE
from monitor.top.chart import plot
from monitor.top.client import RequestError
from monitor.top.detail import SeriesDetail
from monitor.top.detail_text import detail_text, heading_text
from monitor.top.header import StatusHeader
from monitor.top.screen import AlertTarget, BaseScreen


class SeriesChart(Widget):
    """The chart of a series, as large as the widget."""

    detail: reactive[SeriesDetail | None] = reactive(None)

    def render(self) -> Text:
        return plot(self.detail.chart, self.size.width, self.size.height) if self.detail else Text()


class SeriesScreen(BaseScreen):
    """The screen of one series, which is fetched at the same interval as the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "Back"),
        Binding("backspace", "app.pop_screen", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, target: AlertTarget) -> None:
        super().__init__()
        self._target = target
        self._detail: SeriesDetail | None = None
        self._title = Static(Text(f"Loading {escape_unprintable(target.name)} ..."))
        self._error, self._chart, self._text = Static(), SeriesChart(), Static()

    @property
    def target(self) -> AlertTarget:
        return self._target

    def compose(self) -> ComposeResult:
        yield StatusHeader()
        with VerticalScroll():
            yield from (self._title, self._error, self._chart, self._text)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.watch(self.app, "snapshot", self.show)
        self.poll()

    @work(exclusive=True)
    async def poll(self) -> None:
        """Fetch the series at each interval; an error is shown, and the next interval tries again."""
        while True:
            error_text = ""
            try:
                self._detail = await self.top.get_detail(self._target.id)
            except RequestError as error:
                error_text = str(error)
            self._error.update(Text(escape_unprintable(error_text), ERROR_STYLE))
            self._error.display = bool(error_text)
            self.show()
            await asyncio.sleep(self.top.interval)

    def show(self) -> None:
        """Show the series as last fetched, and its alert."""
        if detail := self._detail:
            alert = self.top.snapshot.alerts_by_series.get(self._target.id)
            self._title.update(heading_text(detail, alert))
            self._chart.detail = detail
            self._text.update(detail_text(detail, alert))

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)
