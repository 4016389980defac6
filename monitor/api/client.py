"""The HTTP client through which commands call the API of a running Headroom.

The client uses `http.client`, as httpx is not a dependency at run time.
"""

import json
import re
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from os import environ
from typing import Any, Final
from urllib.parse import quote

import orjson

from monitor.api.server_address import TOKEN_VARIABLE, parse_server_address
from monitor.lib.errors import HeadroomError

REQUEST_TIMEOUT: Final = 10.0  # seconds
MIN_FAILURE_STATUS: Final = 300  # a redirect is a failure, as redirects are not followed


class ApiError(HeadroomError):
    """The base class of the errors of requests. The text is a sentence that says why the request failed."""


class ApiTransportError(ApiError):
    """There was no response, or the response was not from Headroom."""


class ApiStatusError(ApiError):
    """The status of the response is an error. The text is the `error` in the response's body."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def request(address: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Send a request, and return the JSON object of its successful response. Raises ApiError.

    Blocks the thread; each wait for the network takes at most REQUEST_TIMEOUT.
    """
    try:
        with closing(_connect(address)) as connection:
            encoded = encode_body(body) if body is not None else None
            connection.request(method, path, encoded, _headers(body))
            response = connection.getresponse()
            status, content = response.status, decode_body(response.read())
    except (OSError, HTTPException, ValueError) as error:
        raise ApiTransportError(f"{address}: {str(error).strip() or type(error).__name__}") from None
    if not isinstance(content, dict):
        raise ApiTransportError(f"{address}: the response (status {status}) is not one of Headroom's")
    if status >= MIN_FAILURE_STATUS:
        raise ApiStatusError(status, str(content.get("error", f"the response has status {status}")))
    return content


def _connect(address: str) -> HTTPConnection:
    url = parse_server_address(address)
    if url.scheme == "https":
        return HTTPSConnection(url.netloc, timeout=REQUEST_TIMEOUT)
    return HTTPConnection(url.netloc, timeout=REQUEST_TIMEOUT)


def _headers(body: Mapping[str, Any] | None) -> dict[str, str]:
    headers = {} if body is None else {"Content-Type": "application/json"}
    token = environ.get(TOKEN_VARIABLE, "").strip()
    if not re.fullmatch("[!-~]*", token):
        raise ValueError(f"${TOKEN_VARIABLE}: expected ASCII characters without a space (value not shown)")
    return headers | ({"Authorization": f"Bearer {token}"} if token else {})


def encode_body(body: Mapping[str, Any]) -> bytes:
    """Encode an object as JSON. Characters that UTF-8 cannot encode become `?`."""
    return json.dumps(body, ensure_ascii=False).encode(errors="replace")


def decode_body(content: bytes) -> Any:
    """Decode JSON. Return None if the content is no valid JSON."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def quote_segment(text: str) -> str:
    """Percent-encode text as one segment of a URL's path, or one value of its query."""
    return quote(text, safe="", errors="replace")
