"""The outbox: the order in which groups and notices are sent, and which notices are dropped first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerting.outbox import Outbox, group_key, notices_to_drop
from monitor.alerting.records import PendingNotice
from monitor.notifiers.notice import NoticeKind, Notification, NotificationReason
from tests.monitor.alerting.pending import NOW, notice, pending_notice

GROUP_A, GROUP_B = {"region": "a"}, {"region": "b"}


def outbox_with(*rows: PendingNotice) -> Outbox:
    """Return an outbox with pending notices."""
    box = Outbox()
    box.enqueue(rows)
    return box


def queue_notification(box: Outbox, key: str, now: float) -> Notification:
    """Make a notification of the notices that a group may send. Queue it in the outbox, and return it."""
    rows = box.sendable_notices(key, None)
    notification = Notification(
        id="n",
        receiver="r",
        group=rows[0].group,
        notices=tuple(row.notice for row in rows),
        at=now,
        reason=rows[0].reason,
    )
    box.replace_pending(key, rows, notification, now)
    return notification


def send_due(box: Outbox, now: float = NOW) -> list[list[int]]:
    """Send all due groups. Return the numbers of the notices that each group sends."""
    keys = box.acquire_due(now, 100)
    numbers = []
    for key in keys:
        numbers.append([sent_notice.number for sent_notice in queue_notification(box, key, now).notices])
        box.complete(key)
    box.release(keys)
    return numbers


def test_all_notices_of_a_group_are_sent_when_its_first_notice_is_due() -> None:
    box = outbox_with(
        pending_notice(notice(1, "a"), group=GROUP_A, due=NOW + 30, id=1),
        pending_notice(notice(2, "b"), group=GROUP_A, due=NOW + 60, id=2),
    )
    assert box.next_due() == NOW + 30
    assert send_due(box, NOW + 29) == []
    assert send_due(box, NOW + 30) == [[1, 2]]
    assert len(box) == 0


def test_two_notices_of_an_alert_are_sent_in_two_notifications() -> None:
    box = outbox_with(
        pending_notice(notice(1), id=1), pending_notice(notice(2, kind=NoticeKind.RESOLVED), id=2)
    )
    assert send_due(box) == [[1]]
    assert send_due(box) == [[2]]


def test_a_group_retries_its_failed_notification_before_it_sends_newer_notices() -> None:
    box = outbox_with(pending_notice(notice(1), id=1))
    (key,) = box.acquire_due(NOW, 100)
    notification = queue_notification(box, key, NOW)
    box.enqueue([pending_notice(notice(2), id=2), pending_notice(notice(3, "b"), id=3)])
    assert send_due(box) == [[3]]
    failed = box.record_failure(key, NOW, last_accepted=0.0)
    failed.due = NOW + 10
    box.release([key])
    assert send_due(box, NOW + 9) == []
    assert box.acquire_due(NOW + 10, 100) == [key]
    assert box.notifications[key][0] is failed
    assert (failed.notification, failed.failed_attempts) == (notification, 1)


def test_a_failure_is_isolated_if_the_receiver_accepted_another_notification_since_the_last_failure() -> None:
    box = outbox_with(pending_notice(notice(1), id=1))
    (key,) = box.acquire_due(NOW, 100)
    queue_notification(box, key, NOW)
    # When the notification failed, and when the receiver last accepted another notification.
    attempts = (5, 0), (7, 6), (8, 6), (9, 8.5)
    isolated_counts = [box.record_failure(key, now, accepted).isolated_failures for now, accepted in attempts]
    assert isolated_counts == [0, 1, 1, 2]


def test_notices_of_an_alert_in_two_groups_are_sent_in_order() -> None:
    box = outbox_with(
        pending_notice(notice(1), group=GROUP_A, due=NOW + 60, id=1),
        pending_notice(notice(2), group=GROUP_B, due=NOW, id=2),
        pending_notice(notice(3, "b"), group=GROUP_B, due=NOW, id=3),
    )
    assert send_due(box) == [[3]]
    assert send_due(box, NOW + 60) == [[1]]
    assert send_due(box, NOW + 60) == [[2]]


def test_stored_notifications_are_sent_before_pending_notices() -> None:
    box = Outbox()
    box.requeue(
        Notification(
            id="n", receiver="r", group=GROUP_A, notices=(notice(1),), at=NOW, reason=NotificationReason.FIRST
        ),
        NOW,
    )
    box.enqueue([pending_notice(notice(2), group=GROUP_B, id=2)])
    assert box.acquire_due(NOW, 100) == [group_key(GROUP_A)]
    box.complete(group_key(GROUP_A))
    box.release([group_key(GROUP_A)])
    assert send_due(box) == [[2]]


def test_when_the_first_notice_of_an_alert_is_dropped_the_next_one_can_be_sent() -> None:
    rows = [
        pending_notice(notice(1), group=GROUP_A, due=NOW + 60, id=1),
        pending_notice(notice(2), group=GROUP_B, id=2),
    ]
    box = outbox_with(*rows)
    assert send_due(box) == []
    box.drop(rows[:1])
    assert send_due(box) == [[2]]


def test_oldest_at_is_the_oldest_time_of_pending_notices_and_queued_notifications() -> None:
    box = outbox_with(pending_notice(notice(2, at=NOW - 5), id=2))
    assert box.oldest_at == NOW - 5
    box.requeue(
        Notification(
            id="n",
            receiver="r",
            group=GROUP_A,
            notices=(notice(1, at=NOW - 9),),
            at=NOW,
            reason=NotificationReason.FIRST,
        ),
        NOW,
    )
    assert box.oldest_at == NOW - 9
    assert Outbox().oldest_at is None


# Of each notice: its alert, its group, and the seconds until it is due.
pending_rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(0, 5)), max_size=30
)


@given(pending_rows)
def test_each_notice_is_sent_once_and_the_notices_of_an_alert_in_order(
    rows: list[tuple[str, str, int]],
) -> None:
    box = outbox_with(
        *(
            pending_notice(notice(n, alert), group={"region": group}, due=NOW + delay, id=n)
            for n, (alert, group, delay) in enumerate(rows)
        )
    )
    sent_numbers: list[int] = []
    while (due := box.next_due()) is not None:
        for numbers in send_due(box, max(due, NOW)):
            sent_numbers += numbers
    assert sorted(sent_numbers) == list(range(len(rows)))
    for alert in "abc":
        numbers = [n for n in sent_numbers if rows[n][0] == alert]
        assert numbers == sorted(numbers)
    assert len(box) == 0


# Dropped notices. All notices are of one alert, an hour apart, the oldest first. A letter is a notice's kind.


def kept_letters(letters: str, limit: int, min_hour: int) -> str:
    """Return the letters, with `.` in place of each notice that is dropped.

    limit: the number of notices to keep. min_hour: notices before this hour are too old.
    """
    kinds_by_letter = {
        "F": NoticeKind.FIRING,
        "r": NoticeKind.REPEATED,
        "W": NoticeKind.WORSENED,
        "R": NoticeKind.RESOLVED,
    }
    rows = [
        pending_notice(notice(n, "a", kinds_by_letter[letter], at=NOW + n * 3600), id=n)
        for n, letter in enumerate(letters)
    ]
    dropped = {
        row.id
        for dropped_rows in notices_to_drop(rows, limit, NOW + min_hour * 3600).values()
        for row in dropped_rows
    }
    return "".join("." if n in dropped else letter for n, letter in enumerate(letters))


@pytest.mark.parametrize(
    ("letters", "limit", "min_hour", "expected"),
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
def test_repeats_are_dropped_first_then_superseded_notices_but_the_newest_other_notice_is_kept(
    letters: str, limit: int, min_hour: int, expected: str
) -> None:
    assert kept_letters(letters, limit, min_hour) == expected
