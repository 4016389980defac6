"""The HTTP client with which commands call the API of a running Headroom.

It uses http.client: httpx is not a dependency at run time.
"""

import json
import re
import ssl
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from os import environ
from typing import Any, Final
from urllib.parse import quote, urlsplit

import orjson

from monitor.lib.errors import HeadroomError
from monitor.lib.loopback import is_loopback

REQUEST_TIMEOUT: Final = 10.0  # seconds
PROBE_TIMEOUT: Final = 3.0  # seconds
TOKEN_VARIABLE: Final = "HEADROOM_TOKEN"  # environment variable
DEFAULT_ADDRESS: Final = "127.0.0.1:4070"
MIN_FAILURE_STATUS: Final = 300  # redirects are not followed, so they are failures


class ApiError(HeadroomError):
    """The base of errors of requests. The text is a sentence that says why the request failed."""


class ApiTransportError(ApiError):
    """There was no response, or it was not from Headroom."""


class ApiStatusError(ApiError):
    """The status of the response is an error. The text is the `error` in its body."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def request(address: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the JSON object of a successful response. Blocks for 10 s at most. Raises ApiError."""
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


def probe_health(address: str) -> str:
    """Return the status and reason of /-/healthy. Without a scheme, tries http and then https.

    Blocks for 6 s at most. Raises OSError, ValueError or HTTPException when there is no response.
    """
    if "://" in address:
        return _probe_health(address)
    try:
        return _probe_health(f"http://{address}")
    except ConnectionResetError:  # a TLS server resets a plain HTTP connection
        return _probe_health(f"https://{address}")


def _probe_health(address: str) -> str:
    """Probe one address. The certificate of a loopback address is not verified: no secret is sent."""
    context = ssl.create_default_context()
    if is_loopback(urlsplit(address).hostname or ""):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with closing(_connect(address, PROBE_TIMEOUT, context)) as connection:
        connection.request("GET", "/-/healthy")
        response = connection.getresponse()
        return f"{response.status} {response.reason}"


def _connect(
    address: str, timeout: float = REQUEST_TIMEOUT, context: ssl.SSLContext | None = None
) -> HTTPConnection:
    url = urlsplit(address if "://" in address else f"http://{address}")
    if url.scheme not in ("http", "https") or not url.netloc or url.path.strip("/") or "@" in url.netloc:
        raise ValueError("expected host:port, or https://host:port")
    if url.scheme == "https":
        return HTTPSConnection(url.netloc, timeout=timeout, context=context)
    return HTTPConnection(url.netloc, timeout=timeout)


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
    """Decode JSON. Returns None if it is invalid."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def quote_segment(text: str) -> str:
    """Percent-encode text as one segment of a URL's path, or one value of its query."""
    return quote(text, safe="", errors="replace")
