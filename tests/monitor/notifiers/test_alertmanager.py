"""Alertmanager: the posted alerts, how long they are valid, and how many replicas must accept them."""

from datetime import datetime
from typing import Any

import pytest
from aiohttp import web

from monitor.notifiers.alertmanager import Alertmanager, payload
from monitor.notifiers.notice import Notice, NoticeKind
from monitor.outbound.client import OutboundClient
from monitor.outbound.result import DeliveryOutcome
from tests.monitor.notifiers.loopback import (
    NOW,
    SINCE,
    build_receiver,
    http_server,
    notice,
    notification,
    resolved_notice,
)

RECEIVER = build_receiver(Alertmanager, urls=["https://am.example.com"])
LATER = NOW + 3600


def alerts_sent(*notices: Notice) -> list[dict[str, Any]]:
    """Return the alerts that are sent to Alertmanager for these notices, at LATER, an hour after NOW."""
    return payload(notification(*notices), RECEIVER, LATER)


def epoch(text: str) -> float:
    """Return a time in epoch seconds."""
    return datetime.fromisoformat(text).timestamp()


def test_a_firing_alert_is_valid_until_well_after_it_is_sent_again() -> None:
    [alert] = alerts_sent(notice())
    assert RECEIVER.keepalive
    assert epoch(alert["startsAt"]) == SINCE
    assert epoch(alert["endsAt"]) == LATER + 4 * RECEIVER.keepalive
    assert alert["generatorURL"] == "https://headroom.example.com/s/1?a=1&b=2"
    assert alert["labels"]["alertname"] == "HeadroomKinesisStreamWriteBytes"


@pytest.mark.parametrize("at", [NOW, SINCE - 5])
def test_a_resolved_alert_ends_at_its_resolution_and_not_before_its_start(at: float) -> None:
    [alert] = alerts_sent(resolved_notice(at=at))
    assert epoch(alert["endsAt"]) == max(at, SINCE)


@pytest.mark.parametrize("kind", [NoticeKind.WORSENED, NoticeKind.EASED])
def test_a_changed_severity_ends_the_alerts_of_the_other_severities(kind: NoticeKind) -> None:
    alerts = alerts_sent(notice(kind=kind))
    is_valid = {alert["labels"]["severity"]: epoch(alert["endsAt"]) > LATER for alert in alerts}
    assert is_valid == {"warning": True, "critical": False, "info": False}


def test_empty_labels_are_left_out() -> None:
    [alert] = alerts_sent(notice(labels={"account": "1", "resource": "", "tag_x": "\n"}))
    assert alert["labels"] == {"alertname": "HeadroomBlind", "aws_account": "1", "severity": "warning"}


async def test_every_replica_gets_the_alerts(client: OutboundClient) -> None:
    async with http_server() as server, http_server() as server_with_prefix:
        receiver = build_receiver(
            Alertmanager, urls=[server.url, server_with_prefix.url + "/prefix/"], authorization="Bearer t"
        )
        result = await receiver.send(notification(), client)
    assert result.outcome is DeliveryOutcome.DELIVERED
    assert server.bodies == server_with_prefix.bodies == [payload(notification(), receiver, NOW)]
    paths = [replica.requests[0][0] for replica in (server, server_with_prefix)]
    assert paths == ["/api/v2/alerts", "/prefix/api/v2/alerts"]
    assert server.requests[0][1]["authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("first_status", "second_status", "outcome"),
    [
        (500, 200, DeliveryOutcome.DELIVERED),
        (200, 400, DeliveryOutcome.DELIVERED),
        (400, 503, DeliveryOutcome.RETRY),
        (503, 503, DeliveryOutcome.RETRY),
        (400, 404, DeliveryOutcome.REFUSED),
    ],
)
async def test_delivery_to_one_replica_suffices(
    client: OutboundClient, first_status: int, second_status: int, outcome: DeliveryOutcome
) -> None:
    async with (
        http_server(web.Response(status=first_status)) as first_server,
        http_server(web.Response(status=second_status)) as second_server,
    ):
        receiver = build_receiver(Alertmanager, urls=[first_server.url, second_server.url])
        result = await receiver.send(notification(), client)
    assert result.outcome is outcome
