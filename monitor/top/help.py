"""The help screen: keys and symbols."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from monitor.render.sparkline import THROTTLED
from monitor.top.bars import FREE, FREE_IN_BAND, USED, USED_IN_BAND

# The row without a key continues the row above.
KEYS = {
    "↑ ↓ j k": "move; also PgUp PgDn Home End",
    "Enter": "open the series: chart, limit, remedy, alert",
    "Esc": "back",
    "/": "filter: service:kinesis zone:near,saturated clicks",
    "": "labels: account, region, service, signal, resource, zone",
    "s S": "sort by the next key; reverse the order",
    "z": "show only the next zone; after the last zone, all",
    "a": "acknowledge the alert of the series",
    "m": "silence the series for a while",
    "e Tab": "show the alerts; go back",
    "q": "quit",
}
SYMBOLS = {
    f"{USED} {USED_IN_BAND}": "used; within the target band",
    f"{FREE} {FREE_IN_BAND}": "unused; within the target band",
    THROTTLED: "demand was throttled or delayed",
}


class HelpScreen(ModalScreen[None]):
    """Lists the keys and symbols until a key closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "close", "Back")]

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(help_text())

    def action_close(self) -> None:
        self.app.pop_screen()


def help_text() -> Text:
    """Return the list of keys and symbols."""
    text = Text()
    for title, rows in {"Keys": KEYS, "Symbols": SYMBOLS}.items():
        text.append(f"{title}\n", "bold underline")
        for name, meaning in rows.items():
            text.append(f"{name:<9}", "bold").append(f"{meaning}\n")
    return text
