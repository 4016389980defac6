"""OpenTelemetry 1.0 and 0.7 of Metric Streams: messages one after the other, the length before each.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-metric-streams-formats-opentelemetry-100.html
The two versions number the labels of a point differently (0.7: `labels = 1`, 1.0: `attributes = 7`) and all
else alike, so one reader of both loses nothing, where a parser of one version reads the other without any
label.
"""

import re
import struct
from typing import Final

import numpy as np

from monitor.fleet import CellKey
from monitor.stream.names import UNWANTED, Names
from monitor.stream.otlp_attributes import ATTRIBUTE, LABEL, cell_of, name_of
from monitor.stream.points import Bad, Points
from monitor.stream.wire import FIXED64, LENGTH, Broken, fields, tag, varint

FORMAT = "otlp"
FAULTS: Final = (ValueError, IndexError)  # Broken and UnicodeDecodeError are ValueErrors
ZERO, NAN = struct.pack("<d", 0.0), struct.pack("<d", float("nan"))
NO_MESSAGES: Final = re.compile(rb"\0*")  # of length 0
TO_MS = 1_000_000  # nanoseconds

RESOURCE_METRICS = tag(1, LENGTH)  # of a request
RESOURCE, SCOPE_METRICS = tag(1, LENGTH), tag(2, LENGTH)  # of resource metrics
METRIC = tag(2, LENGTH)  # of scope metrics
TITLE, UNIT, SUMMARY = tag(1, LENGTH), tag(3, LENGTH), tag(11, LENGTH)  # of a metric
POINT = tag(1, LENGTH)  # of a summary
LABELS = LABEL, ATTRIBUTE
START, COUNT, SUM, QUANTILE = tag(2, FIXED64), tag(4, FIXED64), tag(5, FIXED64), tag(6, LENGTH)  # of a point
QUANTILE_AT, QUANTILE_VALUE = tag(1, FIXED64), tag(2, FIXED64)

# The numbers of a point as AWS writes them: start, end, count, sum, and the quantiles 0 (the minimum) and 1
# (the maximum). What is zero is left out. Any other order, and percentiles, go the long way.
USUAL: Final = re.compile(
    rb"\x11(.{8})\x19.{8}(?:\x21(.{8}))?(?:\x29(.{8}))?"
    rb"\x32(?:\x00|(?:\x09|\x12\x09\x00{8})\x11(.{8}))"
    rb"\x32(?:\x12\x09\x00{6}\xf0\x3f\x11(.{8})|\x09\x09\x00{6}\xf0\x3f)",
    re.DOTALL,
)


def decode(record: bytes, names: Names, points: Points) -> None:
    """Add what a record holds to `points`.

    A broken message costs nothing but itself. A broken length is one bad piece with all that follows it.
    """
    at, end = _after_empty(record, 0), len(record)
    while at < end:
        try:
            size, start = varint(record, at, end)
            if start + size > end:
                raise Broken(f"expected a message of {size} bytes, found {end - start}")
        except Broken as error:
            points.refuse(Bad(FORMAT, str(error), record[at:]))
            return
        message = Message(record, names)
        try:
            message.read(start, start + size)
        except FAULTS as error:
            points.refuse(Bad(FORMAT, str(error), record[start : start + size]))
        else:
            message.add_to(points)
        at = _after_empty(record, start + size)


def _after_empty(record: bytes, at: int) -> int:
    found = NO_MESSAGES.match(record, at)
    assert found  # it matches nothing at all, too
    return found.end()


