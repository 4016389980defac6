"""The stage `plan` of the alert engine: decides which receiver is notified of which alert now."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from collectors.registry import Registry
from monitor.alerting import inhibit
from monitor.alerting.groups import (
    AlertStatus,
    GroupDecision,
    GroupKey,
    NotificationGroup,
    alert_statuses,
    decide,
    group_statuses,
)
from monitor.alerting.routes import RoutedReceiver, Router
from monitor.alerting.silences import Silences
from monitor.notifiers.notice import Notice

MIN_BLIND_REPEAT = 86400.0  # seconds: the shortest repeat_interval of alerts about blind spots


class PlannedGroup(NamedTuple):
    """The decision about a group, and the alert statuses that it is based on."""

    decision: GroupDecision
    statuses: Sequence[AlertStatus]


@dataclass(frozen=True, slots=True)
class NotificationPlanner:
    """Decides by routes, silences, acknowledgements and inhibition. Any thread may call `plan`.

    keepalive: by name, the receivers that forget alerts, and the seconds after which each must be notified
    again.
    """

    router: Router
    keepalive: Mapping[str, float]
    silences: Silences
    registry: Registry

    def plan(
        self, alerts: Mapping[str, Notice], groups: Mapping[GroupKey, NotificationGroup], now: float
    ) -> list[PlannedGroup]:
        """Decide which notices each group is sent at `now`, in epoch seconds.

        alerts: the last notice of each alert, by alert id. groups: what receivers were notified of before.
        """
        by_group = group_statuses(self._statuses(alerts, groups, now))
        return [
            PlannedGroup(decide(groups.get(key, NotificationGroup(*key)), statuses, now), statuses)
            for key, statuses in by_group.items()
        ]

    def _statuses(
        self, alerts: Mapping[str, Notice], groups: Mapping[GroupKey, NotificationGroup], now: float
    ) -> Iterator[AlertStatus]:
        firing = (notice for notice in alerts.values() if notice.firing)
        inhibited_alerts = inhibit.inhibiting_alerts(firing, self.registry)
        notified_groups: dict[str, list[NotificationGroup]] = {}
        for group in groups.values():
            for alert in group.notified:
                notified_groups.setdefault(alert, []).append(group)
        for alert, notice in alerts.items():
            routed_receivers = [
                self._with_repeat_interval(routed, notice) for routed in self.router.route(notice.labels, now)
            ]
            suppressed = (
                alert in inhibited_alerts or self.silences.matching_silence(notice.labels, now) is not None
            )
            acknowledged_severity = self.silences.acknowledged_severity(alert, now)
            for status in alert_statuses(
                notice, routed_receivers, notified_groups.get(alert, ()), suppressed, acknowledged_severity
            ):
                if status.routed.receiver in self.keepalive:  # it forgets alerts that are not repeated
                    yield status._replace(acknowledged_severity=None, keepalive=True)
                else:
                    yield status

    def _with_repeat_interval(self, routed: RoutedReceiver, notice: Notice) -> RoutedReceiver:
        """Return `routed` with the repeat interval of this alert.

        The interval is shorter for receivers that forget alerts, else longer for blind spots and infinite for
        forecasts.
        """
        if keepalive := self.keepalive.get(routed.receiver):
            return routed._replace(repeat_interval=keepalive)
        if inhibit.is_forecast(notice):
            return routed._replace(repeat_interval=inf)
        if inhibit.is_blind(notice):
            return routed._replace(repeat_interval=max(routed.repeat_interval, MIN_BLIND_REPEAT))
        return routed
