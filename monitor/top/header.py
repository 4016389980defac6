"""The lines above each screen: the number of series in each zone, and the status or the error of polling."""

import time
from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual.widgets import Static

from monitor.lib.durations import format_duration
from monitor.lib.text import escape_unprintable
from monitor.render.styles import STYLES
from monitor.top.bars import ERROR_STYLE
from monitor.top.snapshot import TopSnapshot
from monitor.top.text import time_and_age

if TYPE_CHECKING:
    from monitor.top.app import Top


class StatusHeader(Static):
    """Shows the latest snapshot; the ages in it are updated every second."""

    def on_mount(self) -> None:
        for name in ("snapshot", "error"):
            self.watch(self.app, name, self.refresh_text)
        self.set_interval(1.0, self.refresh_text)

    def refresh_text(self) -> None:
        """Show the current state of the application."""
        top = cast("Top", self.app)
        if top.error:
            status = error_line(top.error, top.snapshot)
        else:
            status = status_line(top.client.address, top.snapshot)
        self.update(Text("\n").join([zone_counts(top.snapshot), status]))


def zone_counts(snapshot: TopSnapshot) -> Text:
    """Return the number of series in each zone, the worst zone first."""
    counts = snapshot.counts.items()
    texts = [Text.assemble((zone.word, STYLES[zone]), f" {count:,}") for zone, count in counts]
    return Text("  ").join(texts) if texts else Text("Headroom", "bold")


def status_line(address: str, snapshot: TopSnapshot) -> Text:
    """Return the address, the age of the newest sample, and the numbers of firing alerts and blind spots."""
    if not snapshot.fetched_at:
        return Text(f"Connecting to {escape_unprintable(address)} ...")
    more = "+" if snapshot.alerts.total > len(snapshot.alerts.items) else ""
    newest = snapshot.newest_sample_at
    parts = [
        escape_unprintable(address),
        f"newest sample {time_and_age(newest)}" if newest else "no sample yet",
        f"{snapshot.firing_count}{more} firing",
        f"{snapshot.blind_spot_count}{more} blind",
    ]
    return Text(" · ").join(map(Text, parts))


def error_line(error: str, snapshot: TopSnapshot) -> Text:
    """Return the error, and the age of the data that is still shown."""
    age = f"; data is {format_duration(time.time() - snapshot.fetched_at)} old" if snapshot.fetched_at else ""
    return Text(escape_unprintable(f"{error}{age}. Retrying ..."), ERROR_STYLE)
