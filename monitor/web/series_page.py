"""The page of one series: what happens and what to do first, its chart, its limit, and related series."""

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import Any, NamedTuple

import numpy as np

from monitor.fleet.fan import Fan
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.history import SeriesHistory
from monitor.fleet.key import Key
from monitor.fleet.limits import why_unobservable_now
from monitor.fleet.outlook import Outlook
from monitor.fleet.provisional import complete_through, is_provisional
from monitor.fleet.pruned import proof_of_safety, pruned_reason
from monitor.fleet.snapshot import Snapshot
from monitor.lib.durations import format_duration
from monitor.notifiers.notice import Notice
from monitor.render.text import OptionalNumber, format_rate
from monitor.render.tolerance import tolerance_text
from monitor.topology.path_status import PathStatus
from monitor.web.chart import UsageChart
from monitor.web.chart_data import ChartRange, long_data, minute_data, value_rows
from monitor.web.first_step import HigherLimit, Remedies, first_step, higher_limit, is_pressing
from monitor.web.limit_history import limit_changes, limit_readings, limit_spans
from monitor.web.limit_sources import source_rows
from monitor.web.series_rows import SeriesTableRow, finite_or_none, series_row
from monitor.web.throttled_spans import throttled_spans
from monitor.web.verdict import Situation, how_sure, what_happens
from rules.signals import Signal

MAX_SIBLINGS = 12  # other limits of the resource that are listed
OVERDUE_MINUTES = 10  # a sample is drawn as missing when it is this much later than usual
RISE_MINUTES = 60  # of each of the two periods whose mean usage `rising_text` compares


class SeriesState(NamedTuple):
    """A series as it is now. Build it on the event loop, because polls write the same data.

    now: the current minute, since the epoch. notices: the notices of the series' alert, the newest first.
    """

    snapshot: Snapshot
    series: Series
    row: SeriesTableRow
    history: SeriesHistory
    notices: Sequence[Notice]
    now: int

    @classmethod
    def of(
        cls, snapshot: Snapshot, fleet: Fleet, series: Series, now: int, notices: Sequence[Notice]
    ) -> "SeriesState":
        """Read the present state of a series."""
        alert_starts = {alert.slot: alert.since for alert in snapshot.alerts}
        row = series_row(snapshot, fleet, series, now, alert_starts)
        return cls(snapshot, series, row, SeriesHistory.of(fleet, series, now), notices, now)

    @property
    def usage(self) -> OptionalNumber:
        """The usage as last judged; None if it is unknown."""
        return finite_or_none(self.snapshot.usage[self.series.slot])

    @property
    def limit(self) -> OptionalNumber:
        """The limit in force; None if it is unknown."""
        return finite_or_none(self.snapshot.limit[self.series.slot])

    def plan(self, fan: Fan | None) -> HigherLimit | None:
        """Return the higher limit that suits present and forecast usage; None if a value is unknown."""
        return higher_limit(self.series, self.usage, self.limit, fan)

    def other_limit(self, plan: HigherLimit | None) -> float | None:
        """Return the planned limit, or the effective ceiling raised by the same factor if there is a ceiling.

        None if the plan has no number.
        """
        ceiling = self.snapshot.reach.of(self.series.slot).ceiling
        if not plan or plan.limit is None:
            return None
        return plan.limit * (ceiling / plan.present if ceiling else 1)


def series_page(fleet: Fleet, state: SeriesState) -> dict[str, Any]:
    """Return the template's variables that must be read on the event loop: polls write the same data."""
    series, row, snapshot = state.series, state.row, state.snapshot
    settings, slot, signal = series.settings, series.slot, series.settings.signal
    minute = int(snapshot.minute[slot])
    return {
        "row": row,
        "unobservable": why_unobservable_now(fleet, series),
        "bounded": bool(snapshot.bounded[slot]),
        "throttled_alone": row.reports_throttling and bool(state.history.throttled_alone[-1]),
        "signal": signal,
        "limit": settings.limit,
        "sources": source_rows(series),
        "largest": settings.largest_resource,
        "band": settings.band,
        "deliberate": settings.deliberate,
        "band_amounts": [
            signal.unit.format(state.limit * edge) if state.limit else ""
            for edge in (settings.band.low, settings.band.high, settings.band.near)
        ],
        "causes": causes_text(row, snapshot.causes.of(slot)),
        "not_read": pruned_reason(fleet, series),
        "proven_safe_by": proof_of_safety(fleet, series),
        "headroom": headroom_text(row, snapshot, series, signal),
        "rising": rising_text(state),
        "exhaustion": exhaustion_text(finite_or_none(snapshot.seconds_to_exhaustion[slot])),
        "sampled": minute * 60 if minute >= 0 else None,
        "sample_source": sample_source(fleet, series),
        "may_grow": may_grow(fleet, series, minute),
        "history": state.notices,
        "tolerance": tolerance_text(signal, settings.tolerance),
    }


