"""Long texts made of pieces, kept compressed, so that a piece is compressed once however often it is sent."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

LEVEL = 1  # labels repeat so much that higher levels gain a tenth, for twice the time
RAW = -zlib.MAX_WBITS  # deflate without a header: what gzip's header and trailer go around
HEADER = b"\x1f\x8b\x08\0\0\0\0\0\x04\xff"  # RFC 1952: deflate, no name, no time, fastest, unknown system
END = b"\x03\0"  # RFC 1951: a last block, empty


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text, deflated and ended at a byte, so that pieces can be sent one after the other."""

    size: int  # bytes of the text
    deflated: bytes

    @classmethod
    def of(cls, text: bytes) -> Self:
        deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, RAW)
        return cls(len(text), deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH))

    @property
    def text(self) -> bytes:
        return zlib.decompressobj(RAW).decompress(self.deflated)


@dataclass(frozen=True, slots=True)
class Body:
    """Pieces with what a message of them needs: `size`, the bytes of their text, and its `crc`."""

    pieces: tuple[Piece, ...] = ()
    size: int = 0
    crc: int = 0

    @classmethod
    def of(cls, pieces: Iterable[Piece]) -> Self:
        kept = tuple(pieces)
        crc = 0
        for piece in kept:
            crc = zlib.crc32(piece.text, crc)
        return cls(kept, sum(piece.size for piece in kept), crc)

    def plain(self, tail: bytes) -> tuple[int, Iterator[bytes]]:
        """The length of the text with `tail` behind it, and the text in parts."""
        return self.size + len(tail), self._plain(tail)

    def _plain(self, tail: bytes) -> Iterator[bytes]:
        for piece in self.pieces:
            yield piece.text
        yield tail

    def gzipped(self, tail: bytes) -> tuple[int, Iterator[bytes]]:
        """As `plain`, as one gzip stream; only `tail` is left to compress."""
        last = Piece.of(tail)
        checks = struct.pack("<LL", zlib.crc32(tail, self.crc), (self.size + last.size) % 2**32)
        parts = [HEADER, *(piece.deflated for piece in self.pieces), last.deflated + END + checks]
        return sum(map(len, parts)), iter(parts)
