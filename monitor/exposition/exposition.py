"""The exposition of the fleet for Prometheus. Each judgement renders only the parts that changed.

Every family is a gauge, whose lines are the same in Prometheus' text format 0.0.4 and in OpenMetrics 1.0.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from monitor.exposition.body import CompressedPiece, ExpositionBody
from monitor.exposition.families import FAMILIES, Family, MaskedValues
from monitor.exposition.labels import (
    CLOSE,
    Labels,
    render_first,
    render_group,
    render_last,
    render_series,
)
from monitor.fleet.columns import Objects
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.snapshot import ActiveAlert, Snapshot
from monitor.lib.label_names import exported_labels
from rules.band import Zone

CHUNK = 4096  # slots that are compared and rendered together


def render_samples(
    name: str, first_labels: Iterable[bytes], last_labels: Iterable[bytes], values: npt.NDArray[Any]
) -> bytes:
    """Render the samples of a family, each with its first and last rendered labels. values: finite."""
    if not values.size:
        return b""
    parts = [name.encode(), b"", b"", b"", b"\n"] * values.size
    parts[1::5] = first_labels
    parts[2::5] = last_labels
    parts[3::5] = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    return b"".join(parts)


def render_header(name: str, help_: str) -> CompressedPiece:
    """Render the HELP and TYPE lines of a gauge."""
    return CompressedPiece.of(f"# HELP {name} {help_}\n# TYPE {name} gauge\n".encode())


ACCOUNT_INFO = "headroom_account_info"
SERIES_COUNT = "headroom_series"
ALERT_STATE, ALERT_SINCE = "headroom_alert_state", "headroom_alert_since_seconds"
HEADERS = {family.name: render_header(family.name, family.help) for family in FAMILIES}
HEADERS[ACCOUNT_INFO] = render_header(ACCOUNT_INFO, "The configured name of an account.")
HEADERS[SERIES_COUNT] = render_header(SERIES_COUNT, "Series in each zone.")
HEADERS[ALERT_STATE] = render_header(ALERT_STATE, "Alerts: 1 pending, 2 firing; no sample when inactive.")
HEADERS[ALERT_SINCE] = render_header(
    ALERT_SINCE, "Start of the breach in epoch seconds, of alerts that are pending or firing."
)


class Chunk:
    """The labels of CHUNK slots, rendered when the series change, and the pieces of their values."""

    def __init__(self) -> None:
        self._series: list[Series | None] = []
        self._labels: list[bytes] = []
        self._family_labels: dict[Callable[[Series], Labels], list[bytes]] = {}
        self._pieces: dict[str, tuple[bytes, CompressedPiece]] = {}

    def set_series(self, series: list[Series | None]) -> None:
        """Set the series of the slots; None for an empty slot."""
        if series == self._series:
            return
        self._series, self._pieces = series, {}
        self._labels = [render_series(entry) if entry else b"" for entry in series]
        for labels in {family.labels for family in FAMILIES}:
            self._family_labels[labels] = [render_last(labels(entry)) if entry else b"" for entry in series]

    def piece(self, family: Family, values: MaskedValues) -> CompressedPiece:
        """The samples of a family; rendered again only when they changed."""
        present = ~np.ma.getmaskarray(values)
        finite = values.compressed()
        state = present.tobytes() + finite.tobytes()
        before, piece = self._pieces.get(family.name, (None, None))
        if piece is None or state != before:
            is_present = present.tolist()
            first_labels, last_labels = (
                compress(self._labels, is_present),
                compress(self._family_labels[family.labels], is_present),
            )
            piece = CompressedPiece.of(render_samples(family.name, first_labels, last_labels, finite))
            self._pieces[family.name] = state, piece
        return piece


class Exposition:
    """The exposition of one fleet. snapshot, body: of the last judgement that was published."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._chunks: list[Chunk] = []
        self._rendering = Lock()
        self._labelled_series: Objects | None = None
        self.snapshot = Snapshot.of(fleet, {})
        self.body = ExpositionBody()

    async def publish(self, account_names: Mapping[str, str], alerts: Sequence[ActiveAlert] = ()) -> None:
        """Publish the last judgement. account_names: by 12-digit id."""
        self.snapshot = Snapshot.of(self._fleet, account_names, self.snapshot, alerts)
        self.body = await asyncio.to_thread(self._render_newest)

    def _render_newest(self) -> ExpositionBody:
        with self._rendering:  # the thread of a cancelled `publish` may still run
            return self._render(self.snapshot)

    def _render(self, snapshot: Snapshot) -> ExpositionBody:
        if snapshot.series is not self._labelled_series:
            self._update_labels(snapshot)
        first = (
            HEADERS[ACCOUNT_INFO],
            _account_info(snapshot),
            HEADERS[SERIES_COUNT],
            _series_counts(snapshot),
        )
        pieces = (*first, *_alerts(snapshot), *self._samples(snapshot))
        return self.body if pieces == self.body.pieces else ExpositionBody.from_pieces(pieces)

    def _update_labels(self, snapshot: Snapshot) -> None:
        self._labelled_series = None  # until all chunks are updated
        starts = range(0, snapshot.zone.size, CHUNK)
        self._chunks += [Chunk() for _ in starts[len(self._chunks) :]]
        for chunk, start in zip(self._chunks, starts, strict=True):
            chunk.set_series(snapshot.series[start : start + CHUNK].tolist())
        self._labelled_series = snapshot.series

    def _samples(self, snapshot: Snapshot) -> Iterator[CompressedPiece]:
        for family in FAMILIES:
            yield HEADERS[family.name]
            values = family.values(snapshot)
            for number, chunk in enumerate(self._chunks):
                yield chunk.piece(family, values[number * CHUNK : (number + 1) * CHUNK])


