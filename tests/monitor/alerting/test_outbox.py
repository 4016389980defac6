"""The outbox: which group is sent next, in which order, and which notices are dropped first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerting.outbox import Outbox, group_key, notices_to_drop
from monitor.alerting.records import PendingNotice
from monitor.notifiers.notice import NoticeKind, Notification, NotificationReason
from tests.monitor.alerting.pending import NOW, notice, pending_notice

A, B = {"region": "a"}, {"region": "b"}


def outbox(*rows: PendingNotice) -> Outbox:
    """Return an outbox with these pending notices."""
    box = Outbox()
    box.enqueue(rows)
    return box


def batched(box: Outbox, key: str, now: float) -> Notification:
    """Make a notification of what a group may send, and return it."""
    rows = box.sendable(key, None)
    made = Notification(
        id="n",
        receiver="r",
        group=rows[0].group,
        notices=tuple(row.notice for row in rows),
        at=now,
        reason=rows[0].reason,
    )
    box.batch(key, rows, made, now)
    return made


def send_due(box: Outbox, now: float = NOW) -> list[list[int]]:
    """Return the numbers of the notices that each due group sends; all are accepted."""
    keys = box.acquire_due(now, 100)
    numbers = []
    for key in keys:
        numbers.append([one.number for one in batched(box, key, now).notices])
        box.complete(key)
    box.release(keys)
    return numbers


def test_a_group_is_sent_whole_when_its_earliest_notice_is_due() -> None:
    box = outbox(
        pending_notice(notice(1, "a"), group=A, due=NOW + 30, id=1),
        pending_notice(notice(2, "b"), group=A, due=NOW + 60, id=2),
    )
    assert box.next_due() == NOW + 30
    assert send_due(box, NOW + 29) == []
    assert send_due(box, NOW + 30) == [[1, 2]]
    assert len(box) == 0


def test_a_notification_has_one_notice_of_an_alert_the_next_follows() -> None:
    box = outbox(pending_notice(notice(1), id=1), pending_notice(notice(2, kind=NoticeKind.RESOLVED), id=2))
    assert send_due(box) == [[1]]
    assert send_due(box) == [[2]]


def test_a_group_that_is_under_way_or_waits_for_another_attempt_sends_nothing_newer() -> None:
    box = outbox(pending_notice(notice(1), id=1))
    (key,) = box.acquire_due(NOW, 100)
    made = batched(box, key, NOW)
    box.enqueue([pending_notice(notice(2), id=2), pending_notice(notice(3, "b"), id=3)])
    assert send_due(box) == [[3]]
    failed = box.record_failure(key, NOW, 0.0)
    failed.due = NOW + 10
    box.release([key])
    assert send_due(box, NOW + 9) == []
    assert box.acquire_due(NOW + 10, 100) == [key]
    assert box.notifications[key][0] is failed
    assert (failed.notification, failed.attempts) == (made, 1)


def test_failures_are_counted_that_came_while_other_deliveries_succeeded() -> None:
    box = outbox(pending_notice(notice(1), id=1))
    (key,) = box.acquire_due(NOW, 100)
    batched(box, key, NOW)
    attempts = (5, 0), (7, 6), (8, 6), (9, 8.5)
    failures = [box.record_failure(key, now, accepted).isolated_failures for now, accepted in attempts]
    assert failures == [0, 1, 1, 2]


def test_an_alert_that_changed_its_group_is_still_sent_in_order() -> None:
    box = outbox(
        pending_notice(notice(1), group=A, due=NOW + 60, id=1),
        pending_notice(notice(2), group=B, due=NOW, id=2),
        pending_notice(notice(3, "b"), group=B, due=NOW, id=3),
    )
    assert send_due(box) == [[3]]
    assert send_due(box, NOW + 60) == [[1]]
    assert send_due(box, NOW + 60) == [[2]]


def test_notifications_from_before_are_sent_before_pending_notices() -> None:
    box = Outbox()
    box.requeue(
        Notification(
            id="n", receiver="r", group=A, notices=(notice(1),), at=NOW, reason=NotificationReason.FIRST
        ),
        NOW,
    )
    box.enqueue([pending_notice(notice(2), group=B, id=2)])
    assert box.acquire_due(NOW, 100) == [group_key(A)]
    box.complete(group_key(A))
    box.release([group_key(A)])
    assert send_due(box) == [[2]]


def test_dropping_the_first_notice_lets_the_next_be_sent() -> None:
    rows = [pending_notice(notice(1), group=A, due=NOW + 60, id=1), pending_notice(notice(2), group=B, id=2)]
    box = outbox(*rows)
    assert send_due(box) == []
    box.drop(rows[:1])
    assert send_due(box) == [[2]]


def test_the_time_of_the_oldest_counts_notices_and_notifications() -> None:
    box = outbox(pending_notice(notice(2, at=NOW - 5), id=2))
    assert box.oldest_at == NOW - 5
    box.requeue(
        Notification(
            id="n",
            receiver="r",
            group=A,
            notices=(notice(1, at=NOW - 9),),
            at=NOW,
            reason=NotificationReason.FIRST,
        ),
        NOW,
    )
    assert box.oldest_at == NOW - 9
    assert Outbox().oldest_at is None


ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(0, 5)), max_size=30)


@given(ROWS)
def test_each_notice_is_sent_once_and_in_the_order_of_its_alert(rows: list[tuple[str, str, int]]) -> None:
    box = outbox(
        *(
            pending_notice(notice(n, alert), group={"region": group}, due=NOW + due, id=n)
            for n, (alert, group, due) in enumerate(rows)
        )
    )
    left: list[int] = []
    while (due := box.next_due()) is not None:
        for numbers in send_due(box, max(due, NOW)):
            left += numbers
    assert sorted(left) == list(range(len(rows)))
    for alert in "abc":
        numbers = [n for n in left if rows[n][0] == alert]
        assert numbers == sorted(numbers)
    assert len(box) == 0


# What is given up: one letter a notice of one alert, the oldest first, an hour between them


def kept_letters(kinds: str, most: int, hours: int) -> str:
    """Return which notices of an alert are kept of so many hours, at most so many, as their letters."""
    letters = {
        "F": NoticeKind.FIRING,
        "r": NoticeKind.REPEATED,
        "W": NoticeKind.WORSENED,
        "R": NoticeKind.RESOLVED,
    }
    rows = [
        pending_notice(notice(n, "a", letters[letter], at=NOW + n * 3600), id=n)
        for n, letter in enumerate(kinds)
    ]
    dropped = {row.id for some in notices_to_drop(rows, most, NOW + hours * 3600).values() for row in some}
    return "".join("." if n in dropped else letter for n, letter in enumerate(kinds))


@pytest.mark.parametrize(
    ("kinds", "most", "hours", "left"),
    [
        ("FrrrR", 9, 0, "FrrrR"),
        ("FrrrR", 4, 0, "F.rrR"),
        ("FrrrR", 2, 0, "F...R"),
        ("FrrrR", 1, 0, "....R"),
        ("FrrrR", 0, 0, "....R"),
        ("Frrr", 1, 0, "F..."),
        ("FWRF", 2, 0, "..RF"),
        ("FrrrR", 9, 2, "..rrR"),
        ("FrWrF", 9, 9, "....F"),
        ("Frr", 9, 9, "F.."),
        ("rrr", 9, 9, "..."),
    ],
)
def test_a_full_queue_drops_repeats_first_then_superseded_notices_and_never_the_last(
    kinds: str, most: int, hours: int, left: str
) -> None:
    assert kept_letters(kinds, most, hours) == left
