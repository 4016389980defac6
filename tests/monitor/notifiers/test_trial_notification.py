"""The trial of a receiver: test notifications of an alert that fires and is resolved."""

import pytest
from aiohttp import web

from monitor.notifiers.notice import NoticeKind
from monitor.notifiers.pagerduty import PagerDuty
from monitor.notifiers.trial_notification import send_trial
from monitor.notifiers.webhook import Webhook
from monitor.outbound.client import OutboundClient
from monitor.outbound.result import DeliveryOutcome
from tests.monitor.notifiers.loopback import build_receiver, http_server


async def test_a_trial_sends_a_firing_alert_and_its_resolution(client: OutboundClient) -> None:
    async with http_server() as server:
        receiver = build_receiver(PagerDuty, url=server.url, routing_key="k")
        results = [(kind, result.outcome) async for kind, result in send_trial(receiver, client)]
    assert results == [
        (NoticeKind.FIRING, DeliveryOutcome.DELIVERED),
        (NoticeKind.RESOLVED, DeliveryOutcome.DELIVERED),
    ]
    trigger, resolve = server.bodies
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"]
    assert trigger["payload"]["severity"] == "info"


async def test_each_trial_has_an_alert_of_its_own(client: OutboundClient) -> None:
    async with http_server() as server:
        receiver = build_receiver(Webhook, url=server.url)
        for _ in range(2):
            assert [result.outcome async for _, result in send_trial(receiver, client)]
    ids = [body["data"]["id"] for body in server.bodies]
    assert len(set(ids)) == 4


@pytest.mark.parametrize(
    ("status", "outcome"), [(404, DeliveryOutcome.REFUSED), (500, DeliveryOutcome.RETRY)]
)
async def test_a_failed_trial_sends_no_resolution(
    client: OutboundClient, status: int, outcome: DeliveryOutcome
) -> None:
    async with http_server(web.Response(status=status)) as server:
        results = [
            (kind, result.outcome)
            async for kind, result in send_trial(build_receiver(Webhook, url=server.url), client)
        ]
    assert results == [(NoticeKind.FIRING, outcome)]


async def test_no_resolution_is_sent_if_send_resolved_is_off(client: OutboundClient) -> None:
    async with http_server() as server:
        receiver = build_receiver(Webhook, url=server.url, send_resolved=False)
        results = [result.outcome async for _, result in send_trial(receiver, client)]
    assert results == [DeliveryOutcome.DELIVERED] * 2
    assert len(server.requests) == 1
