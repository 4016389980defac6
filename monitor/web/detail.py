"""One series: its chart, why the limit is what it is, and what to do."""

import shlex
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from monitor.alerting.notice import Notice
from monitor.fleet import Fleet, Series
from monitor.rows import signal_of
from monitor.snapshot import Snapshot
from monitor.units import amount
from monitor.web.chart import Chart, Steps, chart
from monitor.web.course import Course
from monitor.web.overview import Line, line
from rules.limits import Limit, Signal, Source

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
        "chart": chart(Chart(course, steps(limit, history, course), band, signal.unit)),
        "sampled": minute * 60 if minute >= 0 else None,
        "came_by": came_by(fleet, series),
        "command": raise_quota(signal, series, shown.utilization),
        "history": history,
    }


def headroom(shown: Line, snapshot: Snapshot, series: Series, signal: Signal) -> str:
    """Limit less usage; empty when one is not known."""
    if shown.utilization is None:
        return ""
    left = float(snapshot.limit[series.place] - snapshot.usage[series.place])
    return amount(left, signal.unit) if left > 0 else "nothing"


def steps(limit: Limit | None, history: Sequence[Notice], course: Course) -> Steps:
    """The limit since when, as far as the notices of its alert tell of an earlier one."""
    told = [(int(one.at // 60), one.limit) for one in reversed(history) if one.limit]
    now = limit.value if limit else None
    if now is None:
        return []
    known = [*told, (course.end, now)]
    changes: list[tuple[int, float]] = []
    for (minute, value), before in zip(known, [None, *(value for _, value in known)], strict=False):
        if value != before:
            changes.append((minute if before else course.start, value))
    return changes


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


def raise_quota(signal: Signal, series: Series, utilization: float | None) -> str | None:
    """The command that asks AWS for a quota with which today's usage is in the middle of the band."""
    limit, band = series.ruling.limit, series.ruling.band
    if not signal.quota or not limit or not utilization or utilization <= band.high:
        return None
    wanted = ceil(limit.value * utilization / ((band.low + band.high) / 2))
    words = (
        "aws service-quotas request-service-quota-increase",
        f"--service-code {signal.quota.service} --quota-code {signal.quota.code}",
        f"--desired-value {wanted} --region {shlex.quote(series.key.region)}",
    )
    return " ".join(words)
