"""The screen of alerts: firing alerts, the most urgent first, then pending alerts."""

import time
from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from monitor.alerting.inhibit import BLIND_SIGNAL
from monitor.api.alert_models import AlertModel
from monitor.lib.durations import format_duration
from monitor.lib.text import escape_unprintable
from monitor.render.styles import STYLES
from monitor.render.text import shorten
from monitor.top.detail_text import handling_phrases
from monitor.top.header import StatusHeader
from monitor.top.screen import AlertTarget, BaseScreen
from monitor.top.series import SeriesScreen
from monitor.top.snapshot import TopSnapshot
from monitor.top.table import Column, ItemTable
from monitor.top.text import time_and_age
from rules.band import ZONES, Zone
from rules.plurals import count_of


def _state(alert: AlertModel, width: int) -> Text:
    return Text(escape_unprintable(alert.state))


def _severity(alert: AlertModel, width: int) -> Text:
    return Text(escape_unprintable(alert.severity))


def _zone(alert: AlertModel, width: int) -> Text:
    return Text(escape_unprintable(alert.zone), STYLES[ZONES.get(alert.zone, Zone.STALE)])


def _since(alert: AlertModel, width: int) -> Text:
    return Text(format_duration(time.time() - alert.since.timestamp()))


def _handling(alert: AlertModel, width: int) -> Text:
    return Text(escape_unprintable(", ".join(handling_phrases(alert))))


def _summary(alert: AlertModel, width: int) -> Text:
    return Text(escape_unprintable(alert.summary))


COLUMNS = (
    Column(name="state", render=_state, rank=0, width=7),
    Column(name="severity", render=_severity, rank=4, width=8),
    Column(name="zone", render=_zone, rank=1, width=12),
    Column(name="since", render=_since, rank=2, width=11),
    Column(name="handling", render=_handling, rank=5, width=16, max_width=40),
    Column(name="alert", render=_summary, rank=3, width=20, max_width=300),
)


class AlertsScreen(BaseScreen):
    """The latest fetched alerts and, below them, the full text of the alert under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "Back"),
        Binding("e,tab,backspace", "app.pop_screen", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.table = ItemTable[AlertModel](COLUMNS)
        self._view, self._current = Static(classes="view"), Static(classes="current-item")

    def compose(self) -> ComposeResult:
        yield from (StatusHeader(), self._view, self.table, self._current)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.watch(self.app, "snapshot", self.show)

    @property
    def target(self) -> AlertTarget | None:
        alert = self.table.current
        if alert is None:
            return None
        return AlertTarget(alert.id, alert.labels, shorten(alert.summary.partition(" Remedy: ")[0]))

    def show(self, snapshot: TopSnapshot) -> None:
        """Show the alerts of a snapshot."""
        self.table.show(snapshot.alerts.items)
        shown, total = len(snapshot.alerts.items), snapshot.alerts.total
        count = count_of(total, "alert") if total else "No alerts."
        self._view.update(f"{shown:,} of {count}" if shown < total else count)

    @on(ItemTable.Moved)
    def _moved(self) -> None:
        text = ""
        if alert := self.table.current:
            facts = [f"Since {time_and_age(alert.since)}", *handling_phrases(alert)]
            text = f"{alert.summary} {', '.join(facts)}"
        self._current.update(Text(escape_unprintable(text)))

    @on(ItemTable.Opened)
    def _opened(self) -> None:
        if self.table.current and self.table.current.labels.get("signal") == BLIND_SIGNAL:
            self.notify("This alert is about a blind spot, which has no chart.", markup=False)
        elif (target := self.target) and self.table.current:
            # The alert of a forecast has another id than its series.
            series_id = self.table.current.series_id or target.id
            self.app.push_screen(SeriesScreen(replace(target, id=series_id)))
