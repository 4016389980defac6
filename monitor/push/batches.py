"""Samples of many series as requests of a bounded size."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from monitor.columns import Ints
from monitor.exposition import Family
from monitor.push.encodings import Doubles, Encoding, Writer
from monitor.push.gather import Portion
from monitor.push.labels import Labels
from monitor.push.samples import PUSHED
from monitor.snapshot import Snapshot

MOST_SAMPLES: Final = 2000  # in a request
FULL: Final = 900_000  # bytes, after which a request takes no further series

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Batch:
    """A request's body, ready to be sent. newest: the minute of its newest sample."""

    samples: int
    newest: int
    body: bytes


def as_shown(values: npt.NDArray[Any]) -> Doubles:
    """The numbers that the exposition shows: the shortest decimals that mean them."""
    return np.array(orjson.loads(orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)), np.float64)


class Cutter:
    """Writes samples into one request after the other."""

    def __init__(self, encoding: Encoding, labels: Labels) -> None:
        self._encoding, self._labels = encoding, labels
        self._begin()

    def _begin(self) -> None:
        self._writer: Writer = self._encoding.writer(self._labels)
        self._samples = self._newest = 0

    def add(
        self, family: Family, found: Snapshot, told: Indices, values: npt.NDArray[Any]
    ) -> Iterator[Batch]:
        """Add the `values` of the samples `told`, which go by series and then minute; yields what is full."""
        ids, minutes = found.id[told], found.minute[told]
        encoded = self._encoding.points(minutes, as_shown(values))
        points, width = memoryview(encoded.tobytes()), encoded.itemsize
        starts = np.flatnonzero(np.diff(ids, prepend=~ids[:1]))
        ends = np.append(starts[1:], ids.size)
        runs = found.series[told[starts]], starts.tolist(), ends.tolist(), minutes[ends - 1].tolist()
        for series, start, end, newest in zip(*runs, strict=True):
            if self._samples + end - start > MOST_SAMPLES or self._writer.size >= FULL:
                yield from self.end()
            self._writer.add(family, series, points[start * width : end * width])
            self._samples += end - start
            self._newest = max(self._newest, newest)

    def end(self) -> Iterator[Batch]:
        """Yields the last request, if anything is in it."""
        if self._samples:
            yield Batch(self._samples, self._newest, self._encoding.pack(self._writer.message()))
            self._begin()


def batches(portion: Portion, encoding: Encoding, labels: Labels) -> tuple[list[Batch], Ints]:
    """The requests that a portion makes, and how far it brings its chunk's places, by track.

    It may run in any thread, for one receiver in one at a time.
    """
    cutter, made, queued = Cutter(encoding, labels), list[Batch](), portion.queued.copy()
    for family, track in PUSHED:
        values = family.values(portion.samples)
        told = np.flatnonzero(~np.ma.getmaskarray(values) & portion.chosen[track])
        if told.size:
            made += cutter.add(family, portion.samples, told, values.data[told])
            within = portion.places[told] - portion.chunk.start
            np.maximum.at(queued[track], within, portion.samples.minute[told])
    return [*made, *cutter.end()], queued
