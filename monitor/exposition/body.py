"""Response bodies made of pieces, each of which is compressed once however often it is sent."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

COMPRESSION_LEVEL = 1  # higher levels save a tenth of the size for twice the time
RAW_DEFLATE = -zlib.MAX_WBITS  # deflate without header and trailer
HEADER = b"\x1f\x8b\x08\0\0\0\0\0\x04\xff"  # RFC 1952: deflate, no name, no time, fastest, unknown system
FINAL_BLOCK = b"\x03\0"  # RFC 1951: the final block, empty


@dataclass(frozen=True, slots=True)
class CompressedPiece:
    """A part of a text, deflated and aligned to a byte, so that pieces can be concatenated."""

    size: int  # bytes of the text
    deflated: bytes

    @classmethod
    def of(cls, text: bytes) -> Self:
        """Compress a text."""
        deflate = zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, RAW_DEFLATE)
        return cls(len(text), deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH))

    @property
    def text(self) -> bytes:
        """The text, decompressed."""
        return zlib.decompressobj(RAW_DEFLATE).decompress(self.deflated)


@dataclass(frozen=True, slots=True)
class ExpositionBody:
    """Pieces, with the size in bytes and the CRC-32 of their text."""

    pieces: tuple[CompressedPiece, ...] = ()
    size: int = 0
    crc: int = 0

    @classmethod
    def from_pieces(cls, pieces: Iterable[CompressedPiece]) -> Self:
        """Join pieces; their size and checksum are computed once, here."""
        joined = tuple(pieces)
        crc = 0
        for piece in joined:
            crc = zlib.crc32(piece.text, crc)
        return cls(joined, sum(piece.size for piece in joined), crc)

    def plain(self, tail: bytes) -> tuple[int, Iterator[bytes]]:
        """Return the length in bytes of the text followed by `tail`, and its parts."""
        return self.size + len(tail), self._plain(tail)

    def _plain(self, tail: bytes) -> Iterator[bytes]:
        for piece in self.pieces:
            yield piece.text
        yield tail

    def gzipped(self, tail: bytes) -> tuple[int, Iterator[bytes]]:
        """Return the length in bytes and the parts of one gzip stream of the text followed by `tail`.

        Only `tail` is compressed now.
        """
        last = CompressedPiece.of(tail)
        trailer = struct.pack("<LL", zlib.crc32(tail, self.crc), (self.size + last.size) % 2**32)
        parts = [HEADER, *(piece.deflated for piece in self.pieces), last.deflated + FINAL_BLOCK + trailer]
        return sum(map(len, parts)), iter(parts)
