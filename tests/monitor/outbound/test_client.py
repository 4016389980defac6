"""The outbound client: the requests it refuses, its results, and the secrets it never reveals."""

import asyncio
import gzip
import socket
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from monitor.outbound.client import MAX_RESPONSE_BYTES, OutboundClient, redacted_url
from monitor.outbound.policy import OutboundPolicy
from monitor.outbound.result import DeliveryOutcome
from tests.monitor.notifiers.conftest import authority, client
from tests.monitor.notifiers.loopback import http_server, never_responds, responds_with, tcp_server

__all__ = ["authority", "client"]

ALLOW_ALL = OutboundPolicy(allow_insecure=True, allow_private=True, timeout=5)


class FakeResolver(AbstractResolver):
    """Resolves every name to the given addresses; of several lists, each call returns the next."""

    def __init__(self, *addresses: list[str]) -> None:
        self.addresses = list(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=0, proto=0, flags=0)
            for address in addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.slack.com/services/T0/B0/secret?x=1#y", "https://hooks.slack.com"),
        ("http://user:password@example.com:8080/x", "http://example.com:8080"),
        ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443"),
        ("https://example.com:99999/secret", "the address"),
        ("https://[secret", "the address"),
    ],
)
def test_a_url_is_shown_without_parts_that_may_be_secret(url: str, shown: str) -> None:
    assert redacted_url(url) == shown


async def test_a_post_has_the_exact_path_and_the_body_and_the_headers(client: OutboundClient) -> None:
    async with http_server() as server:
        result = await client.post(server.url + "/a%2Fb?c=%20d", b"{}", ALLOW_ALL, {"X-Mine": "1"})
    assert result.outcome is DeliveryOutcome.DELIVERED
    path, headers, body = server.requests[0]
    assert (path, body) == ("/a%2Fb?c=%20d", b"{}")
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("headroom/")
    assert headers["accept-encoding"] == "identity"
    assert headers["x-mine"] == "1"


async def test_user_and_password_of_a_url_are_sent_and_not_shown(client: OutboundClient) -> None:
    async with http_server(web.Response(status=500)) as server:
        result = await client.post(server.url.replace("//", "//me:hunter2@"), b"{}", ALLOW_ALL)
    assert server.requests[0][1]["authorization"] == "Basic bWU6aHVudGVyMg=="
    assert "hunter2" not in result.sentence


# Requests that are refused before anything is sent.


async def test_unencrypted_addresses_are_refused(client: OutboundClient) -> None:
    async with http_server() as server:
        for url in (server.url, server.url.replace("http", "HTTP"), server.url.replace("http:", "ws:")):
            result = await client.post(url, b"{}", replace(ALLOW_ALL, allow_insecure=False))
            assert (result.outcome, result.reason) == (DeliveryOutcome.REFUSED, "insecure")
    assert not server.requests


PRIVATE_HOSTS = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0"]
NOTATIONS = ["2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.1.", "①②⑦.0.0.1"]


@pytest.mark.parametrize("host", [*PRIVATE_HOSTS, *NOTATIONS])
async def test_private_addresses_are_refused_in_every_notation(client: OutboundClient, host: str) -> None:
    async with http_server() as server:
        policy = replace(ALLOW_ALL, allow_private=False)
        result = await client.post(f"http://{host}:{server.port}/", b"{}", policy)
    assert result.outcome is not DeliveryOutcome.DELIVERED
    assert result.reason in ("private_address", "address", "dns")
    assert not server.requests


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.1.2.3", "::1", "fd00:ec2::254"])
async def test_names_of_private_addresses_are_refused(address: str) -> None:
    async with OutboundClient(resolver=FakeResolver([address])) as client:
        result = await client.post("https://hooks.example.com/x", b"{}", OutboundPolicy())
        with pytest.raises(OSError, match="not a public address"):
            await client.open_socket("smtp.example.com", 25, OutboundPolicy())
    assert (result.outcome, result.reason) == (DeliveryOutcome.REFUSED, "private_address")
    expected = "https://hooks.example.com: its address is private, and allow_private is not set"
    assert result.sentence == expected


async def test_a_name_with_several_private_addresses_is_refused() -> None:
    async with OutboundClient(resolver=FakeResolver(["127.0.0.1", "::1", "10.0.0.1"])) as client:
        result = await client.post("https://hooks.example.com/x", b"{}", OutboundPolicy())
    assert result.reason == "private_address"


class OfflineLoop(asyncio.SelectorEventLoop):
    """An event loop in which every connection is refused. tried_addresses: of these connections."""

    def __init__(self) -> None:
        super().__init__()
        self.tried_addresses: list[str] = []

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        self.tried_addresses.append(address[0])
        raise ConnectionRefusedError(111, "Connection refused")


def test_a_name_that_is_rebound_to_a_private_address_is_refused() -> None:
    """A name that resolves to a public address first and to a private one later is not connected to."""

    async def post_twice() -> list[str]:
        async with OutboundClient(
            resolver=FakeResolver(["8.8.8.8"], ["127.0.0.1"]), dns_cache_ttl=0
        ) as client:
            policy = OutboundPolicy()
            results = [await client.post("https://hooks.example.com/x", b"{}", policy) for _ in range(2)]
            return [result.reason for result in results]

    loop = OfflineLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(post_twice()) == ["connection", "private_address"]
    assert loop.tried_addresses == ["8.8.8.8"]


