"""The outcome of a delivery for each receiver that uses HTTP and each response of its server."""

import logging
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

import pytest
import trustme
from aiohttp import web

from monitor.notifiers.receiver import BaseReceiver
from monitor.outbound.client import OutboundClient
from monitor.outbound.result import DeliveryOutcome
from monitor.schema.secrets import secret_values
from tests.monitor.notifiers.examples import HTTP_TYPES, receiver_at
from tests.monitor.notifiers.hostile_texts import TEXTS, hostile_notice
from tests.monitor.notifiers.loopback import (
    http_server,
    never_responds,
    notification,
    responds_with,
    server_tls,
    tcp_server,
)

MakeReceiver = Callable[[str], BaseReceiver]  # takes the origin of all URLs, such as http://127.0.0.1:80

RECEIVERS: dict[str, MakeReceiver] = {
    **{type: partial(receiver_at, type) for type in HTTP_TYPES},
    "webhook as alertmanager": lambda url: receiver_at("webhook", url).model_copy(
        update={"format": "alertmanager"}
    ),
}

DATE = "Fri, 02 Jan 2026 03:05:05 GMT"  # 60 s after NOW, the time of the client
# A response, the outcome of the delivery, and the seconds until a retry (None: not in the response).
ANSWERS = [
    *((web.Response(status=status), DeliveryOutcome.DELIVERED, None) for status in (200, 202, 204)),
    *(
        (web.Response(status=status, headers={"Location": "/"}), DeliveryOutcome.REFUSED, None)
        for status in (301, 307)
    ),
    *(
        (web.Response(status=status), DeliveryOutcome.REFUSED, None)
        for status in (400, 401, 403, 404, 410, 413)
    ),
    (web.Response(status=408), DeliveryOutcome.RETRY, None),
    (web.Response(status=429), DeliveryOutcome.RETRY, None),
    (web.Response(status=429, headers={"Retry-After": "17"}), DeliveryOutcome.RETRY, 17),
    (web.Response(status=429, headers={"Retry-After": DATE}), DeliveryOutcome.RETRY, 60),
    (web.Response(status=429, headers={"Retry-After": "soon"}), DeliveryOutcome.RETRY, None),
    *((web.Response(status=status), DeliveryOutcome.RETRY, None) for status in (500, 502, 503, 504)),
    (web.Response(status=200, body=b"\x00\xff" * 100_000), DeliveryOutcome.DELIVERED, None),
    (web.Response(status=400, body=b"\x00\xff<html>" * 100_000), DeliveryOutcome.REFUSED, None),
]

each_receiver = pytest.mark.parametrize("make_receiver", RECEIVERS.values(), ids=RECEIVERS.keys())


@each_receiver
async def test_each_http_status_has_its_outcome(client: OutboundClient, make_receiver: MakeReceiver) -> None:
    for response, outcome, retry_after in ANSWERS:
        async with http_server(response) as server:
            result = await make_receiver(server.url).send(notification(), client)
        assert (result.outcome, result.status, result.retry_after) == (outcome, response.status, retry_after)
        assert result.sentence.startswith(f"{server.url} answered {response.status}")
        assert len(result.sentence) < 300


@each_receiver
async def test_a_delivery_without_a_response_in_time_is_retried(
    client: OutboundClient, make_receiver: MakeReceiver
) -> None:
    async with tcp_server(never_responds) as port:
        receiver = make_receiver(f"http://127.0.0.1:{port}").model_copy(update={"timeout": 0.1})
        result = await receiver.send(notification(), client)
    assert (result.outcome, result.reason) == (DeliveryOutcome.RETRY, "timeout")


@each_receiver
async def test_a_delivery_to_a_receiver_that_does_not_listen_is_retried(
    client: OutboundClient, make_receiver: MakeReceiver
) -> None:
    async with http_server() as server:
        pass
    result = await make_receiver(server.url).send(notification(), client)
    assert (result.outcome, result.reason) == (DeliveryOutcome.RETRY, "connection")


@each_receiver
async def test_a_delivery_to_a_server_with_an_untrusted_certificate_is_retried(
    client: OutboundClient, make_receiver: MakeReceiver
) -> None:
    async with http_server(tls=server_tls(trustme.CA())) as server:
        result = await make_receiver(server.url).send(notification(), client)
    assert (result.outcome, result.reason) == (DeliveryOutcome.RETRY, "tls")
    assert not server.requests


@each_receiver
async def test_a_delivery_is_retried_if_the_response_is_not_http(
    client: OutboundClient, make_receiver: MakeReceiver
) -> None:
    async with tcp_server(responds_with(b"\x00\x01\x02 garbage\r\n\r\n")) as port:
        result = await make_receiver(f"http://127.0.0.1:{port}").send(notification(), client)
    assert result.outcome is DeliveryOutcome.RETRY


@each_receiver
async def test_a_private_address_is_refused_unless_it_is_allowed(
    client: OutboundClient, make_receiver: MakeReceiver
) -> None:
    async with http_server() as server:
        receiver = make_receiver(server.url).model_copy(update={"allow_private": False})
        result = await receiver.send(notification(), client)
    assert (result.outcome, result.reason) == (DeliveryOutcome.REFUSED, "private_address")
    assert not server.requests


@each_receiver
async def test_a_repeated_delivery_sends_the_same_request(
    client: OutboundClient, make_receiver: MakeReceiver
) -> None:
    async with http_server(web.Response(status=500), web.Response()) as server:
        receiver = make_receiver(server.url)
        for _ in range(2):
            await receiver.send(notification(), client)
    first, second = server.requests
    assert first == second


@each_receiver
async def test_neither_logs_nor_errors_contain_a_secret(
    client: OutboundClient, make_receiver: MakeReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver = make_receiver("http://127.0.0.1:1")
    fields = [getattr(receiver, name) for name in type(receiver).model_fields]
    secrets = {secret for field in fields for secret in secret_values(field)}
    words = {word for secret in secrets for word in secret.split()} - {"Bearer"}
    echo = web.Response(status=404, text=f"what is {' and '.join(sorted(words))}?")
    texts = [repr(receiver), str(receiver), receiver.model_dump_json(), repr(receiver.policy)]
    async with http_server(echo) as server:
        texts.append(repr(await make_receiver(server.url).send(notification(), client)))
    assert "***" in texts[-1]
    texts.append(repr(await make_receiver(server.url).send(notification(), client)))  # the server is closed
    texts.append(caplog.text)
    assert not [word for word in (*words, "hunter2") for text in texts if word in text]


@each_receiver
async def test_the_addresses_of_a_receiver_have_the_origin_of_its_server(
    client: OutboundClient, make_receiver: MakeReceiver
) -> None:
    addresses = await make_receiver("https://a.example:1").addresses(client)
    assert {urlsplit(address)[:2] for address in addresses} == {("https", "a.example:1")}


@each_receiver
@pytest.mark.parametrize("text", TEXTS)
async def test_a_notification_with_hostile_texts_is_a_valid_request(
    client: OutboundClient, make_receiver: MakeReceiver, text: str
) -> None:
    async with http_server() as server:
        result = await make_receiver(server.url).send(
            notification(hostile_notice(text), group={"account_name": text}), client
        )
    assert result.outcome is DeliveryOutcome.DELIVERED
    assert server.bodies  # each body is valid JSON
