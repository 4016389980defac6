"""The columns of all series, and the formulas that compute usage, limits and throttled demand."""

from copy import copy
from typing import ClassVar, Self

import numpy as np

from monitor.fleet.columns import Columns, Digests, Ids, Objects
from monitor.fleet.formulas import Formulas, Slots, select_slots
from monitor.fleet.limit_history import PastLimits
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import RECENT_MINUTES
from monitor.fleet.rings import Rings
from monitor.fleet.throttling_causes import ThrottlingCauses
from rules.arrays import Flags, Floats, Int8s, Int16s, Ints
from rules.band import Zone
from rules.forecast import QUANTILES
from rules.forecast_features import HORIZONS

RISE_HORIZON_COUNT = 7  # the highest rise within each horizon is stored


class SeriesColumns(Columns):
    """Columns by series, the metrics of the series, and the formulas over these metrics.

    id: `Key.id` as a number. low, high, near: the edges of the band (see `rules.signals.Band`); NaN in an
    unused slot.
    read_limit: the limit that the last inventory read; NaN if there is none. limited_since: the minute when
    an inventory first read this limit. hard_limit, exceeded: see `monitor.fleet.limits`.
    stale_after: minutes after which a sample is stale; extra_stale_minutes: minutes, included in
    `stale_after`, while the metrics of the series are idle and are read more rarely. confirmed: the
    minute of the last inventory that contained the series. digest: the digest with which the series was
    registered (see `Fleet.registered`); 0: the next inventory registers the series again.
    period: the longest period of the series' metrics, in minutes.
    pending_for, keep_firing_for, paid: see `SeriesSettings`; a `keep_firing_for` of -1: each rule's default.
    purchase: the id of the purchase that the limit belongs to (see `monitor.fleet.purchases`); 0 if there is
    none.
    tolerated_rate, tolerated_share, throttled_pending_for: see `rules.signals.Tolerance`.
    throttled_incomplete: see `collectors.base.Observed`.
    observable: false for a series that is unobservable for a known reason (see `Series.unobservable`).
    drains: the usage is the spent part of a budget, such as burst credits.
    bounded: the usage is only a lower bound, and `upper_bound` is the upper bound. unjudged: if `bounded`,
    the bounds are shown, but not judged. returned: an API returned the usage; no metrics contain it.
    group: the index of the group in `Fleet.groups`.
    created: the minute when the resource was created, NEVER if unknown; samples before this minute belong to
    an earlier resource of the same name and are ignored.
    limit, usage, upper_bound, utilization, saturation, minute, zone, idle, limit_doubted,
    seconds_to_exhaustion: the last judgement, made of the sample of `minute`. limit_doubted: usage proves
    that the limit is outdated.
    rises, rises_from, rises_through: the highest rise of the usage within each horizon, and the first and
    last minute of the samples searched for rises (see `monitor.planning.rises`). near_upper_edge_at: the last
    minute in which the usage was near the upper edge of the band. cadence: the planned minutes between two
    reads. reach_probability, reach_minutes: the last forecast (see `monitor.forecast.forecaster`): the
    probability of reaching the limit within each of `HORIZONS`, NaN if unknown; and, by quantile, the minute
    in which the limit is reached, NEVER if unknown. forecast_limit: the limit that the forecast used.
    history_bins: the number of quarter-hours with a known usage; -1 before they were counted.
    throttled_from: the lowest utilization above 0 at which demand was throttled in the last fortnight; NaN if
    none was throttled. ceiling: the effective ceiling: `throttled_from` times the limit in force; NaN if no
    demand was throttled below the limit, or if another limit with a higher utilization explains it (see
    `monitor.fleet.shared_throttling`). by_slot: the `Series` in each slot; None in an unused slot.

    causes is not a column, as few series have causes of throttled demand.
    """

    declared: ClassVar = {
        "id": (np.uint64, 0),
        "read_limit": (np.float32, np.nan),
        "limited_since": (np.int32, NEVER),
        "hard_limit": (np.bool_, False),
        "exceeded": (np.bool_, False),
        "low": (np.float32, np.nan),
        "high": (np.float32, np.nan),
        "near": (np.float32, np.nan),
        "stale_after": (np.int16, 0),
        "extra_stale_minutes": (np.int16, 0),
        "period": (np.int16, 1),
        "pending_for": (np.int16, 0),
        "tolerated_rate": (np.float32, 0),
        "tolerated_share": (np.float32, 0),
        "throttled_pending_for": (np.int16, 0),
        "throttled_incomplete": (np.bool_, False),
        "keep_firing_for": (np.int16, -1),
        "paid": (np.bool_, False),
        "purchase": (np.uint64, 0),
        "confirmed": (np.int32, NEVER),
        "digest": (np.int64, 0),
        "created": (np.int32, NEVER),
        "observable": (np.bool_, False),
        "drains": (np.bool_, False),
        "bounded": (np.bool_, False),
        "unjudged": (np.bool_, False),
        "returned": (np.bool_, False),
        "group": (np.int32, -1),
        "limit": (np.float32, np.nan),
        "usage": (np.float32, np.nan),
        "upper_bound": (np.float32, np.nan),
        "utilization": (np.float32, np.nan),
        "saturation": (np.float32, np.nan),
        "minute": (np.int32, NEVER),
        "zone": (np.int8, Zone.STALE),
        "idle": (np.bool_, False),
        "limit_doubted": (np.bool_, False),
        "seconds_to_exhaustion": (np.float32, np.nan),
        "rises": (np.float32, 0.0, RISE_HORIZON_COUNT),
        "rises_from": (np.int32, NEVER),
        "rises_through": (np.int32, NEVER),
        "near_upper_edge_at": (np.int32, NEVER),
        "cadence": (np.int16, 1),
        "reach_probability": (np.float32, np.nan, len(HORIZONS)),
        "reach_minutes": (np.int32, NEVER, len(QUANTILES)),
        "forecast_limit": (np.float32, np.nan),
        "history_bins": (np.int16, -1),
        "throttled_from": (np.float32, np.nan),
        "ceiling": (np.float32, np.nan),
        "by_slot": (np.object_, None),
    }
    id: Ids
    read_limit: Floats
    limited_since: Ints
    hard_limit: Flags
    exceeded: Flags
    low: Floats
    high: Floats
    near: Floats
    stale_after: Int16s
    extra_stale_minutes: Int16s
    period: Int16s
    pending_for: Int16s  # minutes, as all durations here; the longest accepted duration is a day
    tolerated_rate: Floats
    tolerated_share: Floats
    throttled_pending_for: Int16s
    throttled_incomplete: Flags
    keep_firing_for: Int16s
    paid: Flags
    purchase: Ids
    confirmed: Ints
    digest: Digests
    created: Ints
    observable: Flags
    drains: Flags
    bounded: Flags
    unjudged: Flags
    returned: Flags
    group: Ints
    limit: Floats
    usage: Floats
    upper_bound: Floats
    utilization: Floats
    saturation: Floats
    minute: Ints
    zone: Int8s
    idle: Flags
    limit_doubted: Flags
    seconds_to_exhaustion: Floats
    rises: Floats
    rises_from: Ints
    rises_through: Ints
    near_upper_edge_at: Ints
    cadence: Int16s
    reach_probability: Floats
    reach_minutes: Ints
    forecast_limit: Floats
    history_bins: Int16s
    throttled_from: Floats
    ceiling: Floats
    by_slot: Objects

    def __init__(self) -> None:
        super().__init__()
        self.rings = Rings()
        self.usages, self.upper_bounds, self.published_limits = Formulas(), Formulas(), Formulas()
        self.throttled, self.served = Formulas(lower_bound_if_unknown=True), Formulas()
        self.causes = ThrottlingCauses()
        self.past_limits = PastLimits()

    def with_rings(self, rings: Rings) -> Self:
        """Return these columns with the points of other rings, whose rows are those of `self.rings`.

        They share the arrays of this object only until a series is added: growing replaces the arrays.
        """
        columns = copy(self)
        columns.rings = rings
        return columns

    def set_stale_later(self, minutes: Ints) -> None:
        """Set the minutes that are added to `stale_after`. minutes: one value for each of the first slots."""
        first_slots = slice(minutes.size)
        self.stale_after[first_slots] += (minutes - self.extra_stale_minutes[first_slots]).astype(np.int16)
        self.extra_stale_minutes[first_slots] = minutes

    def recent_span(self, slots: Slots) -> Ints:
        """Return by how many minutes one metric of a series may lag behind another and still count as recent.

        A metric with a long period gets one point in each period, after the end of the period.
        """
        return RECENT_MINUTES + 2 * (self.period[slots].astype(np.int32) - 1)

    def limits_at(self, slots: Slots, minutes: Ints) -> Floats:
        """Return the limit of each slot in its minute; NaN if there was no limit, or if it is unknown."""
        read = self.past_limits.at(slots, minutes, self.read_limit[slots])
        return self._published_at(slots, minutes, read)

    def _published_at(self, slots: Slots, minutes: Ints, read: Floats) -> Floats:
        """Return the limit published by CloudWatch for each slot in its minute, else the limit in `read`."""
        if not self.published_limits:
            return read
        published = self.published_limits.at(self.rings, slots, minutes)
        limits = np.where(published > 0, published, read)
        unknown = np.flatnonzero(np.isnan(published) & np.isnan(read)).astype(np.int32)
        if unknown.size:
            limits[unknown] = self._published_before(select_slots(slots, unknown), minutes[unknown])
        return limits

    def _published_before(self, slots: Slots, minutes: Ints) -> Floats:
        """Return the last limit that CloudWatch published for each slot before its minute; NaN if stale.

        CloudWatch may publish the usage of a minute before the limit of that minute. A limit seldom changes.
        """
        limits = np.full(minutes.size, np.float32(np.nan))
        searched_minutes = np.minimum(minutes - 1, self.published_limits.newest_minutes(self.rings, slots))
        oldest_minutes = minutes - self.stale_after[slots]
        unresolved = np.flatnonzero(searched_minutes >= oldest_minutes).astype(np.int32)
        while unresolved.size:
            searched_slots = select_slots(slots, unresolved)
            limits[unresolved] = self.published_limits.at(
                self.rings, searched_slots, searched_minutes[unresolved]
            )
            unresolved = unresolved[np.isnan(limits[unresolved])]
            searched_minutes[unresolved] -= 1
            unresolved = unresolved[searched_minutes[unresolved] >= oldest_minutes[unresolved]]
        return np.where(limits > 0, limits, np.float32(np.nan))
