"""Reads those parts of protobuf's wire format that OpenTelemetry metrics use.

https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator
from typing import Final

from monitor.lib.errors import HeadroomError
from monitor.stream.decode_budget import DecodeBudget

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types; 3 and 4, groups, are deprecated
MAX_VARINT_BITS = 64
CONTINUATION_BIT: Final = 0x80  # set in each byte of a varint except the last
MIN_TAG: Final = 8  # fields are numbered from 1 on

Field = tuple[int, int, int]  # tag, and start and end index of the value


class ProtobufError(HeadroomError, ValueError):
    """The bytes are no message of the schema."""


def tag(number: int, wire_type: int) -> int:
    """Return the tag of a field, which is written before its value."""
    return number << 3 | wire_type


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Decode the varint at index `at`; return the number and the index after it. Raises ProtobufError."""
    number = shift = 0
    while at < end and shift < MAX_VARINT_BITS:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < CONTINUATION_BIT:
            return number, at
        shift += 7
    raise ProtobufError("a varint does not end")


def fields(data: bytes, at: int, end: int, budget: DecodeBudget) -> Iterator[Field]:
    """Yield the fields of the message from index `at` to `end`. Raises ProtobufError or IndexError.

    budget: a step is taken from it for each field.
    """
    count = 0
    while at < end:
        count += 1
        field_tag = data[at]
        at += 1
        if field_tag >= CONTINUATION_BIT:
            field_tag, at = varint(data, at - 1, end)
        wire_type = field_tag & 7
        if wire_type == LENGTH:
            size = data[at]
            at += 1
            if size >= CONTINUATION_BIT:
                size, at = varint(data, at - 1, end)
            stop = at + size
        elif wire_type == VARINT:
            stop = varint(data, at, end)[1]
        elif wire_type in (FIXED64, FIXED32):
            stop = at + (8 if wire_type == FIXED64 else 4)
        else:
            raise ProtobufError(f"no field has the wire type {wire_type}")
        if stop > end or field_tag < MIN_TAG:
            raise ProtobufError("a field goes beyond its message, or its number is 0")
        yield field_tag, at, stop
        at = stop
    budget.steps_left -= count
