"""The part of CBOR (RFC 8949) that AWS's protocol rpc-v2-cbor uses."""

import struct
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)  # the major types
EPOCH_TAG = 1  # the tag before a time in epoch seconds
MIN_FOLLOWING = 24  # lower numbers are in the first byte of an item, higher numbers in the following bytes
INDEFINITE, BREAK = 31, 0xFF  # the length of an item that ends at a BREAK byte, and that byte
# By the low five bits of the first byte (`info`): struct formats of the number that follows, and constants.
LENGTHS = {24: ">B", 25: ">H", 26: ">I", 27: ">Q"}
FLOATS = {25: ">e", 26: ">f", 27: ">d"}
CONSTANTS = {20: False, 21: True, 22: None, 23: None}
DOUBLE = b"\xfb"  # the first byte of a float of 64 bits


def encode(value: Any) -> bytes:
    """Return a value as CBOR. A datetime becomes an epoch time."""
    out = bytearray()
    _write(out, value)
    return bytes(out)


def _write(out: bytearray, value: Any) -> None:
    if isinstance(value, str):
        text = value.encode()
        _write_head(out, TEXT, len(text))
        out += text
    elif isinstance(value, int):
        _write_head(out, UNSIGNED, value)
    elif isinstance(value, float):
        out += DOUBLE + struct.pack(">d", value)
    elif isinstance(value, datetime):
        _write_head(out, TAG, EPOCH_TAG)
        _write(out, int(value.timestamp()))
    elif isinstance(value, Mapping):
        _write_head(out, MAP, len(value))
        for name, item in value.items():
            _write(out, name)
            _write(out, item)
    elif isinstance(value, Sequence):
        _write_head(out, ARRAY, len(value))
        for item in value:
            _write(out, item)
    else:
        raise TypeError(f"CBOR of {type(value).__name__} is not needed here")


def _write_head(out: bytearray, major: int, number: int) -> None:
    """Write the major type of an item, and its value, its length or its tag."""
    if number < MIN_FOLLOWING:
        out.append(major << 5 | number)
        return
    info = next(info for info, layout in LENGTHS.items() if number < 1 << 8 * struct.calcsize(layout))
    out.append(major << 5 | info)
    out += struct.pack(LENGTHS[info], number)


def decode(data: bytes) -> Any:
    """Return the value of a CBOR document; a time is returned as epoch seconds."""
    return _read(data, 0)[0]


def _read(data: bytes, at: int) -> tuple[Any, int]:
    """Return the value at a position, and the position after the value."""
    major, info = data[at] >> 5, data[at] & 31
    if major == SIMPLE:
        return _read_simple(data, at, info)
    if info == INDEFINITE:
        return _read_until_break(data, at + 1, major)
    number, at = _read_number(data, at, info)
    if major in (UNSIGNED, NEGATIVE):
        return number if major == UNSIGNED else -1 - number, at
    if major in (BYTES, TEXT):
        raw = data[at : at + number]
        return raw.decode() if major == TEXT else raw, at + number
    return _read(data, at) if major == TAG else _read_items(data, at, major, number)


def _read_simple(data: bytes, at: int, info: int) -> tuple[Any, int]:
    if info in CONSTANTS:
        return CONSTANTS[info], at + 1
    return struct.unpack_from(FLOATS[info], data, at + 1)[0], at + 1 + struct.calcsize(FLOATS[info])


def _read_items(data: bytes, at: int, major: int, number: int) -> tuple[Any, int]:
    items = []
    for _ in range(number if major == ARRAY else 2 * number):
        item, at = _read(data, at)
        items.append(item)
    return _container(major, items), at


def _read_number(data: bytes, at: int, info: int) -> tuple[int, int]:
    if info not in LENGTHS:
        return info, at + 1
    return struct.unpack_from(LENGTHS[info], data, at + 1)[0], at + 1 + struct.calcsize(LENGTHS[info])


def _read_until_break(data: bytes, at: int, major: int) -> tuple[Any, int]:
    items = []
    while data[at] != BREAK:
        item, at = _read(data, at)
        items.append(item)
    return _container(major, items), at + 1


def _container(major: int, items: list[Any]) -> Any:
    if major == TEXT:
        return "".join(items)
    return items if major == ARRAY else dict(zip(items[::2], items[1::2], strict=True))
