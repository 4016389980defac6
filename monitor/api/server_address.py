"""The address of a running Headroom, to which commands send their requests."""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

DEFAULT_ADDRESS: Final = "127.0.0.1:4070"
DEFAULT_URL: Final = f"http://{DEFAULT_ADDRESS}"
ADDRESS_VARIABLE: Final = "HEADROOM_ADDRESS"  # the name of an environment variable
TOKEN_VARIABLE: Final = "HEADROOM_TOKEN"  # the name of an environment variable

# The header Host: a name or an address, and a port. RFC 9110, 7.2; RFC 1035, 2.3.4 has the length of a name.
HOST_AND_PORT = re.compile(r"(\w[\w.-]{0,252}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?", re.ASCII | re.IGNORECASE)


def requested_url(scheme: str, host: str, public_url: str | None = None) -> str:
    """Return the URL of the server by which a client requests it; DEFAULT_URL if `host` is not valid.

    host: the header Host, which any client may set. public_url: the URL at which people reach the server. Its
    scheme counts for its host, as a proxy may terminate TLS.
    """
    public = urlsplit(public_url or "")
    if public.netloc and public.netloc.lower() == host.lower():
        scheme = public.scheme
    return f"{scheme}://{host}" if HOST_AND_PORT.fullmatch(host) else DEFAULT_URL


def parse_server_address(address: str) -> SplitResult:
    """Return the parts of host:port, or of a URL without a path. Raises ValueError for anything else."""
    url = urlsplit(address if "://" in address else f"http://{address}")
    if url.scheme not in ("http", "https") or not url.netloc or url.path.strip("/") or "@" in url.netloc:
        raise ValueError("expected host:port, or https://host:port")
    return url
