"""A trial of a receiver: test notifications of an alert that fires and is resolved at once."""

from collections.abc import AsyncIterator
from uuid import uuid4

from monitor.notifiers.notice import Notice, NoticeKind, Notification, NotificationReason, Severity
from monitor.notifiers.receiver import BaseReceiver
from monitor.outbound.client import OutboundClient
from monitor.outbound.result import DeliveryOutcome, DeliveryResult


async def send_trial(
    receiver: BaseReceiver, client: OutboundClient
) -> AsyncIterator[tuple[NoticeKind, DeliveryResult]]:
    """Send a firing test alert and then its resolution, and yield the results; stop at a failure."""
    alert = f"test-{uuid4()}"
    for number, kind in enumerate((NoticeKind.FIRING, NoticeKind.RESOLVED)):
        result = await receiver.send(
            trial_notification(receiver.name, alert, kind, number, client.now()), client
        )
        yield kind, result
        if result.outcome is not DeliveryOutcome.DELIVERED:
            return


def trial_notification(receiver: str, alert: str, kind: NoticeKind, number: int, at: float) -> Notification:
    """Build one of the two notifications of a trial.

    alert: the alert's id. number: 0 for the first notification, 1 for the second. at: epoch seconds.
    """
    labels = {
        "account": "000000000000",
        "account_name": "test",
        "region": "test",
        "service": "headroom",
        "signal": "test",
        "resource": "test",
        "severity": "info",
    }
    is_resolved = kind is NoticeKind.RESOLVED
    notice = Notice(
        alert=alert,
        number=number,
        kind=kind,
        severity=Severity.INFO,
        zone="within" if is_resolved else "above",
        summary="Test of a receiver: nothing is wrong, and no action is needed.",
        labels=labels,
        at=at,
        since=at,
        usage=20 if is_resolved else 80,
        limit=100,
        unit="requests/s",
        source="test",
        utilization=0.2 if is_resolved else 0.8,
        sampled=at,
        remedy=("No action is needed.",),
    )
    group = {name: labels[name] for name in ("account_name", "region", "service")}
    return Notification(
        id=f"{alert}-{number}",
        receiver=receiver,
        group=group,
        notices=(notice,),
        at=at,
        reason=NotificationReason.TEST,
    )
