"""The JSON format of Metric Streams: an object a line.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-metric-streams-formats-json.html
A record is decoded at once; only where that fails line by line, so that a bad line costs nothing but itself.
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

from monitor.stream.names import BAD, LARGEST, UNWANTED, Names
from monitor.stream.points import Bad, Points

FORMAT = "json"
FAULTS: Final = (msgspec.MsgspecError, ValueError, RecursionError)  # UnicodeError is a ValueError
LATEST = 2**53  # milliseconds, beyond all dates and within int64
NAN = math.nan
LINE: Final = re.compile(rb"[^\n]+")
MOST_BAD = 10_000  # lines of a record, which holds 4,000 points at most: it is something else

Time = Annotated[int, msgspec.Meta(ge=-LATEST, le=LATEST)]

title_of = attrgetter("account_id", "region", "namespace", "metric_name", "unit")
dimensions_of, time_of, value_of = map(attrgetter, ("dimensions", "timestamp", "value"))
_dimensions = msgspec.json.Decoder(dict[str, str])


@cache
def decoder(statistics: Sequence[str]) -> msgspec.json.Decoder[Any]:
    """A decoder of points with these statistics; a statistic that is missing is NaN."""
    fields = [(f"s{n}", float, NAN) for n in range(len(statistics))]
    names = {f"s{n}": name for n, name in enumerate(statistics)}
    value = msgspec.defstruct("Value", fields, rename=names, gc=False)
    point = msgspec.defstruct(
        "Point",
        [
            ("account_id", str),
            ("region", str),
            ("namespace", str),
            ("metric_name", str),
            ("dimensions", msgspec.Raw),
            ("timestamp", Time),
            ("value", value),
            ("unit", str, ""),
        ],
        gc=False,
    )
    return msgspec.json.Decoder(point)


def decode(record: bytes, names: Names, points: Points) -> None:
    """Add what a record holds to `points`."""
    try:
        _add(decoder(tuple(points.statistics)).decode_lines(record), names, points)
    except FAULTS:
        _line_by_line(record, names, points)


def _line_by_line(record: bytes, names: Names, points: Points) -> None:
    good, decode_lines = [], decoder(tuple(points.statistics)).decode_lines
    for found in LINE.finditer(record):
        line = found[0]
        try:
            good += decode_lines(line)
        except FAULTS:
            try:
                good += decode_lines(_finite(line))
            except FAULTS as error:
                points.refuse(Bad(FORMAT, str(error) or type(error).__name__, line))
        if points.bad[FORMAT] > MOST_BAD:
            points.refuse(Bad(FORMAT, "too many bad lines, the rest was not read", record[found.end() :]))
            break
    _add(good, names, points)


def _finite(line: bytes) -> bytes:
    """The line without the statistics that are no finite number, which JSON proper cannot tell."""
    point = json.loads(line)
    value = point["value"] if isinstance(point, dict) and isinstance(point.get("value"), dict) else None
    if value is None:
        raise ValueError("expected an object with the members of a metric update")
    point["value"] = {name: number for name, number in value.items() if _is_finite(number)}
    return json.dumps(point, ensure_ascii=False).encode()


def _is_finite(number: object) -> bool:
    try:
        return isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
    except OverflowError:  # an integer beyond all floats
        return False


def _add(found: list[Any], names: Names, points: Points) -> None:
    spelt = zip(map(title_of, found), map(bytes, map(dimensions_of, found)), strict=True)
    numbers = list(map(names.json.get, spelt))
    for place, number in enumerate(numbers):
        if number is None:
            numbers[place] = _learn(found[place], names, points)
    values = [*map(value_of, found)]
    columns = [[*map(attrgetter(f"s{n}"), values)] for n in range(len(points.statistics))]
    points.add(
        np.array(numbers, np.int64),
        np.array([*map(time_of, found)], np.int64),
        np.array(columns, np.float64).reshape(len(columns), -1),
    )


def _learn(point: Any, names: Names, points: Points) -> int:
    """The number of a name that was not met in this spelling; UNWANTED and BAD ones are counted here."""
    if not names.wants(point.namespace, point.metric_name):
        points.unwanted[point.namespace] += 1
        return UNWANTED
    raw = bytes(point.dimensions)
    try:
        if len(raw) > LARGEST:
            raise ValueError(f"expected at most {LARGEST} bytes of dimensions, found {len(raw)}")
        dimensions = _dimensions.decode(raw)
    except FAULTS as error:
        points.refuse(Bad(FORMAT, f"dimensions: {error}", msgspec.json.encode(point)))
        return BAD
    cell = names.text(point.account_id), names.text(point.region)
    metric = names.text(point.namespace), names.text(point.metric_name)
    number = names.number(cell, *metric, dimensions, point.unit)
    names.json[(*cell, *metric, names.text(point.unit)), raw] = number
    return number
