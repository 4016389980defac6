"""Builds the body of webhooks: `{"type", "timestamp", "data"}`, as Standard Webhooks suggests."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from monitor.notifiers.notice import Notice, NoticeKind, Notification, NotificationReason, Severity
from monitor.notifiers.text import rfc3339

Status = Literal["firing", "resolved"]

# Fields whose values a WebhookAlert takes from its Notice unchanged. The times are not among them, as they
# become RFC 3339 texts.
COPIED_FIELDS = set(Notice.__struct_fields__) - {"at", "since", "sampled"}


class WebhookAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. Times are RFC 3339; utilization is 0.8 for 80 %; usage and limit are in `unit`;
    throttled is demand per second; unknown values are null. number: the number of the notice; later
    notices have higher numbers. at: when the notice was made. since: when the breach began. sampled: the
    time of the sample with the usage, limit and throttled demand. resolution_reason: why the alert ended;
    empty if the usage simply fell."""

    id: str
    number: int
    status: Status
    kind: NoticeKind
    severity: Severity
    zone: str
    summary: str
    labels: Mapping[str, str]
    at: str
    since: str
    sampled: str | None
    usage: float | None
    limit: float | None
    unit: str
    source: str
    utilization: float | None
    throttled: float | None
    resolution_reason: str
    remedy: tuple[str, ...]
    docs: str
    links: Mapping[str, str]


class WebhookData(msgspec.Struct, frozen=True, kw_only=True):
    """The notification. group: the labels by which the alerts are grouped. more: the number of alerts not
    listed. severity: the highest of those listed. reason: why the notification is sent; of several reasons
    the most important."""

    id: str
    receiver: str
    status: Status
    reason: NotificationReason
    severity: Severity
    title: str
    group: Mapping[str, str]
    more: int
    alerts: tuple[WebhookAlert, ...]


class WebhookBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a request. Future versions may add keys: ignore unknown ones."""

    type: Literal["alerts.firing", "alerts.resolved"]
    timestamp: str
    data: WebhookData


def webhook_body(notification: Notification) -> WebhookBody:
    """Return the webhook body that reports a notification."""
    status: Status = "firing" if notification.firing else "resolved"
    data = WebhookData(
        id=notification.id,
        receiver=notification.receiver,
        status=status,
        reason=notification.reason,
        severity=notification.severity,
        title=notification.title,
        group=notification.group,
        more=notification.more,
        alerts=tuple(map(_alert, notification.notices)),
    )
    body_type: Literal["alerts.firing", "alerts.resolved"] = (
        "alerts.firing" if notification.firing else "alerts.resolved"
    )
    return WebhookBody(type=body_type, timestamp=rfc3339(notification.at), data=data)


def _alert(notice: Notice) -> WebhookAlert:
    copied = {name: getattr(notice, name) for name in WebhookAlert.__struct_fields__ if name in COPIED_FIELDS}
    return WebhookAlert(
        id=notice.alert,
        status="firing" if notice.firing else "resolved",
        at=rfc3339(notice.at),
        since=rfc3339(notice.since),
        sampled=None if notice.sampled is None else rfc3339(notice.sampled),
        **copied,
    )


def webhook_schema() -> dict[str, Any]:
    """Return the JSON schema of the webhook body."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(WebhookBody)}
