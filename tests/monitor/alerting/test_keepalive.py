"""Keepalive: an alert that fires in Headroom never lapses in Alertmanager, even if Alertmanager was down.

The letters of samples are explained in `harness`: `c` is near the limit, `.` within the band.
"""

from datetime import datetime
from typing import Any

import pytest

from monitor.fleet.judge import judge
from monitor.notifiers.alertmanager import Alertmanager, payload
from monitor.notifiers.notice import Notification
from monitor.outbound.result import DeliveryResult, delivered_result, retry_result
from tests.monitor.alerting.harness import AT_ONCE, AlertingHarness, configuration
from tests.monitor.alerting.memory_store import MemoryStore

HOUR, MINUTE = 3600, 60  # seconds
JUDGE_INTERVAL = 15  # seconds between two judgements
CONFIG = configuration(
    [{"name": "am", "type": "alertmanager", "urls": ["https://example.org"]}], route=AT_ONCE
)
DOWN = retry_result("connection", "connection refused")


class SimulatedAlertmanager:
    """Holds each alert until its `endsAt`, as Alertmanager does. A repeat of the alert moves `endsAt`.

    alerts: by their labels. resolved: the alerts that Headroom resolved. lapsed_count: the number of alerts
    that ended although Headroom had not resolved them. notification_count: the number of notifications
    received.
    """

    def __init__(self) -> None:
        self.alerts: dict[Any, dict[str, Any]] = {}
        self.resolved: list[dict[str, Any]] = []
        self.notification_count = self.lapsed_count = 0

    def receive(self, notification: Notification, now: float) -> None:
        """Store the firing alerts of a notification, and remove the alerts that it resolves."""
        (receiver,) = CONFIG.receivers
        assert isinstance(receiver, Alertmanager)
        self.notification_count += 1
        for alert in payload(notification, receiver, now):
            identity = tuple(sorted(alert["labels"].items()))
            if ends_at(alert) > now:
                self.alerts[identity] = alert
            elif self.alerts.pop(identity, None):
                self.resolved.append(alert)

    def remove_lapsed(self, now: float) -> None:
        """Remove the alerts whose `endsAt` has passed."""
        for identity in [identity for identity, alert in self.alerts.items() if ends_at(alert) <= now]:
            del self.alerts[identity]
            self.lapsed_count += 1


def ends_at(alert: dict[str, Any]) -> float:
    """Return `endsAt` of an alert, in epoch seconds."""
    return datetime.fromisoformat(alert["endsAt"]).timestamp()


class SecondsHarness(AlertingHarness):
    """A harness whose clock advances second by second.

    alertmanager: the only receiver. downtime: the seconds in which it is down.
    """

    alertmanager: SimulatedAlertmanager
    downtime: range

    async def _receive(self, name: str, notification: Notification) -> DeliveryResult:
        if self.seconds in self.downtime:
            return DOWN
        self.alertmanager.receive(notification, self.seconds)
        return delivered_result("accepted")

    async def run_second(self, letter: str) -> None:
        """Advance the clock by a second. If a minute begins, first write its sample."""
        if self.seconds % MINUTE == 0:
            self.write(self.series("orders"), self.minute, letter)
            self.minute += 1
            self.set_read_result()
        if self.seconds % JUDGE_INTERVAL == 0:
            judge(self.fleet, self.minute)
            await self.engine.process(self.status, self.account_names)
        await self.delivery.senders["am"].send_due()
        self.alertmanager.remove_lapsed(self.seconds)
        self.seconds += 1


# The alert fires for six minutes, and then for an hour, which is tested. down_after: seconds of that hour
# before Alertmanager goes down. down_for: seconds for which it is down. jitter: the random number that
# spreads retries.
@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    ("down_after", "down_for"), [(0, 0), (599, 60), (601, 120), (1200, 145), (1799, 145)]
)
async def test_an_alert_fires_in_alertmanager_for_as_long_as_in_headroom(
    jitter: float, down_after: int, down_for: int
) -> None:
    async with SecondsHarness.opened(MemoryStore(), CONFIG, random=lambda: jitter) as harness:
        assert isinstance(harness, SecondsHarness)
        harness.alertmanager, harness.downtime = SimulatedAlertmanager(), range(0)
        for _ in range(6 * MINUTE):
            await harness.run_second("c")
        down_from = int(harness.seconds) + down_after
        harness.downtime = range(down_from, down_from + down_for)
        for _ in range(HOUR):
            await harness.run_second("c")
        alertmanager = harness.alertmanager
        assert (len(alertmanager.alerts), alertmanager.lapsed_count, alertmanager.resolved) == (1, 0, [])
        assert alertmanager.notification_count >= (HOUR - down_for) // (MINUTE + JUDGE_INTERVAL)
        for _ in range(5 * MINUTE):
            await harness.run_second(".")
        assert (alertmanager.alerts, alertmanager.lapsed_count) == ({}, 0)
        (resolved,) = alertmanager.resolved
        assert 0 < harness.seconds - ends_at(resolved) <= 3 * MINUTE
        assert ends_at(resolved) > datetime.fromisoformat(resolved["startsAt"]).timestamp()
