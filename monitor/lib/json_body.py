"""Encodes payloads as JSON."""

from typing import Any

import orjson


def encode_json(payload: Any) -> bytes:
    """Encode as JSON in UTF-8; NaN and infinity become null.

    Raises orjson.JSONEncodeError for texts with lone surrogates.
    """
    return orjson.dumps(payload)


def json_size(payload: Any) -> int:
    """Return the size of a payload's JSON in bytes."""
    return len(encode_json(payload))
