"""Parses the credentials and the host in the headers of a request, without checking them."""

from base64 import b64decode
from binascii import Error
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from monitor.lib.errors import HeadroomError

MAX_HEADER_BYTES = 4096

AsgiScope = MutableMapping[str, Any]  # the scope of an ASGI request


class AccessDeniedError(HeadroomError):
    """A request is not allowed; the text is a sentence without a capital.

    status: the status of the HTTP response. reason: the label `reason` of headroom_auth_failures_total.
    """

    def __init__(self, status: int, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.reason = status, reason


def single_header(scope: AsgiScope, name: str) -> bytes | None:
    """Return the value of a header; None if it is missing.

    Raises AccessDeniedError when the header is too long or repeated. If a header is repeated, a proxy may
    have checked another value than the one used here.
    """
    key = name.lower().encode()
    values = [value for header, value in scope["headers"] if header == key]
    if len(values) > 1:
        raise _malformed_error(f"expected one header {name}, found {len(values)}")
    if values and len(values[0]) > MAX_HEADER_BYTES:
        raise _malformed_error(f"expected a header {name} of at most {MAX_HEADER_BYTES} bytes")
    return values[0].strip() if values else None


def header_text(scope: AsgiScope, name: str) -> str | None:
    """Return a header as text; None when it is missing or empty. Raises AccessDeniedError."""
    value = single_header(scope, name)
    try:
        text = value.decode() if value else ""
    except UnicodeDecodeError:
        text = "\0"  # is not printable
    if not text.isprintable():
        raise _malformed_error(f"expected printable text in UTF-8 as header {name}")
    return text or None


def basic_credentials(credentials: bytes) -> tuple[bytes, bytes]:
    """Return user and password of basic authentication (RFC 7617). Raises AccessDeniedError."""
    try:
        name, colon, password = b64decode(credentials, validate=True).partition(b":")
    except Error:
        name, colon, password = b"", b"", b""
    if not colon:
        raise _malformed_error("expected user:password in base64 after Basic")
    return name, password


def request_host(scope: AsgiScope) -> str:
    """Return the name or address in the header Host, without the port; empty when it is missing."""
    host = single_header(scope, "Host") or b""
    try:
        return urlsplit("//" + host.decode("ascii")).hostname or ""
    except ValueError:
        raise _malformed_error("expected a host, or a host:port, as header Host") from None


def _malformed_error(sentence: str) -> AccessDeniedError:
    return AccessDeniedError(401, "malformed", sentence)