def verdict(
    state: SeriesState, page: Mapping[str, Any], outlook: Outlook | None, remedies: Remedies
) -> dict[str, Any]:
    """Return what happens, how sure that is, and what to do first. page: the result of `series_page`."""
    reach = state.snapshot.reach.of(state.series.slot)
    situation = Situation(
        signal=state.series.settings.signal,
        zone=state.row.zone,
        limit=None if state.limit is None else state.row.limit,
        utilization=state.row.utilization,
        throttled=state.row.throttled,
        since=state.row.since,
        sampled_at=page["sampled"],
        unobservable=page["unobservable"],
        reach=reach,
        track=outlook.track if outlook else None,
        deliberate=state.series.settings.deliberate,
        now=state.now,
    )
    return {
        "happens": what_happens(situation),
        "sureness": how_sure(situation),
        "first": first_step(situation, remedies),
        "is_pressing": is_pressing(situation),
        "reach": reach,
        "ceiling": state.series.settings.signal.unit.format(reach.ceiling) if reach.ceiling else "",
    }


def chart_of(state: SeriesState, chosen: ChartRange, fan: Fan | None) -> dict[str, Any]:
    """Return the chart of a range, the table of its values, and the known changes of the limit."""
    history, series = state.history, state.series
    readings = limit_readings(history, state.notices)
    end = state.now + chosen.ahead
    spans = limit_spans(readings, state.now - chosen.past, state.now, end)
    if chosen.step == 1:
        data = minute_data(history, fan, spans)
    else:
        throttled = throttled_spans(series, state.notices, state.now)
        data = long_data(chosen, history, fan, spans, throttled)
    reach, settings = state.snapshot.reach.of(series.slot), series.settings
    patience = settings.delay + OVERDUE_MINUTES
    return {
        "chart": UsageChart(data, settings.signal, settings.band, reach, patience),
        "chart_data": data,
        "values": value_rows(data),
        "limit_changes": limit_changes(readings),
        "is_from_notices": chosen.step > 1,
    }


def siblings(fleet: Fleet, series: Series, names: Iterable[str]) -> list[Series]:
    """Return the other series of the same resource, and the series whose limits belong to the same purchase.

    names: the names of all signals of the service.
    """
    key = series.key
    of_resource = (fleet.series.get(Key(*key[:3], name, key.subject)) for name in names if name != key.signal)
    by_slot = {sibling.slot: sibling for sibling in of_resource if sibling}
    if series.settings.paid:
        bought = fleet.purchase[: fleet.size] == fleet.purchase[series.slot]
        sharing = fleet.by_slot[np.flatnonzero(bought & fleet.paid[: fleet.size])].tolist()
        by_slot |= {sibling.slot: sibling for sibling in sharing if sibling and sibling.slot != series.slot}
    return list(by_slot.values())[:MAX_SIBLINGS]


def paths_through(key: Key, paths: Iterable[PathStatus]) -> list[PathStatus]:
    """Return the request paths that use the limit of the series with this key."""
    return [
        path for path in paths if any(limit.series.key == key for hop in path.hops for limit in hop.limits)
    ]


def may_grow(fleet: Fleet, series: Series, minute: int) -> bool:
    """Return true if the sample of a minute may still grow: CloudWatch has not published all of it yet."""
    slots, minutes = np.array([series.slot], np.int32), np.array([minute], np.int32)
    return bool(is_provisional(minutes, complete_through(fleet, slots))[0])


def causes_text(row: SeriesTableRow, causes: Mapping[str, float]) -> str:
    """Return the throttled demand by cause: `2.1 /s hot key range, other unknown`; empty without demand."""
    if not row.throttled:
        return ""
    return ", ".join(
        f"{cause} unknown" if isnan(throttled) else f"{format_rate(throttled)} {cause}"
        for cause, throttled in causes.items()
    )


def headroom_text(row: SeriesTableRow, snapshot: Snapshot, series: Series, signal: Signal) -> str:
    """Return the limit less the usage; `none` if nothing is left, and empty when either is unknown."""
    if row.utilization is None:
        return ""
    left = float(snapshot.limit[series.slot] - snapshot.usage[series.slot])
    return signal.unit.format(left) if left > 0 else "none"


def rising_text(state: SeriesState) -> str:
    """Return how much higher the mean of the last hour is than that of the hour before: `60 requests/s`.

    Empty if usage did not rise, or if it is unknown.
    """
    usage = state.history.usage
    before, after = usage[-2 * RISE_MINUTES : -RISE_MINUTES], usage[-RISE_MINUTES:]
    if not np.isfinite(before).any() or not np.isfinite(after).any():
        return ""
    rise = float(np.nanmean(after) - np.nanmean(before))
    return f"{state.series.settings.signal.unit.format(rise)}" if rise > 0 else ""


def exhaustion_text(seconds: float | None) -> str:
    """Return the time until a budget that drains is exhausted, in words; empty for None."""
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
    is_streamed = rings.by_stream[list(formula.rows)]
    if is_streamed.all():
        return "streamed"
    return "streamed and polled" if is_streamed.any() else "polled"
