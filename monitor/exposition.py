"""What Prometheus scrapes of the fleet, rendered once a judgement, and only where something changed.

Every family is a gauge, whose lines are the same in Prometheus' text format 0.0.4 and in OpenMetrics 1.0.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from monitor.body import Body, Piece
from monitor.columns import Objects
from monitor.fleet import Fleet, Group, Key, Series
from monitor.snapshot import ActiveAlert, Snapshot
from rules.band import Zone
from rules.limits import catalogue

Numbers = np.ma.MaskedArray[Any, np.dtype[Any]]  # by place; masked: no sample

CHUNK = 4096  # places rendered, and found unchanged, together
CLOSE = b"} "
LABELS_KEPT = 4096  # of groups and of signals, which many series have in common
ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def pair(name: str, value: str) -> str:
    return f'{name}="{value.translate(ESCAPES)}"'


def labels(pairs: Mapping[str, str]) -> bytes:
    """Labels as a sample begins with them, without the closing brace. What is not Unicode becomes `?`."""
    return ("{" + ",".join(pair(*one) for one in pairs.items())).encode(errors="replace")


def further(pairs: Mapping[str, str]) -> bytes:
    """Labels that follow others, and the closing brace."""
    return "".join("," + pair(*one) for one in pairs.items()).encode(errors="replace") + CLOSE


def lines(name: bytes, first: Iterable[bytes], rest: Iterable[bytes], values: npt.NDArray[Any]) -> bytes:
    """The samples of a family: of each its `labels`, its `further` labels and its finite value."""
    if not values.size:
        return b""
    parts = [name, b"", b"", b"", b"\n"] * values.size
    parts[1::5] = first
    parts[2::5] = rest
    parts[3::5] = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    return b"".join(parts)


@lru_cache(LABELS_KEPT)
def group_labels(group: Group) -> bytes:
    return labels(dict(zip(Key._fields, group, strict=False)))


def series_labels(series: Series) -> bytes:
    own = {"resource": series.key.resource, **series.ruling.tags}
    return group_labels(series.key[:4]) + further(own).removesuffix(CLOSE)


@lru_cache(LABELS_KEPT)
def unit_label(service: str, signal: str) -> bytes:
    return further({"unit": catalogue()[service].signals[signal].unit})


@lru_cache(LABELS_KEPT)
def limit_labels(service: str, signal: str, source: str) -> bytes:
    return unit_label(service, signal).removesuffix(CLOSE) + further({"source": source})


def closed(series: Series) -> bytes:
    return CLOSE


def unit(series: Series) -> bytes:
    return unit_label(series.key.service, series.key.signal)


def unit_and_source(series: Series) -> bytes:
    limit = series.ruling.limit
    return limit_labels(series.key.service, series.key.signal, limit.source.value if limit else "")


@dataclass(frozen=True, slots=True)
class Family:
    """An exported family with a sample a series.

    values: by place. own: the labels that not every family has, and the closing brace.
    """

    name: str
    help: str
    values: Callable[[Snapshot], Numbers]
    own: Callable[[Series], bytes] = closed


def header(name: str, help_: str) -> Piece:
    return Piece.of(f"# HELP {name} {help_}\n# TYPE {name} gauge\n".encode())


def finite(values: npt.NDArray[Any], but: npt.NDArray[np.bool_] | bool = False) -> Numbers:
    return np.ma.MaskedArray(values, mask=~np.isfinite(values) | but)


def timestamps(snapshot: Snapshot) -> Numbers:
    return np.ma.MaskedArray(snapshot.minute.astype(np.int64) * 60, mask=snapshot.minute < 0)


FAMILIES = (
    Family(
        "headroom_usage",
        "Amount used in the minute of the newest sample, in the unit of the signal.",
        lambda snapshot: finite(snapshot.usage, but=snapshot.bounded),
        unit,
    ),
    Family(
        "headroom_usage_lower_bound",
        "Least amount used, where CloudWatch tells a range; such a series is not judged.",
        lambda snapshot: finite(snapshot.usage, but=~snapshot.bounded),
        unit,
    ),
    Family(
        "headroom_usage_upper_bound",
        "Most amount used, where CloudWatch tells a range; such a series is not judged.",
        lambda snapshot: finite(snapshot.at_most),
        unit,
    ),
    Family(
        "headroom_limit",
        "Limit in force, in the unit of the signal, and where it was read.",
        lambda snapshot: finite(snapshot.limit),
        unit_and_source,
    ),
    Family(
        "headroom_utilization_ratio",
        "Usage divided by limit: 0.8 is 80 %; may exceed 1.",
        lambda snapshot: finite(snapshot.utilization),
    ),
    Family(
        "headroom_saturation",
        "Demand refused or kept waiting, per second; no sample where AWS does not tell it.",
        lambda snapshot: finite(snapshot.saturation),
    ),
    Family(
        "headroom_zone",
        "Zone: below -1, within 0, above 1, critical 2, saturated 3; no sample when stale or unobservable.",
        lambda snapshot: np.ma.MaskedArray(snapshot.zone, mask=snapshot.zone < Zone.BELOW),
    ),
    Family(
        "headroom_sample_timestamp_seconds",
        "Start of the minute of the newest sample, kept when the series becomes stale.",
        timestamps,
    ),
)
INFO = "headroom_account_info"
COUNTS = "headroom_series"
STATES, SINCE = "headroom_alert_state", "headroom_alert_since_seconds"
HEADERS = {family.name: header(family.name, family.help) for family in FAMILIES}
HEADERS[INFO] = header(INFO, "The configured name of an account.")
HEADERS[COUNTS] = header(COUNTS, "Series in each zone.")
HEADERS[STATES] = header(STATES, "Alerts: 1 pending, 2 firing; no sample when inactive.")
HEADERS[SINCE] = header(SINCE, "When the breach of an alert that is pending or fires began.")


class Chunk:
    """CHUNK places: their labels, made when the series change, and the pieces made of their numbers."""

    def __init__(self) -> None:
        self._series: list[Series | None] = []
        self._labels: list[bytes] = []
        self._own: dict[Callable[[Series], bytes], list[bytes]] = {}
        self._made: dict[str, tuple[bytes, Piece]] = {}

    def name(self, series: list[Series | None]) -> None:
        """Say which series are at the places; None where there is none."""
        if series == self._series:
            return
        self._series, self._made = series, {}
        self._labels = [series_labels(one) if one else b"" for one in series]
        for own in {family.own for family in FAMILIES}:
            self._own[own] = [own(one) if one else b"" for one in series]

    def piece(self, family: Family, values: Numbers) -> Piece:
        """The samples of a family, made anew only when other ones than before."""
        present = ~np.ma.getmaskarray(values)
        told = values.compressed()
        state = present.tobytes() + told.tobytes()
        before, piece = self._made.get(family.name, (None, None))
        if piece is None or state != before:
            chosen = present.tolist()
            first, rest = compress(self._labels, chosen), compress(self._own[family.own], chosen)
            piece = Piece.of(lines(family.name.encode(), first, rest, told))
            self._made[family.name] = state, piece
        return piece


class Exposition:
    """The families of one fleet. `snapshot` and `body` are those of the last judgement published."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._chunks: list[Chunk] = []
        self._rendering = Lock()
        self._named: Objects | None = None
        self.snapshot = Snapshot.of(fleet, {})
        self.body = Body()

    async def publish(self, names: Mapping[str, str], alerts: Sequence[ActiveAlert] = ()) -> None:
        """Publish what was judged; `names` are the accounts', by id. After each judgement."""
        self.snapshot = Snapshot.of(self._fleet, names, self.snapshot, alerts)
        self.body = await asyncio.to_thread(self._render_newest)

    def _render_newest(self) -> Body:
        with self._rendering:  # a cancelled `publish` leaves a thread at work
            return self._render(self.snapshot)

    def _render(self, snapshot: Snapshot) -> Body:
        if snapshot.series is not self._named:
            self._name(snapshot)
        told = HEADERS[INFO], _names(snapshot), HEADERS[COUNTS], _counts(snapshot)
        pieces = (*told, *_alerts(snapshot), *self._samples(snapshot))
        return self.body if pieces == self.body.pieces else Body.of(pieces)

    def _name(self, snapshot: Snapshot) -> None:
        self._named = None  # until all are named
        starts = range(0, snapshot.zone.size, CHUNK)
        self._chunks += [Chunk() for _ in starts[len(self._chunks) :]]
        for chunk, start in zip(self._chunks, starts, strict=True):
            chunk.name(snapshot.series[start : start + CHUNK].tolist())
        self._named = snapshot.series

    def _samples(self, snapshot: Snapshot) -> Iterator[Piece]:
        for family in FAMILIES:
            yield HEADERS[family.name]
            values = family.values(snapshot)
            for number, chunk in enumerate(self._chunks):
                yield chunk.piece(family, values[number * CHUNK : (number + 1) * CHUNK])


