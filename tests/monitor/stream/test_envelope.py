"""The body of a Firehose request: its records, and its bounds."""

import gzip

import pytest

from monitor.stream.envelope import MAX_RECORD_BYTES, MAX_RECORDS, EnvelopeError, gunzip, parse_envelope
from monitor.stream.points import DecodeError
from tests.monitor.stream.bodies import envelope


def test_records_are_decoded_unchanged() -> None:
    assert parse_envelope(envelope([b"one", b"", b"\xff"]), "r-1") == [b"one", b"", b"\xff"]


def test_a_record_that_is_not_base64_affects_only_itself() -> None:
    body = envelope([b"one", b"two", b"three"]).replace(b"dHdv", b"d%dv")
    first, error, last = parse_envelope(body, "r-1")
    assert (first, last) == (b"one", b"three")
    assert isinstance(error, DecodeError)
    assert b"d%dv" in error.piece


def test_too_many_records_are_rejected_before_they_are_parsed() -> None:
    body = b'{"requestId":"r-1","records":[' + b'{"data":""},' * 10 * MAX_RECORDS + b'{"data":""}]}'
    with pytest.raises(EnvelopeError, match="found more"):
        parse_envelope(body, "r-1")


def test_a_record_larger_than_firehose_allows_affects_only_itself() -> None:
    body = envelope([b"x" * MAX_RECORD_BYTES, b"x" * (MAX_RECORD_BYTES + 1)])
    largest, error = parse_envelope(body, "r-1")
    assert largest == b"x" * MAX_RECORD_BYTES
    assert isinstance(error, DecodeError)
    assert error.reason == "expected at most 1024000 bytes, found 1024001"


@pytest.mark.parametrize("piece", [b"1", b"{}", b"[]", b'""'])
def test_a_million_values_of_any_kind_are_rejected_before_they_are_parsed(piece: bytes) -> None:
    body = b'{"requestId":"r-1","records":[' + (piece + b",") * 10**6 + b"1]}"
    with pytest.raises(EnvelopeError, match="found more"):
        parse_envelope(body, "r-1")


def test_a_truncated_gzip_stream_is_rejected() -> None:
    assert gunzip(gzip.compress(b"x" * 10**6)) == b"x" * 10**6
    with pytest.raises(EnvelopeError, match="complete"):
        gunzip(gzip.compress(b"x" * 10**6)[:-8])
