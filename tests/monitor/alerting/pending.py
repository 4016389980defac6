"""Notices and pending notices for tests of deliveries."""

from collections.abc import Mapping
from typing import Any

from monitor.alerting.records import PendingNotice
from monitor.notifiers.notice import Notice, NoticeKind, NotificationReason, Severity

NOW = 1_790_000_000.0
FIRST = NotificationReason.FIRST


def notice(number: int, alert: str = "a", kind: NoticeKind = NoticeKind.FIRING, **fields: Any) -> Notice:
    """Return a notice with a number; `fields` replace its other values."""
    values: dict[str, Any] = {
        "severity": Severity.WARNING,
        "zone": "near",
        "summary": f"notice {number} of {alert}",
        "labels": {"account": "123456789012", "resource": alert},
        "at": NOW,
        "since": NOW,
        "utilization": 0.9,
        "remedy": ("Add shards.",),
    }
    return Notice(alert=alert, number=number, kind=kind, **values | fields)


def pending_notice(
    content: Notice,
    receiver: str = "pager",
    *,
    group: Mapping[str, str] | None = None,
    due: float = NOW,
    id: int = 0,
) -> PendingNotice:
    """Return a pending notice. Without `group`, it is in a group of its alert alone."""
    labels = group or {"alert": content.alert}
    return PendingNotice(receiver=receiver, group=labels, due=due, notice=content, id=id, reason=FIRST)
