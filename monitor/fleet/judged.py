"""The judgement of series in given minutes, shared by exports, alerts, pushes, charts and the API."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monitor.fleet.columns import as_indices
from monitor.fleet.formulas import Slots, select_slots
from monitor.fleet.namespaces import NEVER
from monitor.fleet.operations import NAN, ROUNDING_ERROR
from monitor.fleet.series_columns import SeriesColumns
from monitor.fleet.throttling import Throttling, throttling_at
from rules.arrays import Flags, Floats, Ints
from rules.band import Zone, Zones, bounded_zones, zones


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The numbers of some series, each in its minute, and the zones that follow; NaN is unknown.

    bounded: the usage is only known to be between `usage` and `upper_bound`. unjudged: where `bounded`, the
    bounds are shown but not judged, so that throttled demand alone is judged; without meaning elsewhere.
    throttled: refused or delayed demand per second. excess: `throttled`, but 0 where it is tolerated.
    limit: the limit in force in that minute. low, high, near: the band. limit_doubted: the usage proves that
    the limit is outdated (see `monitor.fleet.limits`). observable: the series can be judged at present.
    """

    usage: Floats
    upper_bound: Floats
    throttled: Floats
    excess: Floats
    limit: Floats
    low: Floats
    high: Floats
    near: Floats
    bounded: Flags
    unjudged: Flags
    limit_doubted: Flags
    observable: Flags

    @cached_property
    def _ratio(self) -> Floats:
        """Usage divided by limit; NaN where the limit is doubted."""
        ratio = self.usage / self.limit
        ratio[self.limit_doubted] = NAN
        return ratio

    @property
    def utilization(self) -> Floats:
        """Usage divided by limit; NaN where the usage is only bounded, or the limit doubted."""
        utilization = self._ratio.copy()
        utilization[self.bounded] = NAN
        return utilization

    @property
    def utilization_lower_bound(self) -> Floats:
        """The utilization, or a lower bound of it; NaN where it must not be judged."""
        utilization = self._ratio.copy()
        utilization[self.throttled_alone] = NAN
        return utilization

    @property
    def utilization_upper_bound(self) -> Floats:
        """The utilization, or an upper bound of it; NaN where it must not be judged."""
        upper_bound = self.upper_bound / self.limit
        return np.where(self._has_judged_bounds, upper_bound, self.utilization_lower_bound)

    @property
    def throttled_alone(self) -> Flags:
        """True where the utilization must not be judged, so that only throttled demand can be."""
        return ~(self.observable | self._has_judged_bounds)

    @property
    def _has_judged_bounds(self) -> Flags:
        return self.bounded & ~self.unjudged

    @property
    def zone(self) -> Zones:
        """The zone by the utilization or, where the usage is only bounded, by its bounds."""
        return self.zone_of(self.excess > 0)

    def zone_of(self, saturated: Flags) -> Zones:
        """Return the zones. saturated: which series count as saturated."""
        band = self.low, self.high, self.near
        zone, bounded = zones(self._ratio, saturated, *band), np.flatnonzero(self.bounded)
        if bounded.size:
            highest = self.upper_bound[bounded] / self.limit[bounded]
            edges = [edge[bounded] for edge in band]
            zone[bounded] = bounded_zones(self._ratio[bounded], highest, saturated[bounded], edges)
        indices = np.flatnonzero(~self.observable | self.limit_doubted)
        has_valid_bounds = self.bounded[indices] & ~self.unjudged[indices] & ~self.limit_doubted[indices]
        has_valid_bounds &= zone[indices] != Zone.STALE
        is_judged = has_valid_bounds | saturated[indices]
        zone[indices[~is_judged]] = Zone.UNOBSERVABLE
        return zone

    def clear(self, usage: Flags, throttled: Flags) -> None:
        """Make numbers unknown: the usage where `usage` is true, throttled demand where `throttled` is."""
        for unknown, columns in (
            (np.flatnonzero(usage), (self.usage, self.upper_bound)),
            (np.flatnonzero(throttled), (self.throttled, self.excess)),
        ):
            for column in columns if unknown.size else ():
                column[unknown] = NAN
        self.limit_doubted[usage] = False


def judged_at(
    columns: SeriesColumns, slots: Slots, minutes: Ints, throttling: Throttling | None = None
) -> Judged:
    """Judge slots, each in its minute. Minutes before the creation of a resource have no numbers.

    throttling: the throttled demand to judge by; by default the throttled demand in the minute.
    """
    slots = as_indices(slots)
    usage, upper = (
        formulas.at(columns.rings, slots, minutes) for formulas in (columns.usages, columns.upper_bounds)
    )
    uncreated = np.flatnonzero(minutes < columns.created[slots])
    usage[uncreated] = upper[uncreated] = NAN
    throttled, excess = throttling or throttling_at(columns, slots, minutes)
    limit = columns.limits_at(slots, minutes)
    return Judged(
        usage=usage,
        upper_bound=upper,
        throttled=throttled,
        excess=excess,
        limit=limit,
        low=columns.low[slots],
        high=columns.high[slots],
        near=columns.near[slots],
        bounded=columns.bounded[slots],
        unjudged=columns.unjudged[slots],
        limit_doubted=_doubted(columns, slots, minutes, usage, limit),
        observable=columns.observable[slots],
    )


def _doubted(columns: SeriesColumns, slots: Slots, minutes: Ints, usage: Floats, limit: Floats) -> Flags:
    """Return which usages prove their limit outdated: they exceed it while nothing is throttled."""
    doubted = columns.hard_limit[slots] & ~columns.exceeded[slots]
    indices = np.flatnonzero(doubted).astype(np.int32)
    if not indices.size:
        return doubted
    exceeds = usage[indices] > limit[indices] + limit[indices] * ROUNDING_ERROR
    doubted[indices] = exceeds
    exceeding = indices[exceeds]
    throttled = columns.throttled.at(columns.rings, select_slots(slots, exceeding), minutes[exceeding])
    doubted[exceeding] = ~(throttled > 0)
    return doubted


def sample_minutes(columns: SeriesColumns, slots: Slots) -> Ints:
    """Return the newest minute in which the usage of each slot can be judged; NEVER if there is none.

    Without a formula of the usage, it is the newest minute of the throttled demand, which alone is judged.
    Both bounds of a usage are taken from one minute: the newest minute that has both, if the upper bound is
    published a little later than the usage.
    """
    used_at = columns.usages.newest_minutes(columns.rings, slots)
    _use_throttled_where_alone(columns, slots, used_at)
    if columns.upper_bounds:
        bounded_at = columns.upper_bounds.newest_minutes(columns.rings, slots)
        upper_bound_is_late = (bounded_at < used_at) & (bounded_at > used_at - columns.recent_span(slots))
        used_at[upper_bound_is_late] = bounded_at[upper_bound_is_late]
    return used_at


def _use_throttled_where_alone(columns: SeriesColumns, slots: Slots, used_at: Ints) -> None:
    """Set in `used_at` the newest minute of throttled demand, for slots without a formula of the usage."""
    indices = np.flatnonzero(used_at == NEVER).astype(np.int32)
    selected = select_slots(slots, indices)
    has_no_usage = ~columns.usages.has(selected)
    indices, selected = indices[has_no_usage], selected[has_no_usage]
    if indices.size:
        used_at[indices] = columns.throttled.newest_minutes(columns.rings, selected)
