"""Decodes the OpenTelemetry formats 1.0 and 0.7 of Metric Streams: messages, each preceded by its length.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-metric-streams-formats-opentelemetry-100.html
The labels of a point have different field numbers in the two versions (0.7: `labels = 1`, 1.0:
`attributes = 7`). All other fields have the same numbers, so one decoder reads both. A parser that is
generated from one version would lose the labels of the other.
"""

import re
import struct
from typing import Final

import numpy as np

from monitor.fleet.key import CellKey
from monitor.stream.interner import UNDECLARED, NameInterner
from monitor.stream.otlp_attributes import ATTRIBUTE, LABEL, cell_of, name_of
from monitor.stream.points import DecodeError, Points
from monitor.stream.protobuf_reader import FIXED64, LENGTH, ProtobufError, fields, tag, varint

FORMAT = "otlp"
PARSE_ERRORS: Final = (ValueError, IndexError)  # ProtobufError and UnicodeDecodeError are ValueErrors
ZERO, NAN = struct.pack("<d", 0.0), struct.pack("<d", float("nan"))
EMPTY_MESSAGES: Final = re.compile(rb"\0*")  # each is a length of 0
NS_PER_MS = 1_000_000
# Costs of decoding in addition to those of the fields; see `DecodeBudget`.
MESSAGE_STEPS = 40  # cost of a message
UNUSUAL_POINT_STEPS = 20  # cost of a point that USUAL_POINT does not match
PART_STEPS = 5  # cost of a metric, and of a quantile
MAX_SUMMARIES = 100  # per metric; AWS sends one

# Tags, by message.
RESOURCE_METRICS = tag(1, LENGTH)  # of a request
RESOURCE, SCOPE_METRICS = tag(1, LENGTH), tag(2, LENGTH)  # of resource metrics
METRIC = tag(2, LENGTH)  # of scope metrics
METRIC_NAME, UNIT, SUMMARY = tag(1, LENGTH), tag(3, LENGTH), tag(11, LENGTH)  # of a metric
POINT = tag(1, LENGTH)  # of a summary
LABELS = LABEL, ATTRIBUTE
START, COUNT, SUM, QUANTILE = tag(2, FIXED64), tag(4, FIXED64), tag(5, FIXED64), tag(6, LENGTH)  # of a point
QUANTILE_AT, QUANTILE_VALUE = tag(1, FIXED64), tag(2, FIXED64)  # of a quantile

# The numbers of a point as AWS writes them: start, end, count, sum, and the quantiles 0 (the minimum) and 1
# (the maximum). Zeros are omitted. Points with percentiles, or with fields in another order, take longer to
# decode.
USUAL_POINT: Final = re.compile(
    rb"\x11(.{8})\x19.{8}(?:\x21(.{8}))?(?:\x29(.{8}))?"
    rb"\x32(?:\x00|(?:\x09|\x12\x09\x00{8})\x11(.{8}))"
    rb"\x32(?:\x12\x09\x00{6}\xf0\x3f\x11(.{8})|\x09\x09\x00{6}\xf0\x3f)",
    re.DOTALL,
)


def decode(record: bytes, names: NameInterner, points: Points) -> None:
    """Add the points of a record to `points`.

    A malformed message is one error. So is a malformed length, which ends decoding. Raises
    DecodeBudgetExceededError and TooManyNamesError.
    """
    at, end = _skip_empty(record, 0), len(record)
    while at < end:
        try:
            size, start = varint(record, at, end)
            if start + size > end:
                raise ProtobufError(f"expected a message of {size} bytes, found {end - start}")
        except ProtobufError as error:
            points.add_error(DecodeError(FORMAT, str(error), record[at:]))
            return
        if not points.budget.tolerates_errors:
            points.add_error(
                DecodeError(FORMAT, "too many malformed messages; the rest was not decoded", record[at:])
            )
            return
        points.budget.spend(MESSAGE_STEPS)
        message = Message(record, names, points)
        try:
            message.read(start, start + size)
        except PARSE_ERRORS as error:
            points.add_error(DecodeError(FORMAT, str(error), record[start : start + size]))
        else:
            message.add_to(points)
        at = _skip_empty(record, start + size)


def _skip_empty(record: bytes, at: int) -> int:
    """Return the index after the empty messages that start at index `at`."""
    empty = EMPTY_MESSAGES.match(record, at)
    assert empty  # the pattern matches the empty string, too
    return empty.end()


