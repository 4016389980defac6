"""Chooses the proxy for a URL by the usual environment variables.

HTTPS_PROXY and HTTP_PROXY name the proxy for URLs of each scheme, NO_PROXY the hosts that are exempt.
Variables in lower case take precedence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address, ip_network
from socket import inet_aton
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from monitor.outbound.addresses import is_public


@dataclass(frozen=True, slots=True)
class Proxies:
    """Proxy settings.

    by_scheme: the proxy's URL by scheme, which may contain a password; the key `no` has the exempt hosts.
    """

    by_scheme: Mapping[str, str] = field(default_factory=getproxies_environment, repr=False)

    def proxy_for(self, url: str) -> str | None:
        """Return the URL of the proxy for `url`; None to connect directly.

        Raises ValueError when `url` or the proxy's URL is invalid.
        """
        parts = urlsplit(url)
        proxy = self.by_scheme.get(parts.scheme)
        no_proxy = self.by_scheme.get("no", "").split(",")
        if not proxy or any(
            _matches_no_proxy(entry.strip().lower(), parts.hostname or "", parts.port) for entry in no_proxy
        ):
            return None
        proxy_url = proxy if "://" in proxy else f"http://{proxy}"
        if not urlsplit(proxy_url).hostname:
            raise ValueError("the proxy's address names no host")
        return proxy_url


def _matches_no_proxy(entry: str, host: str, port: int | None) -> bool:
    """Return whether an entry of NO_PROXY (a name, domain, address, network or `*`) matches a host."""
    if "/" in entry:
        try:
            return ip_address(host) in ip_network(entry, strict=False)
        except ValueError:
            return False
    name = entry.removesuffix(f":{port}").strip("[]").removeprefix("*").removeprefix(".")
    return entry == "*" or (name != "" and (host == name or host.endswith(f".{name}")))


def is_private_literal(host: str) -> bool:
    """Return whether a host is a literal private address, in any notation, or a name of this machine.

    Other names cannot be checked, since the proxy resolves them.
    """
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    if ":" in name:
        return not is_public(name)
    try:
        return not is_public(str(IPv4Address(inet_aton(name))))
    except OSError:
        return False
