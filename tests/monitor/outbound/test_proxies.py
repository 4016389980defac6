"""Requests through a proxy, and those that are refused nevertheless."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trustme

from monitor.notifiers.reachability import connection_error
from monitor.outbound.client import OutboundClient
from monitor.outbound.policy import OutboundPolicy
from monitor.outbound.proxies import Proxies, is_private_literal
from monitor.outbound.result import DeliveryOutcome
from tests.monitor.notifiers.conftest import authority
from tests.monitor.notifiers.loopback import http_server, server_tls, tcp_server

__all__ = ["authority"]

PUBLIC = OutboundPolicy(timeout=5)
PLAIN = OutboundPolicy(timeout=5, allow_insecure=True)


@dataclass
class Proxy:
    """Connects every client to one server, whatever it requested. asked: the first line of each request."""

    to: int
    port: int = 0
    refuses: bool = False
    requested: list[str] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:  # tried, and nothing sent
            return
        self.requested.append(head.split(b"\r\n")[0].decode())
        self.heads.append(head)
        if self.refuses:
            writer.write(b"HTTP/1.1 407 no\r\ncontent-length: 0\r\n\r\n")
            return
        there, out = await asyncio.open_connection("127.0.0.1", self.to)
        if head.startswith(b"CONNECT"):
            writer.write(b"HTTP/1.1 200 connected\r\n\r\n")
        else:
            out.write(head)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pipe(reader, out))
            tasks.create_task(pipe(there, writer))


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward what is read until its end."""
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@asynccontextmanager
async def proxying(to: int, refuses: bool = False) -> AsyncIterator[Proxy]:
    """Run a proxy. to: the port to which it connects every request."""
    proxy = Proxy(to, refuses=refuses)
    async with tcp_server(proxy.handle) as proxy.port:
        yield proxy


@asynccontextmanager
async def outbound(
    proxy: Proxy, authority: trustme.CA, credentials: str = ""
) -> AsyncIterator[OutboundClient]:
    """Yield an HTTP client that uses a proxy."""
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    url = f"http://{credentials}127.0.0.1:{proxy.port}"
    async with OutboundClient(create_tls=lambda: tls, proxies=Proxies({"http": url, "https": url})) as client:
        yield client


async def test_an_encrypted_address_is_reached_through_a_tunnel(authority: trustme.CA) -> None:
    """The name can be resolved by the proxy alone, which cannot read what is sent."""
    async with (
        http_server(tls=server_tls(authority, "hooks.example.invalid")) as server,
        proxying(server.port) as proxy,
        outbound(proxy, authority, "me:hunter2@") as client,
    ):
        answer = await client.post("https://hooks.example.invalid/secret", b"{}", PUBLIC)
    assert answer.outcome is DeliveryOutcome.DELIVERED
    assert proxy.requested == ["CONNECT hooks.example.invalid:443 HTTP/1.1"]
    assert b"Basic bWU6aHVudGVyMg==" in proxy.heads[0] and b"secret" not in proxy.heads[0]
    assert [path for path, _, _ in server.requests] == ["/secret"]


async def test_a_plain_address_is_requested_from_the_proxy(authority: trustme.CA) -> None:
    async with http_server() as server, proxying(server.port) as proxy, outbound(proxy, authority) as client:
        answer = await client.post("http://push.example.invalid/x", b"{}", PLAIN)
    assert answer.outcome is DeliveryOutcome.DELIVERED
    assert proxy.requested == ["POST http://push.example.invalid/x HTTP/1.1"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "169.254.169.254", "127.1", "2130706433", "[::1]", "localhost", "a.localhost."]
)
async def test_private_addresses_are_not_requested_from_a_proxy(host: str, authority: trustme.CA) -> None:
    async with proxying(1) as proxy, outbound(proxy, authority) as client:
        answer = await client.post(f"https://{host}/", b"{}", PUBLIC)
    assert (answer.outcome, answer.reason) == (DeliveryOutcome.REFUSED, "private_address")
    assert proxy.requested == []


async def test_a_proxy_that_refuses_is_tried_again_and_named(authority: trustme.CA) -> None:
    async with proxying(1, refuses=True) as proxy, outbound(proxy, authority, "me:hunter2@") as client:
        answer = await client.post("https://hooks.example.invalid/secret", b"{}", PUBLIC)
    assert (answer.outcome, answer.reason) == (DeliveryOutcome.RETRY, "proxy")
    assert answer.sentence == "https://hooks.example.invalid: the proxy refused the request (HTTP 407)"


async def test_an_unreachable_proxy_is_retried_and_named(authority: trustme.CA) -> None:
    async with proxying(1) as proxy:
        pass
    async with outbound(proxy, authority, "me:hunter2@") as client:
        answer = await client.post("https://hooks.example.invalid/secret", b"{}", PUBLIC)
        tried = await connection_error("https://hooks.example.invalid/secret", client, PUBLIC)
    assert (answer.outcome, answer.reason) == (DeliveryOutcome.RETRY, "proxy")
    assert tried and "hunter2" not in tried + answer.sentence and "secret" not in tried + answer.sentence


async def test_the_trial_at_the_start_is_of_the_proxy(authority: trustme.CA) -> None:
    async with proxying(1) as proxy, outbound(proxy, authority) as client:
        assert await connection_error("https://hooks.example.invalid/secret", client, PUBLIC) is None


HTTPS = {"https": "http://proxy.corp:3128"}


@pytest.mark.parametrize(
    ("exempt", "url", "through"),
    [
        ("", "https://hooks.slack.com/x", True),
        ("", "http://hooks.slack.com/x", False),
        ("slack.com", "https://hooks.slack.com/x", False),
        (".slack.com, example.org", "https://hooks.slack.com/x", False),
        ("*.slack.com", "https://hooks.slack.com/x", False),
        ("lack.com", "https://hooks.slack.com/x", True),
        ("*", "https://hooks.slack.com/x", False),
        ("10.0.0.0/8", "https://10.1.2.3/x", False),
        ("10.0.0.0/8", "https://hooks.slack.com/x", True),
        ("alerts:9093", "https://alerts:9093/x", False),
        ("alerts:9093", "https://alerts/x", True),
    ],
)
def test_which_addresses_need_no_proxy(exempt: str, url: str, through: bool) -> None:
    assert (Proxies({**HTTPS, "no": exempt}).proxy_for(url) is not None) is through


def test_the_variables_that_all_programs_share(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "proxy.corp:3128")
    monkeypatch.setenv("NO_PROXY", "internal")
    assert Proxies().proxy_for("https://example.org/") == "http://proxy.corp:3128"
    assert Proxies().proxy_for("https://a.internal/") is None
    monkeypatch.setenv("https_proxy", "http://other.corp:3128")
    assert Proxies().proxy_for("https://example.org/") == "http://other.corp:3128"


def test_a_name_is_no_private_address() -> None:
    assert not any(map(is_private_literal, ("hooks.slack.com", "8.8.8.8", "localhost.example.org")))
