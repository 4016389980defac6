"""The overview: how many series are throttled, near their limit or without data, and the most urgent ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from collectors.registry import Registry
from monitor.aws.status import MonitorStatus
from monitor.fleet.columns import Flags
from monitor.fleet.filters import Filters
from monitor.fleet.key import ServiceKey
from monitor.fleet.query import matches
from monitor.fleet.snapshot import Snapshot
from monitor.fleet.urgency import most_urgent, soonest
from monitor.lib.percent import format_percent
from monitor.render.text import shorten
from monitor.web.heatmap import Heatmap, build_heatmap, never_read_services
from monitor.web.series_rows import finite_or_none
from rules.band import Zone
from rules.units import THROTTLED

ROWS_PER_PAGE = 25
MAX_HEADLINE_LENGTH = 48  # characters of a resource's name
MAX_UPCOMING = 8  # series that will reach their limits
CARD_ZONES = (Zone.SATURATED, Zone.NEAR)  # each has a card of its own at the top


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The content of the overview, without its rows.

    fleet_counts: series in each zone, whatever the filters. headlines: the most urgent series of each of
    CARD_ZONES that has any. zone_counts: series in each zone that pass all filters but the one by zone.
    slots: of the series on this page. total: series that pass all filters. hidden_counts: series of
    CARD_ZONES that the filters hide. filter_options: value and title of each option of each filter.
    upcoming: the series that will probably reach their limits, the soonest first.
    """

    fleet_counts: Mapping[Zone, int]
    headlines: Mapping[Zone, Mapping[str, str]]
    zone_counts: Mapping[Zone, int]
    slots: list[int]
    total: int
    hidden_counts: Mapping[Zone, int]
    heatmap: Heatmap
    filter_options: Mapping[str, list[tuple[str, str]]]
    upcoming: Sequence[Mapping[str, str]]

    @property
    def page_count(self) -> int:
        """The number of pages that the selected series fill, at least one."""
        return max(ceil(self.total / ROWS_PER_PAGE), 1)

    @property
    def judged_total(self) -> int:
        """The number of series that were judged by a recent sample, whatever the filters."""
        return sum(number for zone, number in self.fleet_counts.items() if zone > Zone.STALE)


def build_overview(
    snapshot: Snapshot, filters: Filters, status: MonitorStatus, registry: Registry
) -> Overview:
    """Return the content of the overview. May take long: not for the event loop."""
    present = snapshot.group >= 0
    in_any_zone = matches(snapshot, filters.query)
    selected = in_any_zone.copy()
    if filters.zone:
        selected[:] = matches(snapshot, filters.query.model_copy(update={"zone": list(filters.zone)}))
    fleet_counts, counts = count_zones(snapshot, present), count_zones(snapshot, selected)
    headlines = {
        zone: headline(snapshot, most_urgent(snapshot, present & (snapshot.zone == zone), 1)[0])
        for zone in CARD_ZONES
        if fleet_counts[zone]
    }
    slots = most_urgent(snapshot, selected, filters.page * ROWS_PER_PAGE)
    hidden_counts = {zone: fleet_counts[zone] - counts[zone] for zone in CARD_ZONES}
    return Overview(
        fleet_counts=fleet_counts,
        headlines=headlines,
        zone_counts=count_zones(snapshot, in_any_zone),
        slots=slots[(filters.page - 1) * ROWS_PER_PAGE :],
        total=sum(counts.values()),
        hidden_counts={zone: number for zone, number in hidden_counts.items() if number},
        heatmap=build_heatmap(snapshot, selected, _never_read(status, filters)),
        filter_options=filter_options(snapshot, registry),
        upcoming=[upcoming(snapshot, slot) for slot in soonest(snapshot, selected, MAX_UPCOMING)],
    )


def count_zones(snapshot: Snapshot, selected: Flags) -> Mapping[Zone, int]:
    """Return how many of the selected series are in each zone."""
    lowest = min(Zone)
    found = np.bincount(snapshot.zone[selected].astype(np.int64) - lowest, minlength=len(Zone))
    return {zone: int(found[zone - lowest]) for zone in Zone}


def _never_read(status: MonitorStatus, filters: Filters) -> Iterator[ServiceKey]:
    """Yield the services that were never read; filters of zones, signals and resources exclude them all."""
    if filters.zone or filters.resource or filters.signal:
        return
    wanted = filters.account, filters.region, filters.service
    for one in never_read_services(status.cells):
        if all(want in ("", have) for want, have in zip(wanted, one, strict=True)):
            yield one


def headline(snapshot: Snapshot, slot: int) -> dict[str, str]:
    """Return the id, name and signal of a series, and its throttling or else its utilization as text."""
    series = snapshot.series[slot]
    throttled = finite_or_none(snapshot.saturation[slot])
    used = f"{format_percent(finite_or_none(snapshot.utilization[slot]))} of the limit"
    amount = "throttled" if series.settings.signal.saturation_is_state else THROTTLED.format(throttled or 0.0)
    text = amount if throttled else used
    return {
        "id": series.key.id,
        "name": shorten(series.key.shown, MAX_HEADLINE_LENGTH),
        "signal": series.settings.signal.title,
        "text": text,
    }


def upcoming(snapshot: Snapshot, slot: int) -> dict[str, str]:
    """Return the id, name and signal of a series, and when it reaches its limit."""
    series, now = snapshot.series[slot], int(snapshot.minute.max(initial=0))
    return {
        "id": series.key.id,
        "name": shorten(series.key.shown, MAX_HEADLINE_LENGTH),
        "signal": series.settings.signal.title,
        "text": snapshot.reach.of(slot).text(now),
    }


def filter_options(snapshot: Snapshot, registry: Registry) -> dict[str, list[tuple[str, str]]]:
    """Return the options of each filter: values and their titles."""
    accounts = {group[0] for group in snapshot.groups}
    services = sorted({group[2] for group in snapshot.groups})
    return {
        "service": [(one, registry.title(one)) for one in services],
        "signal": sorted({(group[3], group[3]) for group in snapshot.groups}),
        "account": sorted(
            ((one, snapshot.account_names.get(one, one)) for one in accounts), key=lambda one: one[1]
        ),
        "region": sorted({(group[1], group[1]) for group in snapshot.groups}),
    }
