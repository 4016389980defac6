"""The series of a fleet as rows of a table, the most urgent first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isnan

import numpy as np

from collectors.base import Bought, Unobservable
from collectors.quota_requests import QuotaRequest
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.key import Key
from monitor.fleet.limits import why_unobservable_now
from monitor.fleet.namespaces import NEVER
from monitor.fleet.reach import NO_REACH_KNOWN, Reach
from monitor.fleet.urgency import urgency_key
from rules.band import Zone
from rules.limits import LimitSource
from rules.signals import Band, Signal
from rules.sizes import Size
from rules.units import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One series after the last judgement; None is unknown.

    usage, upper_bound, limit: in `unit`. throttled: throttled demand per second. throttled_by_cause: the
    known parts of `throttled`, the largest first; empty where AWS does not count by cause. sample_time: the
    start of the newest sample's minute, in epoch seconds. band: the target band of utilization. bounded: true
    if `usage` is only a lower bound; `upper_bound` is then the upper bound, if known. idle: true if the
    purchase of the limit is idle (see `monitor.fleet.idleness`). home_region, quota_request,
    largest_resource: see `SeriesSettings`. size: the size in which the limit is bought.
    bought: the terms of the purchase. reach: the forecast of when the limit is reached.
    """

    key: Key
    signal: Signal
    zone: Zone
    usage: float | None
    upper_bound: float | None
    limit: float | None
    source: LimitSource | None
    utilization: float | None
    throttled: float | None
    sample_time: int | None
    unobservable: Unobservable | None
    band: Band = field(default_factory=Band)
    bounded: bool = False
    idle: bool = False
    throttled_by_cause: Mapping[str, float] = field(default_factory=dict)
    home_region: str = ""
    quota_request: QuotaRequest | None = None
    largest_resource: str = ""
    size: Size | None = None
    bought: Bought | None = None
    reach: Reach = NO_REACH_KNOWN

    @property
    def aws_region(self) -> str:
        """The region where AWS is called: for a global service, the home region of the partition."""
        return self.home_region or self.key.region

    @property
    def unit(self) -> Unit:
        """The unit of usage and limit."""
        return self.signal.unit

    @property
    def urgency(self) -> tuple[int, float]:
        """A sort key: the most urgent first, by zone and then by utilization."""
        return urgency_key(self.zone, self.utilization)

    @property
    def usage_text(self) -> str:
        """The usage as text, or the range that it lies in."""
        return self.unit.format_range(self.usage, self.upper_bound, self.bounded)

    @property
    def sample_time_text(self) -> str:
        """`sample_time` in ISO 8601, in UTC; empty if there is no sample."""
        if self.sample_time is None:
            return ""
        return utc_text(self.sample_time)


def utc_text(seconds: int) -> str:
    """Return a time in epoch seconds as text, ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def row_of(fleet: Fleet, series: Series) -> Row:
    """Return the row of one series, as judged last."""
    slot = series.slot
    minute = int(fleet.minute[slot])
    return Row(
        key=series.key,
        signal=series.settings.signal,
        zone=Zone(int(fleet.zone[slot])),
        usage=_number(fleet.usage[slot]),
        upper_bound=_number(fleet.upper_bound[slot]),
        limit=_number(fleet.limit[slot]),
        source=series.settings.source,
        utilization=_number(fleet.utilization[slot]),
        throttled=_number(fleet.saturation[slot]),
        sample_time=minute * 60 if minute > NEVER else None,
        unobservable=why_unobservable_now(fleet, series),
        band=series.settings.band,
        bounded=bool(fleet.bounded[slot]),
        idle=bool(fleet.idle[slot]),
        throttled_by_cause={
            cause: rate for cause, rate in fleet.causes.throttled_of(slot).items() if not isnan(rate)
        },
        home_region=series.settings.home_region,
        quota_request=series.settings.quota_request,
        largest_resource=series.settings.largest_resource,
        size=series.settings.size,
        bought=series.settings.bought,
        reach=reach_of(fleet, slot),
    )


def reach_of(fleet: Fleet, slot: int) -> Reach:
    """Return the last forecast of the series in a slot."""
    bins, ceiling = int(fleet.history_bins[slot]), fleet.ceiling[slot]
    return Reach.of(fleet.reach_probability[slot], fleet.reach_minutes[slot], bins, ceiling)


def rows_of(fleet: Fleet, is_wanted: Callable[[Key], bool] = lambda key: True) -> list[Row]:
    """Return the rows of the series for which `is_wanted` is true, the most urgent first."""
    rows = (row_of(fleet, series) for key, series in fleet.series.items() if is_wanted(key))
    return sorted(rows, key=lambda row: (row.urgency, row.key))


def _number(value: np.float32) -> float | None:
    return None if isnan(value) else float(str(value))  # the shortest text of this float32, such as 0.9
