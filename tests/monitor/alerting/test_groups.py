"""The notices that a group sends, and their times."""

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
NEW = NotificationGroup("ops", ROUTED.group)


def status(alert: str = "a", severity: Severity = WARN, at: float = 0, **how: object) -> AlertStatus:
    """Return an alert with its route; `over`: it is resolved."""
    kind = NoticeKind.RESOLVED if how.pop("over", False) else NoticeKind.FIRING
    return AlertStatus(notice(alert, severity, at=at, kind=kind), ROUTED)._replace(**how)  # type: ignore[arg-type]


def sent(group: NotificationGroup, at: float, *those: AlertStatus) -> list[str]:
    """Return what is sent at that time, in order: alert and kind."""
    return [f"{one.alert} {one.kind}" for one, _ in decide(group, those, at).notices]


def knows(at: float = 0, **alerts: Severity) -> NotificationGroup:
    """A group whose receiver was notified of these alerts."""
    every = {alert: NotifiedAlert(one, notice(severity=one).zone, at) for alert, one in alerts.items()}
    return NotificationGroup("ops", ROUTED.group, every, at)


FIRST = [
    (29, [], ()),
    (30, ["a firing"], ("a",)),
    (1000, ["a firing"], ("a",)),
]


@pytest.mark.parametrize(("at", "expected", "known"), FIRST)
def test_a_new_group_waits_for_group_wait(at: float, expected: list[str], known: tuple[str, ...]) -> None:
    decision = decide(NEW, [status()], at)
    assert [f"{one.alert} {one.kind}" for one, _ in decision.notices] == expected
    assert tuple(decision.group.notified) == known
    assert decision.next_due == (30 if not expected else at + 14_400)


BOTH = NotificationGroup(
    "ops", ROUTED.group, {**knows(0, a=WARN).notified, **knows(9000, b=WARN).notified}, 9000
)

