"""A running Headroom, asked over its API: what all commands share."""

import json
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from os import environ
from typing import Annotated, Any, Final
from urllib.parse import quote, urlsplit

import orjson
import typer

ANSWERING: Final = 10.0  # seconds
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


def _connection(address: str) -> HTTPConnection:
    url = urlsplit(address if "://" in address else f"http://{address}")
    if url.scheme not in ("http", "https") or not url.netloc or url.path.strip("/") or "@" in url.netloc:
        raise ValueError("expected host:port, or https://host:port")
    secure = url.scheme == "https"
    return (HTTPSConnection if secure else HTTPConnection)(url.netloc, timeout=ANSWERING)


def _headers(body: Mapping[str, Any] | None) -> dict[str, str]:
    headers = {} if body is None else {"Content-Type": "application/json"}
    token = environ.get(TOKEN, "").strip()
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
