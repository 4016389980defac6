"""A running Headroom, asked over its API: what all commands share."""

import json
import re
import ssl
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from os import environ
from typing import Annotated, Any, Final
from urllib.parse import quote, urlsplit

import orjson
import typer

from monitor.access.config import is_loopback

ANSWERING: Final = 10.0  # seconds
PROBING: Final = 3.0  # seconds that a healthy Headroom may take to say so
TOKEN: Final = "HEADROOM_TOKEN"  # environment variable
DEFAULT: Final = "127.0.0.1:4070"
SUCCESS: Final = 300  # statuses below

Address = Annotated[
    str,
    typer.Option(
        help=f"Where Headroom listens: host:port or https://host:port; a token is taken from ${TOKEN}."
    ),
]


class Unanswered(Exception):
    """Nobody answered, or nobody that is a Headroom; the text is the sentence that says so."""


class Refused(Exception):
    """Headroom's answer is no; the text is its sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def ask(address: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The JSON of an answer that is a success. Blocks for 10 s at most. Raises Unanswered or Refused."""
    try:
        with closing(_connection(address)) as connection:
            connection.request(method, path, encoded(body) if body is not None else None, _headers(body))
            answer = connection.getresponse()
            status, told = answer.status, decoded(answer.read())
    except (OSError, HTTPException, ValueError) as error:
        raise Unanswered(f"{address}: {str(error).strip() or type(error).__name__}") from None
    if not isinstance(told, dict):
        raise Unanswered(f"{address}: it answered {status}, and nothing that Headroom would say")
    if status >= SUCCESS:
        raise Refused(status, str(told.get("error", f"it answered {status}")))
    return told


def health(address: str) -> str:
    """What is answered to whether it is healthy; without a scheme https is tried too.

    Blocks for 6 s at most. Raises OSError, ValueError or HTTPException when nothing is answered.
    """
    if "://" in address:
        return _health(address)
    try:
        return _health(f"http://{address}")
    except ConnectionResetError:  # all that who speaks TLS does about it
        return _health(f"https://{address}")


def _health(address: str) -> str:
    """A probe of this machine sends and learns nothing, so whoever answers need not prove who they are."""
    context = ssl.create_default_context()
    if is_loopback(urlsplit(address).hostname or ""):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with closing(_connection(address, PROBING, context)) as connection:
        connection.request("GET", "/-/healthy")
        answer = connection.getresponse()
        return f"{answer.status} {answer.reason}"


def _connection(
    address: str, patience: float = ANSWERING, context: ssl.SSLContext | None = None
) -> HTTPConnection:
    url = urlsplit(address if "://" in address else f"http://{address}")
    if url.scheme not in ("http", "https") or not url.netloc or url.path.strip("/") or "@" in url.netloc:
        raise ValueError("expected host:port, or https://host:port")
    if url.scheme == "https":
        return HTTPSConnection(url.netloc, timeout=patience, context=context)
    return HTTPConnection(url.netloc, timeout=patience)


def _headers(body: Mapping[str, Any] | None) -> dict[str, str]:
    headers = {} if body is None else {"Content-Type": "application/json"}
    token = environ.get(TOKEN, "").strip()
    if not re.fullmatch("[!-~]*", token):
        raise ValueError(f"${TOKEN}: expected ASCII characters without a space (value not shown)")
    return headers | ({"Authorization": f"Bearer {token}"} if token else {})


def encoded(body: Mapping[str, Any]) -> bytes:
    """JSON; what the shell gave us that is no UTF-8 becomes `?`."""
    return json.dumps(body, ensure_ascii=False).encode(errors="replace")


def decoded(content: bytes) -> Any:
    """What JSON says; None when it is none."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def part(text: str) -> str:
    """Text as a part of a URL."""
    return quote(text, safe="", errors="replace")
