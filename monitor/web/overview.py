"""The overview: throttled series, series that reach their limits next, unseen series; and a list of series.

The first three are answers about all series; the query narrows only the list.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

import numpy as np

from monitor.aws.status import MonitorStatus
from monitor.fleet.fleet import Series
from monitor.fleet.key import ServiceKey
from monitor.fleet.search import KIND, TIME_TO_LIMIT, ZONE, Search
from monitor.fleet.search_match import (
    SearchIndex,
    group_kinds,
    is_at_limit,
    reached_within,
    search_flags,
)
from monitor.fleet.series_order import ordered_window
from monitor.fleet.snapshot import Snapshot
from monitor.fleet.urgency import soonest_to_limit
from monitor.render.forecast_words import ForecastWords, forecast_words
from monitor.render.list_drawings import time_to_limit
from monitor.web.heatmap import Heatmap, build_heatmap, never_read_services
from monitor.web.list_view import WINDOW_ROWS, ListView
from monitor.web.series_rows import finite_or_none
from rules.arrays import Flags
from rules.band import Zone
from rules.problem_text import most_similar
from rules.units import THROTTLED

MAX_LINES: Final = 4  # series in each answer, and rows of the map
MAX_SERVICES: Final = 10  # columns of the map
MAX_UPCOMING: Final = 12  # series in "The next 3 days", beside the list
MAX_FACETS: Final = 12  # values of one field
FACET_FIELDS: Final = ("service", "account", "region")
TIMES: Final = {"<1h": 60, "<24h": 24 * 60, "<3d": 3 * 24 * 60}  # minutes, by value of TIME_TO_LIMIT
# The zones for which the page shows how many series a query leaves out.
HIDEABLE_ZONES: Final = (Zone.SATURATED, Zone.NEAR)


@dataclass(frozen=True, slots=True)
class Line:
    """One series in an answer. text: throttled demand. forecast, time_to_limit: when it reaches its limit."""

    series: Series
    text: str = ""
    forecast: ForecastWords | None = None
    time_to_limit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers about all series. fleet_counts: the number of series in each zone.

    throttled: the series with most throttled demand.
    throttled_total: the number of saturated series.
    reporting_throttling, not_reporting_throttling: the numbers of judged series for which AWS reports
        throttled demand, and does not.
    upcoming: the series that reach their limits next.
    within_a_day: the number of series that reach their limits within a day.
    forecast_total: the number of series with a forecast.
    """

    fleet_counts: Mapping[Zone, int]
    throttled: Sequence[Line]
    throttled_total: int
    reporting_throttling: int
    not_reporting_throttling: int
    upcoming: Sequence[Line]
    within_a_day: int
    forecast_total: int

    @property
    def watched_count(self) -> int:
        """The number of all series."""
        return sum(self.fleet_counts.values())

    @property
    def judged_count(self) -> int:
        """The number of series that were judged by a recent sample."""
        return sum(number for zone, number in self.fleet_counts.items() if zone > Zone.STALE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesListing:
    """A window of the series that the query selects.

    slots: the slots in the window.
    total: the number of series that the query selects.
    zone_counts: by zone, the number of series that the query without its zone terms selects.
    hidden: by zone of HIDEABLE_ZONES, the number of series that the query leaves out.
    facets: by field, its values, each with the number of series in the whole fleet that have it.
    first_rows: by zone, the row of its first series; empty unless the list is ordered by zone.
    corrections: similar queries with values that exist.
    """

    slots: Sequence[int]
    total: int
    zone_counts: Mapping[Zone, int]
    hidden: Mapping[Zone, int]
    facets: Mapping[str, Sequence[tuple[str, int]]]
    first_rows: Mapping[Zone, int]
    corrections: Sequence[Search]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewContent:
    """The content of the overview without its rows. heatmap: the worst part of `whole_heatmap`."""

    answers: Answers
    listing: SeriesListing
    heatmap: Heatmap
    whole_heatmap: Heatmap


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSummary:
    """The part of the overview that does not depend on the query.

    minute: the minute for which it was made. unread: the services that were never read. facets: see
    `SeriesListing`.
    """

    snapshot: Snapshot
    minute: int
    unread: Sequence[ServiceKey]
    answers: Answers
    facets: Mapping[str, Sequence[tuple[str, int]]]
    whole_heatmap: Heatmap


class OverviewSource:
    """Makes the content of the overview. The summary is made once for each judgement and minute."""

    def __init__(self, index: SearchIndex) -> None:
        self._index, self._lock = index, Lock()
        self._summary: FleetSummary | None = None

    def content(self, snapshot: Snapshot, view: ListView, status: MonitorStatus, now: int) -> OverviewContent:
        """Return the content of the overview. now: the minute. Call it outside the event loop: it is slow."""
        unread = never_read_services(status.cells)
        with self._lock:
            summary = self._summary
            if summary is None or not is_current(summary, snapshot, unread, now):
                summary = self._summary = summarize(snapshot, unread, now)
        return OverviewContent(
            answers=summary.answers,
            listing=build_listing(summary, view, self._index),
            heatmap=summary.whole_heatmap.narrow(MAX_LINES, MAX_SERVICES),
            whole_heatmap=summary.whole_heatmap,
        )


def is_current(summary: FleetSummary, snapshot: Snapshot, unread: Sequence[ServiceKey], now: int) -> bool:
    """Return whether a summary was made of these arguments, so that it can be used again."""
    return summary.snapshot is snapshot and (summary.unread, summary.minute) == (unread, now)


def summarize(snapshot: Snapshot, unread: Sequence[ServiceKey], now: int) -> FleetSummary:
    """Return the summary of a fleet. now: the minute. Call it outside the event loop: it may be slow."""
    present = snapshot.group >= 0
    return FleetSummary(
        snapshot=snapshot,
        minute=now,
        unread=unread,
        answers=build_answers(snapshot, now),
        facets=facets(snapshot, present),
        whole_heatmap=build_heatmap(snapshot, present, unread),
    )


def whole_heatmap(snapshot: Snapshot, status: MonitorStatus) -> Heatmap:
    """Return the heatmap of all series and of the services that were never read."""
    return build_heatmap(snapshot, snapshot.group >= 0, never_read_services(status.cells))


def build_answers(snapshot: Snapshot, now: int) -> Answers:
    """Return the answers. now: the minute. Call it outside the event loop: it may be slow."""
    present = snapshot.group >= 0
    throttled = np.nan_to_num(snapshot.saturation, nan=0.0) * (snapshot.zone == Zone.SATURATED)
    saturated = np.flatnonzero(present & (snapshot.zone == Zone.SATURATED))
    most_throttled = saturated[np.lexsort((saturated, -throttled[saturated]))][:MAX_LINES]
    is_reported = np.isfinite(snapshot.saturation)
    is_judged = present & (snapshot.zone > Zone.STALE)
    return Answers(
        fleet_counts=count_zones(snapshot, present),
        throttled=[throttled_line(snapshot, slot) for slot in most_throttled.tolist()],
        throttled_total=saturated.size,
        reporting_throttling=int(np.count_nonzero(is_judged & is_reported)),
        not_reporting_throttling=int(np.count_nonzero(is_judged & ~is_reported)),
        upcoming=[
            upcoming_line(snapshot, slot, now) for slot in soonest_to_limit(snapshot, present, MAX_UPCOMING)
        ],
        within_a_day=int(np.count_nonzero(reached_within(snapshot, TIMES["<24h"]) & ~is_at_limit(snapshot))),
        forecast_total=int(np.count_nonzero(np.isfinite(snapshot.reach.probability[:, 0]) & present)),
    )


def throttled_line(snapshot: Snapshot, slot: int) -> Line:
    """Return a series with its throttled demand."""
    series = snapshot.series[slot]
    amount = finite_or_none(snapshot.saturation[slot]) or 0.0
    is_state = series.settings.signal.saturation_is_state
    return Line(series, "throttled" if is_state or not amount else THROTTLED.format(amount))


def upcoming_line(snapshot: Snapshot, slot: int, now: int) -> Line:
    """Return a series with the time to its limit."""
    reach = snapshot.reach.of(slot)
    return Line(snapshot.series[slot], "", forecast_words(reach, now), time_to_limit(reach, now))


def build_listing(summary: FleetSummary, view: ListView, index: SearchIndex) -> SeriesListing:
    """Return the window of a view. Call it outside the event loop: it may be slow."""
    snapshot, search = summary.snapshot, view.search
    in_any_zone = search_flags(snapshot, search.without_field(ZONE), index)
    zone_terms = tuple(term for term in search.terms if term.field == ZONE)
    selected = in_any_zone
    if zone_terms:
        selected = in_any_zone & search_flags(snapshot, Search(zone_terms), index)
    if view.problem:
        selected = in_any_zone = np.zeros_like(selected)
    all_counts, counts = summary.answers.fleet_counts, count_zones(snapshot, selected)
    total = int(np.count_nonzero(selected))
    return SeriesListing(
        slots=ordered_window(snapshot, selected, view.sort, view.row - 1, WINDOW_ROWS),
        total=total,
        zone_counts=count_zones(snapshot, in_any_zone) if zone_terms else counts,
        hidden={zone: n for zone in HIDEABLE_ZONES if (n := all_counts[zone] - counts[zone])},
        facets=summary.facets,
        first_rows=first_rows(counts) if view.sort == "zone" else {},
        corrections=[] if total else corrections(snapshot, search),
    )


def first_rows(counts: Mapping[Zone, int]) -> dict[Zone, int]:
    """Return the row of the first series of each zone in a list with the worst zone first."""
    rows, row = {}, 1
    for zone in sorted(counts, reverse=True):
        if counts[zone]:
            rows[zone] = row
        row += counts[zone]
    return rows


def count_zones(snapshot: Snapshot, selected: Flags) -> Mapping[Zone, int]:
    """Return the number of the selected series in each zone."""
    lowest = min(Zone)
    counts = np.bincount(snapshot.zone[selected].astype(np.int64) - lowest, minlength=len(Zone))
    return {zone: int(counts[zone - lowest]) for zone in Zone}


def facets(snapshot: Snapshot, present: Flags) -> dict[str, list[tuple[str, int]]]:
    """Return the values of the fields of a query with their numbers of series, the most frequent first."""
    group_sizes = np.bincount(snapshot.group[present], minlength=len(snapshot.groups)).tolist()
    counts_by_field = {field: Counter[str]() for field in (*FACET_FIELDS, KIND)}
    kinds = group_kinds(snapshot).tolist()
    for (account, region, service, _), kind, size in zip(snapshot.groups, kinds, group_sizes, strict=True):
        if size:
            values = service, snapshot.account_names.get(account, account), region, kind
            for counts, value in zip(counts_by_field.values(), values, strict=True):
                counts[value] += size
    ordered = {
        field: sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:MAX_FACETS]
        for field, counts in counts_by_field.items()
    }
    times = [
        (text, int(np.count_nonzero(reached_within(snapshot, minutes)))) for text, minutes in TIMES.items()
    ]
    return {**ordered, TIME_TO_LIMIT: times}


def corrections(snapshot: Snapshot, search: Search) -> list[Search]:
    """Return, for each field value that no series has, the query with the most similar existing value."""
    names = snapshot.account_names
    existing_values = {
        "service": {group[2] for group in snapshot.groups},
        "region": {group[1] for group in snapshot.groups},
        "signal": {group[3] for group in snapshot.groups},
        "account": {name for group in snapshot.groups for name in (group[0], names.get(group[0], group[0]))},
    }
    corrected = []
    for term in search.terms:
        values = existing_values.get(term.field, set())
        if term.value not in values and (similar := most_similar(term.value, values)):
            corrected.append(search.only(**{term.field: similar}))
    return corrected
