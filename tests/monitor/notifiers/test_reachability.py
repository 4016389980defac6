"""Unreachable receivers are detected without sending anything, and logged once, without secrets."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme
from aiohttp.abc import ResolveResult

from monitor.notifiers.alertmanager import Alertmanager
from monitor.notifiers.apprise import Apprise
from monitor.notifiers.email import Email
from monitor.notifiers.pagerduty import PagerDuty
from monitor.notifiers.reachability import ReachabilityProbe, check_connection
from monitor.notifiers.receiver import BaseReceiver
from monitor.notifiers.sns import Sns
from monitor.notifiers.webhook import Webhook
from monitor.outbound.client import OutboundClient
from monitor.outbound.policy import OutboundPolicy
from monitor.outbound.resolver import Resolver
from tests.background import background
from tests.monitor.notifiers.conftest import authority, client
from tests.monitor.notifiers.loopback import (
    build_receiver,
    http_server,
    never_responds,
    server_tls,
    tcp_server,
)

__all__ = ["authority", "client"]

ALLOW_ALL = OutboundPolicy(allow_insecure=True, allow_private=True, timeout=5)
HOOK = "/services/hunter2hunter2?token=swordfish"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"
MAIL = {"from": "a@example.com", "to": ["b@example.com"]}
WAIT_TIMEOUT = 20.0  # seconds

# By test id: the type of receiver, its settings, and the addresses that it connects to.
ADDRESSES: dict[str, tuple[type[BaseReceiver], dict[str, Any], list[str]]] = {
    "webhook": (Webhook, {"url": "http://a.example/x"}, ["http://a.example/x"]),
    "webhook named like a URL": (
        Webhook,
        {"name": "https://b", "url": "http://a.example"},
        ["http://a.example"],
    ),
    "PagerDuty": (PagerDuty, {"routing_key": "k"}, ["https://events.pagerduty.com/v2/enqueue"]),
    "Alertmanagers": (Alertmanager, {"urls": ["https://a", "https://b:1"]}, ["https://a", "https://b:1"]),
    "e-mail": (Email, {"host": "mail.example", **MAIL}, ["smtp://mail.example:587"]),
    "e-mail with TLS from the start": (
        Email,
        {"host": "mail.example", "tls": "tls", **MAIL},
        ["smtps://mail.example:465"],
    ),
    "e-mail to an IPv6 address": (Email, {"host": "::1", "port": 25, **MAIL}, ["smtp://[::1]:25"]),
    "SNS": (Sns, {"topic_arn": TOPIC}, ["https://sns.eu-west-1.amazonaws.com"]),
    "Apprise": (Apprise, {"url": "json://a.example"}, []),
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set invalid credentials, and ignore the AWS and proxy settings of the user."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    proxies = [name + "_proxy" for name in ("http", "https", "all", "no")]
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", *proxies, *map(str.upper, proxies)):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("kind", "fields", "urls"), ADDRESSES.values(), ids=ADDRESSES)
async def test_each_type_of_receiver_has_the_addresses_that_it_connects_to(
    client: OutboundClient, kind: type[BaseReceiver], fields: dict[str, Any], urls: list[str]
) -> None:
    assert list(await build_receiver(kind, **fields).addresses(client)) == urls


@pytest.mark.parametrize(
    ("environ", "is_checked"),
    [
        ({"HTTPS_PROXY": "http://127.0.0.1:9"}, False),
        ({"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ".amazonaws.com"}, True),
        ({"HTTP_PROXY": "http://127.0.0.1:9"}, True),
        ({"NO_PROXY": "localhost"}, True),
    ],
)
async def test_reachability_of_aws_is_not_checked_behind_a_proxy(
    client: OutboundClient, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], is_checked: bool
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert len(await build_receiver(Sns, topic_arn=TOPIC).addresses(client)) == is_checked


# One address.


async def test_a_receiver_that_listens_is_reachable_and_is_sent_nothing(
    client: OutboundClient, authority: trustme.CA
) -> None:
    received: list[bytes] = []

    async def record_data(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        received.append(await reader.read())

    async with tcp_server(record_data) as port:
        for scheme in ("http", "smtp"):
            assert await check_connection(f"{scheme}://127.0.0.1:{port}{HOOK}", client, ALLOW_ALL) is None
    assert received == [b"", b""]
    async with http_server(tls=server_tls(authority)) as server:
        for scheme in ("https", "smtps"):
            assert (
                await check_connection(f"{scheme}://localhost:{server.port}{HOOK}", client, ALLOW_ALL) is None
            )
    assert server.requests == []


async def closed_server_url() -> str:
    """Return the URL of a server that has stopped."""
    async with http_server() as server:
        return server.url


async def test_a_receiver_that_does_not_listen_is_unreachable(client: OutboundClient) -> None:
    url = await closed_server_url()
    error = await check_connection(url + HOOK, client, ALLOW_ALL)
    assert error and error.startswith(f"{url}: the connection failed (")


@pytest.mark.parametrize("scheme", ["https", "smtps"])
async def test_a_receiver_that_does_not_respond_is_unreachable_after_the_time_out(
    client: OutboundClient, scheme: str
) -> None:
    async with tcp_server(never_responds) as port:
        url = f"{scheme}://127.0.0.1:{port}"
        error = await check_connection(url + HOOK, client, OutboundPolicy(allow_private=True, timeout=0.1))
    assert error == f"{url}: no response within 0.1 s"


def untrusted_authority(_: trustme.CA) -> ssl.SSLContext:
    """Return the TLS context of a server whose certificate is of an untrusted authority."""
    return server_tls(trustme.CA())


def other_host(authority: trustme.CA) -> ssl.SSLContext:
    """Return the TLS context of a server whose certificate is for another host."""
    return server_tls(authority, "other.example.com")


@pytest.mark.parametrize("create_tls", [untrusted_authority, other_host, None])
async def test_a_receiver_without_a_valid_certificate_is_unreachable(
    client: OutboundClient, authority: trustme.CA, create_tls: Callable[[trustme.CA], ssl.SSLContext] | None
) -> None:
    async with http_server(tls=create_tls(authority) if create_tls else None) as server:
        error = await check_connection(f"https://127.0.0.1:{server.port}{HOOK}", client, ALLOW_ALL)
    assert error and "the TLS handshake failed" in error


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::1]"])
async def test_no_connection_to_a_private_address_is_opened(client: OutboundClient, host: str) -> None:
    connected = asyncio.Event()

    async def record_connection(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        connected.set()

    async with tcp_server(record_connection) as port:
        error = await check_connection(f"https://{host}:{port}{HOOK}", client, OutboundPolicy())
    assert error == f"https://{host}:{port}: its address is private, and allow_private is not set"
    assert not connected.is_set()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://nobody.invalid", "https://nobody.invalid: its name could not be resolved"),
        ("https://" + "x" * 64 + ".example", "the address is invalid"),
    ],
)
async def test_an_address_that_cannot_be_resolved_is_reported(
    client: OutboundClient, url: str, expected: str
) -> None:
    assert expected in ((await check_connection(url + HOOK, client, ALLOW_ALL)) or "")


class Ipv6Resolver(Resolver):
    """Resolves every host to an IPv6 address on loopback, and finds no IPv4 address."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if family == socket.AF_INET:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return await super().resolve("127.0.0.1", port, family)


