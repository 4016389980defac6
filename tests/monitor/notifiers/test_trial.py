"""The trial of a receiver: an alert that fires, and its end."""

import pytest
from aiohttp import web

from monitor.alerting.notice import Kind
from monitor.notifiers.answer import Outcome
from monitor.notifiers.pagerduty import PagerDuty
from monitor.notifiers.trial import tried
from monitor.notifiers.webhook import Webhook
from monitor.outbound import Outbound
from tests.monitor.notifiers.loopback import made, serving


async def test_it_fires_and_is_resolved(client: Outbound) -> None:
    async with serving() as server:
        receiver = made(PagerDuty, url=server.url, routing_key="k")
        told = [(kind, answer.outcome) async for kind, answer in tried(receiver, client)]
    assert told == [(Kind.FIRING, Outcome.DELIVERED), (Kind.RESOLVED, Outcome.DELIVERED)]
    trigger, resolve = server.bodies
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"]
    assert trigger["payload"]["severity"] == "info"


async def test_each_trial_is_an_alert_of_its_own(client: Outbound) -> None:
    async with serving() as server:
        receiver = made(Webhook, url=server.url)
        for _ in range(2):
            assert [answer.outcome async for _, answer in tried(receiver, client)]
    ids = [body["data"]["id"] for body in server.bodies]
    assert len(set(ids)) == 4


@pytest.mark.parametrize(("status", "outcome"), [(404, Outcome.REFUSED), (500, Outcome.RETRY)])
async def test_after_a_failure_there_is_nothing_to_resolve(
    client: Outbound, status: int, outcome: Outcome
) -> None:
    async with serving(web.Response(status=status)) as server:
        told = [(kind, answer.outcome) async for kind, answer in tried(made(Webhook, url=server.url), client)]
    assert told == [(Kind.FIRING, outcome)]


async def test_who_wants_no_resolutions_gets_none(client: Outbound) -> None:
    async with serving() as server:
        receiver = made(Webhook, url=server.url, send_resolved=False)
        told = [answer.outcome async for _, answer in tried(receiver, client)]
    assert told == [Outcome.DELIVERED] * 2
    assert len(server.requests) == 1
