"""PagerDuty's events: one per alert, with the same key when it is sent again."""

from typing import Any

import pytest
from aiohttp import web

from monitor.lib.json_body import json_size
from monitor.notifiers.notice import NoticeKind, Severity
from monitor.notifiers.pagerduty import PagerDuty, dedup_key, payload
from monitor.outbound.client import OutboundClient
from monitor.outbound.result import DeliveryOutcome
from tests.monitor.notifiers.hostile_texts import TEXTS, hostile_notice
from tests.monitor.notifiers.loopback import (
    build_receiver,
    http_server,
    notice,
    notification,
    resolved_notice,
)

RECEIVER = build_receiver(PagerDuty, routing_key="R0UT1NGK3Y")


def event_of(**changes: Any) -> dict[str, Any]:
    """Return the event that is sent to PagerDuty for a notice."""
    [event] = payload(notification(notice(**changes)), RECEIVER)
    return event


def test_a_trigger_has_links_and_source_and_details() -> None:
    event = event_of()
    assert (event["event_action"], event["dedup_key"]) == ("trigger", "a1b2c3")
    assert event["routing_key"] == "R0UT1NGK3Y"
    assert event["client_url"] == "https://headroom.example.com/s/1?a=1&b=2"
    assert {"href": "https://runs.example.com", "text": "runbook"} in event["links"]
    alert = event["payload"]
    assert alert["summary"].startswith("Kinesis stream clicks")
    assert alert["source"] == "123456789012/eu-west-1/kinesis/clicks"
    assert (alert["component"], alert["group"], alert["class"]) == ("clicks", "kinesis", "stream_write_bytes")
    assert alert["timestamp"] == "2026-01-02T02:42:05.000Z"
    assert alert["custom_details"]["Usage"] == "3.6 MiB/s of 4 MiB/s (90 %)"
    assert alert["custom_details"]["Remedy"] == ["Add shards.", "Or switch to on-demand."]


@pytest.mark.parametrize("severity", Severity)
def test_each_severity_is_one_that_pagerduty_accepts(severity: Severity) -> None:
    assert event_of(severity=severity)["payload"]["severity"] in ("critical", "error", "warning", "info")
    assert event_of(severity=severity)["payload"]["severity"] == severity.value


@pytest.mark.parametrize("kind", [kind for kind in NoticeKind if kind is not NoticeKind.RESOLVED])
def test_a_firing_alert_triggers_an_event(kind: NoticeKind) -> None:
    assert event_of(kind=kind)["event_action"] == "trigger"


def test_a_resolved_alert_ends_the_event_of_its_key() -> None:
    [event] = payload(notification(resolved_notice()), RECEIVER)
    assert event == {"routing_key": "R0UT1NGK3Y", "event_action": "resolve", "dedup_key": "a1b2c3"}


def test_a_long_dedup_key_is_shortened_and_stays_unique() -> None:
    assert dedup_key("a" * 255) == "a" * 255
    assert len(dedup_key("a" * 256)) <= 255
    assert dedup_key("a" * 256) != dedup_key("a" * 257)


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_texts_make_a_valid_message(text: str) -> None:
    [event] = payload(notification(hostile_notice(text)), RECEIVER)
    assert len(event["payload"]["summary"]) <= 1024
    assert event["payload"]["source"]
    assert json_size(event) < 512_000


# The status of each response, the outcome, and the number of requests in the first delivery.
STATUSES: list[tuple[list[int], DeliveryOutcome, int]] = [
    ([202, 202, 202], DeliveryOutcome.DELIVERED, 3),
    ([202, 429, 202], DeliveryOutcome.RETRY, 2),
    ([400, 202, 202], DeliveryOutcome.REFUSED, 3),
    ([400, 500, 202], DeliveryOutcome.RETRY, 2),
]


@pytest.mark.parametrize(("statuses", "outcome", "request_count"), STATUSES)
async def test_an_event_that_must_be_retried_stops_the_delivery_and_the_retry_sends_all_events(
    client: OutboundClient, statuses: list[int], outcome: DeliveryOutcome, request_count: int
) -> None:
    """PagerDuty merges events of the same key, so that an event may be sent twice."""
    three_alerts = notification(*(notice(alert=name) for name in "abc"))
    async with http_server(*(web.Response(status=status) for status in statuses)) as server:
        receiver = build_receiver(PagerDuty, url=server.url, routing_key="R0UT1NGK3Y")
        result = await receiver.send(three_alerts, client)
        assert result.outcome is outcome
        assert len(server.requests) == request_count
        await receiver.send(three_alerts, client)
    keys = [body["dedup_key"] for body in server.bodies]
    assert keys[:request_count] == list("abc")[:request_count]
    assert keys[request_count:] == ["a", "b", "c"][: len(keys) - request_count]
