"""Decodes the records of a body. Each record is JSON or OpenTelemetry 0.7 or 1.0."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from monitor.stream import json_decoder, otlp_decoder
from monitor.stream.interner import NameInterner
from monitor.stream.points import BASE_STATISTICS, DecodeError, Points

JSON_START: Final = re.compile(rb"\s*\{")

Decode = Callable[[bytes, NameInterner, Points], None]


def decode_records(
    records: Iterable[bytes | DecodeError], names: NameInterner, statistics: Sequence[str] = BASE_STATISTICS
) -> tuple[Points, bool]:
    """Return the points of all records, in order, and whether any record was valid (decoded or empty).

    Raises DecodeBudgetExceededError when the records cost too much to decode, and TooManyNamesError.
    """
    points, any_valid = Points(statistics), False
    for record in records:
        if isinstance(record, DecodeError):
            points.add_error(record)
            continue
        record_points = _decode_record(record, names, points)
        any_valid = any_valid or bool(record_points.decoded_count) or not record_points.error_counts
        points.extend(record_points)
    return points, any_valid


def _decode_record(record: bytes, names: NameInterner, body_points: Points) -> Points:
    """Return the points of a record, with the statistics and the budget of `body_points`.

    The first byte suggests the format, but an OpenTelemetry message starts with its length, which is written
    as `{` if it is 123, and JSON may start with a malformed line. So if the suggested format decodes nothing,
    the other format is tried.
    """
    decoders: list[Decode] = [json_decoder.decode, otlp_decoder.decode]
    if not JSON_START.match(record):
        decoders.reverse()
    attempts = []
    for decode in decoders:
        points = Points(body_points.statistics, body_points.budget)
        decode(record, names, points)
        if points.decoded_count or not points.error_counts:
            return points
        attempts.append(points)
    return attempts[0]
