"""A question in the middle of the screen, whose answer is sent; what is wrong with it is said there."""

from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from monitor.report import printable
from monitor.top.server import NoAnswer
from monitor.top.view import WrongFilter

LONGEST = 1000  # characters of a field
KEYS = "Enter sends it, Tab leads to the next line, Esc leaves it."

Send = Callable[[Mapping[str, str]], Awaitable[str]]


class Dialog(ModalScreen[str | None]):
    """Fields with what they hold at first. Ends with what `send` gives, once it accepts what was typed; with
    None when it is left.

    send: raises NoAnswer or WrongFilter.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave it")]

    def __init__(self, title: str, fields: Mapping[str, str], send: Send, hint: str = KEYS) -> None:
        super().__init__()
        self._title, self._fields, self._send, self._hint = title, fields, send, hint
        self._wrong = Static()

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(Text(printable(self._title), "bold"), classes="title")
            for name, held in self._fields.items():
                yield Label(Text(name))
                yield Input(held, max_length=LONGEST, id=name.replace(" ", "-"), compact=True)
            yield Static(Text(self._hint, "dim"), classes="hint")
            yield self._wrong

    def action_leave(self) -> None:
        self.dismiss(None)

    def on_input_submitted(self) -> None:
        self.submit()

    @work(exclusive=True)
    async def submit(self) -> None:
        """Send what was typed."""
        typed = dict(zip(self._fields, (one.value for one in self.query(Input)), strict=True))
        self._wrong.update(Text("..."))
        try:
            said = await self._send(typed)
        except (NoAnswer, WrongFilter) as error:
            self._wrong.update(Text(printable(str(error)), "bold red"))
        else:
            self.dismiss(said)
