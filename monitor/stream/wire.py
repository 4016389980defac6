"""Protobuf's wire format, as far as metrics need it: https://protobuf.dev/programming-guides/encoding/"""

from collections.abc import Iterator
from typing import Final

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types; 3 and 4, groups, nobody writes any more
BITS = 64  # of a number, seven a byte
MORE: Final = 0x80  # set in each byte of a number but its last
FIRST_TAG: Final = 8  # fields are numbered from 1 on

Field = tuple[int, int, int]  # the tag, and where in the data its value starts and stops


class Broken(ValueError):
    """The bytes are no message of this schema."""


def tag(number: int, wire: int) -> int:
    """What a field begins with."""
    return number << 3 | wire


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The number at `at`, and where it stops. Raises Broken."""
    number = shift = 0
    while at < end and shift < BITS:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < MORE:
            return number, at
        shift += 7
    raise Broken("a number does not end")


def fields(data: bytes, at: int, end: int) -> Iterator[Field]:
    """The fields of a message. Raises Broken, or IndexError at the end of the data, where it is not one."""
    while at < end:
        found = data[at]
        at += 1
        if found >= MORE:
            found, at = varint(data, at - 1, end)
        wire = found & 7
        if wire == LENGTH:
            size = data[at]
            at += 1
            if size >= MORE:
                size, at = varint(data, at - 1, end)
            stop = at + size
        elif wire == VARINT:
            stop = varint(data, at, end)[1]
        elif wire in (FIXED64, FIXED32):
            stop = at + (8 if wire == FIXED64 else 4)
        else:
            raise Broken(f"no field has the wire type {wire}")
        if stop > end or found < FIRST_TAG:
            raise Broken("a field goes beyond its message")
        yield found, at, stop
        at = stop