CASES: list[tuple[str, NotificationGroup, list[AlertStatus], float, list[str]]] = [
    ("what came during the wait is sent too",
     NEW, [status(), status("b", at=29)], 30, ["a firing", "b firing"]),
    ("the worst is first", NEW, [status("a"), status("b", CRIT)], 30, ["b firing", "a firing"]),
    ("a new alert before the interval ends",
     knows(1000, a=WARN), [status("a"), status("b", at=1001)], 1299, []),
    ("a new alert after the interval",
     knows(1000, a=WARN), [status("a"), status("b", at=1001)], 1300, ["b firing"]),
    ("a late alert before group_wait ends",
     knows(1000, a=WARN), [status("a"), status("b", at=2000)], 2029, []),
    ("a late alert after group_wait",
     knows(1000, a=WARN), [status("a"), status("b", at=2000)], 2030, ["b firing"]),
    ("a worsening before group_wait ends", knows(1000, a=WARN), [status("a", CRIT, at=1001)], 1030, []),
    ("a worsening after group_wait, within the interval",
     knows(1000, a=WARN), [status("a", CRIT, at=1001)], 1031, ["a worsened"]),
    ("other alerts are sent with a worsening",
     knows(1000, a=INFO), [status("a", at=999), status("b", CRIT, at=1001)], 1031,
     ["b firing", "a worsened"]),
    ("easing before the interval ends", knows(1000, a=CRIT), [status("a", at=1001)], 1299, []),
    ("easing after the interval", knows(1000, a=CRIT), [status("a", at=1001)], 1300, ["a eased"]),
    ("an end before the interval ends",
     knows(1000, a=CRIT), [status("a", CRIT, at=1001, over=True)], 1299, []),
    ("an end after the interval",
     knows(1000, a=WARN), [status("a", at=1001, over=True)], 1300, ["a resolved"]),
    ("the end of an alert that was never sent", NEW, [status("a", over=True)], 10_000, []),
    ("a change that was undone", knows(1000, a=WARN), [status("a", at=1200)], 1400, []),
    ("before repeat_interval ends", knows(1000, a=WARN), [status("a")], 15_399, []),
    ("after repeat_interval", knows(1000, a=WARN), [status("a")], 15_400, ["a repeated"]),
    ("a repetition is of the whole group",
     BOTH, [status("a"), status("b")], 14_400, ["a repeated", "b repeated"]),
    ("suppressed: not sent", NEW, [status("a", suppressed=True)], 10_000, []),
    ("suppressed: not repeated", knows(0, a=WARN), [status("a", suppressed=True)], 99_999, []),
    ("suppressed: a worsening is not sent",
     knows(0, a=WARN), [status("a", CRIT, suppressed=True)], 99_999, []),
    ("suppressed: its end is sent",
     knows(0, a=WARN), [status("a", suppressed=True, over=True)], 300, ["a resolved"]),
    ("suppressed: the end of an alert that was never sent",
     NEW, [status("a", suppressed=True, over=True)], 300, []),
    ("acknowledged before it was sent", NEW, [status("a", acknowledged=WARN)], 30, ["a firing"]),
    ("acknowledged: not repeated", knows(0, a=WARN), [status("a", acknowledged=WARN)], 99_999, []),
    ("acknowledged: its worsening is sent",
     knows(0, a=WARN), [status("a", CRIT, acknowledged=WARN)], 300, ["a worsened"]),
    ("acknowledged as a lower severity: repeated",
     knows(0, a=CRIT), [status("a", CRIT, acknowledged=WARN)], 14_400, ["a repeated"]),
    ("acknowledged: its end is sent",
     knows(0, a=WARN), [status("a", acknowledged=WARN, over=True)], 300, ["a resolved"]),
    ("routed elsewhere: not repeated", knows(0, a=WARN), [status("a", unrouted=True)], 99_999, []),
    ("routed elsewhere: its easing is sent",
     knows(0, a=CRIT), [status("a", unrouted=True)], 300, ["a eased"]),
    ("routed elsewhere: its end is sent",
     knows(0, a=WARN), [status("a", unrouted=True, over=True)], 300, ["a resolved"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("group", "those", "at", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_notices_that_a_group_sends(
    group: NotificationGroup, those: list[AlertStatus], at: float, expected: list[str]
) -> None:
    assert sent(group, at, *those) == expected


def test_a_worse_zone_of_the_same_severity_is_worse() -> None:
    now = AlertStatus(notice("a", WARN, zone="saturated"), ROUTED)
    assert sent(knows(0, a=WARN), 300, now) == ["a worsened"]


@pytest.mark.parametrize(("places", "expected"), [(1, []), (2, []), (3, ["a worsened"])])
def test_more_places_than_the_last_notice_had_are_a_change_and_fewer_are_none(
    places: int, expected: list[str]
) -> None:
    two = NotificationGroup("ops", ROUTED.group, {"a": NotifiedAlert(WARN, "blind", 0, places=2)}, 0)
    now = AlertStatus(notice("a", WARN, zone="blind", places=places), ROUTED)
    decision = decide(two, [now], 300)
    assert [f"{one.alert} {one.kind}" for one, _ in decision.notices] == expected
    assert decision.group.notified["a"].places == max(places, 2)


def test_a_group_that_sends_nothing_stays_as_it_is() -> None:
    group = knows(1000, a=WARN)
    assert decide(group, [status("a"), status("b", at=1001)], 1100).group == group


def test_a_suppressed_alert_is_sent_once_it_is_suppressed_no_longer() -> None:
    suppressed = decide(NEW, [status(suppressed=True)], 5000)
    assert suppressed.next_due is None
    assert sent(suppressed.group, 5001, status()) == ["a firing"]


def test_an_alert_is_finished_when_every_notified_receiver_got_its_resolution() -> None:
    end = status("a", at=1001, over=True)
    assert decide(knows(1000, a=WARN), [end], 1299).finished == ()
    decision = decide(knows(1000, a=WARN), [end], 1300)
    assert (decision.finished, decision.group.notified, decision.next_due) == (("a",), {}, None)
    assert decide(NEW, [end], 1002).finished == ("a",)


def test_a_group_that_ended_is_new_when_it_begins_again() -> None:
    ended = decide(knows(1000, a=WARN), [status("a", at=1001, over=True)], 1300).group
    assert sent(ended, 1340, status("a", at=1310)) == ["a firing"]


severities = st.sampled_from(list(Severity))
moments = st.integers(0, 40_000).map(float)
changes = st.lists(st.tuples(moments, st.sampled_from("abc"), st.none() | severities), max_size=12)


def run(
    history: list[tuple[float, str, Severity | None]],
    restart: Callable[[NotificationGroup], NotificationGroup],
) -> list[str]:
    """Decide about a group whenever it is due and at every change, until everything is sent."""
    group, alerts, sent_lines, due = NEW, dict[str, AlertStatus](), list[str](), 0.0
    queue = sorted(history, key=lambda change: change[0])
    while queue or (due is not None and due < 60_000):
        if queue and (due is None or queue[0][0] <= due):
            now, alert, severity = queue.pop(0)
            before = alerts.get(alert)
            if severity or before:
                worst = severity or before.notice.severity  # type: ignore[union-attr]
                alerts[alert] = status(alert, worst, now, over=severity is None)
        else:
            now = due or 0.0
        decision = decide(restart(group), list(alerts.values()), now)
        sent_lines += [f"{now:g} {one.alert} {one.kind} {one.severity}" for one, _ in decision.notices]
        assert decision.next_due is None or decision.next_due > now
        group, due = decision.group, decision.next_due  # type: ignore[assignment]
        for alert in decision.finished:
            del alerts[alert]
    assert {alert: one.severity for alert, one in group.notified.items()} == {
        alert: one.notice.severity for alert, one in alerts.items()
    }
    return sent_lines


@given(changes)
def test_a_receiver_ends_with_the_true_state_and_is_sent_no_state_twice(
    history: list[tuple[float, str, Severity | None]],
) -> None:
    plain = run(history, lambda group: group)
    last: dict[str, tuple[str, str]] = {}
    for line in plain:
        _, alert, kind, severity = line.split()
        if kind == "repeated":
            assert last[alert][1] == severity
            continue
        before = last.get(alert, ("resolved", ""))
        assert (kind == "firing") == (before[0] == "resolved"), plain
        assert kind == "resolved" or before[1] != severity or kind == "firing"
        last[alert] = kind, severity


@given(changes)
def test_a_restart_changes_nothing(history: list[tuple[float, str, Severity | None]]) -> None:
    def stored(group: NotificationGroup) -> NotificationGroup:
        return msgspec.json.decode(msgspec.json.encode(group), type=NotificationGroup)

    assert run(history, stored) == run(history, lambda group: group)


def test_an_alert_has_a_status_where_it_is_routed_and_where_it_was_sent() -> None:
    here, there = RoutedReceiver("web", (("a", "1"),)), RoutedReceiver("pager", (), suppressed=True)
    before = [NotificationGroup("pager", (("b", "2"),)), NotificationGroup("mail", (("c", "3"),))]
    found = alert_statuses(notice(), [here, there], before, acknowledged=WARN)
    assert [(one.routed.receiver, one.routed.group, one.suppressed, one.unrouted) for one in found] == [
        ("web", (("a", "1"),), False, False),
        ("pager", (("b", "2"),), True, False),
        ("mail", (("c", "3"),), False, True),
    ]
    assert all(one.acknowledged is WARN for one in found)
    assert list(group_statuses(found)) == [
        ("web", (("a", "1"),)),
        ("pager", (("b", "2"),)),
        ("mail", (("c", "3"),)),
    ]


def test_a_notification_lists_the_worst_notices_and_counts_the_others() -> None:
    many = [AlertStatus(notice(f"{n:02}", utilization=n / 10), ROUTED) for n in range(MAX_LISTED_NOTICES + 5)]
    decision = decide(NEW, many, 30)
    rows = [
        PendingNotice(receiver="ops", group={"service": "kinesis"}, due=30, notice=one, reason=reason)
        for one, reason in decision.notices
    ]
    notification = build_notification("ops", rows, 30)
    assert [one.alert for one in notification.notices] == [
        f"{n:02}" for n in range(MAX_LISTED_NOTICES + 4, 4, -1)
    ]
    assert (notification.more, notification.receiver, notification.group) == (
        5,
        "ops",
        {"service": "kinesis"},
    )
    assert len(rows) == MAX_LISTED_NOTICES + 5
