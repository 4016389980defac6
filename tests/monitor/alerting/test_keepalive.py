"""An Alertmanager over an hour: firing alerts are never resolved there, even if it is down for minutes."""

from datetime import datetime
from typing import Any

import pytest

from monitor.fleet.judge import judge
from monitor.notifiers.alertmanager import Alertmanager, payload
from monitor.notifiers.notice import Notification
from monitor.outbound.result import DeliveryResult, delivered, retry
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.alerting.stage import AT_ONCE, Stage, configuration

HOUR, TURN, MINUTE = 3600, 15, 60  # seconds; a judgement every TURN
CONFIG = configuration(
    [{"name": "am", "type": "alertmanager", "urls": ["https://example.org"]}], route=AT_ONCE
)
AWAY = retry("connection", "nobody is there")


class Manager:
    """Keeps alerts as Alertmanager does: each until its endsAt, unless it is repeated.

    lapsed: how often one ended that nobody had said to be over. ended: what was said to be over.
    """

    def __init__(self) -> None:
        self.alerts: dict[Any, dict[str, Any]] = {}
        self.ended: list[dict[str, Any]] = []
        self.sent = self.lapsed = 0

    def take(self, notification: Notification, now: float) -> None:
        """Take over the alerts of a notification."""
        (receiver,) = CONFIG.receivers
        assert isinstance(receiver, Alertmanager)
        self.sent += 1
        for alert in payload(notification, receiver, now):
            identity = tuple(sorted(alert["labels"].items()))
            if ends(alert) > now:
                self.alerts[identity] = alert
            elif self.alerts.pop(identity, None):
                self.ended.append(alert)

    def look(self, now: float) -> None:
        """Resolve the alerts that have ended."""
        for identity in [one for one, alert in self.alerts.items() if ends(alert) <= now]:
            del self.alerts[identity]
            self.lapsed += 1


def ends(alert: dict[str, Any]) -> float:
    """Return when an alert ends, in epoch seconds."""
    return datetime.fromisoformat(alert["endsAt"]).timestamp()


class Hour(Stage):
    """A stage whose seconds pass one by one. away: the seconds in which the Alertmanager is down."""

    manager: Manager
    away: range

    async def _take(self, name: str, notification: Notification) -> DeliveryResult:
        if self.seconds in self.away:
            return AWAY
        self.manager.take(notification, self.seconds)
        return delivered("it took it")

    async def second(self, letter: str) -> None:
        """Let a second pass; with a new minute, write its sample first."""
        if self.seconds % MINUTE == 0:
            self.write(self.series("orders"), self.minute, letter)
            self.minute += 1
            self.set_read_result()
        if self.seconds % TURN == 0:
            judge(self.fleet, self.minute)
            await self.engine.process(self.status, self.account_names)
        await self.delivery.senders["am"].send_due()
        self.manager.look(self.seconds)
        self.seconds += 1


# Away for so long, from so many seconds after an hour that fires began; by how the pauses fall out.
@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("begins", "lasts"), [(0, 0), (599, 60), (601, 120), (1200, 145), (1799, 145)])
async def test_an_alert_fires_in_alertmanager_for_as_long_as_in_headroom(
    chance: float, begins: int, lasts: int
) -> None:
    async with Hour.opened(MemoryStore(), CONFIG, random=lambda: chance) as hour:
        assert isinstance(hour, Hour)
        hour.manager, hour.away = Manager(), range(0)
        for _ in range(6 * MINUTE):
            await hour.second("c")
        began = int(hour.seconds)
        hour.away = range(began + begins, began + begins + lasts)
        for _ in range(HOUR):
            await hour.second("c")
        assert (len(hour.manager.alerts), hour.manager.lapsed, hour.manager.ended) == (1, 0, [])
        assert hour.manager.sent >= (HOUR - lasts) // (MINUTE + TURN)
        for _ in range(5 * MINUTE):
            await hour.second(".")
        assert (hour.manager.alerts, hour.manager.lapsed) == ({}, 0)
        (over,) = hour.manager.ended
        assert 0 < hour.seconds - ends(over) <= 3 * MINUTE
        assert ends(over) > datetime.fromisoformat(over["startsAt"]).timestamp()
