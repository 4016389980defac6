"""Prometheus' remote write, 1.0 and 2.0.

https://prometheus.io/docs/specs/prw/remote_write_spec/ and .../remote_write_spec_2_0/
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.columns import Ints
from monitor.exposition import Family
from monitor.fleet import Series
from monitor.push.labels import NAME, Labels, pairs
from monitor.push.protobuf import FIXED64, LENGTH, VARINT, field, tag, text, varint

SERIES_1: Final = tag(1, LENGTH)  # of a WriteRequest
LABEL, SAMPLE = 1, tag(2, LENGTH)  # of a TimeSeries, the sample in both versions
VALUE, TIME = tag(1, FIXED64), tag(2, VARINT)  # of a Sample, in both versions
SYMBOL, SERIES_2 = 4, tag(5, LENGTH)  # of a 2.0 Request
REFS, METADATA = 1, 5  # of a 2.0 TimeSeries
GAUGE: Final = tag(1, VARINT) + b"\x02"  # type of a 2.0 Metadata
HELP: Final = tag(3, VARINT)  # of a 2.0 Metadata

TO_MS = 60_000  # of a minute
TIME_BYTES = 6  # of the number of milliseconds, seven bits each, from 1971 to 2109
POINT: Final = np.dtype([("head", "V3"), ("value", "<f8"), ("tag", "V1"), ("time", np.uint8, TIME_BYTES)])
POINT_HEAD: Final = SAMPLE + varint(POINT.itemsize - 2) + VALUE


def points(minutes: Ints, values: npt.NDArray[np.float64]) -> npt.NDArray[np.void]:
    """Samples as a TimeSeries holds them, tags and all."""
    made = np.empty(minutes.size, POINT)
    made["head"], made["value"], made["tag"] = np.void(POINT_HEAD), values, np.void(TIME)
    shifts = np.arange(0, 7 * TIME_BYTES, 7)
    sevens = (minutes.astype(np.int64) * TO_MS)[:, None] >> shifts & 0x7F
    sevens[:, :-1] |= 0x80
    made["time"] = sevens
    return made


def label(name: str, value: str) -> bytes:
    return field(LABEL, field(1, text(name)) + field(2, text(value)))


@cache
def _named(family: Family) -> bytes:
    return label(NAME, family.name)


class Writer1:
    """A WriteRequest."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._parts: list[bytes | memoryview] = []
        self.size = 0

    def add(self, family: Family, series: Series, points: memoryview) -> None:
        labels = _named(family) + self._labels.of(family, series)
        size = len(labels) + len(points)
        self._parts += SERIES_1, varint(size), labels, points
        self.size += size

    def message(self) -> bytes:
        return b"".join(self._parts)


class Writer2:
    """A Request of 2.0: each text once, and numbers that refer to it."""

    def __init__(self, _: Labels) -> None:
        self._symbols: dict[str, bytes] = {"": b"\0"}
        self._parts: list[bytes | memoryview] = []
        self.size = 0

    def add(self, family: Family, series: Series, points: memoryview) -> None:
        refs = b"".join(self._ref(one) for pair in pairs(family, series) for one in pair)
        about = GAUGE + HELP + self._ref(family.help)
        head, tail = field(REFS, refs), field(METADATA, about)
        size = len(head) + len(points) + len(tail)
        self._parts += SERIES_2, varint(size), head, points, tail
        self.size += size

    def _ref(self, symbol: str) -> bytes:
        if symbol not in self._symbols:
            self._symbols[symbol] = varint(len(self._symbols))
            self.size += len(symbol)
        return self._symbols[symbol]

    def message(self) -> bytes:
        return b"".join([*(field(SYMBOL, text(one)) for one in self._symbols), *self._parts])
