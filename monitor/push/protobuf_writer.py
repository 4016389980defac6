"""Writes protobuf's wire format: https://protobuf.dev/programming-guides/encoding/"""

from typing import Final

VARINT, FIXED64, LENGTH = 0, 1, 2  # wire types
LOW_BITS: Final = 0x7F  # the bits of the number in a byte of a varint
CONTINUATION_BIT: Final = 0x80  # set in each byte of a varint except the last


def varint(number: int) -> bytes:
    """Encode a non-negative integer as a varint."""
    if number <= LOW_BITS:
        return bytes((number,))
    parts = bytearray()
    while number > LOW_BITS:
        parts.append(number & LOW_BITS | CONTINUATION_BIT)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def tag(number: int, wire_type: int) -> bytes:
    """Encode the tag of a field, which is written before its value."""
    return varint(number << 3 | wire_type)


def text(value: str) -> bytes:
    """Encode a text as UTF-8; lone surrogates become `?`."""
    return value.encode(errors="replace")


def field(number: int, value: bytes) -> bytes:
    """Encode a field whose value is bytes, a text or a message."""
    return tag(number, LENGTH) + varint(len(value)) + value
