"""Groups of alerts: decides which notices the receiver of a group gets, and when.

`decide` compares the present alerts with the state that the receiver was notified of, instead of queueing
events. So a restart, a silence or an unreachable receiver neither loses nor repeats a notice.

- A new group is sent `group_wait` after its first alert began. Later changes of a group are sent
  `group_interval` apart.
- An alert that becomes critical is sent after `group_wait`, because requests are being throttled.
- An alert that still fires is repeated `repeat_interval` after it was sent last, with its whole group.
- A blind spot has changed if it affects more places than the receiver was notified of, not if fewer.
- A forecast has changed if its class is nearer.
- An alert that is resolved before the receiver was notified of it is never sent.
- A silence, an inhibition or a time window suppresses an alert; when it ends and the alert still fires, the
  alert is sent. A resolution is never suppressed, so that the receiver can close its incident.
- An acknowledgement stops the repeats of an alert up to a severity, and nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from monitor.alerting.routes import RoutedReceiver
from monitor.notifiers.notice import Notice, NotificationReason, Severity
from rules.band import ZONES

GroupLabels = tuple[tuple[str, str], ...]
GroupKey = tuple[str, GroupLabels]  # a receiver, and the labels of the group

SEVERITY_RANK = {severity: severity.rank for severity in Severity}


class NotifiedAlert(msgspec.Struct, frozen=True):
    """The state of a firing alert in its last notice to a receiver.

    at: when that notice was sent, in epoch seconds. places: the highest `places` that the receiver was
    notified of.
    """

    severity: Severity
    zone: str
    at: float
    places: int = 0


class NotificationGroup(msgspec.Struct, frozen=True):
    """The state of a group that its receiver was notified of.

    notified: by id, the alerts of which the last notice to the receiver said that they fire. at: when the
    group was sent last, in epoch seconds; 0 if never.
    """

    receiver: str
    labels: GroupLabels
    notified: Mapping[str, NotifiedAlert] = {}
    at: float = 0.0

    @property
    def key(self) -> GroupKey:
        """The identity of the group."""
        return self.receiver, self.labels


class AlertStatus(NamedTuple):
    """The last notice of an alert, and the conditions under which one receiver gets it.

    suppressed: a silence, an inhibition or a time window suppresses it. acknowledged_severity: the severity
    up to which it is acknowledged; None without an acknowledgement. unrouted: the receiver was notified
    before, but routes no longer lead to it. keepalive: the receiver forgets alerts that are not repeated.
    """

    notice: Notice
    routed: RoutedReceiver
    suppressed: bool = False
    acknowledged_severity: Severity | None = None
    unrouted: bool = False
    keepalive: bool = False


class PlannedNotice(NamedTuple):
    """A notice to send now, and the reason why."""

    notice: Notice
    reason: NotificationReason


class GroupDecision(NamedTuple):
    """The decision about a group.

    group: its state once `notices` are sent. notices: the notices to send now, the most urgent first.
    finished: the resolved alerts that need no further notice to the receiver. next_due: when to decide
    again if nothing changes, in epoch seconds; None if only a change needs a decision.
    """

    group: NotificationGroup
    notices: tuple[PlannedNotice, ...]
    finished: tuple[str, ...]
    next_due: float | None


def decide(group: NotificationGroup, statuses: Sequence[AlertStatus], now: float) -> GroupDecision:
    """Decide which notices of a group to send at `now`, in epoch seconds.

    statuses: of the group's alerts that fire, or whose end the receiver was not notified of.
    """
    reasons = [
        (status, _reason_of_change(status, group.notified.get(status.notice.alert))) for status in statuses
    ]
    changed = [(status, reason) for status, reason in reasons if reason]
    repeats = [
        (status, _reason_of_repeat(status))
        for status, reason in reasons
        if not reason and _may_repeat(status, group)
    ]
    notices: list[PlannedNotice] = []
    if any(now >= _change_time(status, group) for status, _ in changed):
        notices += [_planned_notice(status, reason) for status, reason in changed]
    if any(now >= _repeat_time(status, group) for status, _ in repeats):
        notices += [_planned_notice(status, reason) for status, reason in repeats]
    group_after = _after_sending(group, [planned.notice for planned in notices], now)
    resolved = (status.notice.alert for status in statuses if not status.notice.firing)
    return GroupDecision(
        group_after,
        tuple(sorted(notices, key=lambda planned: urgency(planned.notice))),
        tuple(alert for alert in resolved if alert not in group_after.notified),
        min(
            (due for status in statuses if (due := _next_time(status, group_after)) is not None), default=None
        ),
    )


def alert_urgency(severity: Severity, utilization: float | None) -> tuple[int, float]:
    """Return a sort key: highest severity first, then highest utilization. None counts as 0."""
    return -SEVERITY_RANK[severity], -(utilization or 0.0)


def urgency(notice: Notice) -> tuple[bool, tuple[int, float], str]:
    """Return a sort key: firing before resolved, then the most urgent first."""
    return not notice.firing, alert_urgency(notice.severity, notice.utilization), notice.alert


def group_statuses(statuses: Iterable[AlertStatus]) -> dict[GroupKey, list[AlertStatus]]:
    """Return the statuses by group."""
    groups: dict[GroupKey, list[AlertStatus]] = {}
    for status in statuses:
        groups.setdefault((status.routed.receiver, status.routed.group), []).append(status)
    return groups


def alert_statuses(
    notice: Notice,
    routes: Iterable[RoutedReceiver],
    notified_groups: Iterable[NotificationGroup],
    suppressed: bool = False,
    acknowledged_severity: Severity | None = None,
) -> list[AlertStatus]:
    """Return the status of an alert for each receiver that it is routed to, or that was notified of it.

    notified_groups: the groups that contain the alert. An alert stays in its group even if its labels change,
    so that its resolution reaches the same group.
    """
    groups = {group.receiver: group for group in notified_groups}
    statuses = []
    for routed in routes:
        group = groups.pop(routed.receiver, None)
        regrouped = routed._replace(group=group.labels) if group else routed
        is_suppressed = suppressed or routed.suppressed
        statuses.append(AlertStatus(notice, regrouped, is_suppressed, acknowledged_severity))
    return statuses + [
        AlertStatus(
            notice,
            RoutedReceiver(group.receiver, group.labels),
            suppressed,
            acknowledged_severity,
            unrouted=True,
        )
        for group in groups.values()
    ]


def _planned_notice(status: AlertStatus, reason: NotificationReason) -> PlannedNotice:
    return PlannedNotice(msgspec.structs.replace(status.notice, kind=reason.kind), reason)


def _reason_of_repeat(status: AlertStatus) -> NotificationReason:
    return NotificationReason.KEEPALIVE if status.keepalive else NotificationReason.REPEATED


def _reason_of_change(status: AlertStatus, notified: NotifiedAlert | None) -> NotificationReason | None:
    """Return why the receiver must be notified; None if nothing changed or the alert is suppressed.

    notified: the state of the alert in its last notice to the receiver; None without a notice.
    """
    notice = status.notice
    if not notice.firing:
        return NotificationReason.RESOLVED if notified else None
    if notified is None:
        return None if status.suppressed else NotificationReason.FIRST
    level, notified_level = _level(notice), _level(notified)
    grew = notice.places > notified.places
    if status.suppressed or (level == notified_level and not grew):
        return None
    if level > notified_level:
        return NotificationReason.ESCALATED
    return NotificationReason.GREW if grew else NotificationReason.EASED


def _level(alert: Notice | NotifiedAlert) -> tuple[int, int]:
    return SEVERITY_RANK[alert.severity], ZONES.get(alert.zone, 0)


def _may_repeat(status: AlertStatus, group: NotificationGroup) -> bool:
    is_acknowledged = (
        status.acknowledged_severity is not None
        and SEVERITY_RANK[status.notice.severity] <= SEVERITY_RANK[status.acknowledged_severity]
    )
    if status.suppressed or status.unrouted or is_acknowledged:
        return False
    return status.notice.firing and status.notice.alert in group.notified


def _change_time(status: AlertStatus, group: NotificationGroup) -> float:
    """Return when a change may be sent, in epoch seconds."""
    notice = status.notice
    earliest = notice.at + status.routed.group_wait
    notified = group.notified.get(notice.alert)
    becomes_critical = (
        notice.firing
        and notice.severity is Severity.CRITICAL
        and (not notified or _level(notice) > _level(notified))
    )
    if becomes_critical or not group.notified:
        return earliest
    return max(earliest, group.at + status.routed.group_interval)


def _repeat_time(status: AlertStatus, group: NotificationGroup) -> float:
    return group.notified[status.notice.alert].at + status.routed.repeat_interval


def _next_time(status: AlertStatus, group: NotificationGroup) -> float | None:
    if _reason_of_change(status, group.notified.get(status.notice.alert)):
        return _change_time(status, group)
    return _repeat_time(status, group) if _may_repeat(status, group) else None


def _after_sending(group: NotificationGroup, notices: Iterable[Notice], now: float) -> NotificationGroup:
    notified = dict(group.notified)
    for notice in notices:
        if notice.firing:
            previous = notified.get(notice.alert)
            places = max(notice.places, previous.places if previous else 0)
            notified[notice.alert] = NotifiedAlert(notice.severity, notice.zone, now, places)
        else:
            del notified[notice.alert]
    return NotificationGroup(group.receiver, group.labels, notified, now if notices else group.at)
