"""Encodes samples for Prometheus' remote write, 1.0 and 2.0.

https://prometheus.io/docs/specs/prw/remote_write_spec/ and .../remote_write_spec_2_0/
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.exposition.families import Family
from monitor.fleet.fleet import Series
from monitor.push.label_encoder import METRIC_NAME, LabelEncoder, sorted_labels
from monitor.push.protobuf_writer import (
    CONTINUATION_BIT,
    FIXED64,
    LENGTH,
    LOW_BITS,
    VARINT,
    field,
    tag,
    text,
    varint,
)
from rules.arrays import Ints

# The fields of each message: by number (int), or by tag (bytes), which is the number with a wire type.
SERIES_1: Final = tag(1, LENGTH)  # of a WriteRequest
LABEL, SAMPLE = 1, tag(2, LENGTH)  # of a TimeSeries; LABEL in 1.0, SAMPLE in both versions
VALUE, TIME = tag(1, FIXED64), tag(2, VARINT)  # of a Sample, in both versions
SYMBOL, SERIES_2 = 4, tag(5, LENGTH)  # of a 2.0 Request
REFS, METADATA = 1, 5  # of a 2.0 TimeSeries
GAUGE: Final = tag(1, VARINT) + b"\x02"  # type of a 2.0 Metadata
HELP: Final = tag(3, VARINT)  # of a 2.0 Metadata

MS_PER_MINUTE = 60_000
TIME_BYTES = 6  # size of the varint of a time in milliseconds, from 1971 to 2109
POINT: Final = np.dtype([("head", "V3"), ("value", "<f8"), ("tag", "V1"), ("time", np.uint8, TIME_BYTES)])
# The beginning of a point: the tag of the field SAMPLE, the length of its content, and the tag of the field
# VALUE, with which the content begins. The tag and the length have a byte each, which the length excludes.
POINT_HEAD: Final = SAMPLE + varint(POINT.itemsize - 2) + VALUE


def encode_points(minutes: Ints, values: npt.NDArray[np.float64]) -> npt.NDArray[np.void]:
    """Encode each sample as a field of a TimeSeries."""
    encoded = np.empty(minutes.size, POINT)
    encoded["head"], encoded["value"], encoded["tag"] = np.void(POINT_HEAD), values, np.void(TIME)
    shifts = np.arange(0, 7 * TIME_BYTES, 7)
    varints = (minutes.astype(np.int64) * MS_PER_MINUTE)[:, None] >> shifts & LOW_BITS
    varints[:, :-1] |= CONTINUATION_BIT
    encoded["time"] = varints
    return encoded


def encode_label(name: str, value: str) -> bytes:
    """Encode a label as a field of a TimeSeries of 1.0."""
    return field(LABEL, field(1, text(name)) + field(2, text(value)))


@cache
def _encoded_name(family: Family) -> bytes:
    return encode_label(METRIC_NAME, family.name)


class RemoteWrite1Writer:
    """Writes a WriteRequest of 1.0."""

    def __init__(self, labels: LabelEncoder) -> None:
        self._labels = labels
        self._parts: list[bytes | memoryview] = []
        self.size = 0

    def add(self, family: Family, series: Series, points: memoryview) -> None:
        """See `MessageWriter.add`."""
        labels = _encoded_name(family) + self._labels.encode(family, series)
        size = len(labels) + len(points)
        self._parts += SERIES_1, varint(size), labels, points
        self.size += size

    def message(self) -> bytes:
        """See `MessageWriter.message`."""
        return b"".join(self._parts)


class RemoteWrite2Writer:
    """Writes a Request of 2.0, which contains each text once and refers to it by number."""

    def __init__(self, _: LabelEncoder) -> None:
        self._symbols: dict[str, bytes] = {"": b"\0"}
        self._parts: list[bytes | memoryview] = []
        self.size = 0

    def add(self, family: Family, series: Series, points: memoryview) -> None:
        """See `MessageWriter.add`."""
        refs = b"".join(self._ref(symbol) for label in sorted_labels(family, series) for symbol in label)
        metadata = GAUGE + HELP + self._ref(family.help)
        head, tail = field(REFS, refs), field(METADATA, metadata)
        size = len(head) + len(points) + len(tail)
        self._parts += SERIES_2, varint(size), head, points, tail
        self.size += size

    def _ref(self, symbol: str) -> bytes:
        """Return the encoded number of a text, which is added to the request if it is new."""
        if symbol not in self._symbols:
            self._symbols[symbol] = varint(len(self._symbols))
            self.size += len(symbol)
        return self._symbols[symbol]

    def message(self) -> bytes:
        """See `MessageWriter.message`."""
        return b"".join([*(field(SYMBOL, text(symbol)) for symbol in self._symbols), *self._parts])
