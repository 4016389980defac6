"""The first screen: the series, the most urgent first."""

from collections.abc import Mapping
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from monitor.api_models import Series
from monitor.fleet import Key
from monitor.report import printable
from monitor.top.alerts import AlertsSheet
from monitor.top.cells import COLUMNS, SORTED
from monitor.top.dialog import KEYS, Dialog
from monitor.top.facts import care
from monitor.top.head import Head
from monitor.top.lines import Lines
from monitor.top.seen import USUAL, Seen, Shown
from monitor.top.series import SeriesSheet
from monitor.top.sheet import Sheet, Target
from monitor.top.view import NAMES, View, written
from monitor.top.words import ago, called, refused, usage

FILTER = f"label:value, or words of the resource's name; the labels are {', '.join(NAMES)}. {KEYS}"


class Overview(Sheet):
    """The series that pass the filters, and one of them in full below."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter"),
        Binding("s", "sort", "Sort"),
        Binding("S", "reverse", "Reverse", show=False),
        Binding("z", "zone", "Zone"),
        Binding("e", "alerts", "Alerts"),
        Binding("tab", "alerts", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.lines = Lines[Shown](COLUMNS)
        self._view, self._one, self._shown = Static(classes="view"), Static(classes="one"), USUAL

    def compose(self) -> ComposeResult:
        yield from (Head(), self._view, self.lines, self._one)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.watch(self.app, "seen", self.show)
        self.watch(self.app, "view", self._say_view)

    @property
    def target(self) -> Target | None:
        row = self.lines.current
        return target(row.told) if row else None

    def show(self, seen: Seen) -> None:
        """Show what was seen."""
        query = seen.view.query
        if seen.view != self._shown:
            self._shown = seen.view
            self.lines.action_first()
        self.lines.show(seen.rows, (SORTED.get(query.sort, query.sort), "▼" if query.descending else "▲"))
        self._say_view()

    def _say_view(self) -> None:
        seen, wanted = self.top.seen, self.top.view
        asked = [] if seen.view == wanted else [f"asking for: {described(wanted)}"]
        said = [shown(seen), *asked] if seen.at else asked
        self._view.update(Text(printable(" · ".join(said))))

    @on(Lines.Moved)
    def _moved(self) -> None:
        row = self.lines.current
        self._one.update(in_full(row) if row else "")
        self.top.closeups.want([one.id for one in self.lines.visible_items])

    @on(Lines.Opened)
    def _opened(self) -> None:
        if row := self.lines.current:
            self.app.push_screen(SeriesSheet(target(row.told)))

    def action_sort(self) -> None:
        self.top.view = self.top.view.resorted

    def action_reverse(self) -> None:
        self.top.view = self.top.view.reversed

    def action_zone(self) -> None:
        self.top.view = self.top.view.rezoned

    def action_alerts(self) -> None:
        self.app.push_screen(AlertsSheet())

    def action_filter(self) -> None:
        now = {"filter": written(self.top.view.filters)}
        self.app.push_screen(Dialog("Which series", now, self._filtered, FILTER))

    async def _filtered(self, typed: Mapping[str, str]) -> str:
        self.top.view = self.top.view.filtered(typed["filter"])
        return ""


def target(told: Series) -> Target:
    labels = {name: getattr(told, name) for name in Key._fields}
    return Target(told.id, labels, called(told))


def described(view: View) -> str:
    """The order and the filters."""
    filters = written(view.filters)
    return f"by {view.sort}{', reversed' if view.reverse else ''}" + (
        f" · filter {filters}" if filters else ""
    )


def shown(seen: Seen) -> str:
    """How many there are, and why there are none."""
    total, here = seen.page.total, len(seen.page.items)
    if total:
        found = f"{here:,} of {total:,} series" if here < total else f"{total:,} series"
    elif seen.view.filters.narrow:
        found = "No series matches"
    else:
        found = f"No series is watched yet; {seen.waiting or 'its page /status says how the accounts fare'}"
    return f"{found} · {described(seen.view)}"


def in_full(row: Shown) -> Text:
    """One series on two lines: all that the list may have no room for."""
    told = row.told
    account = (row.closeup.told.account_name if row.closeup else "") or told.account
    said = f"{usage(told)} ({told.source or 'no source'}), refused {refused(told)}; {account}, {told.region}"
    alert = f"; {', '.join([row.alert.state, *care(row.alert)])}" if row.alert else ""
    return Text(f"{called(told)}\n{printable(f'{said}{alert}; sample {ago(told.sampled_at)}')}")
