"""One series: its chart, why the limit is what it is, and what to do."""

from collections.abc import Mapping, Sequence
from typing import Any

from monitor.alerting.notice import Notice
from monitor.commands import make_room
from monitor.course import Course
from monitor.fleet import Fleet, Series
from monitor.rows import signal_of
from monitor.snapshot import Snapshot
from monitor.units import amount
from monitor.web.chart import NARROW, WIDTH, Chart, chart
from monitor.web.overview import Line, line
from rules.limits import Signal, Source

SOURCES: Mapping[Source, str] = {
    Source.OVERRIDE: "set in Headroom's configuration",
    Source.API: "read from the resource's or the account's own API",
    Source.APPLIED: "the value that Service Quotas applies to this account",
    Source.DEFAULT: "Service Quotas' default for new accounts",
    Source.DOCUMENTED: "what AWS documents; nothing closer could be read",
}


def detail(
    snapshot: Snapshot, fleet: Fleet, series: Series, now: int, history: Sequence[Notice]
) -> dict[str, Any]:
    """What the page shows. history: the notices of its alert, the newest first. For the event loop."""
    alerts = {one.place: one.since for one in snapshot.alerts}
    shown, signal = line(snapshot, fleet, series, now, alerts), signal_of(series.key)
    limit, band, course = series.ruling.limit, series.ruling.band, Course.of(fleet, series, now)
    minute = int(snapshot.minute[series.place])
    return {
        "line": shown,
        "signal": signal,
        "limit": limit,
        "source": SOURCES[limit.source] if limit else "",
        "band": band,
        "edges": [
            amount(limit.value * edge, signal.unit) if limit else ""
            for edge in (band.low, band.high, band.critical)
        ],
        "headroom": headroom(shown, snapshot, series, signal),
        "charts": [chart(Chart(course, band, signal.unit, width)) for width in (WIDTH, NARROW)],
        "sampled": minute * 60 if minute >= 0 else None,
        "came_by": came_by(fleet, series),
        "command": make_room(signal, series, shown.utilization),
        "history": history,
    }


def headroom(shown: Line, snapshot: Snapshot, series: Series, signal: Signal) -> str:
    """Limit less usage; empty when one is not known."""
    if shown.utilization is None:
        return ""
    left = float(snapshot.limit[series.place] - snapshot.usage[series.place])
    return amount(left, signal.unit) if left > 0 else "nothing"


def came_by(fleet: Fleet, series: Series) -> str:
    """How its newest samples came here."""
    formula = fleet.usages.get(series.place)
    if formula is None:
        return "nothing reads it"
    rings = fleet.rings
    if not any(rings.pool[row] is fleet.metrics(series.key.cell) for row in formula.rows):
        return "told by AWS's API at each inventory"
    streamed = rings.by_stream[list(formula.rows)]
    return "by stream" if streamed.all() else "by stream and by poll" if streamed.any() else "by poll"
