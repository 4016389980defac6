"""Which addresses may be connected to, decided at the moment of connecting."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

UNICAST = IPv6Network("2000::/3")  # all that IANA has allocated for the public network
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]


class PrivateAddressError(OSError):
    """The address is not one of the public network. Its text is always the same: see `public_socket`."""

    def __init__(self) -> None:
        super().__init__("not a public address")


def is_public(address: str) -> bool:
    """Whether an address in its usual notation is one of the public network.

    An IPv6 address that carries an IPv4 one is judged by that. Private, loopback, link-local (there the
    instance metadata live), shared, reserved and multicast ones are not public; nor is what is no address.
    """
    try:
        return _is_public(ip_address(address))
    except ValueError:
        return False


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    carried = address.ipv4_mapped or address.sixtofour
    if address in NAT64:
        carried = IPv4Address(int(address) & 0xFFFFFFFF)
    return _is_public(carried) if carried else address in UNICAST and address.is_global


def any_socket(info: AddressInfo) -> socket.socket:
    """A socket to connect with."""
    family, kind, protocol, *_ = info
    return socket.socket(family, kind, protocol)


def public_socket(info: AddressInfo) -> socket.socket:
    """A socket to connect with, to this very address; no name is resolved after this.

    Raises PrivateAddressError. Its text must not differ from one address to the next: when all addresses
    of a name fail alike, the connector raises the first error, else a nameless sum of all.
    """
    if not is_public(info[4][0]):
        raise PrivateAddressError
    return any_socket(info)
