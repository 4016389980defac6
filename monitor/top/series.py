"""One series: its chart, why its limit is what it is, what to do, and its alert."""

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

from monitor.report import printable
from monitor.top.closeup import Closeup
from monitor.top.facts import facts, title
from monitor.top.head import WRONG, Head
from monitor.top.plot import plot
from monitor.top.server import NoAnswer
from monitor.top.sheet import Sheet, Target


class Canvas(Widget):
    """The chart of a series, as large as there is room."""

    closeup: reactive[Closeup | None] = reactive(None)

    def render(self) -> Text:
        return plot(self.closeup.chart, self.size.width, self.size.height) if self.closeup else Text()


class SeriesSheet(Sheet):
    """A series, looked at again as often as the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "Back"),
        Binding("backspace", "app.pop_screen", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, target: Target) -> None:
        super().__init__()
        self._target = target
        self._closeup: Closeup | None = None
        self._title = Static(Text(f"Asking for {printable(target.name)} ..."))
        self._gone, self._chart, self._facts = Static(), Canvas(), Static()

    @property
    def target(self) -> Target:
        return self._target

    def compose(self) -> ComposeResult:
        yield Head()
        with VerticalScroll():
            yield from (self._title, self._gone, self._chart, self._facts)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.watch(self.app, "seen", self.show)
        self.follow()

    @work(exclusive=True)
    async def follow(self) -> None:
        """Look at it again and again, even once it is gone: it may come back."""
        while True:
            gone = ""
            try:
                self._closeup = await self.top.closeup(self._target.id)
            except NoAnswer as error:
                gone = str(error)
            self._gone.update(Text(printable(gone), WRONG))
            self._gone.display = bool(gone)
            self.show()
            await asyncio.sleep(self.top.every)

    def show(self) -> None:
        """Show what is known of it now."""
        if closeup := self._closeup:
            alert = self.top.seen.by_series.get(self._target.id)
            self._title.update(title(closeup, alert))
            self._chart.closeup = closeup
            self._facts.update(facts(closeup, alert))

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)
