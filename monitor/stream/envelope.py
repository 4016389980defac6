"""Parses the body of a Firehose request: its id, and the bytes of its records.

https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html
"""

import zlib

import msgspec

from monitor.lib.errors import HeadroomError
from monitor.stream.json_errors import PARSE_ERRORS
from monitor.stream.points import MAX_PIECE_BYTES, DecodeError

MAX_BODY_BYTES = 64 * 1024**2  # uncompressed
MAX_RECORDS = 10_000
MAX_RECORD_BYTES = 1_024_000  # https://docs.aws.amazon.com/firehose/latest/APIReference/API_Record.html
GZIP_WINDOW = 16 + zlib.MAX_WBITS  # makes zlib expect a gzip header
FORMAT = "record"  # of the pieces that fail here; see `StreamDeadLetter.format`


class EnvelopeError(HeadroomError):
    """A body has no usable record; the text is a sentence with the reason."""


class Record(msgspec.Struct, gc=False):
    """A record, encoded in base64."""

    data: bytes


class Envelope(msgspec.Struct, rename="camel"):
    """A body whose records are all well-formed."""

    request_id: str
    records: list[Record]


class RawEnvelope(msgspec.Struct, rename="camel"):
    """A body with malformed records; its records are decoded one by one."""

    request_id: str
    records: list[msgspec.Raw]


_envelope_decoder = msgspec.json.Decoder(Envelope)
_raw_envelope_decoder = msgspec.json.Decoder(RawEnvelope)
_record_decoder = msgspec.json.Decoder(Record)


def gunzip(body: bytes) -> bytes:
    """Decompress a body. Raises EnvelopeError when it is not gzip, is cut off, or is too large."""
    inflate = zlib.decompressobj(GZIP_WINDOW)
    try:
        content = inflate.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise EnvelopeError("the body is not gzip, though its Content-Encoding says so") from None
    if len(content) > MAX_BODY_BYTES:
        raise EnvelopeError(f"expected at most {MAX_BODY_BYTES} bytes, found more once decompressed")
    if not inflate.eof or inflate.unused_data:
        raise EnvelopeError("expected one complete gzip stream")
    return content


def parse_envelope(body: bytes, request_id: str) -> list[bytes | DecodeError]:
    """Return the records of a body; a DecodeError stands for a record that is too large or not base64.

    Raises EnvelopeError when the body is malformed or has another id than `request_id`.
    """
    if body.count(b",") > 2 * MAX_RECORDS:  # each record has a comma before it; base64 contains none
        raise EnvelopeError(f"expected at most {MAX_RECORDS} records, found more")
    try:
        envelope = _envelope_decoder.decode(body)
        body_id = envelope.request_id
        records: list[bytes | DecodeError] = [record.data for record in envelope.records]
    except PARSE_ERRORS:
        body_id, records = _parse_one_by_one(body)
    if body_id != request_id:
        raise EnvelopeError("expected the same request id in header and body")
    if len(records) > MAX_RECORDS:
        raise EnvelopeError(f"expected at most {MAX_RECORDS} records, found {len(records)}")
    return [*map(_limit_size, records)]


def _limit_size(record: bytes | DecodeError) -> bytes | DecodeError:
    if isinstance(record, DecodeError) or len(record) <= MAX_RECORD_BYTES:
        return record
    reason = f"expected at most {MAX_RECORD_BYTES} bytes, found {len(record)}"
    return DecodeError(FORMAT, reason, record[:MAX_PIECE_BYTES])


def _parse_one_by_one(body: bytes) -> tuple[str, list[bytes | DecodeError]]:
    try:
        envelope = _raw_envelope_decoder.decode(body)
    except PARSE_ERRORS as error:
        raise EnvelopeError(f"expected a body with requestId and records: {error}") from None
    return envelope.request_id, [_parse_record(raw) for raw in envelope.records]


def _parse_record(raw: msgspec.Raw) -> bytes | DecodeError:
    try:
        return _record_decoder.decode(raw).data
    except PARSE_ERRORS as error:
        return DecodeError(FORMAT, str(error), bytes(raw))
