"""Checks addresses when connecting: private addresses need permission."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

from monitor.lib.errors import HeadroomError

GLOBAL_UNICAST = IPv6Network("2000::/3")  # all that IANA has allocated for the public network
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits

# An address as `socket.getaddrinfo` returns it.
AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]


class PrivateAddressError(HeadroomError, OSError):
    """An address is not in the public network. The text is always the same: see `public_socket`."""

    def __init__(self) -> None:
        super().__init__("not a public address")


def is_public(address: str) -> bool:
    """Return whether an address, in its usual notation, belongs to the public network.

    An IPv6 address that embeds an IPv4 address is public if the IPv4 address is. Private, loopback,
    link-local (the instance metadata service), shared, reserved and multicast addresses are not public;
    neither is text that is not an address.
    """
    try:
        return _is_public(ip_address(address))
    except ValueError:
        return False


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    embedded = address.ipv4_mapped or address.sixtofour
    if address in NAT64:
        embedded = IPv4Address(int(address) & 0xFFFFFFFF)
    if embedded:
        return _is_public(embedded)
    return address in GLOBAL_UNICAST and address.is_global


def any_socket(info: AddressInfo) -> socket.socket:
    """Create a socket to connect with."""
    family, kind, protocol, *_ = info
    return socket.socket(family, kind, protocol)


def public_socket(info: AddressInfo) -> socket.socket:
    """Create a socket for a public address. No name is resolved after this check.

    Raises PrivateAddressError, always with the same text: if all addresses of a name fail with the same text,
    the connector raises the first error; with different texts, it would raise a combined error that hides the
    cause.
    """
    if not is_public(info[4][0]):
        raise PrivateAddressError
    return any_socket(info)