async def test_a_connection_to_a_private_address_is_not_shared_with_other_receivers(
    client: OutboundClient,
) -> None:
    async with http_server() as server:
        allowed = await client.post(server.url, b"{}", ALLOW_ALL)
        refused = await client.post(server.url, b"{}", replace(ALLOW_ALL, allow_private=False))
    assert (allowed.outcome, refused.reason) == (DeliveryOutcome.DELIVERED, "private_address")


async def test_a_client_with_its_own_proxies_ignores_those_of_the_environment(
    client: OutboundClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http_server() as server, http_server() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        await client.post(server.url, b"{}", ALLOW_ALL)
    assert (len(server.requests), len(proxy.requests)) == (1, 0)


# Responses.


async def test_redirections_are_not_followed(client: OutboundClient) -> None:
    async with (
        http_server() as target,
        http_server(web.Response(status=307, headers={"Location": target.url})) as server,
    ):
        result = await client.post(server.url, b"{}", ALLOW_ALL)
    assert (result.outcome, result.reason) == (DeliveryOutcome.REFUSED, "http_307")
    assert not target.requests


async def test_cookies_are_not_stored(client: OutboundClient) -> None:
    async with http_server(web.Response(headers={"Set-Cookie": "a=b"})) as server:
        for _ in range(2):
            await client.post(server.url.replace("127.0.0.1", "localhost"), b"{}", ALLOW_ALL)
    assert "cookie" not in server.requests[1][1]


async def test_retry_after_is_in_the_result(client: OutboundClient) -> None:
    busy = web.Response(status=429, headers={"Retry-After": "17"})
    later = web.Response(status=503, headers={"Retry-After": "Fri, 02 Jan 2026 03:05:05 GMT"})
    async with http_server(busy, later) as server:
        waits = [(await client.post(server.url, b"{}", ALLOW_ALL)).retry_after for _ in range(2)]
    assert waits == [17, 60]


async def test_the_error_has_the_message_of_the_response_without_secrets(client: OutboundClient) -> None:
    body = "invalid hook hunter2hunter2\n<b>gone</b>"
    async with http_server(web.Response(status=404, text=body)) as server:
        policy = replace(ALLOW_ALL, secrets=frozenset(["hunter2hunter2"]))
        result = await client.post(server.url, b"{}", policy)
    assert result.sentence == f"{server.url} answered 404: invalid hook *** <b>gone</b>"


@pytest.mark.parametrize("status", [200, 400])
async def test_only_the_start_of_an_endless_response_is_read(client: OutboundClient, status: int) -> None:
    sent_bytes = 0

    async def send_endless_response(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent_bytes
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n" % status)
        while True:
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await writer.drain()
            sent_bytes += 4096

    async with tcp_server(send_endless_response) as port:
        result = await client.post(f"http://127.0.0.1:{port}", b"{}", ALLOW_ALL)
    assert result.status == status
    assert len(result.sentence) < 300
    # More is sent than read, as it fills the buffers of both sides.
    assert MAX_RESPONSE_BYTES <= sent_bytes < 100 * MAX_RESPONSE_BYTES


async def test_a_compressed_response_is_not_decompressed(client: OutboundClient) -> None:
    compressed = gzip.compress(b"x" * 10_000_000)
    async with http_server(
        web.Response(status=400, body=compressed, headers={"Content-Encoding": "gzip"})
    ) as server:
        result = await client.post(server.url, b"{}", ALLOW_ALL)
    assert "xxx" not in result.sentence


async def test_an_accepted_notification_is_delivered_even_if_the_response_breaks_off(
    client: OutboundClient,
) -> None:
    broken = b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nok"
    async with tcp_server(responds_with(broken)) as port:
        result = await client.post(f"http://127.0.0.1:{port}", b"{}", ALLOW_ALL)
    assert result.outcome is DeliveryOutcome.DELIVERED


async def respond_with_unfinished_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Respond with the first bytes of a body, and never send the rest."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok")
    await never_responds(reader, writer)


async def test_an_accepted_notification_is_delivered_even_if_the_rest_of_the_response_never_comes(
    client: OutboundClient,
) -> None:
    async with tcp_server(respond_with_unfinished_body) as port:
        result = await client.post(f"http://127.0.0.1:{port}", b"{}", replace(ALLOW_ALL, timeout=0.3))
    assert result.outcome is DeliveryOutcome.DELIVERED


# A response, and the reason for which the delivery is retried; None: the test accepts any reason.
GARBAGE = [
    (b"", "connection"),
    (b"\x00\xff\x00\xff\r\n\r\n", "protocol"),
    (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "protocol"),
    (b"HTTP/1.1 OK\r\n\r\n", "protocol"),
    (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000 + b"\r\n\r\n", "protocol"),
    (b"HTTP/1.1 200 OK\r\n" + b"".join(b"A%d: x\r\n" % n for n in range(100_000)), None),
]


@pytest.mark.parametrize(("response", "reason"), GARBAGE)
async def test_a_response_that_is_not_http_is_retried(
    client: OutboundClient, response: bytes, reason: str | None
) -> None:
    async with tcp_server(responds_with(response)) as port:
        result = await client.post(f"http://127.0.0.1:{port}", b"{}", ALLOW_ALL)
    assert result.outcome is DeliveryOutcome.RETRY
    assert reason is None or result.reason == reason
