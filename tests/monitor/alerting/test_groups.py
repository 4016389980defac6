"""Notices that a notification group sends, and when it sends them."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerting.groups import (
    AlertStatus,
    NotificationGroup,
    NotifiedAlert,
    alert_statuses,
    decide,
    group_statuses,
)
from monitor.alerting.records import PendingNotice
from monitor.alerting.routes import RoutedReceiver
from monitor.alerting.sender import build_notification
from monitor.notifiers.notice import MAX_LISTED_NOTICES, NoticeKind, Severity
from tests.monitor.alerting.notices import notice

WARN, CRIT, INFO = Severity.WARNING, Severity.CRITICAL, Severity.INFO
ROUTED = RoutedReceiver("ops", (("service", "kinesis"),))  # wait 30 s, interval 300 s, repeat 14,400 s
NEW_GROUP = NotificationGroup("ops", ROUTED.group)


def status(alert: str = "a", severity: Severity = WARN, at: float = 0, **changes: object) -> AlertStatus:
    """Return the status of an alert that is routed by `ROUTED`. `resolved=True`: the alert has ended."""
    kind = NoticeKind.RESOLVED if changes.pop("resolved", False) else NoticeKind.FIRING
    return AlertStatus(notice(alert, severity, at=at, kind=kind), ROUTED)._replace(**changes)  # type: ignore[arg-type]


def sent_notices_of(group: NotificationGroup, at: float, *statuses: AlertStatus) -> list[str]:
    """Return the notices that a group sends at `at`, in order, each as the alert and the kind."""
    return [f"{sent.alert} {sent.kind}" for sent, _ in decide(group, statuses, at).notices]


def notified_group(at: float = 0, **severities: Severity) -> NotificationGroup:
    """Return a group whose receiver was notified at `at` of alerts with these severities."""
    alerts = {
        alert: NotifiedAlert(severity, notice(severity=severity).zone, at)
        for alert, severity in severities.items()
    }
    return NotificationGroup("ops", ROUTED.group, alerts, at)


# The time, the notices that are sent then, and the alerts of which the receiver has been notified.
FIRST_NOTICES = [
    (29, [], ()),
    (30, ["a firing"], ("a",)),
    (1000, ["a firing"], ("a",)),
]


@pytest.mark.parametrize(("at", "expected", "notified_alerts"), FIRST_NOTICES)
def test_a_new_group_waits_for_group_wait(
    at: float, expected: list[str], notified_alerts: tuple[str, ...]
) -> None:
    assert sent_notices_of(NEW_GROUP, at, status()) == expected
    decision = decide(NEW_GROUP, [status()], at)
    assert tuple(decision.group.notified) == notified_alerts
    assert decision.next_due == (30 if not expected else at + 14_400)


NOTIFIED_TWICE = NotificationGroup(
    "ops", ROUTED.group, {**notified_group(0, a=WARN).notified, **notified_group(9000, b=WARN).notified}, 9000
)

# Name, group, statuses of its alerts, time, and the notices that the group sends at that time.
CASES: list[tuple[str, NotificationGroup, list[AlertStatus], float, list[str]]] = [
    ("an alert that begins during group_wait is sent too",
     NEW_GROUP, [status(), status("b", at=29)], 30, ["a firing", "b firing"]),
    ("the most severe alert is first",
     NEW_GROUP, [status("a"), status("b", CRIT)], 30, ["b firing", "a firing"]),
    ("a new alert is not sent before group_interval ends",
     notified_group(1000, a=WARN), [status("a"), status("b", at=1001)], 1299, []),
    ("a new alert is sent after group_interval",
     notified_group(1000, a=WARN), [status("a"), status("b", at=1001)], 1300, ["b firing"]),
    ("an alert that begins after group_interval is not sent before group_wait ends",
     notified_group(1000, a=WARN), [status("a"), status("b", at=2000)], 2029, []),
    ("an alert that begins after group_interval is sent after group_wait",
     notified_group(1000, a=WARN), [status("a"), status("b", at=2000)], 2030, ["b firing"]),
    ("a worsening to critical is not sent before group_wait ends",
     notified_group(1000, a=WARN), [status("a", CRIT, at=1001)], 1030, []),
    ("a worsening to critical is sent after group_wait, within group_interval",
     notified_group(1000, a=WARN), [status("a", CRIT, at=1001)], 1031, ["a worsened"]),
    ("other changes are sent with a new critical alert",
     notified_group(1000, a=INFO), [status("a", at=999), status("b", CRIT, at=1001)], 1031,
     ["b firing", "a worsened"]),
    ("easing is not sent before group_interval ends",
     notified_group(1000, a=CRIT), [status("a", at=1001)], 1299, []),
    ("easing is sent after group_interval",
     notified_group(1000, a=CRIT), [status("a", at=1001)], 1300, ["a eased"]),
    ("a resolution is not sent before group_interval ends",
     notified_group(1000, a=CRIT), [status("a", CRIT, at=1001, resolved=True)], 1299, []),
    ("a resolution is sent after group_interval",
     notified_group(1000, a=WARN), [status("a", at=1001, resolved=True)], 1300, ["a resolved"]),
    ("the resolution of an alert that was never sent is not sent",
     NEW_GROUP, [status("a", resolved=True)], 10_000, []),
    ("an alert whose severity is again the notified severity is not sent",
     notified_group(1000, a=WARN), [status("a", at=1200)], 1400, []),
    ("an unchanged alert is not repeated before repeat_interval ends",
     notified_group(1000, a=WARN), [status("a")], 15_399, []),
    ("an unchanged alert is repeated after repeat_interval",
     notified_group(1000, a=WARN), [status("a")], 15_400, ["a repeated"]),
    ("a repetition is of the whole group",
     NOTIFIED_TWICE, [status("a"), status("b")], 14_400, ["a repeated", "b repeated"]),
    ("suppressed: not sent", NEW_GROUP, [status("a", suppressed=True)], 10_000, []),
    ("suppressed: not repeated", notified_group(0, a=WARN), [status("a", suppressed=True)], 99_999, []),
    ("suppressed: a worsening is not sent",
     notified_group(0, a=WARN), [status("a", CRIT, suppressed=True)], 99_999, []),
    ("suppressed: its resolution is sent",
     notified_group(0, a=WARN), [status("a", suppressed=True, resolved=True)], 300, ["a resolved"]),
    ("suppressed: the resolution of an alert that was never sent is not sent",
     NEW_GROUP, [status("a", suppressed=True, resolved=True)], 300, []),
    ("acknowledged before it was sent: sent",
     NEW_GROUP, [status("a", acknowledged_severity=WARN)], 30, ["a firing"]),
    ("acknowledged: not repeated",
     notified_group(0, a=WARN), [status("a", acknowledged_severity=WARN)], 99_999, []),
    ("acknowledged: its worsening is sent",
     notified_group(0, a=WARN), [status("a", CRIT, acknowledged_severity=WARN)], 300, ["a worsened"]),
    ("acknowledged at a lower severity: repeated",
     notified_group(0, a=CRIT), [status("a", CRIT, acknowledged_severity=WARN)], 14_400, ["a repeated"]),
    ("acknowledged: its resolution is sent",
     notified_group(0, a=WARN), [status("a", acknowledged_severity=WARN, resolved=True)],
     300, ["a resolved"]),
    ("routed elsewhere: not repeated", notified_group(0, a=WARN), [status("a", unrouted=True)], 99_999, []),
    ("routed elsewhere: its easing is sent",
     notified_group(0, a=CRIT), [status("a", unrouted=True)], 300, ["a eased"]),
    ("routed elsewhere: its resolution is sent",
     notified_group(0, a=WARN), [status("a", unrouted=True, resolved=True)], 300, ["a resolved"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("group", "statuses", "at", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_group_sends_the_notices_that_are_due(
    group: NotificationGroup, statuses: list[AlertStatus], at: float, expected: list[str]
) -> None:
    assert sent_notices_of(group, at, *statuses) == expected


def test_a_worse_zone_of_the_same_severity_is_sent_as_a_worsening() -> None:
    worse = AlertStatus(notice("a", WARN, zone="saturated"), ROUTED)
    assert sent_notices_of(notified_group(0, a=WARN), 300, worse) == ["a worsened"]


@pytest.mark.parametrize(("places", "expected"), [(1, []), (2, []), (3, ["a worsened"])])
def test_a_blind_spot_in_more_places_is_a_worsening_and_in_fewer_places_no_change(
    places: int, expected: list[str]
) -> None:
    group = NotificationGroup("ops", ROUTED.group, {"a": NotifiedAlert(WARN, "blind", 0, places=2)}, 0)
    present = AlertStatus(notice("a", WARN, zone="blind", places=places), ROUTED)
    assert sent_notices_of(group, 300, present) == expected
    assert decide(group, [present], 300).group.notified["a"].places == max(places, 2)


def test_a_group_that_sends_nothing_stays_as_it_is() -> None:
    group = notified_group(1000, a=WARN)
    assert decide(group, [status("a"), status("b", at=1001)], 1100).group == group


def test_an_alert_is_sent_when_its_suppression_ends() -> None:
    suppressed = decide(NEW_GROUP, [status(suppressed=True)], 5000)
    assert suppressed.next_due is None
    assert sent_notices_of(suppressed.group, 5001, status()) == ["a firing"]


def test_an_alert_is_finished_once_its_receiver_got_the_resolution_or_if_it_got_no_notice() -> None:
    resolved = status("a", at=1001, resolved=True)
    assert decide(notified_group(1000, a=WARN), [resolved], 1299).finished == ()
    decision = decide(notified_group(1000, a=WARN), [resolved], 1300)
    assert (decision.finished, decision.group.notified, decision.next_due) == (("a",), {}, None)
    assert decide(NEW_GROUP, [resolved], 1002).finished == ("a",)


def test_an_alert_that_fires_again_after_its_resolution_is_sent_as_new() -> None:
    resolved_group = decide(notified_group(1000, a=WARN), [status("a", at=1001, resolved=True)], 1300).group
    assert sent_notices_of(resolved_group, 1340, status("a", at=1310)) == ["a firing"]


severities = st.sampled_from(list(Severity))
moments = st.integers(0, 40_000).map(float)
histories = st.lists(st.tuples(moments, st.sampled_from("abc"), st.none() | severities), max_size=12)


def lines_of_notices(
    history: list[tuple[float, str, Severity | None]],
    restart: Callable[[NotificationGroup], NotificationGroup],
) -> list[str]:
    """Call `decide` at every change and whenever the group is due. Return a line for each sent notice.

    history: the changes, each with its time, its alert, and the severity, which is None for a resolution.
    restart: returns the group as it is after a restart; called before each decision.
    """
    group, alerts, sent_lines, due = NEW_GROUP, dict[str, AlertStatus](), list[str](), 0.0
    changes = sorted(history, key=lambda change: change[0])
    while changes or (due is not None and due < 60_000):
        if changes and (due is None or changes[0][0] <= due):
            now, alert, severity = changes.pop(0)
            previous = alerts.get(alert)
            if severity or previous:
                last_severity = severity or previous.notice.severity  # type: ignore[union-attr]
                alerts[alert] = status(alert, last_severity, now, resolved=severity is None)
        else:
            now = due or 0.0
        decision = decide(restart(group), list(alerts.values()), now)
        sent_lines += [f"{now:g} {sent.alert} {sent.kind} {sent.severity}" for sent, _ in decision.notices]
        assert decision.next_due is None or decision.next_due > now
        group, due = decision.group, decision.next_due  # type: ignore[assignment]
        for alert in decision.finished:
            del alerts[alert]
    assert {alert: notified_alert.severity for alert, notified_alert in group.notified.items()} == {
        alert: alert_status.notice.severity for alert, alert_status in alerts.items()
    }
    return sent_lines


@given(histories)
def test_a_receiver_is_notified_of_the_last_state_and_of_no_state_twice(
    history: list[tuple[float, str, Severity | None]],
) -> None:
    lines = lines_of_notices(history, lambda group: group)
    last_notices: dict[str, tuple[str, str]] = {}  # kind and severity, by alert
    for line in lines:
        _, alert, kind, severity = line.split()
        if kind == "repeated":
            assert last_notices[alert][1] == severity
            continue
        last_kind, last_severity = last_notices.get(alert, ("resolved", ""))
        assert (kind == "firing") == (last_kind == "resolved"), lines
        assert kind in ("resolved", "firing") or last_severity != severity
        last_notices[alert] = kind, severity


@given(histories)
def test_restarts_do_not_change_what_a_group_sends(history: list[tuple[float, str, Severity | None]]) -> None:
    def store_and_load(group: NotificationGroup) -> NotificationGroup:
        return msgspec.json.decode(msgspec.json.encode(group), type=NotificationGroup)

    assert lines_of_notices(history, store_and_load) == lines_of_notices(history, lambda group: group)


def test_an_alert_has_a_status_for_each_routed_and_each_notified_group() -> None:
    """The alert stays in the group that its receiver was notified of."""
    web, pager = RoutedReceiver("web", (("a", "1"),)), RoutedReceiver("pager", (), suppressed=True)
    groups = [NotificationGroup("pager", (("b", "2"),)), NotificationGroup("mail", (("c", "3"),))]
    statuses = alert_statuses(notice(), [web, pager], groups, acknowledged_severity=WARN)
    assert [
        (status.routed.receiver, status.routed.group, status.suppressed, status.unrouted)
        for status in statuses
    ] == [
        ("web", (("a", "1"),), False, False),
        ("pager", (("b", "2"),), True, False),
        ("mail", (("c", "3"),), False, True),
    ]
    assert all(status.acknowledged_severity is WARN for status in statuses)
    assert list(group_statuses(statuses)) == [
        ("web", (("a", "1"),)),
        ("pager", (("b", "2"),)),
        ("mail", (("c", "3"),)),
    ]


def test_a_notification_lists_the_worst_notices_and_counts_the_others() -> None:
    statuses = [
        AlertStatus(notice(f"{n:02}", utilization=n / 10), ROUTED) for n in range(MAX_LISTED_NOTICES + 5)
    ]
    decision = decide(NEW_GROUP, statuses, 30)
    rows = [
        PendingNotice(receiver="ops", group={"service": "kinesis"}, due=30, notice=sent, reason=reason)
        for sent, reason in decision.notices
    ]
    notification = build_notification("ops", rows, 30)
    assert [listed.alert for listed in notification.notices] == [
        f"{n:02}" for n in range(MAX_LISTED_NOTICES + 4, 4, -1)
    ]
    assert (notification.more, notification.receiver, notification.group) == (
        5,
        "ops",
        {"service": "kinesis"},
    )
    assert len(rows) == MAX_LISTED_NOTICES + 5
