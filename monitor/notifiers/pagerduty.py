"""PagerDuty, Events API v2: one event per alert, identified by its dedup_key.

https://developer.pagerduty.com/docs/events-api-v2-overview
"""

from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from monitor.lib.json_body import encode_json
from monitor.lib.text import single_line, truncate
from monitor.notifiers.notice import Notice, Notification
from monitor.notifiers.receiver import BaseReceiver
from monitor.notifiers.text import facts, links, remedy, rfc3339, sentence, state
from monitor.outbound.result import DeliveryOutcome, DeliveryResult, worst_result
from monitor.schema.secrets import Secret
from monitor.schema.types import Url

if TYPE_CHECKING:
    from monitor.outbound.client import OutboundClient

MAX_DEDUP_KEY = 255  # characters
MAX_SUMMARY = 1024  # characters


class PagerDuty(BaseReceiver):
    """A service of PagerDuty, through Events v2: an alert opens an incident and later resolves it."""

    per_alert: ClassVar[bool] = True

    type: Literal["pagerduty"] = "pagerduty"
    routing_key: Secret = Field(
        description="The integration key of the service.", examples=["0123456789abcdef0123456789abcdef"]
    )
    url: Url = Field(
        default="https://events.pagerduty.com/v2/enqueue",
        description="The URL to post to; for accounts in the EU: https://events.eu.pagerduty.com/v2/enqueue",
    )

    async def attempt(self, notification: Notification, client: "OutboundClient") -> DeliveryResult:
        """Send the events until one must be retried. The retry sends all events again, with equal keys."""
        results = []
        for event in payload(notification, self):
            results.append(await client.post(self.url, encode_json(event), self.policy))
            if results[-1].outcome is DeliveryOutcome.RETRY:
                break
        return worst_result(results)


def payload(notification: Notification, receiver: PagerDuty) -> list[dict[str, Any]]:
    """Return the events, each ready for JSON."""
    return [_event(notice, receiver) for notice in notification.notices]


def _event(notice: Notice, receiver: PagerDuty) -> dict[str, Any]:
    event = {
        "routing_key": receiver.routing_key.get_secret_value(),
        "event_action": "trigger" if notice.firing else "resolve",
        "dedup_key": dedup_key(notice.alert),
    }
    return event | _trigger(notice) if notice.firing else event


def _trigger(notice: Notice) -> dict[str, Any]:
    labels = {name: single_line(value) for name, value in notice.labels.items()}
    source_parts = (labels.get(name) for name in ("account", "region", "service", "resource"))
    urls = links(notice)
    return {
        "client": "Headroom",
        **({"client_url": urls["page"]} if "page" in urls else {}),
        "links": [{"href": url, "text": name} for name, url in urls.items()],
        "payload": {
            "summary": truncate(sentence(notice), MAX_SUMMARY),
            "source": "/".join(filter(None, source_parts)) or "Headroom",
            "severity": notice.severity.value,  # PagerDuty accepts all of ours, and `error`
            "timestamp": rfc3339(notice.since),
            "component": labels.get("resource", ""),
            "group": labels.get("service", ""),
            "class": labels.get("signal", ""),
            "custom_details": {"State": state(notice), **facts(notice), "Remedy": remedy(notice)},
        },
    }


def dedup_key(alert: str) -> str:
    """Return the alert's id, or its digest if the id is too long for a key."""
    return alert if len(alert) <= MAX_DEDUP_KEY else sha256(alert.encode()).hexdigest()
