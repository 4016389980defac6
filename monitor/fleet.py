"""The fleet: every series as columns, fed by metrics, ready to be judged (design, section 5)."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import ClassVar, NamedTuple

import numpy as np
import orjson

from collectors.base import Metric, Observed, Op, Unobservable, Usage
from monitor.columns import Bytes, Columns, Flags, Floats, Ids, Ints, Objects
from monitor.formulas import Formula, Formulas
from monitor.past_limits import PastLimits
from monitor.rings import NEVER, Rings
from rules.band import Zone
from rules.limits import Band, Limit

CellKey = tuple[str, str]  # account, region
Group = tuple[str, str, str, str]  # account, region, service, signal
Pool = dict[bytes, int]  # metrics and their rows in the rings


class Key(NamedTuple):
    """The identity of a series: its labels, in their order."""

    account: str
    region: str
    service: str
    signal: str
    resource: str

    @property
    def cell(self) -> CellKey:
        return self.account, self.region

    @property
    def id(self) -> str:
        """Short, stable over restarts, fit for a URL."""
        return blake2b("\0".join(self).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What holds for a series.

    limit: the one in force; None when it is unknown. delay: minutes until its metrics can be trusted.
    stale_after: for how many minutes a sample counts. hold, keep_firing_for: minutes, of its alerts (None:
    each rule's own, see `rules.alerts`). paid: the limit was bought, so being below the band is a finding.
    tags: those to export.
    """

    limit: Limit | None
    band: Band
    delay: int = 3
    stale_after: int = 15
    hold: int = 5
    keep_firing_for: int | None = None
    paid: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> Hashable:
        """What makes rulings equal, down to when the limit was read."""
        told = (self.limit, self.limit and self.limit.read_at, self.band, *sorted(self.tags.items()))
        return (*told, self.delay, self.stale_after, self.hold, self.keep_firing_for, self.paid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series beside its numbers, which are in the columns at `place`."""

    key: Key
    place: int
    ruling: Ruling
    unobservable: Unobservable | None


def fragment(metric: Metric) -> bytes:
    """The metric as GetMetricData wants it: the JSON of a `MetricStat`."""
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    name = {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}
    encoded = orjson.dumps({"Metric": name, "Period": 60, "Stat": metric.stat})
    return memoryview(encoded).tobytes()  # a copy of its size: orjson's own answer keeps 4 KiB


def unobservable(observed: Observed, ruling: Ruling) -> Unobservable | None:
    """Why a series cannot be judged; None when it can."""
    if isinstance(observed.usage, Unobservable):
        return observed.usage
    if observed.at_most is not None:
        return Unobservable("CloudWatch bounds the usage, it does not tell it")
    if ruling.limit is None:
        return Unobservable("no limit is known: AWS tells none and none is documented; set one in `limits`")
    return None


class Fleet(Columns):
    """Columns by series. Written by inventory and polls, read by judge, exposition and API, in one thread.

    id: that of the key, as a number. limit, low, high, critical: NaN where there is none.
    stale_after: minutes that a sample counts. confirmed: the minute when an inventory last saw it.
    hold, keep_firing_for, paid: as ruled; -1 for each rule's own.
    bounded: usage is only a lower bound, not judged. group: index in `groups`.
    usage, at_most, utilization, saturation, minute, zone: the last judgement's, `minute` being the sample's.
    by_place: the `Series`; None where there is none.
    """

    declared: ClassVar = {
        "id": (np.uint64, 0),
        "limit": (np.float32, np.nan),
        "low": (np.float32, np.nan),
        "high": (np.float32, np.nan),
        "critical": (np.float32, np.nan),
        "stale_after": (np.int32, 0),
        "hold": (np.int32, 0),
        "keep_firing_for": (np.int32, -1),
        "paid": (np.bool_, False),
        "confirmed": (np.int32, NEVER),
        "observable": (np.bool_, False),
        "bounded": (np.bool_, False),
        "group": (np.int32, -1),
        "usage": (np.float32, np.nan),
        "at_most": (np.float32, np.nan),
        "utilization": (np.float32, np.nan),
        "saturation": (np.float32, np.nan),
        "minute": (np.int32, NEVER),
        "zone": (np.int8, Zone.STALE),
        "by_place": (np.object_, None),
    }
    id: Ids
    limit: Floats
    low: Floats
    high: Floats
    critical: Floats
    stale_after: Ints
    hold: Ints
    keep_firing_for: Ints
    paid: Flags
    confirmed: Ints
    observable: Flags
    bounded: Flags
    group: Ints
    usage: Floats
    at_most: Floats
    utilization: Floats
    saturation: Floats
    minute: Ints
    zone: Bytes
    by_place: Objects

    def __init__(self) -> None:
        super().__init__()
        self.rings = Rings()
        self.series: dict[Key, Series] = {}
        self.groups: dict[Group, int] = {}
        self.usages, self.refusals, self.bounds = Formulas(), Formulas(), Formulas()
        self.past_limits = PastLimits()
        self.version = 0  # grows when a series comes, goes, or changes what is said of it
        self.gone: list[Series] = []  # dropped, with their places not yet used again
        self._polled: dict[CellKey, Pool] = {}
        self._told: Pool = {}  # usages that an API tells, by the series' id

    def __len__(self) -> int:
        return len(self.series)

    def metrics(self, cell: CellKey) -> Mapping[bytes, int]:
        """The metrics of a cell that must be polled, as `fragment`s, with their rows in the rings."""
        return self._polled.get(cell, {})

    def put(self, key: Key, observed: Observed, ruling: Ruling, minute: int) -> Series:
        """Register a series, or renew what is known of it, as an inventory saw it at `minute`."""
        before = self.series.get(key)
        series = Series(
            key=key,
            place=before.place if before else self.take(),
            ruling=ruling,
            unobservable=unobservable(observed, ruling),
        )
        limit = self.limit[series.place]
        self._renew_columns(series, observed, minute)
        if before:
            self.past_limits.renew(series.place, limit, self.limit[series.place], minute)
        self._replace(self.usages, series, self._usage(series, observed.usage, minute))
        self._replace(self.refusals, series, self._formula(series, observed.refused))
        self._replace(self.bounds, series, self._formula(series, observed.at_most))
        if before != series:
            self.version += 1
        self.series[key] = self.by_place[series.place] = series
        return series

    def drop(self, key: Key) -> None:
        """Forget a series, and the metrics that no other one uses."""
        series = self.series.pop(key)
        for formulas in (self.usages, self.refusals, self.bounds):
            self._replace(formulas, series, None)
        self.past_limits.forget(series.place)
        self.clear(series.place)
        self.gone.append(series)
        self.version += 1

    def limits_at(self, places: Ints, minutes: Ints) -> Floats:
        """The limit of each place that was in force at its minute, as far as that is known; NaN: none."""
        return self.past_limits.at(places, minutes, self.limit[places])

    def with_id(self, identity: str) -> Series | None:
        """The series of a key's id, None when there is none. Raises ValueError when it is no such id."""
        places = np.flatnonzero(self.id[: self.size] == np.uint64(int(identity, 16)))
        series: Series | None = self.by_place[places[0]] if places.size else None
        return series

    def release(self) -> list[Series]:
        """The series dropped since the last call; from now on their places can be used again."""
        gone, self.gone = self.gone, []
        for series in gone:
            self.give_back(series.place)
        return gone

    def news(self) -> Ints:
        """The places of the series whose metrics were written or read since the last call."""
        fresh = np.zeros(self.size, np.bool_)
        for block in (*self.usages, *self.refusals):
            fresh[block.series] |= self.rings.fresh[block.rows].any(axis=0)
        self.rings.fresh[: self.rings.size] = False
        return np.flatnonzero(fresh).astype(np.int32)

    def _renew_columns(self, series: Series, observed: Observed, minute: int) -> None:
        place, ruling = series.place, series.ruling
        self.id[place] = int(series.key.id, 16)
        self.limit[place] = ruling.limit.value if ruling.limit else np.nan
        self.low[place], self.high[place] = ruling.band.low, ruling.band.high
        self.critical[place] = ruling.band.critical
        self.stale_after[place] = ruling.stale_after
        self.hold[place], self.paid[place] = ruling.hold, ruling.paid
        self.keep_firing_for[place] = -1 if ruling.keep_firing_for is None else ruling.keep_firing_for
        self.confirmed[place] = minute
        self.observable[place] = series.unobservable is None
        self.bounded[place] = observed.at_most is not None
        group = series.key[:4]
        self.group[place] = self.groups.setdefault(group, len(self.groups))

    def _usage(self, series: Series, usage: Usage | float | Unobservable, minute: int) -> Formula | None:
        if isinstance(usage, Unobservable):
            return None
        if isinstance(usage, Usage):
            return self._formula(series, usage)
        row = self._row(self._told, series.key.id.encode())
        self.rings.write(np.array([row]), np.array([minute]), np.array([usage], np.float32))
        return Formula(Op.SUM, (row,), (1.0,))

    def _formula(self, series: Series, usage: Usage | None) -> Formula | None:
        if usage is None:
            return None
        pool = self._polled.setdefault(series.key.cell, {})
        rows = []
        for metric, _ in usage.terms:
            row = self._row(pool, fragment(metric))
            self.rings.zero[row] |= metric.zero_when_absent
            self.rings.delay[row] = max(self.rings.delay[row], series.ruling.delay)
            rows.append(row)
        weights = np.array([weight for _, weight in usage.terms], np.float32)
        return Formula(usage.op, tuple(rows), tuple(weights.tolist()))

    def _row(self, pool: Pool, metric: bytes) -> int:
        if metric not in pool:
            row = pool[metric] = self.rings.take()
            self.rings.metric[row], self.rings.pool[row] = metric, pool
        return pool[metric]

    def _replace(self, formulas: Formulas, series: Series, formula: Formula | None) -> None:
        before = formulas.get(series.place)
        if formula == before:
            return
        for row in formula.rows if formula else ():
            self.rings.users[row] += 1
        formulas.put(series.place, formula)
        for row in before.rows if before else ():
            self._release(row)

    def _release(self, row: int) -> None:
        self.rings.users[row] -= 1
        if not self.rings.users[row]:
            del self.rings.pool[row][self.rings.metric[row]]
            self.rings.give_back(row)
