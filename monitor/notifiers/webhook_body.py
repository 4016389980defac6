"""The body of a webhook of ours: `{"type", "timestamp", "data"}`, as Standard Webhooks suggests."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from monitor.alerting.notice import Kind, Notice, Notification, Severity
from monitor.notifiers.text import rfc3339

Status = Literal["firing", "resolved"]


SAME = set(Notice.__struct_fields__) - {"at", "since", "sampled"}  # told as they are


class AlertBody(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. Times are RFC 3339; utilization is 0.8 for 80 %; usage and limit are in `unit`;
    refused is demand per second; null is what is not known."""

    id: str
    number: int
    status: Status
    kind: Kind
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
    refused: float | None
    reason: str
    remedy: tuple[str, ...]
    docs: str
    links: Mapping[str, str]


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The notification. group: the labels that the alerts share and were grouped by. more: alerts of the
    group that are not listed. severity: the worst of those listed."""

    id: str
    receiver: str
    status: Status
    severity: Severity
    title: str
    group: Mapping[str, str]
    more: int
    alerts: tuple[AlertBody, ...]


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a request. Keys may be added to it in time: ignore those that are not known."""

    type: Literal["alerts.firing", "alerts.resolved"]
    timestamp: str
    data: Data


def body(notification: Notification) -> Body:
    """The body that tells of a notification."""
    status: Status = "firing" if notification.firing else "resolved"
    data = Data(
        id=notification.id,
        receiver=notification.receiver,
        status=status,
        severity=notification.severity,
        title=notification.title,
        group=notification.group,
        more=notification.more,
        alerts=tuple(map(_alert, notification.notices)),
    )
    kind: Literal["alerts.firing", "alerts.resolved"] = (
        "alerts.firing" if notification.firing else "alerts.resolved"
    )
    return Body(type=kind, timestamp=rfc3339(notification.at), data=data)


def _alert(notice: Notice) -> AlertBody:
    same = {name: getattr(notice, name) for name in AlertBody.__struct_fields__ if name in SAME}
    return AlertBody(
        id=notice.alert,
        status="firing" if notice.firing else "resolved",
        at=rfc3339(notice.at),
        since=rfc3339(notice.since),
        sampled=None if notice.sampled is None else rfc3339(notice.sampled),
        **same,
    )


def schema() -> dict[str, Any]:
    """The JSON schema of the body."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Body)}
