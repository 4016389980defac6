"""Bodies are sent plain or as one gzip stream, both with their exact length."""

import gzip

from hypothesis import given
from hypothesis import strategies as st

from monitor.exposition.body import CompressedPiece, ExpositionBody

byte_strings = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=20).map(lambda part: part * 5000),  # long, and easy to compress
)


@given(st.lists(byte_strings, max_size=5), byte_strings)
def test_plain_and_gzipped_bodies_contain_the_pieces_and_the_tail(pieces: list[bytes], tail: bytes) -> None:
    body = ExpositionBody.from_pieces(map(CompressedPiece.of, pieces))
    expected_text = b"".join(pieces) + tail
    length, parts = body.plain(tail)
    assert b"".join(parts) == expected_text
    assert length == len(expected_text)
    length, parts = body.gzipped(tail)
    gzip_stream = b"".join(parts)
    assert gzip.decompress(gzip_stream) == expected_text
    assert length == len(gzip_stream)


def test_repetitive_text_compresses_well() -> None:
    assert len(CompressedPiece.of(b'headroom_usage{account="123456789012"} 1\n' * 10_000).deflated) < 10_000
