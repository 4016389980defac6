"""Requests through a proxy, and requests to private addresses, which are refused behind a proxy too."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trustme

from monitor.notifiers.reachability import check_connection
from monitor.outbound.client import OutboundClient
from monitor.outbound.policy import OutboundPolicy
from monitor.outbound.proxies import Proxies, is_private_literal
from monitor.outbound.result import DeliveryOutcome
from tests.monitor.notifiers.conftest import authority
from tests.monitor.notifiers.loopback import http_server, server_tls, tcp_server

__all__ = ["authority"]

# Both allow public addresses only.
HTTPS_ONLY = OutboundPolicy(timeout=5)
HTTP_ALLOWED = OutboundPolicy(timeout=5, allow_insecure=True)
CLOSED_PORT = 1  # no server listens on this port


@dataclass
class Proxy:
    """Connects every client to the server on `target_port`, whatever it requests.

    refuses: responds with status 407 and connects nobody. request_lines: the first line of each request.
    heads: the first line and the headers of each request.
    """

    target_port: int
    port: int = 0
    refuses: bool = False
    request_lines: list[str] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:  # the client connected, and sent nothing
            return
        self.request_lines.append(head.split(b"\r\n")[0].decode())
        self.heads.append(head)
        if self.refuses:
            writer.write(b"HTTP/1.1 407 no\r\ncontent-length: 0\r\n\r\n")
            return
        from_target, to_target = await asyncio.open_connection("127.0.0.1", self.target_port)
        if head.startswith(b"CONNECT"):
            writer.write(b"HTTP/1.1 200 connected\r\n\r\n")
        else:
            to_target.write(head)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pipe(reader, to_target))
            tasks.create_task(pipe(from_target, writer))


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Write all that is read, until the reader ends."""
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@asynccontextmanager
async def running_proxy(target_port: int, refuses: bool = False) -> AsyncIterator[Proxy]:
    """Run a proxy, and yield it."""
    proxy = Proxy(target_port, refuses=refuses)
    async with tcp_server(proxy.handle) as proxy.port:
        yield proxy


@asynccontextmanager
async def client_through(
    proxy: Proxy, authority: trustme.CA, credentials: str = ""
) -> AsyncIterator[OutboundClient]:
    """Yield an HTTP client that uses a proxy."""
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    url = f"http://{credentials}127.0.0.1:{proxy.port}"
    async with OutboundClient(create_tls=lambda: tls, proxies=Proxies({"http": url, "https": url})) as client:
        yield client


async def test_an_https_url_is_requested_through_a_tunnel(authority: trustme.CA) -> None:
    """Only the proxy can resolve the name, and it cannot read the encrypted request."""
    async with (
        http_server(tls=server_tls(authority, "hooks.example.invalid")) as server,
        running_proxy(server.port) as proxy,
        client_through(proxy, authority, "me:hunter2@") as client,
    ):
        result = await client.post("https://hooks.example.invalid/secret", b"{}", HTTPS_ONLY)
    assert result.outcome is DeliveryOutcome.DELIVERED
    assert proxy.request_lines == ["CONNECT hooks.example.invalid:443 HTTP/1.1"]
    assert b"Basic bWU6aHVudGVyMg==" in proxy.heads[0] and b"secret" not in proxy.heads[0]
    assert [path for path, _, _ in server.requests] == ["/secret"]


async def test_an_http_url_is_requested_from_the_proxy(authority: trustme.CA) -> None:
    async with (
        http_server() as server,
        running_proxy(server.port) as proxy,
        client_through(proxy, authority) as client,
    ):
        result = await client.post("http://push.example.invalid/x", b"{}", HTTP_ALLOWED)
    assert result.outcome is DeliveryOutcome.DELIVERED
    assert proxy.request_lines == ["POST http://push.example.invalid/x HTTP/1.1"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "169.254.169.254", "127.1", "2130706433", "[::1]", "localhost", "a.localhost."]
)
async def test_private_addresses_are_not_requested_from_a_proxy(host: str, authority: trustme.CA) -> None:
    async with running_proxy(CLOSED_PORT) as proxy, client_through(proxy, authority) as client:
        result = await client.post(f"https://{host}/", b"{}", HTTPS_ONLY)
    assert (result.outcome, result.reason) == (DeliveryOutcome.REFUSED, "private_address")
    assert proxy.request_lines == []


async def test_a_request_that_the_proxy_refuses_is_retried_and_the_result_names_the_proxy(
    authority: trustme.CA,
) -> None:
    async with (
        running_proxy(CLOSED_PORT, refuses=True) as proxy,
        client_through(proxy, authority, "me:hunter2@") as client,
    ):
        result = await client.post("https://hooks.example.invalid/secret", b"{}", HTTPS_ONLY)
    assert (result.outcome, result.reason) == (DeliveryOutcome.RETRY, "proxy")
    assert result.sentence == "https://hooks.example.invalid: the proxy refused the request (HTTP 407)"


async def test_a_request_through_an_unreachable_proxy_is_retried_and_shows_no_secret(
    authority: trustme.CA,
) -> None:
    async with running_proxy(CLOSED_PORT) as proxy:
        pass
    async with client_through(proxy, authority, "me:hunter2@") as client:
        result = await client.post("https://hooks.example.invalid/secret", b"{}", HTTPS_ONLY)
        error = await check_connection("https://hooks.example.invalid/secret", client, HTTPS_ONLY)
    assert (result.outcome, result.reason) == (DeliveryOutcome.RETRY, "proxy")
    assert error and "hunter2" not in error + result.sentence and "secret" not in error + result.sentence


async def test_the_reachability_check_connects_to_the_proxy(authority: trustme.CA) -> None:
    async with running_proxy(CLOSED_PORT) as proxy, client_through(proxy, authority) as client:
        assert await check_connection("https://hooks.example.invalid/secret", client, HTTPS_ONLY) is None


HTTPS_PROXY = {"https": "http://proxy.corp:3128"}


@pytest.mark.parametrize(
    ("exempt", "url", "is_proxied"),
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
def test_hosts_in_the_variable_no_proxy_are_exempt(exempt: str, url: str, is_proxied: bool) -> None:
    assert (Proxies({**HTTPS_PROXY, "no": exempt}).proxy_for(url) is not None) is is_proxied


def test_proxies_are_read_from_the_usual_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "proxy.corp:3128")
    monkeypatch.setenv("NO_PROXY", "internal")
    assert Proxies().proxy_for("https://example.org/") == "http://proxy.corp:3128"
    assert Proxies().proxy_for("https://a.internal/") is None
    monkeypatch.setenv("https_proxy", "http://other.corp:3128")
    assert Proxies().proxy_for("https://example.org/") == "http://other.corp:3128"


def test_public_names_and_addresses_are_not_private_literals() -> None:
    assert not any(map(is_private_literal, ("hooks.slack.com", "8.8.8.8", "localhost.example.org")))
