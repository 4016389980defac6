"""A harmless alert, to prove that a receiver works: it fires, and then is resolved."""

from collections.abc import AsyncIterator
from uuid import uuid4

from monitor.alerting.notice import Kind, Notice, Notification, Severity
from monitor.notifiers.answer import Answer, Outcome
from monitor.notifiers.receiver import Base
from monitor.outbound import Outbound


async def tried(receiver: Base, client: Outbound) -> AsyncIterator[tuple[Kind, Answer]]:
    """Tells the receiver of an alert that fires, and that it is over unless the first was not delivered."""
    trial = f"test-{uuid4()}"
    for number, kind in enumerate((Kind.FIRING, Kind.RESOLVED)):
        answer = await receiver.send(notification(receiver.name, trial, kind, number, client.now()), client)
        yield kind, answer
        if answer.outcome is not Outcome.DELIVERED:
            return


def notification(receiver: str, trial: str, kind: Kind, number: int, at: float) -> Notification:
    """One of the two notifications of a trial; `trial` is the alert's id."""
    labels = {
        "account": "000000000000",
        "account_name": "test",
        "region": "test",
        "service": "headroom",
        "signal": "test",
        "resource": "test",
        "severity": "info",
    }
    over = kind is Kind.RESOLVED
    notice = Notice(
        alert=trial,
        number=number,
        kind=kind,
        severity=Severity.INFO,
        zone="within" if over else "above",
        summary="Test of a receiver: nothing is wrong, and nothing has to be done.",
        labels=labels,
        at=at,
        since=at,
        usage=20 if over else 80,
        limit=100,
        unit="requests/s",
        source="test",
        utilization=0.2 if over else 0.8,
        sampled=at,
        remedy=("None is needed.",),
    )
    group = {name: labels[name] for name in ("account_name", "region", "service")}
    return Notification(id=f"{trial}-{number}", receiver=receiver, group=group, notices=(notice,), at=at)
