"""What a request says of who sends it, before anybody believes it."""

from base64 import b64decode
from binascii import Error
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

LONGEST = 4096  # bytes of a header

Scope = MutableMapping[str, Any]


class Refused(Exception):
    """Who is not let in, and why: a sentence without a capital. `reason` is what it is counted under."""

    def __init__(self, status: int, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.reason = status, reason


def only(scope: Scope, name: str) -> bytes | None:
    """The value of a header. Raises Refused when it is there twice, so that one could hide the other."""
    key = name.lower().encode()
    values = [value for header, value in scope["headers"] if header == key]
    if len(values) > 1:
        raise Refused(401, "malformed", f"expected one header {name}, found {len(values)}")
    if values and len(values[0]) > LONGEST:
        raise Refused(401, "malformed", f"expected a header {name} of at most {LONGEST} bytes")
    return values[0].strip() if values else None


def text(scope: Scope, name: str) -> str | None:
    """A header as text; None where it is missing or empty. Raises Refused."""
    value = only(scope, name)
    try:
        said = value.decode() if value else ""
    except UnicodeDecodeError:
        said = "\0"
    if not said.isprintable():
        raise Refused(401, "malformed", f"expected printable text in UTF-8 as header {name}")
    return said or None


def pair(credentials: bytes) -> tuple[bytes, bytes]:
    """User and password of basic authentication (RFC 7617). Raises Refused."""
    try:
        name, colon, password = b64decode(credentials, validate=True).partition(b":")
    except Error:
        name, colon, password = b"", b"", b""
    if not colon:
        raise Refused(401, "malformed", "expected user:password in base64 after Basic")
    return name, password


def host(scope: Scope) -> str:
    """The name or address by which the server was asked, without its port; empty where none was told."""
    said = only(scope, "Host") or b""
    try:
        return urlsplit("//" + said.decode("ascii")).hostname or ""
    except ValueError:
        raise Refused(401, "malformed", "expected a host, or a host:port, as header Host") from None
