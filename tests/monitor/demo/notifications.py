"""Notifications as in the bodies of Headroom's webhooks."""

from collections.abc import Mapping

from monitor.notifiers.notice import NoticeKind, NotificationReason, Severity
from monitor.notifiers.webhook_body import Status, WebhookAlert, WebhookData


def notification(
    summary: str, *, status: Status = "firing", labels: Mapping[str, str] | None = None, alert_id: str = "1"
) -> WebhookData:
    """Return a notification of one critical alert."""
    alert = WebhookAlert(
        id=alert_id,
        number=1,
        status=status,
        kind=NoticeKind.FIRING,
        severity=Severity.CRITICAL,
        zone="saturated",
        summary=summary,
        labels=labels or {},
        at="",
        since="",
        sampled=None,
        usage=None,
        limit=None,
        unit="",
        source="",
        utilization=None,
        throttled=None,
        resolution_reason="",
        remedy=(),
        docs="",
        links={},
    )
    return WebhookData(
        id="1",
        receiver="demo",
        status=status,
        reason=NotificationReason.FIRST,
        severity=Severity.CRITICAL,
        title="A title",
        group={},
        more=2,
        alerts=(alert,),
    )
