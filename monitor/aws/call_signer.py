"""The same Signature Version 4 as botocore's, made in half of the time.

For each request, botocore makes a mapping of the headers twice, and looks at each header five times. A test
compares the signatures with botocore's. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit

from botocore.auth import SIGNED_HEADERS_BLACKLIST, SigV4Auth
from botocore.utils import is_valid_ipv6_endpoint_url, normalize_url_path

from monitor.lib.default_ports import DEFAULT_PORTS

UNSIGNED_HEADERS = frozenset(SIGNED_HEADERS_BLACKLIST)
MAX_CACHED = 4096  # entries of each cache: of hosts, and of URL paths


class CallSigner(SigV4Auth):
    """The signer of one request."""

    def _sign(self, key: bytes, msg: str, hex: bool = False) -> Any:
        digest = hmac.digest(key, msg.encode(), "sha256")
        return digest.hex() if hex else digest

    def canonical_request(self, request: Any) -> str:
        """Return the text whose digest is signed."""
        if request.data and isinstance(request.data, dict):
            request.data = request.body  # encode once, not again for sending
        url = urlsplit(request.url)
        headers = _signed_headers(request, f"{url.scheme}://{url.netloc}")
        names = sorted(headers)
        self._signed_names = ";".join(names)
        checksum = request.headers.get("X-Amz-Content-SHA256") or self.payload(request)
        return "\n".join(
            (
                request.method.upper(),
                _normalize(url.path),
                self.canonical_query_string(request),
                *[f"{name}:{headers[name]}" for name in names],
                "",
                self._signed_names,
                checksum,
            )
        )

    def _inject_signature_to_request(self, request: Any, signature: str) -> Any:
        credential = f"AWS4-HMAC-SHA256 Credential={self.scope(request)}"
        text = f"{credential}, SignedHeaders={self._signed_names}, Signature={signature}"
        request.headers["Authorization"] = text
        return request


def _signed_headers(request: Any, origin: str) -> dict[str, str]:
    """Return the signed headers: the values by lower-case name, joined if a name occurs more than once."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        lower_name = name.lower()
        if lower_name not in UNSIGNED_HEADERS:
            text = value.decode("utf-8") if isinstance(value, bytes) else value
            text = " ".join(text.split())
            headers[lower_name] = f"{headers[lower_name]},{text}" if lower_name in headers else text
    if "host" not in headers:
        headers["host"] = _host(origin)
    return headers


@lru_cache(MAX_CACHED)
def _host(origin: str) -> str:
    """Return the `Host` header for a URL, without the default port of its scheme."""
    url = urlsplit(origin)
    host = f"[{url.hostname}]" if is_valid_ipv6_endpoint_url(origin) else str(url.hostname)
    return host if url.port in (None, DEFAULT_PORTS.get(url.scheme)) else f"{host}:{url.port}"


@lru_cache(MAX_CACHED)
def _normalize(path: str) -> str:
    return quote(normalize_url_path(path), safe="/~")
