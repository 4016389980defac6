"""A trusted proxy, which says by a header whom it let in."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address

from monitor.access.claims import Refused, Scope, text
from monitor.access.config import Network, ProxyConfig
from monitor.access.role import Role


def said(proxy: ProxyConfig, scope: Scope) -> tuple[str, Role] | None:
    """The name and role that the proxy gives; None where it gives none, or where it is not the proxy's word.

    Raises Refused when it cannot be understood.
    """
    if not _within(scope["client"], proxy.sources):
        return None
    name = text(scope, proxy.header)
    role = text(scope, proxy.role_header) if proxy.role_header else None
    if name is None:
        return None
    if role not in (None, Role.READ, Role.OPERATE):
        raise Refused(403, "role", f"expected read or operate as header {proxy.role_header}")
    return name, Role(role or proxy.role)


def _within(client: tuple[str, int] | None, networks: Sequence[Network]) -> bool:
    """Whether a connection is from there; `client` is its peer, whatever headers say."""
    try:
        peer = ip_address(client[0] if client else "")
    except ValueError:  # no connection of the internet
        return False
    mapped = peer.ipv4_mapped if isinstance(peer, IPv6Address) else None
    return any((mapped or peer) in network for network in networks)
