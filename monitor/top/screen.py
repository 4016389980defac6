"""The base of all screens: common keys, and acknowledging or silencing the alert under the cursor."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.screen import Screen

from monitor.lib.current_user import current_user
from monitor.lib.text import escape_unprintable
from monitor.top.dialog import FormDialog, Submit
from monitor.top.help import HelpScreen
from monitor.top.text import time_text

if TYPE_CHECKING:
    from monitor.top.app import Top


@dataclass(frozen=True, slots=True)
class AlertTarget:
    """The alert that would be acknowledged or silenced: its id, its labels, and a name for the user."""

    id: str
    labels: Mapping[str, str]
    name: str


class BaseScreen(Screen[None]):
    """A screen of series or alerts; the user can acknowledge or silence the alert under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "acknowledge", "Ack"),
        Binding("m", "silence", "Silence"),
        Binding("question_mark", "help", "Help"),
        Binding("q", "app.quit", "Quit"),
    ]

    @property
    def top(self) -> "Top":
        """The application."""
        return cast("Top", self.app)

    @property
    def target(self) -> AlertTarget | None:
        """The alert of the item under the cursor; None when there is no item."""
        return None

    def on_mount(self) -> None:
        self.watch(self.app, "error", self._mark_outdated)

    def _mark_outdated(self, error: str) -> None:
        self.set_class(bool(error), "outdated")

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen())

    def action_acknowledge(self) -> None:
        target = self.target
        if target and self.top.snapshot.is_firing(target.id) is False:
            self.notify(
                f"No alert fires for {escape_unprintable(target.name)}.", severity="warning", markup=False
            )
        elif target:
            fields = {"comment": "", "author": current_user()}
            self._open_form(f"Acknowledge {target.name}", fields, partial(self._acknowledge, target))

    def action_silence(self) -> None:
        if target := self.target:
            fields = {"duration": "1h", "comment": "", "author": current_user()}
            self._open_form(f"Silence {target.name}", fields, partial(self._silence, target))

    async def _acknowledge(self, target: AlertTarget, values: Mapping[str, str]) -> str:
        alert = await self.top.client.acknowledge(
            target.id, author=values["author"], comment=values["comment"]
        )
        return f"{target.name} is acknowledged by {alert.acknowledged_by}"

    async def _silence(self, target: AlertTarget, values: Mapping[str, str]) -> str:
        duration, author, comment = values["duration"], values["author"], values["comment"]
        silence = await self.top.client.silence(target.labels, duration, author=author, comment=comment)
        return f"{target.name} is silenced until {time_text(silence.ends.timestamp())}"

    def _open_form(self, title: str, fields: Mapping[str, str], submit: Submit) -> None:
        self.app.push_screen(FormDialog(title, fields, submit), self._notify_result)

    def _notify_result(self, sentence: str | None) -> None:
        if sentence:
            self.notify(escape_unprintable(sentence), markup=False)
            self.top.poll()
