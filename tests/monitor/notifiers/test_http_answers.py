"""Every receiver that speaks HTTP, against every answer it may get."""

import logging
from collections.abc import Callable

import pytest
import trustme
from aiohttp import web

from monitor.notifiers.alertmanager import Alertmanager
from monitor.notifiers.answer import Outcome
from monitor.notifiers.pagerduty import PagerDuty
from monitor.notifiers.receiver import Base
from monitor.notifiers.secrets import secrets_in
from monitor.notifiers.slack import Slack
from monitor.notifiers.teams import Teams
from monitor.notifiers.webhook import Webhook
from monitor.outbound import Outbound
from tests.monitor.notifiers.loopback import made, notification, says, server_tls, serving, silent, speaking

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOOK = "/services/hunter2hunter2"
TOKEN = "Bearer swordfish-swordfish"

Make = Callable[[str], Base]

RECEIVERS: dict[str, Make] = {
    "webhook": lambda url: made(Webhook, url=url + HOOK, secret=WHSEC, authorization=TOKEN),
    "webhook as alertmanager": lambda url: made(Webhook, url=url + HOOK, format="alertmanager"),
    "alertmanager": lambda url: made(Alertmanager, urls=[url + HOOK], authorization=TOKEN),
    "slack": lambda url: made(Slack, url=url + HOOK),
    "pagerduty": lambda url: made(PagerDuty, url=url + "/v2/enqueue", routing_key="hunter2hunter2"),
    "teams": lambda url: made(Teams, url=url + HOOK),
}

DATE = "Fri, 02 Jan 2026 03:05:05 GMT"
ANSWERS = [
    *((web.Response(status=status), Outcome.DELIVERED, None) for status in (200, 202, 204)),
    *(
        (web.Response(status=status, headers={"Location": "/"}), Outcome.REFUSED, None)
        for status in (301, 307)
    ),
    *((web.Response(status=status), Outcome.REFUSED, None) for status in (400, 401, 403, 404, 410, 413)),
    (web.Response(status=408), Outcome.RETRY, None),
    (web.Response(status=429), Outcome.RETRY, None),
    (web.Response(status=429, headers={"Retry-After": "17"}), Outcome.RETRY, 17),
    (web.Response(status=429, headers={"Retry-After": DATE}), Outcome.RETRY, 60),
    (web.Response(status=429, headers={"Retry-After": "soon"}), Outcome.RETRY, None),
    *((web.Response(status=status), Outcome.RETRY, None) for status in (500, 502, 503, 504)),
    (web.Response(status=200, body=b"\x00\xff" * 100_000), Outcome.DELIVERED, None),
    (web.Response(status=400, body=b"\x00\xff<html>" * 100_000), Outcome.REFUSED, None),
]

each_receiver = pytest.mark.parametrize("make", RECEIVERS.values(), ids=RECEIVERS.keys())


@each_receiver
async def test_every_status(client: Outbound, make: Make) -> None:
    for response, outcome, wait in ANSWERS:
        async with serving(response) as server:
            answer = await make(server.url).send(notification(), client)
        assert (answer.outcome, answer.status, answer.retry_after) == (outcome, response.status, wait)
        assert answer.sentence.startswith(f"{server.url} answered {response.status}")
        assert len(answer.sentence) < 300


@each_receiver
async def test_no_answer_in_time(client: Outbound, make: Make) -> None:
    async with speaking(silent) as port:
        receiver = make(f"http://127.0.0.1:{port}").model_copy(update={"timeout": 0.1})
        answer = await receiver.send(notification(), client)
    assert (answer.outcome, answer.reason) == (Outcome.RETRY, "timeout")


@each_receiver
async def test_nobody_listens(client: Outbound, make: Make) -> None:
    async with serving() as server:
        pass
    answer = await make(server.url).send(notification(), client)
    assert (answer.outcome, answer.reason) == (Outcome.RETRY, "connection")


@each_receiver
async def test_a_certificate_that_signs_itself(client: Outbound, make: Make) -> None:
    async with serving(tls=server_tls(trustme.CA())) as server:
        answer = await make(server.url).send(notification(), client)
    assert (answer.outcome, answer.reason) == (Outcome.RETRY, "tls")
    assert not server.requests


@each_receiver
async def test_garbage(client: Outbound, make: Make) -> None:
    async with speaking(says(b"\x00\x01\x02 garbage\r\n\r\n")) as port:
        answer = await make(f"http://127.0.0.1:{port}").send(notification(), client)
    assert answer.outcome is Outcome.RETRY


@each_receiver
async def test_a_private_address_needs_leave(client: Outbound, make: Make) -> None:
    async with serving() as server:
        receiver = make(server.url).model_copy(update={"allow_private": False})
        answer = await receiver.send(notification(), client)
    assert (answer.outcome, answer.reason) == (Outcome.REFUSED, "private_address")
    assert not server.requests


@each_receiver
async def test_the_same_notification_is_sent_the_same_way_again(client: Outbound, make: Make) -> None:
    async with serving(web.Response(status=500), web.Response()) as server:
        receiver = make(server.url)
        for _ in range(2):
            await receiver.send(notification(), client)
    first, second = server.requests
    assert first == second


@each_receiver
async def test_nothing_tells_a_secret(client: Outbound, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    receiver = make("http://127.0.0.1:1")
    fields = [getattr(receiver, name) for name in type(receiver).model_fields]
    secrets = {secret for field in fields for secret in secrets_in(field)}
    words = {word for secret in secrets for word in secret.split()} - {"Bearer"}
    echo = web.Response(status=404, text=f"what is {' and '.join(sorted(words))}?")
    told = [repr(receiver), str(receiver), receiver.model_dump_json(), repr(receiver.policy)]
    async with serving(echo) as server:
        told.append(repr(await make(server.url).send(notification(), client)))
    assert "***" in told[-1]
    told.append(repr(await make(server.url).send(notification(), client)))  # nobody listens any more
    told.append(caplog.text)
    assert not [word for word in (*words, "hunter2", "swordfish") for text in told if word in text]
