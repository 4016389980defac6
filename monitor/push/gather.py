"""Which samples are to be queued next: new minutes, each once and in order, and revised ones behind them.

A time series database that takes nothing out of order still takes what is less than an hour behind the newest
it has, of any series (Prometheus: half of a chunk's range). So minutes are gathered in slices of the clock,
from the oldest on: within a slice, series may follow one another.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from monitor.columns import Flags, Floats, Ints
from monitor.fleet import Fleet
from monitor.formulas import NAN
from monitor.push.progress import CHUNK, SOURCES, Progress
from monitor.push.samples import known, samples
from monitor.rings import WINDOW
from monitor.snapshot import Snapshot
from rules.band import Zone

SLICE: Final = 30  # minutes
LATE: Final = 30  # minutes behind a series' newest one in which late and revised samples are looked for


@dataclass(frozen=True, slots=True)
class Portion:
    """Samples of the places of one chunk, by place and then minute.

    chosen: by track, which of them are to be sent. queued: how far the chunk's places are without them.
    """

    chunk: slice
    places: Ints
    samples: Snapshot
    chosen: Flags
    queued: Ints


class Gathering:
    """One look at a fleet for what is new since `progress`."""

    def __init__(self, fleet: Fleet, progress: Progress) -> None:
        self._fleet, self._progress = fleet, progress
        progress.follow(fleet)
        self._known = known(fleet)
        self._told = self._known.told
        self._news = np.flatnonzero((self._told > progress.looked).any(axis=0)).astype(np.int32)

    def portions(self) -> Iterator[Portion]:
        """All there is, the revised at the end; each is to be settled before the next one is made."""
        if not self._news.size:
            return
        told, queued = self._told[:, self._news], self._progress.queued[:SOURCES, self._news]
        end = int(told.max())
        oldest = np.maximum(queued + 1, end - WINDOW + 1)
        first = int(oldest.min(where=oldest <= told, initial=end))
        yield from self._slices(first, end, revised=False)
        if self._progress.late:
            yield from self._slices(end - WINDOW + 1, end, revised=True)
        self._progress.looked[:, self._news] = told

    def _slices(self, first: int, last: int, revised: bool) -> Iterator[Portion]:
        for start in range(first // SLICE * SLICE, last + 1, SLICE):
            yield from self._slice(range(max(start, first), start + SLICE), revised)

    def _slice(self, minutes: range, revised: bool) -> Iterator[Portion]:
        progress, news = self._progress, self._news
        queued = progress.queued[:SOURCES, news]
        before, last = (queued - progress.late, queued - 1) if revised else (queued, self._told[:, news])
        first, last = np.maximum(before + 1, minutes.start), np.minimum(last, minutes.stop - 1)
        first = np.where(first <= last, first, minutes.stop).min(axis=0)
        last = last.max(axis=0)
        busy = np.flatnonzero(first <= last)
        chunks = news[busy] // CHUNK
        for number in np.unique(chunks).tolist():
            some = busy[chunks == number]
            some = some[self._fleet.id[news[some]] == progress.ids[news[some]]]  # others came meanwhile
            places, at = spans(news[some], first[some], last[some])
            chunk = slice(number * CHUNK, (number + 1) * CHUNK)
            yield self._portion(chunk, places, at, revised)

    def _portion(self, chunk: slice, places: Ints, minutes: Ints, revised: bool) -> Portion:
        queued = self._progress.queued
        found = samples(self._fleet, places, minutes, self._known.of(places))
        choose = self._revised if revised else _fresh
        chosen = choose(places, found, queued[:, places])
        return Portion(chunk, places, found, chosen, queued[:, chunk].copy())

    def _revised(self, places: Ints, found: Snapshot, queued: Ints) -> Flags:
        """Which samples are other than those seen.

        The newest one of a family waits for the next: no receiver takes a second value for its newest minute.
        """
        late, minutes = self._progress.late, found.minute
        near = (minutes > queued - late) & (minutes < queued)
        values = _values(found)
        revised: Flags = np.isfinite(values) & (values != self._progress.seen[:, places, minutes % late])
        return near & revised

    def settle(self, portion: Portion, queued: Ints) -> None:
        """Note that a portion was queued, which brought the chunk's places as far as `queued`."""
        progress, minutes = self._progress, portion.samples.minute
        progress.queued[:, portion.chunk], progress.left = queued, False
        if progress.late:
            told = portion.chosen & (minutes <= queued[:, portion.places - portion.chunk.start])
            track, where = np.nonzero(told)
            at = track, portion.places[where], minutes[where] % progress.late
            progress.seen[at] = _values(portion.samples)[told]


def _values(found: Snapshot) -> Floats:
    """What tells a revised sample, by track. A band that changed revises zones."""
    zone = np.where(found.zone >= Zone.BELOW, found.zone, NAN)
    return np.stack([found.usage, found.saturation, zone.astype(np.float32)])


def _fresh(places: Ints, found: Snapshot, queued: Ints) -> Flags:
    return found.minute > queued


def spans(places: Ints, first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """Each place with every minute from its first to its last."""
    counts = last - first + 1
    begins = np.cumsum(counts) - counts
    minutes = np.arange(counts.sum()) - np.repeat(begins - first, counts)
    return np.repeat(places, counts), minutes.astype(np.int32)
