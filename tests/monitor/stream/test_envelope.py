import gzip

import pytest

from monitor.stream.envelope import MOST_RECORDS, Refused, inflated, opened
from monitor.stream.points import Bad
from tests.monitor.stream.bodies import envelope


def test_records_are_what_was_encoded() -> None:
    assert opened(envelope([b"one", b"", b"\xff"]), "r-1") == [b"one", b"", b"\xff"]


def test_a_record_that_is_not_base64_costs_nothing_but_itself() -> None:
    body = envelope([b"one", b"two", b"three"]).replace(b"dHdv", b"d%dv")
    first, bad, last = opened(body, "r-1")
    assert (first, last) == (b"one", b"three")
    assert isinstance(bad, Bad)
    assert b"d%dv" in bad.piece


def test_a_million_records_are_refused_before_they_are_read() -> None:
    body = b'{"requestId":"r-1","records":[' + b'{"data":""},' * 10 * MOST_RECORDS + b'{"data":""}]}'
    with pytest.raises(Refused, match="found more"):
        opened(body, "r-1")


def test_gzip_is_read_to_its_end() -> None:
    assert inflated(gzip.compress(b"x" * 10**6)) == b"x" * 10**6
    with pytest.raises(Refused, match="complete"):
        inflated(gzip.compress(b"x" * 10**6)[:-8])