async def test_a_host_with_only_an_ipv6_address_is_reachable() -> None:
    async with http_server() as server, OutboundClient(resolver=Ipv6Resolver()) as client:
        assert await check_connection(f"http://new.example:{server.port}", client, ALLOW_ALL) is None


# The probe of all receivers.


@asynccontextmanager
async def probing(
    client: OutboundClient, *receivers: BaseReceiver, retry_interval: float = 60.0
) -> AsyncIterator[ReachabilityProbe]:
    """Probe whether receivers can be reached, and yield the probe. retry_interval: in seconds."""
    probe = ReachabilityProbe(client, retry_interval)
    probe.configure(receivers)
    async with background(probe.run()):
        yield probe


async def wait_until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(WAIT_TIMEOUT):
        while not condition():
            await asyncio.sleep(0.01)


async def test_an_unreachable_receiver_is_reported_once_until_it_is_reachable(
    client: OutboundClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    url, connected = await closed_server_url(), asyncio.Event()
    receiver = build_receiver(Webhook, name="on-call", url=url + HOOK)
    async with probing(client, receiver, retry_interval=0.01) as probe:
        await wait_until(lambda: probe.unreachable)
        warnings = len([record for record in caplog.records if record.levelno == logging.WARNING])
        for _ in range(10):  # time for about ten further attempts
            await asyncio.sleep(0.01)
        assert warnings == len(caplog.records) == 1
        assert probe.unreachable["on-call"].startswith(f"{url}: the connection failed (")

        async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connected.set()
            writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", int(url.rpartition(":")[2]))
        async with server:
            await wait_until(connected.is_set)
            await wait_until(lambda: not probe.unreachable)
    unreachable, reachable = (record.getMessage() for record in caplog.records)
    assert unreachable.startswith(f"receiver on-call cannot be reached: {url}: the connection failed (")
    assert reachable == "receiver on-call can be reached again"
    assert "hunter2" not in caplog.text and "swordfish" not in caplog.text


async def test_of_several_addresses_only_the_unreachable_ones_are_reported(client: OutboundClient) -> None:
    closed_url = await closed_server_url()
    async with http_server() as server:
        receiver = build_receiver(Alertmanager, urls=[server.url, closed_url, server.url])
        async with probing(client, receiver) as probe:
            await wait_until(lambda: probe.unreachable)
            assert probe.unreachable["team"].startswith(closed_url)
            assert server.url not in probe.unreachable["team"]


async def test_a_receiver_that_does_not_respond_delays_no_other_receiver(client: OutboundClient) -> None:
    closed_url = await closed_server_url()
    async with tcp_server(never_responds) as port:
        silent_receiver = build_receiver(
            Email, name="silent", host="127.0.0.1", port=port, tls="tls", timeout=60, **MAIL
        )
        async with probing(
            client, silent_receiver, build_receiver(Webhook, name="closed", url=closed_url)
        ) as probe:
            await wait_until(lambda: probe.unreachable)
            assert list(probe.unreachable) == ["closed"]


async def test_a_reload_checks_all_receivers_again(
    client: OutboundClient, caplog: pytest.LogCaptureFixture
) -> None:
    closed = build_receiver(Webhook, name="closed", url=await closed_server_url())
    async with http_server() as server, probing(client, closed) as probe:
        await wait_until(lambda: probe.unreachable)
        probe.configure([build_receiver(Webhook, name="closed", url=server.url)])
        assert probe.unreachable == {}
        probe.configure([build_receiver(Webhook, name="other", url=await closed_server_url()), closed])
        await wait_until(lambda: len(probe.unreachable) == 2)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 3 and all("cannot be reached" in message for message in messages)


async def test_an_unreachable_aws_is_reported_with_the_configured_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed_url = await closed_server_url()
    async with (
        OutboundClient(endpoint_url=closed_url) as client,
        probing(client, build_receiver(Sns, topic_arn=TOPIC)) as probe,
    ):
        await wait_until(lambda: probe.unreachable)
        assert probe.unreachable["team"].startswith(f"{closed_url}: the connection failed (")


async def test_an_unknown_aws_profile_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    async with OutboundClient() as client, probing(client, build_receiver(Sns, topic_arn=TOPIC)) as probe:
        await wait_until(lambda: probe.unreachable)
        assert probe.unreachable == {"team": "The config profile (nobody) could not be found"}