class Message:
    """One ExportMetricsServiceRequest, decoded to columns.

    Each point is stored as the number of its name (see `NameInterner`) and five values of 8 bytes.
    """

    def __init__(self, data: bytes, names: NameInterner, points: Points) -> None:
        self._data, self._names, self._budget = data, names, points.budget
        self._numbers: list[int] = []
        self._raw_values: list[bytes] = []  # of each point: start, count, sum, minimum, maximum
        self._percentiles: list[tuple[int, str, float]] = []  # index of the point, name, value
        self._undeclared: list[str] = []  # of each point of an undeclared metric: its namespace
        self._cell: CellKey = "", ""  # of the current resource
        # The numbers of known names, by unit and raw labels or attributes.
        self._known_numbers: dict[tuple[bytes, bytes], int] = {}
        self._metric_name = self._unit = b""  # name and unit of the current metric

    def read(self, at: int, end: int) -> None:
        """Decode the message from `at` to `end`. Raises one of PARSE_ERRORS."""
        for field_tag, start, stop in fields(self._data, at, end, self._budget):
            if field_tag == RESOURCE_METRICS:
                self._read_resource_metrics(start, stop)

    def _read_resource_metrics(self, at: int, end: int) -> None:
        data, budget = self._data, self._budget
        parts = (
            data[start:stop]
            for field_tag, start, stop in fields(data, at, end, budget)
            if field_tag == RESOURCE
        )
        resource = b"".join(parts)
        self._cell = cell_of(resource, self._names, budget)
        self._known_numbers = self._names.otlp_numbers.setdefault(resource, {})
        for field_tag, start, stop in fields(data, at, end, budget):
            if field_tag == SCOPE_METRICS:
                for inner_tag, first, last in fields(data, start, stop, budget):
                    if inner_tag == METRIC:
                        self._read_metric(first, last)

    def _read_metric(self, at: int, end: int) -> None:
        data, summaries = self._data, []
        self._budget.spend(PART_STEPS)
        self._metric_name = self._unit = b""
        for field_tag, start, stop in fields(data, at, end, self._budget):
            if field_tag == METRIC_NAME:
                self._metric_name = data[start:stop]
            elif field_tag == UNIT:
                self._unit = data[start:stop]
            elif field_tag == SUMMARY:  # CloudWatch sends no other type
                summaries.append((start, stop))
                if len(summaries) > MAX_SUMMARIES:
                    raise ProtobufError(f"expected at most {MAX_SUMMARIES} summaries of a metric, found more")
        undeclared = self._names.undeclared_namespaces.get(self._metric_name)
        for first, last in summaries:
            for field_tag, start, stop in fields(data, first, last, self._budget):
                if field_tag == POINT and undeclared is None:
                    self._read_point(start, stop)
                elif field_tag == POINT:
                    self._undeclared.append(undeclared or "")

    def _read_point(self, at: int, end: int) -> None:
        data, begin = self._data, at
        while at < end and data[at] in LABELS:  # labels of 0.7, or attributes that come first
            size, at = varint(data, at + 1, end)
            at += size
            self._budget.steps_left -= 1
        usual = USUAL_POINT.match(data, at, end) if at <= end else None
        if usual is None:
            self._read_unusual_point(begin, end)
            return
        raw = data[begin:at] + data[usual.end() : end]
        number = self._known_numbers.get((self._unit, raw))
        if number is None:
            try:
                number = self._intern(raw)
            except PARSE_ERRORS:  # the bytes are not only labels or attributes
                self._read_unusual_point(begin, end)
                return
        if number >= 0:
            self._numbers.append(number)
            self._raw_values += usual.groups(ZERO)

    def _read_unusual_point(self, at: int, end: int) -> None:
        data, labels, field_start = self._data, list[bytes](), at
        fixed_fields, quantiles = {START: ZERO, COUNT: ZERO, SUM: ZERO}, dict[float, bytes]()
        self._budget.spend(UNUSUAL_POINT_STEPS)
        for field_tag, start, stop in fields(data, at, end, self._budget):
            if field_tag in fixed_fields:
                fixed_fields[field_tag] = data[start:stop]
            elif field_tag == QUANTILE:
                self._budget.spend(PART_STEPS)
                inner_fields = fields(data, start, stop, self._budget)
                parts = {inner_tag: data[first:last] for inner_tag, first, last in inner_fields}
                (quantile,) = struct.unpack("<d", parts.get(QUANTILE_AT, ZERO))
                quantiles[quantile] = parts.get(QUANTILE_VALUE, ZERO)
            elif field_tag in LABELS:
                labels.append(data[field_start:stop])
            field_start = stop
        raw = b"".join(labels)
        number = self._known_numbers.get((self._unit, raw))
        number = self._intern(raw) if number is None else number
        if number >= 0:
            for quantile, value in quantiles.items():
                name = f"p{quantile * 100:g}"
                self._percentiles.append((len(self._numbers), name, *struct.unpack("<d", value)))
            self._numbers.append(number)
            self._raw_values += fixed_fields.values()
            self._raw_values += quantiles.get(0.0, NAN), quantiles.get(1.0, NAN)

    def _intern(self, raw: bytes) -> int:
        """Return the number of the metric's name; UNDECLARED if no collector declares the metric.

        raw: the labels or attributes of a point, in a spelling that is new. Raises one of PARSE_ERRORS.
        """
        namespace, metric, dimensions = name_of(raw, self._budget)
        if not self._names.is_declared(namespace, metric):
            if self._metric_name == b"amazonaws.com/%s/%s" % (namespace.encode(), metric.encode()):
                self._names.reserve(len(self._metric_name))
                self._names.undeclared_namespaces[self._metric_name] = namespace
            self._undeclared.append(namespace)
            return UNDECLARED
        unit = str(self._unit, "utf-8")
        self._names.reserve(len(raw))
        number = self._names.intern(self._cell, namespace, metric, dimensions, unit)
        self._known_numbers[self._unit, raw] = number
        return number

    def add_to(self, points: Points) -> None:
        """Append the decoded points to `points`."""
        for namespace in self._undeclared:
            points.count_undeclared(namespace)
        if not self._numbers:
            return
        start, count, *floats = np.frombuffer(b"".join(self._raw_values), "<u8").reshape(-1, 5).T
        columns = dict(zip(("sum", "min", "max"), (column.view("<f8") for column in floats), strict=True))
        columns["count"] = count.astype(np.float64)
        values = np.full((len(points.statistics), len(self._numbers)), np.nan)
        for row, name in enumerate(points.statistics):
            if name in columns:
                values[row] = columns[name]
        for index, name, value in self._percentiles:
            if name in points.statistics:
                values[points.statistics.index(name), index] = value
        times = (start // NS_PER_MS).astype(np.int64)
        points.add(np.array(self._numbers, np.int64), times, values)
