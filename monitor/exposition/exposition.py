"""The exposition of the fleet for Prometheus. After a judgement, only the parts that changed are rendered.

Every family is a gauge, whose lines are the same in Prometheus' text format 0.0.4 and in OpenMetrics 1.0.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from threading import Lock

import numpy as np
import numpy.typing as npt

from monitor.exposition.body import CompressedPiece, ExpositionBody
from monitor.exposition.families import FAMILIES, Family, FamilyValues, finite
from monitor.exposition.labels import (
    CLOSE,
    render_common_labels,
    render_first,
    render_group,
    render_last,
)
from monitor.exposition.samples import CachedSamples, render_header, render_samples
from monitor.fleet.columns import Objects
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.judge import MAX_RESTARTS
from monitor.fleet.snapshot import SLOTS_PER_PART, ActiveAlert, Snapshot
from monitor.lib.label_names import exported_labels
from rules.arrays import Floats
from rules.band import Zone

CHUNK_SIZE = 4096  # slots, or causes, that are compared and rendered together
MAX_SCRAPED_SERIES = 250_000  # in one scrape: about 250 MB of text

ACCOUNT_INFO = "headroom_account_info"
SERIES_COUNT = "headroom_series"
THROTTLED_BY_CAUSE = "headroom_throttled_by_cause"
ALERT_STATE, ALERT_SINCE = "headroom_alert_state", "headroom_alert_since_seconds"
HEADERS = {family.name: render_header(family.name, family.help) for family in FAMILIES}
HEADERS[ACCOUNT_INFO] = render_header(ACCOUNT_INFO, "The configured name of an account.")
HEADERS[SERIES_COUNT] = render_header(SERIES_COUNT, "Number of series in each zone.")
HEADERS[THROTTLED_BY_CAUSE] = render_header(
    THROTTLED_BY_CAUSE,
    "Part of headroom_saturation with this cause, per second, where AWS counts throttling by cause.",
)
HEADERS[ALERT_STATE] = render_header(
    ALERT_STATE, "State of alerts: 1 pending, 2 firing; no sample when inactive."
)
HEADERS[ALERT_SINCE] = render_header(
    ALERT_SINCE, "Start of the breach of a pending or firing alert, in epoch seconds."
)


class Chunk:
    """The samples of CHUNK_SIZE slots. Their labels are rendered only when the series change."""

    def __init__(self) -> None:
        self._series: list[Series | None] = []
        self._samples: dict[Family, CachedSamples] = {}

    def set_series(self, series: list[Series | None]) -> None:
        """Set the series of the slots; None for an empty slot."""
        if series == self._series:
            return
        self._series = series
        common_labels = render_common_labels(series)
        last_labels = {
            labels: [render_last(labels(entry)) if entry else b"" for entry in series]
            for labels in {family.labels for family in FAMILIES}
        }
        self._samples = {
            family: CachedSamples(family.name, *common_labels, last_labels[family.labels])
            for family in FAMILIES
        }

    def piece(self, family: Family, values: FamilyValues) -> CompressedPiece:
        """Return the samples of a family, rendered again only if they changed."""
        return self._samples[family].piece(values)


class CauseChunk:
    """The samples of CHUNK_SIZE causes of throttled demand."""

    def __init__(self) -> None:
        self._keys: list[tuple[Series, str]] = []
        self._samples = CachedSamples(THROTTLED_BY_CAUSE)

    def set_causes(self, keys: list[tuple[Series, str]]) -> None:
        """Set the causes, each with its series."""
        if keys != self._keys:
            self._keys = keys
            common_labels = render_common_labels([series for series, _ in keys])
            last_labels = [render_last((("cause", cause),)) for _, cause in keys]
            self._samples = CachedSamples(THROTTLED_BY_CAUSE, *common_labels, last_labels)

    def piece(self, throttled: Floats) -> CompressedPiece:
        """Return the samples, rendered again only if they changed."""
        return self._samples.piece(finite(throttled))


class Rendering:
    """Renders one snapshot after another, but only the parts that changed. body: the last text."""

    def __init__(self) -> None:
        self._chunks: list[Chunk] = []
        self._cause_chunks: list[CauseChunk] = []
        self._labelled_series: Objects | None = None
        self.body = ExpositionBody()

    def render(self, snapshot: Snapshot) -> ExpositionBody:
        """Return the text of a snapshot. Runs in a thread; two calls must not overlap."""
        self.body = self._render(snapshot)
        return self.body

    def _render(self, snapshot: Snapshot) -> ExpositionBody:
        if snapshot.series is not self._labelled_series:
            self._update_labels(snapshot)
        leading_pieces = (
            HEADERS[ACCOUNT_INFO],
            _account_info(snapshot),
            HEADERS[SERIES_COUNT],
            _series_counts(snapshot),
        )
        pieces = (*leading_pieces, *_alerts(snapshot), *self._samples(snapshot), *self._causes(snapshot))
        return self.body if pieces == self.body.pieces else ExpositionBody.from_pieces(pieces)

    def _update_labels(self, snapshot: Snapshot) -> None:
        self._labelled_series = None  # until all chunks are updated
        starts = range(0, snapshot.zone.size, CHUNK_SIZE)
        del self._chunks[len(starts) :]
        self._chunks += [Chunk() for _ in starts[len(self._chunks) :]]
        for chunk, start in zip(self._chunks, starts, strict=True):
            chunk.set_series(snapshot.series[start : start + CHUNK_SIZE].tolist())
        self._update_cause_labels(snapshot)
        self._labelled_series = snapshot.series

    def _update_cause_labels(self, snapshot: Snapshot) -> None:
        slot, cause, _ = snapshot.causes
        series = snapshot.series[slot].tolist()
        keys = list(zip(series, cause.tolist(), strict=True))
        starts = range(0, len(keys), CHUNK_SIZE)
        del self._cause_chunks[len(starts) :]
        self._cause_chunks += [CauseChunk() for _ in starts[len(self._cause_chunks) :]]
        for chunk, start in zip(self._cause_chunks, starts, strict=True):
            chunk.set_causes(keys[start : start + CHUNK_SIZE])

    def _causes(self, snapshot: Snapshot) -> Iterator[CompressedPiece]:
        yield HEADERS[THROTTLED_BY_CAUSE]
        for number, chunk in enumerate(self._cause_chunks):
            yield chunk.piece(snapshot.causes.throttled[number * CHUNK_SIZE : (number + 1) * CHUNK_SIZE])

    def _samples(self, snapshot: Snapshot) -> Iterator[CompressedPiece]:
        for name, families in groupby(FAMILIES, lambda family: family.name):
            yield HEADERS[name]
            for family in families:
                yield from self._family(family, snapshot)

    def _family(self, family: Family, snapshot: Snapshot) -> Iterator[CompressedPiece]:
        values = family.values(snapshot)
        for number, chunk in enumerate(self._chunks):
            yield chunk.piece(family, values.part(slice(number * CHUNK_SIZE, (number + 1) * CHUNK_SIZE)))


class Exposition:
    """The exposition of one fleet.

    snapshot: a copy of the fleet, as published last. body: its text.
    published_at: the time of the last publication in epoch seconds; None before the first publication.
    max_series: the most series that one scrape may return. If the fleet has more, it can only be scraped in
    parts, and `body` is empty.
    """

    def __init__(self, fleet: Fleet, max_series: int = MAX_SCRAPED_SERIES) -> None:
        self._fleet, self._rendering, self._render_lock = fleet, Rendering(), Lock()
        self.max_series = max_series
        self.snapshot = Snapshot.of(fleet, {})
        self.body = ExpositionBody()
        self.published_at: float | None = None

    async def publish(self, account_names: Mapping[str, str], alerts: Sequence[ActiveAlert] = ()) -> None:
        """Publish the last judgement. account_names: names by 12-digit account id."""
        self.snapshot = await self._copy_fleet(account_names, alerts)
        self.published_at = time.time()
        self.body = await asyncio.to_thread(self._render_newest)

    async def _copy_fleet(self, account_names: Mapping[str, str], alerts: Sequence[ActiveAlert]) -> Snapshot:
        """Return a copy of the fleet. A large fleet is copied in parts, and other tasks run in between.

        If the fleet changes meanwhile, copying begins anew; the last attempt copies the fleet at once.
        """
        fleet, previous = self._fleet, self.snapshot
        for _ in range(MAX_RESTARTS if fleet.size > SLOTS_PER_PART else 0):
            state, parts = fleet.state, Snapshot.copy_in_parts(fleet, account_names, previous, alerts)
            while state == fleet.state:
                try:
                    next(parts)
                except StopIteration as ended:
                    copied: Snapshot = ended.value
                    return copied
                await asyncio.sleep(0)
        return Snapshot.of(fleet, account_names, previous, alerts)

    def _render_newest(self) -> ExpositionBody:
        with self._render_lock:  # the thread of a cancelled `publish` may still run
            if self.snapshot.series_count > self.max_series:
                self._rendering = Rendering()
                return self._rendering.body
            return self._rendering.render(self.snapshot)


def _account_info(snapshot: Snapshot) -> CompressedPiece:
    labels = [
        render_first([*exported_labels({"account": account}).items(), ("name", name)])
        for account, name in snapshot.account_names.items()
    ]
    return CompressedPiece.of(
        render_samples(ACCOUNT_INFO, (labels, [CLOSE] * len(labels)), np.ones(len(labels), np.int8))
    )


def _alerts(snapshot: Snapshot) -> Iterator[CompressedPiece]:
    active = [(series, alert) for alert in snapshot.alerts if (series := snapshot.series[alert.slot])]
    common_labels = render_common_labels([series for series, _ in active])
    last_labels = [render_last((("severity", alert.severity),)) for _, alert in active]
    for name in (ALERT_STATE, ALERT_SINCE):
        values = [alert.state if name == ALERT_STATE else alert.since for _, alert in active]
        yield HEADERS[name]
        yield CompressedPiece.of(
            render_samples(name, (*common_labels, last_labels), np.array(values, np.int64))
        )


def _series_counts(snapshot: Snapshot) -> CompressedPiece:
    """Render the number of series in each zone, for each group that has series."""
    has_series = snapshot.group >= 0
    zone_count, lowest_zone = len(Zone), min(Zone)
    bins = snapshot.group[has_series].astype(np.int64) * zone_count + (
        snapshot.zone[has_series] - lowest_zone
    )
    counts = np.bincount(bins, minlength=len(snapshot.groups) * zone_count).reshape(-1, zone_count)
    groups = np.flatnonzero(counts.any(axis=1))
    labels = [render_group(snapshot.groups[group]) for group in groups.tolist()]
    return CompressedPiece.of(
        b"".join(_zone_lines(labels, zone, counts[groups, zone - lowest_zone]) for zone in Zone)
    )


def _zone_lines(labels: Sequence[bytes], zone: Zone, counts: npt.NDArray[np.int64]) -> bytes:
    return render_samples(SERIES_COUNT, (labels, [render_last((("zone", zone.word),))] * len(labels)), counts)
