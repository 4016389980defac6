"""Bodies are sent plain or as one gzip stream, both with their exact length."""

import gzip

from hypothesis import given
from hypothesis import strategies as st

from monitor.exposition.body import CompressedPiece, ExpositionBody

texts = st.one_of(st.binary(max_size=200), st.binary(max_size=20).map(lambda text: text * 5000))


@given(st.lists(texts, max_size=5), texts)
def test_plain_and_gzipped_bodies_contain_the_pieces_and_the_tail(pieces: list[bytes], tail: bytes) -> None:
    body = ExpositionBody.from_pieces(map(CompressedPiece.of, pieces))
    whole = b"".join(pieces) + tail
    length, parts = body.plain(tail)
    assert b"".join(parts) == whole
    assert length == len(whole)
    length, parts = body.gzipped(tail)
    stream = b"".join(parts)
    assert gzip.decompress(stream) == whole
    assert length == len(stream)


def test_repetitive_text_compresses_well() -> None:
    assert len(CompressedPiece.of(b'headroom_usage{account="123456789012"} 1\n' * 10_000).deflated) < 10_000
