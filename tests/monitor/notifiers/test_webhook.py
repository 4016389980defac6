"""The webhook: a body that matches its schema, with a signature that receivers can verify."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import standardwebhooks

from monitor.lib.json_body import encode_json
from monitor.notifiers.notice import NoticeKind
from monitor.notifiers.signature import signed_headers
from monitor.notifiers.webhook import Webhook, payload
from monitor.notifiers.webhook_body import WebhookBody, webhook_schema
from monitor.outbound.client import OutboundClient
from tests.monitor.notifiers.loopback import (
    NOW,
    build_receiver,
    http_server,
    notice,
    notification,
    resolved_notice,
)

SIGNING_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
RECEIVER = build_receiver(Webhook, url="https://example.com/hook")
ALERTMANAGER_RECEIVER = build_receiver(Webhook, url="https://example.com/hook", format="alertmanager")


def test_the_body_has_the_notification_and_its_alerts() -> None:
    body = payload(notification(notice(), resolved_notice(alert="b"), more=3), RECEIVER)
    assert (body["type"], body["timestamp"]) == ("alerts.firing", "2026-01-02T03:04:05.000Z")
    data = body["data"]
    assert (data["id"], data["receiver"], data["status"]) == ("n-1", "team", "firing")
    assert (data["severity"], data["more"], data["title"]) == (
        "warning",
        3,
        "[4 firing] prod eu-west-1 kinesis",
    )
    firing, resolution = data["alerts"]
    assert (firing["id"], firing["status"], firing["kind"], firing["zone"]) == (
        "a1b2c3",
        "firing",
        "firing",
        "near",
    )
    assert (firing["usage"], firing["limit"], firing["unit"]) == (3.6 * 2**20, 4 * 2**20, "bytes/s")
    assert (firing["since"], firing["sampled"]) == ("2026-01-02T02:42:05.000Z", "2026-01-02T03:03:05.000Z")
    assert firing["labels"]["resource"] == "clicks"
    assert firing["remedy"] == ("Add shards.", "Or switch to on-demand.")
    assert (resolution["status"], resolution["resolution_reason"]) == (
        "resolved",
        "the limit was raised from 4 MiB/s to 8 MiB/s",
    )


def test_a_notification_of_only_resolved_alerts_has_the_type_resolved() -> None:
    body = payload(notification(resolved_notice()), RECEIVER)
    assert (body["type"], body["data"]["status"]) == ("alerts.resolved", "resolved")


def test_unknown_numbers_are_null() -> None:
    unknown = notice(usage=None, limit=None, utilization=None, throttled=None, sampled=None)
    [alert] = payload(notification(unknown), RECEIVER)["data"]["alerts"]
    assert {name for name, value in alert.items() if value is None} == {
        "usage",
        "limit",
        "utilization",
        "throttled",
        "sampled",
    }


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_numbers_that_json_cannot_hold_are_null(value: float) -> None:
    body = json.loads(encode_json(payload(notification(notice(utilization=value)), RECEIVER)))
    assert body["data"]["alerts"][0]["utilization"] is None


def test_the_schema_describes_the_body_completely() -> None:
    body = encode_json(payload(notification(notice(), resolved_notice()), RECEIVER))
    msgspec.json.decode(body, type=WebhookBody)
    definitions = webhook_schema()["$defs"]
    decoded = json.loads(body)
    assert set(definitions["WebhookBody"]["required"]) == set(decoded)
    assert set(definitions["WebhookData"]["required"]) == set(decoded["data"])
    assert set(definitions["WebhookAlert"]["required"]) == set(decoded["data"]["alerts"][0])
    assert set(definitions["NoticeKind"]["enum"]) == set(NoticeKind)


# Signatures.


def test_the_signature_equals_the_example_of_the_specification() -> None:
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        build_receiver(Webhook, url="https://x", secret=SIGNING_SECRET).secret,
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


async def test_standardwebhooks_verifies_the_signature(client: OutboundClient) -> None:
    client.now = lambda: datetime.now(UTC).timestamp()
    async with http_server() as server:
        receiver = build_receiver(Webhook, url=server.url, secret=SIGNING_SECRET)
        await receiver.send(notification(notice(summary="Zeichen: äöü € 🚨")), client)
    _, headers, body = server.requests[0]
    verifier = standardwebhooks.Webhook(SIGNING_SECRET)
    assert verifier.verify(body, headers)["data"]["id"] == headers["webhook-id"] == "n-1"
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verifier.verify(body + b" ", headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verifier.verify(body, {**headers, "webhook-id": "n-2"})


async def test_a_webhook_without_a_secret_has_an_id_and_no_signature(client: OutboundClient) -> None:
    async with http_server() as server:
        await build_receiver(Webhook, url=server.url, authorization="Bearer abc").send(notification(), client)
    _, headers, _ = server.requests[0]
    assert headers["webhook-id"] == "n-1"
    assert headers["authorization"] == "Bearer abc"
    assert "webhook-signature" not in headers


# Alertmanager's body.


def alertmanager_payload(*notices: Any, **changes: Any) -> dict[str, Any]:
    """Return the body in Alertmanager's format."""
    return payload(notification(*notices, **changes), ALERTMANAGER_RECEIVER)


