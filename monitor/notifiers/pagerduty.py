"""PagerDuty, Events API v2: an event for each alert, which its dedup_key names in every repetition.

https://developer.pagerduty.com/docs/events-api-v2-overview
"""

from hashlib import sha256
from typing import Any, ClassVar, Literal

from pydantic import Field

from monitor.alerting.notice import Notice, Notification
from monitor.config_types import Url
from monitor.notifiers.answer import Answer, Outcome, all_of
from monitor.notifiers.json_body import encoded
from monitor.notifiers.receiver import Base
from monitor.notifiers.secrets import Secret
from monitor.notifiers.text import clean, cut, facts, links, remedy, rfc3339, sentence, state
from monitor.outbound import Outbound

LONGEST_KEY = 255
LONGEST_SUMMARY = 1024


class PagerDuty(Base):
    """A service of PagerDuty, by the key of its Events API v2 integration."""

    per_alert: ClassVar[bool] = True

    type: Literal["pagerduty"] = "pagerduty"
    routing_key: Secret = Field(description="The integration key of the service.")
    url: Url = Field(
        default="https://events.pagerduty.com/v2/enqueue",
        description="Where to send; of accounts in the EU https://events.eu.pagerduty.com/v2/enqueue",
    )

    async def attempt(self, notification: Notification, client: Outbound) -> Answer:
        """Sent again after a partial success, the events that were taken change nothing."""
        answers = []
        for event in payload(notification, self):
            answers.append(await client.post(self.url, encoded(event), self.policy))
            if answers[-1].outcome is Outcome.RETRY:
                break
        return all_of(answers)


def payload(notification: Notification, receiver: PagerDuty) -> list[dict[str, Any]]:
    """The events, each ready for JSON."""
    return [_event(notice, receiver) for notice in notification.notices]


def _event(notice: Notice, receiver: PagerDuty) -> dict[str, Any]:
    event = {
        "routing_key": receiver.routing_key.get_secret_value(),
        "event_action": "trigger" if notice.firing else "resolve",
        "dedup_key": key(notice.alert),
    }
    return event | _trigger(notice) if notice.firing else event


def _trigger(notice: Notice) -> dict[str, Any]:
    labels = {name: clean(value) for name, value in notice.labels.items()}
    where = (labels.get(name) for name in ("account", "region", "service", "resource"))
    named = links(notice)
    return {
        "client": "Headroom",
        **({"client_url": named["page"]} if "page" in named else {}),
        "links": [{"href": url, "text": name} for name, url in named.items()],
        "payload": {
            "summary": cut(sentence(notice), LONGEST_SUMMARY),
            "source": "/".join(filter(None, where)) or "Headroom",
            "severity": notice.severity.value,  # ours are named as theirs; they have `error` besides
            "timestamp": rfc3339(notice.since),
            "component": labels.get("resource", ""),
            "group": labels.get("service", ""),
            "class": labels.get("signal", ""),
            "custom_details": {"State": state(notice), **facts(notice), "Remedy": remedy(notice)},
        },
    }


def key(alert: str) -> str:
    """The alert's id, or its digest where it is too long for a key."""
    return alert if len(alert) <= LONGEST_KEY else sha256(alert.encode()).hexdigest()
