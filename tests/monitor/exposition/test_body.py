"""Bodies are sent as they are or as one gzip stream, and both say how long they are."""

import gzip

from hypothesis import given
from hypothesis import strategies as st

from monitor.exposition.body import CompressedPiece, ExpositionBody

texts = st.one_of(st.binary(max_size=200), st.binary(max_size=20).map(lambda some: some * 5000))


@given(st.lists(texts, max_size=5), texts)
def test_a_body_is_its_pieces_and_a_tail(pieces: list[bytes], tail: bytes) -> None:
    body = ExpositionBody.from_pieces(map(CompressedPiece.of, pieces))
    whole = b"".join(pieces) + tail
    length, parts = body.plain(tail)
    assert b"".join(parts) == whole
    assert length == len(whole)
    length, parts = body.gzipped(tail)
    stream = b"".join(parts)
    assert gzip.decompress(stream) == whole
    assert length == len(stream)


def test_repetitive_text_is_kept_small() -> None:
    assert len(CompressedPiece.of(b'headroom_usage{account="123456789012"} 1\n' * 10_000).deflated) < 10_000
