"""Notices that are owed to receivers, and what an outbox may be asked of them."""

from collections.abc import Mapping
from typing import Any

from monitor.alerting.notice import Kind, Notice, Severity
from monitor.alerting.records import Owed

NOW = 1_790_000_000.0


def notice(number: int, alert: str = "a", kind: Kind = Kind.FIRING, **fields: Any) -> Notice:
    about: dict[str, Any] = {
        "severity": Severity.WARNING,
        "zone": "critical",
        "summary": f"notice {number} of {alert}",
        "labels": {"account": "123456789012", "resource": alert},
        "at": NOW,
        "since": NOW,
        "utilization": 0.9,
        "remedy": ("Add shards.",),
    }
    return Notice(alert=alert, number=number, kind=kind, **about | fields)


def owed(
    told: Notice,
    receiver: str = "pager",
    *,
    group: Mapping[str, str] | None = None,
    due: float = NOW,
    id: int = 0,
) -> Owed:
    """Without a group it is in one of its alert's own."""
    return Owed(receiver=receiver, group=group or {"alert": told.alert}, due=due, notice=told, id=id)
