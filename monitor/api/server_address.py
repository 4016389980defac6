"""The address of a running Headroom, to which commands send their requests."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

DEFAULT_ADDRESS: Final = "127.0.0.1:4070"
ADDRESS_VARIABLE: Final = "HEADROOM_ADDRESS"  # the name of an environment variable
TOKEN_VARIABLE: Final = "HEADROOM_TOKEN"  # the name of an environment variable


def parse_server_address(address: str) -> SplitResult:
    """Return the parts of host:port, or of a URL without a path. Raises ValueError for anything else."""
    url = urlsplit(address if "://" in address else f"http://{address}")
    if url.scheme not in ("http", "https") or not url.netloc or url.path.strip("/") or "@" in url.netloc:
        raise ValueError("expected host:port, or https://host:port")
    return url
