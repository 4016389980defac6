"""A form in the middle of the screen, which stays open and shows the error when submitting fails."""

from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from monitor.lib.text import escape_unprintable
from monitor.top.client import RequestError
from monitor.top.filters import FilterError

MAX_FIELD_LENGTH = 1000  # characters of a field
KEY_HINT = "Enter: submit. Tab: next field. Esc: cancel."

Submit = Callable[[Mapping[str, str]], Awaitable[str]]


class FormDialog(ModalScreen[str | None]):
    """A form. Its result is the string that `submit` returns; None when the form is cancelled.

    fields: the initial values by name. submit: called with the values by name; raises RequestError or
    FilterError for values that it rejects.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel")]

    def __init__(self, title: str, fields: Mapping[str, str], submit: Submit, hint: str = KEY_HINT) -> None:
        super().__init__()
        self._title, self._fields, self._submit, self._hint = title, fields, submit, hint
        self._error = Static()

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(Text(escape_unprintable(self._title), "bold"), classes="title")
            for name, value in self._fields.items():
                yield Label(Text(name))
                yield Input(value, max_length=MAX_FIELD_LENGTH, id=name.replace(" ", "-"), compact=True)
            yield Static(Text(self._hint, "dim"), classes="hint")
            yield self._error

    def action_cancel(self) -> None:
        self.dismiss(None)

    def on_input_submitted(self) -> None:
        self.submit()

    @work(exclusive=True)
    async def submit(self) -> None:
        """Submit the values of the fields."""
        values = dict(zip(self._fields, (field.value for field in self.query(Input)), strict=True))
        self._error.update(Text("..."))
        try:
            result = await self._submit(values)
        except (RequestError, FilterError) as error:
            self._error.update(Text(escape_unprintable(str(error)), "bold red"))
        else:
            self.dismiss(result)
