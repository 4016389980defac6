"""Writing protobuf's wire format: https://protobuf.dev/programming-guides/encoding/"""

from typing import Final

VARINT, FIXED64, LENGTH = 0, 1, 2  # wire types
SEVEN: Final = 0x7F
MORE: Final = 0x80


def varint(number: int) -> bytes:
    """A number that is not negative, seven bits a byte."""
    if number <= SEVEN:
        return bytes((number,))
    parts = bytearray()
    while number > SEVEN:
        parts.append(number & SEVEN | MORE)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def tag(number: int, wire: int) -> bytes:
    """What a field begins with."""
    return varint(number << 3 | wire)


def text(value: str) -> bytes:
    """A text's bytes; what is not Unicode becomes `?`."""
    return value.encode(errors="replace")


def field(number: int, value: bytes) -> bytes:
    """A field of bytes, text or a message."""
    return tag(number, LENGTH) + varint(len(value)) + value
