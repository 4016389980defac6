"""Denials in the protocol RPC v2 CBOR. moto lacks the protocol, so no service with it is simulated.

https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.responses import Response

from monitor.demo.call import CREDENTIAL_SCOPE

PROTOCOL = "rpc-v2-cbor"  # in the header `smithy-protocol` of requests and responses
OPERATION = re.compile(r"/service/\w+/operation/(?P<operation>\w+)")
TEXT, MAP = 3 << 5, 5 << 5  # major types of CBOR
MAX_SHORT = 23  # the highest length that is written into the first byte of a text
ONE_BYTE, TWO_BYTES = 24, 25  # in the first byte of a text: how many bytes its length has


def is_cbor(headers: Mapping[str, str]) -> bool:
    """Return whether a request uses the protocol."""
    return headers.get("smithy-protocol") == PROTOCOL


def cbor_denial(url: str, headers: Mapping[str, str]) -> Response:
    """Return the response that denies a request."""
    operation = OPERATION.search(urlsplit(url).path)
    scope = CREDENTIAL_SCOPE.search(headers.get("authorization", ""))
    action = f"{scope['signing_name']}:{operation['operation']}" if scope and operation else "this operation"
    error = {
        "__type": "AccessDeniedException",
        "message": f"User is not authorized to perform: {action} with an explicit deny",
    }
    return Response(encode_texts(error), 403, {"smithy-protocol": PROTOCOL}, media_type="application/cbor")


def encode_texts(texts: Mapping[str, str]) -> bytes:
    """Return a map from texts to texts, with fewer than 24 entries, in CBOR (RFC 8949)."""
    parts = [_encode_text(part) for pair in texts.items() for part in pair]
    return bytes([MAP | len(texts)]) + b"".join(parts)


def _encode_text(text: str) -> bytes:
    content = text.encode()
    length = len(content)
    if length <= MAX_SHORT:
        return bytes([TEXT | length]) + content
    if length < 1 << 8:
        return bytes([TEXT | ONE_BYTE, length]) + content
    return bytes([TEXT | TWO_BYTES]) + length.to_bytes(2, "big") + content
