"""Stores the points of metrics over many days in a file: written metric by metric, read by minutes."""

from collections.abc import Iterator
from io import BufferedRandom
from itertools import pairwise
from tempfile import TemporaryFile
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from rules.arrays import Floats, Indices, Ints

CHUNK = 120  # minutes that are read at once: a multiple of every metric's period
# Parts of the file that were never written are zeros. Values are stored XOR these bits, so that zeros mean no
# point (NaN).
NAN_BITS = np.float32(np.nan).view(np.uint32)


class LookbackPoints(Protocol):
    """The points of metrics over some minutes. Each metric is a row in the rings of a fleet."""

    minutes: range

    @property
    def rows(self) -> Ints:
        """The rows whose points were all read, in ascending order; points of other rows are unknown."""
        ...

    def chunk(self, number: int) -> tuple[Ints, Ints, Floats]:
        """Return the points of a chunk: rows, the first minutes of their periods, and values."""
        ...


def chunk_minutes(minutes: range, number: int) -> range:
    """Return the part of `minutes` that is in a chunk. Chunk 0 contains the first of these minutes."""
    first = (minutes.start // CHUNK + number) * CHUNK
    return range(max(first, minutes.start), min(first + CHUNK, minutes.stop))


def chunk_count(minutes: range) -> int:
    """Return the number of chunks that contain any of the minutes."""
    return -(-minutes.stop // CHUNK) - minutes.start // CHUNK


class SampleFile:
    """Stores the points of metrics in a temporary file without a name, which is deleted with the process.

    wanted: rows whose points may be written, in ascending order. step: the least minutes between two points.
    """

    def __init__(self, wanted: Ints, minutes: range, step: int = 1) -> None:
        self.minutes, self._wanted, self._step = minutes, wanted, step
        self._width = CHUNK // step
        self._is_written = np.zeros(wanted.size, np.bool_)
        self._file: BufferedRandom = TemporaryFile()  # noqa: SIM115
        self._file.truncate(self.size_of(wanted.size, minutes, step))

    @staticmethod
    def size_of(rows: int, minutes: range, step: int = 1) -> int:
        """Return how many bytes the file of this number of rows needs at most."""
        return rows * chunk_count(minutes) * (CHUNK // step) * np.dtype(np.float32).itemsize

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        self._file.close()

    @property
    def rows(self) -> Ints:
        """The rows whose points were written, in ascending order."""
        return self._wanted[self._is_written]

    def write(self, rows: Ints, points: tuple[Ints, Ints, Floats]) -> None:
        """Store all points of some wanted rows. points: as returned by `chunk`. Raises OSError."""
        point_rows, minutes, values = points
        sorted_rows = np.sort(rows)
        inside = np.isfinite(values) & (minutes >= self.minutes.start) & (minutes < self.minutes.stop)
        lines, columns = (
            np.searchsorted(sorted_rows, point_rows[inside]),
            (minutes[inside] - self._start) // self._step,
        )
        table = np.full((sorted_rows.size, chunk_count(self.minutes) * self._width), np.float32(np.nan))
        table[lines, columns] = values[inside]
        positions = np.searchsorted(self._wanted, sorted_rows)
        for run in _runs(positions):
            self._write_run(int(positions[run.start]), table[run])
        self._is_written[positions] = True

    def _write_run(self, position: int, table: Floats) -> None:
        """Write the points of adjacent rows, chunk by chunk; chunks without points are left out."""
        chunks = table.reshape(len(table), -1, self._width)
        for number in np.flatnonzero(~np.isnan(chunks).all(axis=(0, 2))).tolist():
            self._file.seek(self._offset(number, position))
            part = np.ascontiguousarray(chunks[:, number])
            self._file.write((part.view(np.uint32) ^ NAN_BITS).tobytes())

    def chunk(self, number: int) -> tuple[Ints, Ints, Floats]:
        """Return the points of a chunk: rows, the first minutes of their periods, and values."""
        self._file.seek(self._offset(number, 0))
        data = self._file.read(self._offset(number + 1, 0) - self._offset(number, 0))
        bits = np.frombuffer(data, np.uint32).reshape(self._wanted.size, self._width) ^ NAN_BITS
        values = bits.view(np.float32)
        positions, columns = np.nonzero(~np.isnan(values))
        minutes = self._start + number * CHUNK + columns * self._step
        return self._wanted[positions], minutes.astype(np.int32), values[positions, columns]

    @property
    def _start(self) -> int:
        return self.minutes.start // CHUNK * CHUNK

    def _offset(self, number: int, position: int) -> int:
        return (number * self._wanted.size + position) * self._width * 4  # bytes of a value


def _runs(positions: Indices) -> Iterator[slice]:
    """Yield the slices of ascending positions in which each position is one more than the one before."""
    ends = np.flatnonzero(np.diff(positions) != 1) + 1
    for start, stop in pairwise([0, *ends.tolist(), positions.size]):
        if stop > start:
            yield slice(start, stop)
