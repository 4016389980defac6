"""What all screens share: the head, the keys, and what is said of the alert that is looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.screen import Screen

from monitor.cli_alerts import user
from monitor.report import printable
from monitor.top.dialog import Dialog, Send
from monitor.top.help import Help
from monitor.top.words import clock

if TYPE_CHECKING:
    from monitor.top.app import Top


@dataclass(frozen=True, slots=True)
class Target:
    """The alert that a, and m, are about: its id, its labels and what it is called."""

    id: str
    labels: Mapping[str, str]
    name: str


class Sheet(Screen[None]):
    """A screen about alerts, of which one is its target."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "acknowledge", "Ack"),
        Binding("m", "mute", "Mute"),
        Binding("question_mark", "explain", "Help"),
        Binding("q", "app.quit", "Quit"),
    ]

    @property
    def top(self) -> "Top":
        return cast("Top", self.app)

    @property
    def target(self) -> Target | None:
        """What is looked at; a screen that has something says so."""
        return None

    def on_mount(self) -> None:
        self.watch(self.app, "trouble", self._mark_old)

    def _mark_old(self, trouble: str) -> None:
        self.set_class(bool(trouble), "old")

    def action_explain(self) -> None:
        self.app.push_screen(Help())

    def action_acknowledge(self) -> None:
        target = self.target
        if target and self.top.seen.fires(target.id) is False:
            self.notify(f"No alert of {printable(target.name)} fires.", severity="warning", markup=False)
        elif target:
            fields = {"why": "", "who": user()}
            self._ask(f"Acknowledge {target.name}", fields, partial(self._acknowledged, target))

    def action_mute(self) -> None:
        if target := self.target:
            fields = {"for how long": "1h", "why": "", "who": user()}
            self._ask(f"Mute {target.name}", fields, partial(self._muted, target))

    async def _acknowledged(self, target: Target, typed: Mapping[str, str]) -> str:
        alert = await self.top.server.acknowledge(target.id, who=typed["who"], why=typed["why"])
        return f"{target.name} is acknowledged by {alert.acknowledged_by}"

    async def _muted(self, target: Target, typed: Mapping[str, str]) -> str:
        lasts, who, why = typed["for how long"], typed["who"], typed["why"]
        mute = await self.top.server.mute(target.labels, lasts, who=who, why=why)
        return f"{target.name} is muted until {clock(mute.ends.timestamp())}"

    def _ask(self, title: str, fields: Mapping[str, str], send: Send) -> None:
        self.app.push_screen(Dialog(title, fields, send), self._said)

    def _said(self, sentence: str | None) -> None:
        if sentence:
            self.notify(printable(sentence), markup=False)
            self.top.follow()
