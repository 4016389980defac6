"""The records of a body: three formats, mixed as they come, told apart by how they begin."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from monitor.stream import json_decoder, otlp_decoder
from monitor.stream.names import Names
from monitor.stream.points import BASE, Bad, Points

LIKE_JSON: Final = re.compile(rb"\s*\{")

Decode = Callable[[bytes, Names, Points], None]


def points_of(
    records: Iterable[bytes | Bad], names: Names, statistics: Sequence[str] = BASE
) -> tuple[Points, bool]:
    """The points of all records, in order, and whether any record was good: understood or empty."""
    points, good = Points(statistics), False
    for record in records:
        if isinstance(record, Bad):
            points.refuse(record)
            continue
        told = _decoded(record, names, statistics)
        good = good or bool(told.usable) or not told.bad
        points.extend(told)
    return points, good


def _decoded(record: bytes, names: Names, statistics: Sequence[str]) -> Points:
    """What a record holds.

    An OpenTelemetry message of 123 bytes has `{` as its length, and a record of JSON may begin with a bad
    line: when all is bad in the format that it looks like, it may be the other one.
    """
    decoders: list[Decode] = [json_decoder.decode, otlp_decoder.decode]
    if not LIKE_JSON.match(record):
        decoders.reverse()
    attempts = []
    for decode in decoders:
        points = Points(statistics)
        decode(record, names, points)
        if points.usable or not points.bad:
            return points
        attempts.append(points)
    return attempts[0]