def _account_info(snapshot: Snapshot) -> CompressedPiece:
    labels = [
        render_first([*exported_labels({"account": account}).items(), ("name", name)])
        for account, name in snapshot.account_names.items()
    ]
    return CompressedPiece.of(
        render_samples(ACCOUNT_INFO, labels, [CLOSE] * len(labels), np.ones(len(labels), np.int8))
    )


def _alerts(snapshot: Snapshot) -> Iterator[CompressedPiece]:
    active = [(snapshot.series[alert.slot], alert) for alert in snapshot.alerts]
    active = [(series, alert) for series, alert in active if series]
    first_labels = [render_series(series) for series, _ in active]
    last_labels = [render_last((("severity", alert.severity),)) for _, alert in active]
    for name in (ALERT_STATE, ALERT_SINCE):
        values = [alert.state if name == ALERT_STATE else alert.since for _, alert in active]
        yield HEADERS[name]
        yield CompressedPiece.of(render_samples(name, first_labels, last_labels, np.array(values, np.int64)))


def _series_counts(snapshot: Snapshot) -> CompressedPiece:
    """The number of series in each zone, for each group that has series."""
    is_used = snapshot.group >= 0
    zone_count, lowest = len(Zone), min(Zone)
    bins = snapshot.group[is_used].astype(np.int64) * zone_count + (snapshot.zone[is_used] - lowest)
    counts = np.bincount(bins, minlength=len(snapshot.groups) * zone_count).reshape(-1, zone_count)
    groups = np.flatnonzero(counts.any(axis=1))
    labels = [render_group(snapshot.groups[group]) for group in groups.tolist()]
    return CompressedPiece.of(
        b"".join(_zone_lines(labels, zone, counts[groups, zone - lowest]) for zone in Zone)
    )


def _zone_lines(first: Sequence[bytes], zone: Zone, counts: npt.NDArray[np.int64]) -> bytes:
    return render_samples(SERIES_COUNT, first, [render_last((("zone", zone.word),))] * len(first), counts)
