"""The lines above each screen: how many series are in each zone, how new that is, and what is wrong."""

import time
from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual.widgets import Static

from monitor.alerting.phrases import span
from monitor.report import STYLES, printable
from monitor.top.seen import Seen
from monitor.top.words import ago
from rules.band import Zone

if TYPE_CHECKING:
    from monitor.top.app import Top

WRONG = STYLES[Zone.SATURATED]


class Head(Static):
    """Follows what the application saw last; the ages in it go on meanwhile."""

    def on_mount(self) -> None:
        for name in ("seen", "trouble"):
            self.watch(self.app, name, self.tell)
        self.set_interval(1.0, self.tell)

    def tell(self) -> None:
        top = cast("Top", self.app)
        now = problem(top.trouble, top.seen) if top.trouble else freshness(top.server.address, top.seen)
        self.update(Text("\n").join([counts(top.seen), now]))


def counts(seen: Seen) -> Text:
    """How many series are in each zone, the worst first."""
    told = [Text.assemble((zone.word, STYLES[zone]), f" {count:,}") for zone, count in seen.counts.items()]
    return Text("  ").join(told) if told else Text("Headroom", "bold")


def freshness(address: str, seen: Seen) -> Text:
    """How new it is, what fires, and what is not seen."""
    if not seen.at:
        return Text(f"Asking {printable(address)} ...")
    more = "+" if seen.alerts.total > len(seen.alerts.items) else ""
    told = [
        printable(address),
        f"newest sample {ago(seen.newest)}" if seen.newest else "no sample yet",
        f"{seen.firing}{more} firing",
        f"{seen.blind}{more} blind",
    ]
    return Text(" · ").join(map(Text, told))


def problem(trouble: str, seen: Seen) -> Text:
    """What went wrong, and how old is what is still shown."""
    old = f"; this is {span(time.time() - seen.at)} old" if seen.at else ""
    return Text(printable(f"{trouble}{old}. Asking again ..."), WRONG)