class Message:
    """One ExportMetricsServiceRequest: numbers of names, and five numbers of 8 bytes for each point."""

    def __init__(self, data: bytes, names: Names) -> None:
        self._data, self._names = data, names
        self._numbers: list[int] = []
        self._parts: list[bytes] = []  # start, count, sum, minimum, maximum
        self._percentiles: list[tuple[int, str, float]] = []  # the point's place, name, value
        self._unwanted: list[str] = []  # namespaces
        self._cell: CellKey = "", ""  # of the resource that is read
        self._known: dict[tuple[bytes, bytes], int] = {}
        self._title = self._unit = b""  # of the metric that is read

    def read(self, at: int, end: int) -> None:
        """Read all points. Raises one of FAULTS."""
        for found, start, stop in fields(self._data, at, end):
            if found == RESOURCE_METRICS:
                self._resource_metrics(start, stop)

    def _resource_metrics(self, at: int, end: int) -> None:
        data = self._data
        parts = list(fields(data, at, end))
        resource = b"".join(data[start:stop] for found, start, stop in parts if found == RESOURCE)
        self._cell = cell_of(resource, self._names)
        self._known = self._names.otlp.setdefault(resource, {})
        for found, start, stop in parts:
            if found == SCOPE_METRICS:
                for inner, first, last in fields(data, start, stop):
                    if inner == METRIC:
                        self._metric(first, last)

    def _metric(self, at: int, end: int) -> None:
        data, summaries = self._data, []
        self._title = self._unit = b""
        for found, start, stop in fields(data, at, end):
            if found == TITLE:
                self._title = data[start:stop]
            elif found == UNIT:
                self._unit = data[start:stop]
            elif found == SUMMARY:  # a gauge, or another kind, is none of CloudWatch's
                summaries.append((start, stop))
        unwanted = self._names.unwanted.get(self._title)
        for first, last in summaries:
            for found, start, stop in fields(data, first, last):
                if found == POINT and unwanted is None:
                    self._point(start, stop)
                elif found == POINT:
                    self._unwanted.append(unwanted or "")

    def _point(self, at: int, end: int) -> None:
        data, begin = self._data, at
        while at < end and data[at] in LABELS:  # of 0.7, or written first
            size, at = varint(data, at + 1, end)
            at += size
        usual = USUAL.match(data, at, end) if at <= end else None
        if usual is None:
            self._unusual_point(begin, end)
            return
        raw = data[begin:at] + data[usual.end() : end]
        number = self._known.get((self._unit, raw))
        if number is None:
            try:
                number = self._learn(raw)
            except FAULTS:  # something else is among the attributes
                self._unusual_point(begin, end)
                return
        if number >= 0:
            self._numbers.append(number)
            self._parts += usual.groups(ZERO)

    def _unusual_point(self, at: int, end: int) -> None:
        data, raw, before = self._data, b"", at
        told, quantiles = {START: ZERO, COUNT: ZERO, SUM: ZERO}, dict[float, bytes]()
        for found, start, stop in fields(data, at, end):
            if found in told:
                told[found] = data[start:stop]
            elif found == QUANTILE:
                parts = {inner: data[first:last] for inner, first, last in fields(data, start, stop)}
                (quantile,) = struct.unpack("<d", parts.get(QUANTILE_AT, ZERO))
                quantiles[quantile] = parts.get(QUANTILE_VALUE, ZERO)
            elif found in LABELS:
                raw += data[before:stop]
            before = stop
        number = self._known.get((self._unit, raw))
        number = self._learn(raw) if number is None else number
        if number >= 0:
            for quantile, value in quantiles.items():
                name = f"p{quantile * 100:g}"
                self._percentiles.append((len(self._numbers), name, *struct.unpack("<d", value)))
            self._numbers.append(number)
            self._parts += told.values()
            self._parts += quantiles.get(0.0, NAN), quantiles.get(1.0, NAN)

    def _learn(self, raw: bytes) -> int:
        """The number of the name that new labels or attributes tell. Raises one of FAULTS."""
        namespace, metric, dimensions = name_of(raw)
        if not self._names.wants(namespace, metric):
            if self._title == b"amazonaws.com/%s/%s" % (namespace.encode(), metric.encode()):
                self._names.unwanted[self._title] = namespace
            self._unwanted.append(namespace)
            return UNWANTED
        unit = str(self._unit, "utf-8")
        number = self._names.number(self._cell, namespace, metric, dimensions, unit)
        self._known[self._unit, raw] = number
        return number

    def add_to(self, points: Points) -> None:
        """Append the points that were read to `points`."""
        start, count, *others = np.frombuffer(b"".join(self._parts), "<u8").reshape(-1, 5).T
        told = dict(zip(("sum", "min", "max"), (column.view("<f8") for column in others), strict=True))
        told["count"] = count.astype(np.float64)
        values = np.full((len(points.statistics), len(self._numbers)), np.nan)
        for row, name in enumerate(points.statistics):
            if name in told:
                values[row] = told[name]
        for place, name, value in self._percentiles:
            if name in points.statistics:
                values[points.statistics.index(name), place] = value
        times = (start // TO_MS).astype(np.int64)
        points.add(np.array(self._numbers, np.int64), times, values)
        points.unwanted.update(self._unwanted)