def _names(snapshot: Snapshot) -> Piece:
    first = [labels({"account": account, "name": name}) for account, name in snapshot.names.items()]
    return Piece.of(lines(INFO.encode(), first, [CLOSE] * len(first), np.ones(len(first), np.int8)))


def _alerts(snapshot: Snapshot) -> Iterator[Piece]:
    active = [(snapshot.series[one.place], one) for one in snapshot.alerts]
    active = [(series, one) for series, one in active if series]
    first = [series_labels(series) for series, _ in active]
    rest = [further({"severity": one.severity}) for _, one in active]
    for name in (STATES, SINCE):
        values = [one.state if name == STATES else one.since for _, one in active]
        yield HEADERS[name]
        yield Piece.of(lines(name.encode(), first, rest, np.array(values, np.int64)))


def _counts(snapshot: Snapshot) -> Piece:
    """How many series of each group are in each zone, of the groups that have any."""
    taken = snapshot.group >= 0
    width, lowest = len(Zone), min(Zone)
    cells = snapshot.group[taken].astype(np.int64) * width + (snapshot.zone[taken] - lowest)
    counts = np.bincount(cells, minlength=len(snapshot.groups) * width).reshape(-1, width)
    groups = np.flatnonzero(counts.any(axis=1))
    first = [group_labels(snapshot.groups[group]) for group in groups.tolist()]
    return Piece.of(b"".join(_zone_lines(first, zone, counts[groups, zone - lowest]) for zone in Zone))


def _zone_lines(first: Sequence[bytes], zone: Zone, counts: npt.NDArray[np.int64]) -> bytes:
    return lines(COUNTS.encode(), first, [further({"zone": zone.word})] * len(first), counts)
