"""What a group tells, and when."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerting.groups import Group, Standing, Told, grouped, notification, standings, step
from monitor.alerting.notice import WORST, Kind, Severity
from monitor.alerting.routes import Routed
from tests.monitor.alerting.notices import notice

WARN, CRIT, INFO = Severity.WARNING, Severity.CRITICAL, Severity.INFO
ROUTED = Routed("ops", (("service", "kinesis"),))  # wait 30 s, interval 300 s, repeat 14,400 s
NEW = Group("ops", ROUTED.group)


def standing(alert: str = "a", severity: Severity = WARN, at: float = 0, **how: object) -> Standing:
    kind = Kind.RESOLVED if how.pop("over", False) else Kind.FIRING
    return Standing(notice(alert, severity, at=at, kind=kind), ROUTED)._replace(**how)  # type: ignore[arg-type]


def told(group: Group, at: float, *those: Standing) -> list[str]:
    """What is told at that time, in order: alert and kind."""
    return [f"{one.alert} {one.kind}" for one in step(group, those, at).tell]


def knows(at: float = 0, **alerts: Severity) -> Group:
    """A group that told these alerts."""
    every = {alert: Told(one, notice(severity=one).zone, at) for alert, one in alerts.items()}
    return Group("ops", ROUTED.group, every, at)


FIRST = [
    (29, [], ()),
    (30, ["a firing"], ("a",)),
    (1000, ["a firing"], ("a",)),
]


@pytest.mark.parametrize(("at", "tells", "known"), FIRST)
def test_a_new_group_gathers(at: float, tells: list[str], known: tuple[str, ...]) -> None:
    turn = step(NEW, [standing()], at)
    assert [f"{one.alert} {one.kind}" for one in turn.tell] == tells
    assert tuple(turn.group.told) == known
    assert turn.due == (30 if not tells else at + 14_400)


BOTH = Group("ops", ROUTED.group, {**knows(0, a=WARN).told, **knows(9000, b=WARN).told}, 9000)

CASES: list[tuple[str, Group, list[Standing], float, list[str]]] = [
    ("what came meanwhile is told", NEW, [standing(), standing("b", at=29)], 30, ["a firing", "b firing"]),
    ("the worst is first", NEW, [standing("a"), standing("b", CRIT)], 30, ["b firing", "a firing"]),
    ("a change waits", knows(1000, a=WARN), [standing("a"), standing("b", at=1001)], 1299, []),
    ("for the interval", knows(1000, a=WARN), [standing("a"), standing("b", at=1001)], 1300, ["b firing"]),
    ("and gathers, too", knows(1000, a=WARN), [standing("a"), standing("b", at=2000)], 2029, []),
    ("as a new one does", knows(1000, a=WARN), [standing("a"), standing("b", at=2000)], 2030, ["b firing"]),
    ("critical gathers only", knows(1000, a=WARN), [standing("a", CRIT, at=1001)], 1030, []),
    ("and is not delayed", knows(1000, a=WARN), [standing("a", CRIT, at=1001)], 1031, ["a worsened"]),
    ("others come with it", knows(1000, a=INFO), [standing("a", at=999), standing("b", CRIT, at=1001)], 1031,
     ["b firing", "a worsened"]),
    ("easing waits", knows(1000, a=CRIT), [standing("a", at=1001)], 1299, []),
    ("and is told", knows(1000, a=CRIT), [standing("a", at=1001)], 1300, ["a eased"]),
    ("the end waits", knows(1000, a=CRIT), [standing("a", CRIT, at=1001, over=True)], 1299, []),
    ("and is told", knows(1000, a=WARN), [standing("a", at=1001, over=True)], 1300, ["a resolved"]),
    ("what nobody knew ends untold", NEW, [standing("a", over=True)], 10_000, []),
    ("there and back is nothing", knows(1000, a=WARN), [standing("a", at=1200)], 1400, []),
    ("no repetition yet", knows(1000, a=WARN), [standing("a")], 15_399, []),
    ("a repetition", knows(1000, a=WARN), [standing("a")], 15_400, ["a repeated"]),
    ("of the whole group", BOTH, [standing("a"), standing("b")], 14_400, ["a repeated", "b repeated"]),
    ("held is not told", NEW, [standing("a", held=True)], 10_000, []),
    ("nor repeated", knows(0, a=WARN), [standing("a", held=True)], 99_999, []),
    ("nor worse", knows(0, a=WARN), [standing("a", CRIT, held=True)], 99_999, []),
    ("but its end is told", knows(0, a=WARN), [standing("a", held=True, over=True)], 300, ["a resolved"]),
    ("held and over is nothing", NEW, [standing("a", held=True, over=True)], 300, []),
    ("acknowledged is told once", NEW, [standing("a", acked=WARN)], 30, ["a firing"]),
    ("but not repeated", knows(0, a=WARN), [standing("a", acked=WARN)], 99_999, []),
    ("its worsening is told", knows(0, a=WARN), [standing("a", CRIT, acked=WARN)], 300, ["a worsened"]),
    ("and is not covered", knows(0, a=CRIT), [standing("a", CRIT, acked=WARN)], 14_400, ["a repeated"]),
    ("its end is told", knows(0, a=WARN), [standing("a", acked=WARN, over=True)], 300, ["a resolved"]),
    ("left: not repeated", knows(0, a=WARN), [standing("a", left=True)], 99_999, []),
    ("left: eased is told", knows(0, a=CRIT), [standing("a", left=True)], 300, ["a eased"]),
    ("left: the end is told", knows(0, a=WARN), [standing("a", left=True, over=True)], 300, ["a resolved"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("group", "those", "at", "tells"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_group_tells(group: Group, those: list[Standing], at: float, tells: list[str]) -> None:
    assert told(group, at, *those) == tells


def test_a_worse_zone_of_the_same_severity_is_worse() -> None:
    now = Standing(notice("a", WARN, zone="saturated"), ROUTED)
    assert told(knows(0, a=WARN), 300, now) == ["a worsened"]


def test_a_group_that_tells_nothing_stays_as_it_is() -> None:
    group = knows(1000, a=WARN)
    assert step(group, [standing("a"), standing("b", at=1001)], 1100).group == group


def test_a_held_alert_is_told_once_it_is_let_go() -> None:
    held = step(NEW, [standing(held=True)], 5000)
    assert held.due is None
    assert told(held.group, 5001, standing()) == ["a firing"]


def test_an_alert_is_over_when_everybody_who_knew_was_told() -> None:
    end = standing("a", at=1001, over=True)
    assert step(knows(1000, a=WARN), [end], 1299).over == ()
    turn = step(knows(1000, a=WARN), [end], 1300)
    assert (turn.over, turn.group.told, turn.due) == (("a",), {}, None)
    assert step(NEW, [end], 1002).over == ("a",)


def test_a_group_that_ended_is_new_when_it_begins_again() -> None:
    ended = step(knows(1000, a=WARN), [standing("a", at=1001, over=True)], 1300).group
    assert told(ended, 1340, standing("a", at=1310)) == ["a firing"]


severities = st.sampled_from(list(Severity))
moments = st.integers(0, 40_000).map(float)
changes = st.lists(st.tuples(moments, st.sampled_from("abc"), st.none() | severities), max_size=12)


def run(history: list[tuple[float, str, Severity | None]], restart: Callable[[Group], Group]) -> list[str]:
    """Step a group whenever it says that it is due, and with every change, until all is told."""
    group, alerts, said, due = NEW, dict[str, Standing](), list[str](), 0.0
    queue = sorted(history, key=lambda change: change[0])
    while queue or (due is not None and due < 60_000):
        if queue and (due is None or queue[0][0] <= due):
            now, alert, severity = queue.pop(0)
            before = alerts.get(alert)
            if severity or before:
                worst = severity or before.notice.severity  # type: ignore[union-attr]
                alerts[alert] = standing(alert, worst, now, over=severity is None)
        else:
            now = due or 0.0
        turn = step(restart(group), list(alerts.values()), now)
        said += [f"{now:g} {one.alert} {one.kind} {one.severity}" for one in turn.tell]
        assert turn.due is None or turn.due > now
        group, due = turn.group, turn.due  # type: ignore[assignment]
        for alert in turn.over:
            del alerts[alert]
    assert {alert: one.severity for alert, one in group.told.items()} == {
        alert: one.notice.severity for alert, one in alerts.items()
    }
    return said


@given(changes)
def test_in_the_end_the_receiver_knows_what_is_so_and_was_told_no_state_twice(
    history: list[tuple[float, str, Severity | None]],
) -> None:
    said = run(history, lambda group: group)
    last: dict[str, tuple[str, str]] = {}
    for line in said:
        _, alert, kind, severity = line.split()
        if kind == "repeated":
            assert last[alert][1] == severity
            continue
        before = last.get(alert, ("resolved", ""))
        assert (kind == "firing") == (before[0] == "resolved"), said
        assert kind == "resolved" or before[1] != severity or kind == "firing"
        last[alert] = kind, severity


@given(changes)
def test_a_restart_changes_nothing(history: list[tuple[float, str, Severity | None]]) -> None:
    def stored(group: Group) -> Group:
        return msgspec.json.decode(msgspec.json.encode(group), type=Group)

    assert run(history, stored) == run(history, lambda group: group)


def test_an_alert_stands_where_it_is_routed_and_where_it_was_told() -> None:
    here, there = Routed("web", (("a", "1"),)), Routed("pager", (), muted=True)
    before = [Group("pager", (("b", "2"),)), Group("mail", (("c", "3"),))]
    found = standings(notice(), [here, there], before, acked=WARN)
    assert [(one.routed.receiver, one.routed.group, one.held, one.left) for one in found] == [
        ("web", (("a", "1"),), False, False),
        ("pager", (("b", "2"),), True, False),
        ("mail", (("c", "3"),), False, True),
    ]
    assert all(one.acked is WARN for one in found)
    assert list(grouped(found)) == [("web", (("a", "1"),)), ("pager", (("b", "2"),)), ("mail", (("c", "3"),))]


def test_a_notification_spells_out_the_worst_and_counts_the_rest() -> None:
    many = [Standing(notice(f"{n:02}", utilization=n / 10), ROUTED) for n in range(WORST + 5)]
    turn = step(NEW, many, 30)
    sent = notification("id", turn.group, turn.tell, 30)
    assert [one.alert for one in sent.notices] == [f"{n:02}" for n in range(WORST + 4, 4, -1)]
    assert (sent.more, sent.receiver, sent.group) == (5, "ops", {"service": "kinesis"})
    assert len(notification("id", turn.group, turn.tell, 30, most=None).notices) == WORST + 5
