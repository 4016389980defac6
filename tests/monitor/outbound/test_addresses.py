"""Addresses of the public network, and addresses that are not public."""

from socket import AF_INET, IPPROTO_TCP, SOCK_STREAM

import pytest

from monitor.outbound.addresses import PrivateAddressError, is_public, public_socket

PUBLIC = [
    "8.8.8.8",
    "192.88.99.2",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
NOT_PUBLIC = [
    # IPv4: loopback, RFC 1918, link-local (metadata services), shared, benchmark, documentation, reserved
    *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "169.254.170.2", "100.64.0.1", "198.18.0.1", "192.0.2.1", "240.0.0.1"),
    *("0.0.0.0", "255.255.255.255", "224.0.0.1", "239.255.255.250"),
    # IPv6: loopback, link-local, unique local (with a metadata service), site-local, multicast, documentation
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1"),
    *("2001:db8::1", "100::1", "64:ff9b:1::1", "5f00::1"),
    # IPv4 inside IPv6
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:7f00:1", "::127.0.0.1", "64:ff9b::7f00:1"),
    *("64:ff9b::a9fe:a9fe", "2002:7f00:1::1", "2002:a9fe:a9fe::1"),
    # addresses in unusual notations, and texts that are no address
    *("2130706433", "0x7f000001", "127.1", "0177.0.0.1", "localhost", "", "8.8.8.8 ", "8.8.8"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_public_network_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_private_special_or_misspelled_address_is_not_public(address: str) -> None:
    assert not is_public(address)


def test_no_socket_is_made_for_a_private_address() -> None:
    with pytest.raises(PrivateAddressError):
        public_socket((AF_INET, SOCK_STREAM, IPPROTO_TCP, "", ("169.254.169.254", 80)))
