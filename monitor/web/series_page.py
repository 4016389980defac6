"""The page of one series: its chart, its limit and where that comes from, and the remedy."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np

from monitor.fleet.fan import Fan
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.history import SeriesHistory
from monitor.fleet.limits import why_unobservable_now
from monitor.fleet.provisional import complete_through, is_provisional
from monitor.fleet.pruned import pruned_reason, safe_reason
from monitor.fleet.reach import Reach
from monitor.fleet.snapshot import Snapshot
from monitor.lib.durations import format_duration
from monitor.notifiers.notice import Notice
from monitor.render.chart import NARROW_WIDTH, WIDTH, Chart
from monitor.render.commands import increase_command
from monitor.render.text import SOURCE_TEXTS, format_rate
from monitor.render.tolerance import tolerance_text
from monitor.web.chart import chart_svg
from monitor.web.fan_chart import FanChart
from monitor.web.series_rows import SeriesTableRow, finite_or_none, series_row
from rules.analogs import BIN_MINUTES
from rules.band import Zone
from rules.forecast_features import HORIZON_WORDS, HORIZONS
from rules.signals import Signal


def series_page(
    snapshot: Snapshot, fleet: Fleet, series: Series, now: int, notices: Sequence[Notice]
) -> dict[str, Any]:
    """Return the variables of the template. Call it on the event loop, as polls write what it reads.

    now: the current minute, since the epoch. notices: of the alert of this series, the newest first.
    """
    alert_starts = {one.slot: one.since for one in snapshot.alerts}
    row, signal = series_row(snapshot, fleet, series, now, alert_starts), series.settings.signal
    limit, band, history = series.settings.limit, series.settings.band, SeriesHistory.of(fleet, series, now)
    reach = snapshot.reach.of(series.slot)
    minute, in_force = int(snapshot.minute[series.slot]), finite_or_none(snapshot.limit[series.slot])
    return {
        "row": row,
        "unobservable": why_unobservable_now(fleet, series),
        "bounded": bool(snapshot.bounded[series.slot]),
        "throttled_alone": row.reports_throttling and bool(history.throttled_alone[-1]),
        "signal": signal,
        "limit": limit,
        "source": SOURCE_TEXTS[limit.source] if limit else "",
        "requested": series.settings.request_sentence,
        "largest": series.settings.largest,
        "band": band,
        "deliberate": series.settings.deliberate,
        "band_amounts": [
            signal.unit.format(in_force * edge) if in_force else ""
            for edge in (band.low, band.high, band.near)
        ],
        "causes": causes_text(row, snapshot.causes.of(series.slot)),
        "not_read": pruned_reason(fleet, series),
        "safe_by": safe_reason(fleet, series),
        "headroom": headroom_text(row, snapshot, series, signal),
        **forecast_texts(reach, signal, now),
        "exhaustion": exhaustion_text(finite_or_none(snapshot.seconds_to_exhaustion[series.slot])),
        "charts": [chart_svg(Chart(history, band, signal.unit, width)) for width in (WIDTH, NARROW_WIDTH)],
        "sampled": minute * 60 if minute >= 0 else None,
        "sample_source": sample_source(fleet, series),
        "may_grow": may_grow(fleet, series, minute),
        "command": increase_command(signal, series, row.utilization, in_force, row.zone is Zone.SATURATED),
        "history": notices,
        "tolerance": tolerance_text(signal, series.settings.tolerance),
    }


def forecast_texts(reach: Reach, signal: Signal, now: int) -> dict[str, Any]:
    """Return the forecast, how long the remedy takes, and whether the limit may be reached sooner."""
    return {
        "forecast": reach.text(now),
        "reach": reach,
        "probabilities": probabilities_text(reach),
        "ceiling": signal.unit.format(reach.ceiling) if reach.ceiling else "",
        "remedy_takes": format_duration(60 * signal.remedy_minutes),
        "is_urgent": bool(reach.minutes) and reach.minutes[0] - now <= signal.remedy_minutes,
    }


def fan_drawings(fan: Fan, reach: Reach, series: Series, snapshot: Snapshot) -> dict[str, Any]:
    """Return the charts of a fan, and the hours that they look ahead."""
    limit, settings = finite_or_none(snapshot.limit[series.slot]), series.settings
    chart = FanChart(fan, reach, limit, settings.band, settings.signal.unit)
    charts = [chart.svg(width) for width in (WIDTH, NARROW_WIDTH)]
    return {"charts": charts, "hours": fan.past.size * BIN_MINUTES // 60}


def may_grow(fleet: Fleet, series: Series, minute: int) -> bool:
    """Return true if the sample of a minute may still grow, as CloudWatch has not published all of it."""
    slots, minutes = np.array([series.slot], np.int32), np.array([minute], np.int32)
    return bool(is_provisional(minutes, complete_through(fleet, slots))[0])


def causes_text(row: SeriesTableRow, causes: Mapping[str, float]) -> str:
    """Return the throttled demand by cause: `2.1 /s hot key range, other unknown`; empty without any."""
    if not row.throttled:
        return ""
    return ", ".join(
        f"{cause} unknown" if isnan(throttled) else f"{format_rate(throttled)} {cause}"
        for cause, throttled in causes.items()
    )


def headroom_text(row: SeriesTableRow, snapshot: Snapshot, series: Series, signal: Signal) -> str:
    """Return the limit less the usage; empty when one of them is unknown."""
    if row.utilization is None:
        return ""
    left = float(snapshot.limit[series.slot] - snapshot.usage[series.slot])
    return signal.unit.format(left) if left > 0 else "none"


def probabilities_text(reach: Reach) -> str:
    """Return the probability by horizon: `2 % within 1h, 15 % within 6h, ...`; empty where there is none."""
    words = [HORIZON_WORDS[horizon] for horizon in HORIZONS]
    pairs = zip(reach.probability, words, strict=False)
    return ", ".join(f"{100 * probability:.0f} % within {word}" for probability, word in pairs)


def exhaustion_text(seconds: float | None) -> str:
    """Return the time until a budget that drains is exhausted, in words; empty when there is none."""
    if seconds is None:
        return ""
    return f"exhausted in {format_duration(seconds)} at the present rate" if seconds else "exhausted"


def sample_source(fleet: Fleet, series: Series) -> str:
    """Return how the samples of a series are read, in words."""
    formula = fleet.usages.get(series.slot)
    if formula is None:
        return "not read"
    rings = fleet.rings
    if not any(rings.metric_rows[row] is fleet.metrics(series.key.cell) for row in formula.rows):
        return "read from the service's API at each inventory"
    streamed = rings.by_stream[list(formula.rows)]
    return "streamed" if streamed.all() else "streamed and polled" if streamed.any() else "polled"
