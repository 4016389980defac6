"""Attempts without a response: whether they are retried, and that their results contain no secret."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import replace

import pytest
import trustme
from aiohttp import web

from monitor.outbound.client import OutboundClient
from monitor.outbound.policy import OutboundPolicy
from monitor.outbound.result import DeliveryOutcome
from tests.monitor.notifiers.loopback import (
    http_server,
    never_responds,
    responds_with,
    server_tls,
    tcp_server,
)

ALLOW_ALL = OutboundPolicy(allow_insecure=True, allow_private=True, timeout=5)
HOOK = "/services/T0001/hunter2hunter2?token=swordfish"


async def test_a_request_without_a_response_in_time_is_retried(client: OutboundClient) -> None:
    async with tcp_server(never_responds) as port:
        result = await client.post(f"http://127.0.0.1:{port}", b"{}", replace(ALLOW_ALL, timeout=0.1))
    assert (result.outcome, result.reason) == (DeliveryOutcome.RETRY, "timeout")
    assert result.sentence == f"http://127.0.0.1:{port}: no response within 0.1 s"


async def test_a_receiver_that_does_not_listen_is_unreachable(client: OutboundClient) -> None:
    async with http_server() as server:
        pass
    result = await client.post(server.url, b"{}", ALLOW_ALL)
    assert (result.outcome, result.reason) == (DeliveryOutcome.RETRY, "connection")
    assert result.sentence.startswith(f"{server.url}: the connection failed (")


async def test_a_request_on_a_connection_that_the_server_closed_is_retried(client: OutboundClient) -> None:
    async with http_server() as server:
        await client.post(server.url + HOOK, b"{}", ALLOW_ALL)
    result = await client.post(server.url + HOOK, b"{}", ALLOW_ALL)
    assert (result.outcome, result.reason) == (DeliveryOutcome.RETRY, "connection")
    assert "hunter2" not in result.sentence


async def test_a_request_to_an_unknown_host_is_retried(client: OutboundClient) -> None:
    result = await client.post("https://nobody.invalid/x", b"{}", ALLOW_ALL)
    assert (result.outcome, result.reason) == (DeliveryOutcome.RETRY, "dns")


@pytest.mark.parametrize("url", ["https://", "https:///x", "https://[::1", "https://x:99999/"])
async def test_an_invalid_address_is_refused(client: OutboundClient, url: str) -> None:
    result = await client.post(url, b"{}", ALLOW_ALL)
    assert (result.outcome, result.reason) == (DeliveryOutcome.REFUSED, "address")


# TLS.


async def test_a_certificate_of_a_trusted_authority_is_accepted(
    client: OutboundClient, authority: trustme.CA
) -> None:
    async with http_server(tls=server_tls(authority)) as server:
        result = await client.post(server.url, b"{}", replace(ALLOW_ALL, allow_insecure=False))
    assert result.outcome is DeliveryOutcome.DELIVERED


def untrusted_authority(_: trustme.CA) -> ssl.SSLContext:
    """Return the TLS context of a server whose certificate is of an untrusted authority."""
    return server_tls(trustme.CA())


def other_host(authority: trustme.CA) -> ssl.SSLContext:
    """Return the TLS context of a server whose certificate is for another host."""
    return server_tls(authority, "other.example.com")


@pytest.mark.parametrize("create_tls", [untrusted_authority, other_host])
async def test_a_request_to_a_server_with_an_invalid_certificate_is_not_sent(
    client: OutboundClient, authority: trustme.CA, create_tls: Callable[[trustme.CA], ssl.SSLContext]
) -> None:
    async with http_server(tls=create_tls(authority)) as server:
        result = await client.post(server.url, b"{}", ALLOW_ALL)
    assert (result.outcome, result.reason) == (DeliveryOutcome.RETRY, "tls")
    assert "certificate" in result.sentence or "valid for" in result.sentence
    assert not server.requests


async def test_a_tls_connection_to_a_server_without_tls_is_retried(client: OutboundClient) -> None:
    async with http_server() as server:
        result = await client.post(server.url.replace("http", "https"), b"{}", ALLOW_ALL)
    assert (result.outcome, result.reason) == (DeliveryOutcome.RETRY, "tls")


# Secrets and sockets.


async def test_neither_logs_nor_errors_contain_a_secret(
    client: OutboundClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    results = []
    async with (
        http_server(web.Response(status=500)) as server,
        tcp_server(responds_with(b"\x00\r\n\r\n")) as garbage_port,
    ):
        for url in (
            server.url,
            f"http://127.0.0.1:{garbage_port}",
            server.url.replace("http", "https"),
            "http://127.0.0.1:1",
            "https://nobody.invalid",
            "https://[::1",
            "https://127.1",
            "https://a b",
        ):
            results.append(await client.post(url + HOOK, b'"swordfish"', ALLOW_ALL, {"A": "swordfish"}))
    texts = (
        repr(results)
        + caplog.text
        + repr(client)
        + repr(replace(ALLOW_ALL, secrets=frozenset(["swordfish"])))
    )
    assert "hunter2" not in texts
    assert "swordfish" not in texts


async def test_cancelling_an_attempt_raises_and_returns_no_result(client: OutboundClient) -> None:
    request_received = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        request_received.set()
        await never_responds(reader, writer)

    async with tcp_server(handle) as port:
        attempt = asyncio.create_task(client.post(f"http://127.0.0.1:{port}", b"{}", ALLOW_ALL))
        await request_received.wait()
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt


async def test_the_client_opens_a_connected_socket(client: OutboundClient) -> None:
    async with http_server() as server:
        with await client.open_socket("localhost", server.port, ALLOW_ALL) as sock:
            assert sock.getpeername()[1] == server.port
