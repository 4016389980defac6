"""Decodes the JSON format of Metric Streams: one object per line.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-metric-streams-formats-json.html
A record is decoded as a whole. If that fails, it is decoded line by line, so that only bad lines are lost.
"""

import json
import math
import re
from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, Final

import msgspec
import numpy as np

from monitor.stream.interner import INVALID, MAX_DIMENSIONS_BYTES, UNDECLARED, NameInterner
from monitor.stream.json_errors import PARSE_ERRORS
from monitor.stream.points import DecodeError, Points

FORMAT = "json"
MAX_TIMESTAMP = 2**53  # milliseconds, beyond all dates and within int64
NAN = math.nan
LINE: Final = re.compile(rb"[^\n]+")
MAX_NAME_LENGTH: Final = 1024  # characters; the maximum of CloudWatch is 255

NameText = Annotated[str, msgspec.Meta(max_length=MAX_NAME_LENGTH)]
Timestamp = Annotated[int, msgspec.Meta(ge=-MAX_TIMESTAMP, le=MAX_TIMESTAMP)]

identity_of = attrgetter("account_id", "region", "namespace", "metric_name", "unit")
dimensions_of, time_of, value_of = map(attrgetter, ("dimensions", "timestamp", "value"))
_dimensions_decoder = msgspec.json.Decoder(dict[str, str])


@cache
def decoder_for(statistics: Sequence[str]) -> msgspec.json.Decoder[Any]:
    """Return a decoder of points with these statistics; a missing statistic is NaN."""
    # The names of statistics, such as p99.9, need not be Python identifiers.
    fields = [(f"s{n}", float, NAN) for n in range(len(statistics))]
    names = {f"s{n}": name for n, name in enumerate(statistics)}
    value = msgspec.defstruct("Value", fields, rename=names, gc=False)
    point = msgspec.defstruct(
        "Point",
        [
            ("account_id", NameText),
            ("region", NameText),
            ("namespace", NameText),
            ("metric_name", NameText),
            ("dimensions", msgspec.Raw),
            ("timestamp", Timestamp),
            ("value", value),
            ("unit", NameText, ""),
        ],
        gc=False,
    )
    return msgspec.json.Decoder(point)


def decode(record: bytes, names: NameInterner, points: Points) -> None:
    """Add the points of a record to `points`. Raises DecodeBudgetExceededError and TooManyNamesError."""
    try:
        _add_points(decoder_for(tuple(points.statistics)).decode_lines(record), names, points)
    except PARSE_ERRORS:
        _decode_line_by_line(record, names, points)


def _decode_line_by_line(record: bytes, names: NameInterner, points: Points) -> None:
    decoded, decode_lines = [], decoder_for(tuple(points.statistics)).decode_lines
    for match in LINE.finditer(record):
        line = match[0]
        try:
            decoded += decode_lines(line)
        except PARSE_ERRORS:
            points.budget.spend(len(line))  # the second attempt, below, takes time in proportion to the bytes
            try:
                decoded += decode_lines(_without_non_finite_statistics(line))
            except PARSE_ERRORS as error:
                points.add_error(DecodeError(FORMAT, str(error) or type(error).__name__, line))
        if not points.budget.tolerates_errors:
            points.add_error(
                DecodeError(
                    FORMAT, "too many malformed lines; the rest was not decoded", record[match.end() :]
                )
            )
            break
    _add_points(decoded, names, points)


def _without_non_finite_statistics(line: bytes) -> bytes:
    """Return a line without its statistics that are not finite numbers, such as NaN."""
    point = json.loads(line)
    value = point["value"] if isinstance(point, dict) and isinstance(point.get("value"), dict) else None
    if value is None:
        raise ValueError("expected an object with the members of a metric update")
    point["value"] = {name: number for name, number in value.items() if _is_finite(number)}
    return json.dumps(point, ensure_ascii=False).encode()


def _is_finite(number: object) -> bool:
    try:
        return isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
    except OverflowError:  # an integer beyond the range of floats
        return False


def _add_points(decoded: list[Any], names: NameInterner, points: Points) -> None:
    # A spelling is the bytes in which a record contains a name.
    spellings = zip(map(identity_of, decoded), map(bytes, map(dimensions_of, decoded)), strict=True)
    numbers = list(map(names.json_numbers.get, spellings))
    for index, number in enumerate(numbers):
        if number is None:
            numbers[index] = _intern(decoded[index], names, points)
    values = [*map(value_of, decoded)]
    columns = [[*map(attrgetter(f"s{n}"), values)] for n in range(len(points.statistics))]
    points.add(
        np.array(numbers, np.int64),
        np.array([*map(time_of, decoded)], np.int64),
        np.array(columns, np.float64).reshape(len(columns), -1),
    )


def _intern(point: Any, names: NameInterner, points: Points) -> int:
    """Return the number of a name in a new spelling; UNDECLARED or INVALID if there is none."""
    if not names.is_declared(point.namespace, point.metric_name):
        points.count_undeclared(point.namespace)
        return UNDECLARED
    raw = bytes(point.dimensions)
    try:
        if len(raw) > MAX_DIMENSIONS_BYTES:
            raise ValueError(f"expected at most {MAX_DIMENSIONS_BYTES} bytes of dimensions, found {len(raw)}")
        dimensions = _dimensions_decoder.decode(raw)
    except PARSE_ERRORS as error:
        points.add_error(DecodeError(FORMAT, f"dimensions: {error}", msgspec.json.encode(point)))
        return INVALID
    cell = names.intern_text(point.account_id), names.intern_text(point.region)
    metric = names.intern_text(point.namespace), names.intern_text(point.metric_name)
    names.reserve(len(raw))
    number = names.intern(cell, *metric, dimensions, point.unit)
    names.json_numbers[(*cell, *metric, names.intern_text(point.unit)), raw] = number
    return number
