"""The keys, and what the signs mean."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from monitor.sparkline import REFUSED
from monitor.top.strokes import FREE, FREE_IN_BAND, USED, USED_IN_BAND

KEYS = {
    "↑ ↓ j k": "move; PgUp PgDn Home End too",
    "Enter": "open the series: chart, limit, remedy, alert",
    "Esc": "back",
    "/": "filter: service:kinesis zone:critical,saturated clicks",
    "": "labels: account, region, service, signal, resource, zone",
    "s S": "sort by the next key; the other way round",
    "z": "only the next zone; after the last, all",
    "a": "acknowledge the alert of the series",
    "m": "mute the series for a while",
    "e Tab": "alerts; and back",
    "q": "quit",
}
SIGNS = {
    f"{USED} {USED_IN_BAND}": "used; within the target band",
    f"{FREE} {FREE_IN_BAND}": "free; within the target band",
    REFUSED: "demand was refused, or kept waiting",
}


class Help(ModalScreen[None]):
    """Shown until a key that ends it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "leave", "Back")]

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(told())

    def action_leave(self) -> None:
        self.app.pop_screen()


def told() -> Text:
    """All keys, all signs."""
    text = Text()
    for title, rows in {"Keys": KEYS, "Signs": SIGNS}.items():
        text.append(f"{title}\n", "bold underline")
        for name, means in rows.items():
            text.append(f"{name:<9}", "bold").append(f"{means}\n")
    return text
