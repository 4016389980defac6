"""Reads the authenticated user from the headers of a trusted reverse proxy."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address

from monitor.access.credentials import AccessDeniedError, AsgiScope, header_text
from monitor.access.roles import Role
from monitor.access.settings import Network, ProxyConfig

FORWARDED_PROTO = b"x-forwarded-proto"


def proxied_user(proxy: ProxyConfig, scope: AsgiScope) -> tuple[str, Role] | None:
    """Return the name and role of the user that the proxy authenticated.

    None if the request does not come from the proxy, or if the header with the name is missing. Raises
    AccessDeniedError when the headers are malformed.
    """
    if not _is_within(scope["client"], proxy.sources):
        return None
    name = header_text(scope, proxy.header)
    role = header_text(scope, proxy.role_header) if proxy.role_header else None
    if name is None:
        return None
    if role not in (None, Role.READ, Role.OPERATE):
        raise AccessDeniedError(403, "role", f"expected read or operate as header {proxy.role_header}")
    return name, Role(role or proxy.role)


def forwarded_scheme(proxy: ProxyConfig, scope: AsgiScope) -> str | None:
    """Return the scheme by which a client requests the proxy; None if no trusted proxy tells it."""
    if not _is_within(scope["client"], proxy.sources):
        return None
    schemes = [value.strip().lower() for name, value in scope["headers"] if name == FORWARDED_PROTO]
    return schemes[0].decode() if schemes in ([b"https"], [b"http"]) else None


def _is_within(client: tuple[str, int] | None, networks: Sequence[Network]) -> bool:
    """Return whether a connection comes from one of the networks. client: the peer of the socket."""
    try:
        peer = ip_address(client[0] if client else "")
    except ValueError:  # not an IP address, for example a UNIX socket
        return False
    ipv4_peer = peer.ipv4_mapped if isinstance(peer, IPv6Address) else None
    return any((ipv4_peer or peer) in network for network in networks)
