"""The alerts: what fires, the most urgent first, and what is pending."""

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from monitor.alerting.inhibit import BLIND
from monitor.api_alert_models import AlertModel
from monitor.report import STYLES, printable
from monitor.top.facts import care
from monitor.top.head import Head
from monitor.top.lines import Column, Lines
from monitor.top.seen import Seen
from monitor.top.series import SeriesSheet
from monitor.top.sheet import Sheet, Target
from monitor.top.words import ago, lasted
from monitor.web.overview import shortened
from rules.band import ZONES, Zone


def _state(alert: AlertModel, width: int) -> Text:
    return Text(printable(alert.state))


def _severity(alert: AlertModel, width: int) -> Text:
    return Text(printable(alert.severity))


def _zone(alert: AlertModel, width: int) -> Text:
    return Text(printable(alert.zone), STYLES[ZONES.get(alert.zone, Zone.STALE)])


def _since(alert: AlertModel, width: int) -> Text:
    return Text(lasted(alert.since.timestamp(), Zone.ABOVE))


def _care(alert: AlertModel, width: int) -> Text:
    return Text(printable(", ".join(care(alert))))


def _summary(alert: AlertModel, width: int) -> Text:
    return Text(printable(alert.summary))


COLUMNS = (
    Column(name="state", cell=_state, rank=0, width=7),
    Column(name="severity", cell=_severity, rank=4, width=8),
    Column(name="zone", cell=_zone, rank=1, width=12),
    Column(name="since", cell=_since, rank=2, width=11),
    Column(name="care", cell=_care, rank=5, width=16, most=40),
    Column(name="alert", cell=_summary, rank=3, width=20, most=300),
)


class AlertsSheet(Sheet):
    """The alerts as last told, and one of them in full below."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "Back"),
        Binding("e,tab,backspace", "app.pop_screen", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.lines = Lines[AlertModel](COLUMNS)
        self._view, self._one = Static(classes="view"), Static(classes="one")

    def compose(self) -> ComposeResult:
        yield from (Head(), self._view, self.lines, self._one)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.watch(self.app, "seen", self.show)

    @property
    def target(self) -> Target | None:
        one = self.lines.current
        return Target(one.id, one.labels, shortened(one.summary.partition(" Remedy: ")[0])) if one else None

    def show(self, seen: Seen) -> None:
        """Show the alerts."""
        self.lines.show(seen.alerts.items)
        here, total = len(seen.alerts.items), seen.alerts.total
        said = f"{here:,} of {total:,} alerts" if here < total else f"{total:,} alerts"
        self._view.update(said if total else "No alert fires.")

    @on(Lines.Moved)
    def _moved(self) -> None:
        one = self.lines.current
        said = " ".join([one.summary, ", ".join([f"Since {ago(one.since)}", *care(one)])]) if one else ""
        self._one.update(Text(printable(said)))

    @on(Lines.Opened)
    def _opened(self) -> None:
        if self.lines.current and self.lines.current.labels.get("signal") == BLIND:
            self.notify("It is of what is not seen: there is no chart of it.", markup=False)
        elif target := self.target:
            self.app.push_screen(SeriesSheet(target))