def test_alertmanagers_body_has_the_group_and_the_common_values_and_the_alerts() -> None:
    other = resolved_notice(alert="b", labels={**notice().labels, "resource": "orders"})
    body = alertmanager_payload(notice(), other, more=2)
    assert set(body) == {
        *("version", "groupKey", "truncatedAlerts", "status", "receiver", "groupLabels"),
        *("commonLabels", "commonAnnotations", "externalURL", "alerts"),
    }
    assert (body["version"], body["status"], body["receiver"]) == ("4", "firing", "team")
    assert body["truncatedAlerts"] == 2
    assert body["groupKey"] == '{}:{account_name="prod", aws_region="eu-west-1", aws_service="kinesis"}'
    assert body["groupLabels"] == {
        "account_name": "prod",
        "aws_region": "eu-west-1",
        "aws_service": "kinesis",
    }
    assert body["externalURL"] == "https://headroom.example.com"
    assert body["commonLabels"]["alertname"] == "HeadroomKinesisStreamWriteBytes"
    assert "resource" not in body["commonLabels"]
    assert body["commonAnnotations"]["runbook_url"] == "https://runs.example.com"
    firing, resolution = body["alerts"]
    assert set(firing) == {
        *("status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"),
    }
    assert (firing["status"], firing["endsAt"]) == ("firing", "0001-01-01T00:00:00Z")
    assert (resolution["status"], resolution["endsAt"]) == ("resolved", "2026-01-02T03:04:05.000Z")
    assert firing["startsAt"] == "2026-01-02T02:42:05.000Z"
    assert firing["annotations"]["summary"].startswith("Kinesis stream clicks")
    assert firing["annotations"]["description"] == "Add shards. Or switch to on-demand."
    assert (firing["fingerprint"], resolution["fingerprint"]) == ("a1b2c3", "b")


def test_all_labels_and_annotations_in_alertmanagers_body_are_strings() -> None:
    """Go decodes labels and annotations as strings, so all values must be strings."""
    [alert] = alertmanager_payload(notice(links={}, docs=""))["alerts"]
    values = [*alert["labels"].values(), *alert["annotations"].values(), alert["generatorURL"]]
    assert all(isinstance(value, str) for value in values)
    assert alert["generatorURL"] == ""


def test_the_labels_of_an_alert_never_change() -> None:
    later = notice(kind=NoticeKind.REPEATED, at=NOW + 60, usage=1.0, summary="other", number=9)
    labels = [
        alertmanager_payload(sent)["alerts"][0]["labels"] for sent in (notice(), later, resolved_notice())
    ]
    assert labels[0] == labels[1] == labels[2]
