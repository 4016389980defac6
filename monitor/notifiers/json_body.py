"""Payloads as bytes of JSON."""

from typing import Any

import orjson


def encoded(payload: Any) -> bytes:
    """JSON in UTF-8; numbers that JSON cannot hold become null.

    Raises orjson.JSONEncodeError for lone surrogates, which no notice that was stored can hold.
    """
    return orjson.dumps(payload)


def size(payload: Any) -> int:
    """In bytes."""
    return len(encoded(payload))
