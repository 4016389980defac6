"""The body of a Firehose request: what it says of itself, and the points of its records.

https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html
"""

import zlib
from typing import Final

import msgspec

from monitor.stream.points import Bad

LARGEST = 64 * 1024**2  # bytes of a body that is not compressed
MOST_RECORDS = 10_000
GZIP = 16 + zlib.MAX_WBITS
FORMAT = "record"
FAULTS: Final = (msgspec.MsgspecError, ValueError, RecursionError)


class Refused(Exception):
    """A body of which nothing can be used; the sentence says why."""


class Record(msgspec.Struct, gc=False):
    data: bytes


class Envelope(msgspec.Struct, rename="camel"):
    request_id: str
    records: list[Record]


class CarefulEnvelope(msgspec.Struct, rename="camel"):
    """The same, where some record is not base64."""

    request_id: str
    records: list[msgspec.Raw]


_whole = msgspec.json.Decoder(Envelope)
_careful = msgspec.json.Decoder(CarefulEnvelope)
_record = msgspec.json.Decoder(Record)


def inflated(body: bytes) -> bytes:
    """What a gzip body holds. Raises Refused when it is none, is cut off, or is too large."""
    inflate = zlib.decompressobj(GZIP)
    try:
        content = inflate.decompress(body, LARGEST + 1)
    except zlib.error:
        raise Refused("the body is not the gzip that its Content-Encoding says") from None
    if len(content) > LARGEST:
        raise Refused(f"expected at most {LARGEST} bytes, found more once decompressed")
    if not inflate.eof or inflate.unused_data:
        raise Refused("expected one complete gzip stream")
    return content


def opened(body: bytes, request: str) -> list[bytes | Bad]:
    """The records of a body, those that are not base64 as bad pieces.

    Raises Refused when it is no envelope of the request.
    """
    if body.count(b"{") > 2 * MOST_RECORDS:  # before a million of them become objects
        raise Refused(f"expected at most {MOST_RECORDS} records, found more")
    try:
        envelope = _whole.decode(body)
        found = envelope.request_id
        records: list[bytes | Bad] = [record.data for record in envelope.records]
    except FAULTS:
        found, records = _one_by_one(body)
    if found != request:
        raise Refused("expected the same request id in header and body")
    if len(records) > MOST_RECORDS:
        raise Refused(f"expected at most {MOST_RECORDS} records, found {len(records)}")
    return records


def _one_by_one(body: bytes) -> tuple[str, list[bytes | Bad]]:
    try:
        envelope = _careful.decode(body)
    except FAULTS as error:
        raise Refused(f"expected a body with requestId and records: {error}") from None
    return envelope.request_id, [_data(raw) for raw in envelope.records]


def _data(raw: msgspec.Raw) -> bytes | Bad:
    try:
        return _record.decode(raw).data
    except FAULTS as error:
        return Bad(FORMAT, str(error), bytes(raw))
