"""Deliveries: the content of a notification, and the effect of each result of an attempt.

`send_due` returns the numbers of the notices in each notification that it tried to send, whatever the result.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.alerting.sender import DeliveryTarget
from monitor.alerting.tables import DEAD_LETTERS, NOTIFICATIONS, PENDING_NOTICES
from monitor.notifiers.notice import MAX_LISTED_NOTICES, NoticeKind, Notification, Severity
from monitor.outbound.result import DeliveryResult, refused_result, result_of_status
from tests.monitor.alerting.delivery_fixture import ACCEPTED, DOWN, DeliveryFixture, open_delivery
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.alerting.pending import NOW, notice, pending_notice

DAY = 24 * 3600.0


@pytest.fixture
async def deliveries(storage: Path | MemoryStore) -> AsyncIterator[DeliveryFixture]:
    async with open_delivery(storage) as fixture:
        yield fixture


# The content of a notification


async def test_notices_of_a_group_are_one_notification_with_the_most_urgent_first(
    deliveries: DeliveryFixture,
) -> None:
    region = {"region": "eu-west-1"}
    await deliveries.commit(
        pending_notice(notice(1, "over", NoticeKind.RESOLVED, severity=Severity.CRITICAL), group=region),
        pending_notice(notice(2, "warning", utilization=0.8), group=region),
        pending_notice(notice(3, "worse", utilization=0.9), group=region),
        pending_notice(notice(4, "critical", severity=Severity.CRITICAL), group=region),
        pending_notice(notice(5, "elsewhere"), group={"region": "eu-west-2"}),
    )
    assert await deliveries.send_due() == [[4, 3, 2, 1], [5]]
    first = deliveries.receiver.sent[0]
    assert (first.receiver, first.group, first.at, first.more) == ("pager", region, NOW, 0)
    assert first.id != deliveries.receiver.sent[1].id


async def test_notices_beyond_the_worst_twenty_are_counted(deliveries: DeliveryFixture) -> None:
    await deliveries.commit(
        *(pending_notice(notice(n, f"a{n}"), group={"x": "y"}) for n in range(MAX_LISTED_NOTICES + 3))
    )
    assert [len(numbers) for numbers in await deliveries.send_due()] == [MAX_LISTED_NOTICES]
    assert deliveries.receiver.sent[0].more == 3
    assert await deliveries.send_due() == []
    await deliveries.commit(pending_notice(notice(99, "a22"), group={"x": "y"}))
    assert await deliveries.send_due() == [[99]]


async def test_a_receiver_that_needs_each_alert_gets_all_alerts_in_several_notifications(
    deliveries: DeliveryFixture,
) -> None:
    deliveries.configure_receiver(per_alert=True)
    await deliveries.commit(
        *(pending_notice(notice(n, f"a{n}"), group={"x": "y"}) for n in range(MAX_LISTED_NOTICES + 3))
    )
    notifications = await deliveries.send_due() + await deliveries.send_due()
    assert [len(numbers) for numbers in notifications] == [MAX_LISTED_NOTICES, 3]
    assert [notification.more for notification in deliveries.receiver.sent] == [0, 0]


async def test_a_notice_is_not_sent_before_its_group_is_due(deliveries: DeliveryFixture) -> None:
    await deliveries.commit(pending_notice(notice(1), due=NOW + 30))
    assert await deliveries.send_due(after=29) == []
    assert await deliveries.send_due(after=1) == [[1]]


# Results of attempts


async def test_an_accepted_notification_is_no_longer_pending(deliveries: DeliveryFixture) -> None:
    await deliveries.commit(pending_notice(notice(1)))
    assert deliveries.metric("headroom_notices_queued") == 1
    await deliveries.send_due()
    assert not deliveries.store.rows_of(PENDING_NOTICES)
    assert not deliveries.store.rows_of(NOTIFICATIONS)
    assert deliveries.metric("headroom_notices_queued") == 0
    assert deliveries.metric("headroom_notifications_sent_total") == 1


async def test_a_failed_request_is_retried_unchanged_with_growing_waits(deliveries: DeliveryFixture) -> None:
    deliveries.receiver.answer = lambda notification: DOWN
    await deliveries.commit(pending_notice(notice(1)))
    waits = [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert await deliveries.send_due() == [[1]]
    for wait in waits:
        assert await deliveries.send_due(after=wait - 0.5) == []
        assert await deliveries.send_due(after=0.5) == [[1]]
    assert len({notification.id for notification in deliveries.receiver.sent}) == 1
    assert all(notification == deliveries.receiver.sent[0] for notification in deliveries.receiver.sent)
    assert deliveries.metric("headroom_deliveries_failed_total", reason="http_503") == len(waits) + 1


async def test_the_jitter_never_shortens_a_wait_below_a_second(deliveries: DeliveryFixture) -> None:
    deliveries.receiver.answer = lambda notification: DOWN
    await deliveries.commit(pending_notice(notice(1)))
    await deliveries.send_due()
    await deliveries.send_due(after=2)
    deliveries.random_numbers = itertools.repeat(0.0)
    await deliveries.send_due(after=4)
    assert await deliveries.send_due(after=0.9) == []
    assert await deliveries.send_due(after=0.1) == [[1]]


@pytest.mark.parametrize(("retry_after", "wait"), [(120, 120), (1, 2), (86400, 3600)])
async def test_retry_after_of_a_receiver_delays_the_next_attempt(
    deliveries: DeliveryFixture, retry_after: float, wait: float
) -> None:
    deliveries.receiver.answer = lambda notification: result_of_status("it", 429, retry_after=retry_after)
    await deliveries.commit(pending_notice(notice(1)))
    await deliveries.send_due()
    deliveries.receiver.answer = lambda notification: ACCEPTED
    assert await deliveries.send_due(after=wait - 0.5) == []
    assert await deliveries.send_due(after=0.5) == [[1]]


async def test_retry_after_pauses_all_deliveries_to_the_receiver(deliveries: DeliveryFixture) -> None:
    deliveries.receiver.answer = lambda notification: result_of_status("it", 429, retry_after=120)
    await deliveries.commit(pending_notice(notice(1)))
    await deliveries.send_due()
    deliveries.receiver.answer = lambda notification: ACCEPTED
    await deliveries.commit(pending_notice(notice(2, "b")))
    assert await deliveries.send_due(after=119.5) == []
    assert await deliveries.send_due(after=0.5) + await deliveries.send_due() == [[2], [1]]


async def test_newer_notices_wait_only_for_a_failed_notice_of_their_own_group(
    deliveries: DeliveryFixture,
) -> None:
    deliveries.receiver.answer = lambda notification: (
        DOWN if notification.notices[0].alert == "a" else ACCEPTED
    )
    await deliveries.commit(pending_notice(notice(1)))
    await deliveries.send_due()
    await deliveries.commit(
        pending_notice(notice(2, kind=NoticeKind.RESOLVED)), pending_notice(notice(3, "b"))
    )
    assert await deliveries.send_due() == [[3]]
    deliveries.receiver.answer = lambda notification: ACCEPTED
    assert await deliveries.send_due(after=2) == [[1]]
    assert await deliveries.send_due() == [[2]]


async def test_a_receiver_that_is_down_is_tried_once_per_pause_however_much_is_pending(
    deliveries: DeliveryFixture,
) -> None:
    deliveries.receiver.answer = lambda notification: DOWN
    await deliveries.commit(*(pending_notice(notice(n, f"a{n}")) for n in range(100)))
    assert len(await deliveries.send_due()) == 8  # the number of groups that are sent at the same time
    attempts = 0
    while deliveries.now < NOW + 3600:
        attempts += len(await deliveries.send_due(after=1))
    assert attempts < 30


async def test_pending_notices_are_sent_at_once_when_a_receiver_is_back(deliveries: DeliveryFixture) -> None:
    deliveries.receiver.answer = lambda notification: DOWN
    await deliveries.commit(pending_notice(notice(1)), pending_notice(notice(2, "b")))
    for _ in range(20):
        await deliveries.send_due(after=300)
    # With this jitter, the failed notification waits long, and the receiver is paused only briefly.
    deliveries.random_numbers = iter([1.0, 0.0])
    await deliveries.send_due(after=300)
    deliveries.receiver.answer = lambda notification: ACCEPTED
    assert sorted(await deliveries.send_due(after=1) + await deliveries.send_due()) == [[1], [2]]


async def test_a_notification_that_one_receiver_refuses_is_no_dead_letter_of_another_receiver(
    deliveries: DeliveryFixture,
) -> None:
    other = DeliveryTarget(name="other", send=deliveries.receiver.send)
    deliveries.delivery.configure([DeliveryTarget(name="pager", send=deliveries.receiver.send), other])
    deliveries.receiver.answer = lambda notification: refused_result("http_400", "no")
    await deliveries.commit(pending_notice(notice(1)))
    await deliveries.send_due()
    assert {status.receiver: len(status.dead_letters) for status in deliveries.delivery.statuses()} == {
        "pager": 1,
        "other": 0,
    }


async def test_a_refused_notification_is_a_dead_letter_and_later_notifications_are_sent(
    deliveries: DeliveryFixture,
) -> None:
    deliveries.receiver.answer = lambda notification: result_of_status("it", 400, "no such field")
    await deliveries.commit(pending_notice(notice(1)), pending_notice(notice(2, kind=NoticeKind.RESOLVED)))
    await deliveries.send_due()
    deliveries.receiver.answer = lambda notification: ACCEPTED
    assert await deliveries.send_due() == [[2]]
    assert await deliveries.send_due(after=DAY) == []
    (status,) = deliveries.delivery.statuses()
    (dead_letter,) = status.dead_letters
    assert (dead_letter.status, dead_letter.sentence) == (400, "it answered 400: no such field")
    assert dead_letter.notification == deliveries.receiver.sent[0]
    assert deliveries.metric("headroom_notification_dead_letters") == 1
    assert deliveries.metric("headroom_deliveries_failed_total", reason="http_400") == 1


async def test_a_replay_sends_dead_letters_under_the_same_id(deliveries: DeliveryFixture) -> None:
    deliveries.receiver.answer = lambda notification: refused_result("http_400", "no")
    await deliveries.commit(pending_notice(notice(1)), pending_notice(notice(2, "b")))
    await deliveries.send_due()
    deliveries.receiver.answer = lambda notification: ACCEPTED
    assert await deliveries.delivery.replay("chat") == 0
    assert await deliveries.delivery.replay("pager") == 2
    assert await deliveries.delivery.replay() == 0
    assert await deliveries.send_due() == [[1], [2]]
    assert deliveries.receiver.sent[2:] == deliveries.receiver.sent[:2]
    assert not deliveries.store.rows_of(DEAD_LETTERS)
    assert not deliveries.store.rows_of(NOTIFICATIONS)


async def test_the_oldest_dead_letter_is_dropped_when_there_are_too_many(deliveries: DeliveryFixture) -> None:
    deliveries.configure_receiver(max_dead_letters=2)
    deliveries.receiver.answer = lambda notification: refused_result("http_400", "no")
    for number in (1, 2, 3):
        await deliveries.commit(pending_notice(notice(number)))
        await deliveries.send_due()
    dead_letters = deliveries.delivery.senders["pager"].dead_letters
    assert [dead_letter.notification.notices[0].number for dead_letter in dead_letters] == [2, 3]
    assert deliveries.metric("headroom_notices_dropped_total", reason="dead_letter") == 1


async def test_a_notification_that_fails_for_a_day_while_others_are_accepted_is_a_dead_letter(
    deliveries: DeliveryFixture,
) -> None:
    deliveries.receiver.answer = lambda notification: (
        DOWN if notification.notices[0].alert == "a" else ACCEPTED
    )
    await deliveries.commit(pending_notice(notice(1)))
    for number in range(2, 30):
        await deliveries.send_due(after=300)
        await deliveries.commit(pending_notice(notice(number, "b")))
        await deliveries.send_due(after=1)
    assert not deliveries.store.rows_of(DEAD_LETTERS)
    await deliveries.send_due(after=DAY)
    assert len(deliveries.store.rows_of(DEAD_LETTERS)) == 1


async def test_a_notification_that_fails_for_a_day_while_all_fail_is_no_dead_letter(
    deliveries: DeliveryFixture,
) -> None:
    await deliveries.commit(pending_notice(notice(1)))
    await deliveries.send_due()
    deliveries.receiver.answer = lambda notification: DOWN
    await deliveries.commit(pending_notice(notice(2)), pending_notice(notice(3, "b")))
    while deliveries.now < NOW + 2 * DAY:
        await deliveries.send_due(after=300)
    assert not deliveries.store.rows_of(DEAD_LETTERS)
    deliveries.receiver.answer = lambda notification: ACCEPTED
    assert sorted(await deliveries.send_due(after=300) + await deliveries.send_due()) == [[2], [3]]


async def test_an_exception_of_a_notifier_is_a_failure_that_is_retried(deliveries: DeliveryFixture) -> None:
    def fail(notification: Notification) -> DeliveryResult:
        raise ZeroDivisionError

    deliveries.receiver.answer = fail
    await deliveries.commit(pending_notice(notice(1)))
    await deliveries.send_due()
    (status,) = deliveries.delivery.statuses()
    assert status.stats.last_error == "the notifier failed: ZeroDivisionError"
    deliveries.receiver.answer = lambda notification: ACCEPTED
    assert await deliveries.send_due(after=2) == [[1]]


async def test_an_attempt_that_never_ends_is_a_failure(deliveries: DeliveryFixture) -> None:
    async def hang(notification: Notification) -> DeliveryResult:
        await asyncio.Event().wait()
        return ACCEPTED

    deliveries.delivery.configure([DeliveryTarget(name="pager", send=hang, timeout=0.01)])
    await deliveries.commit(pending_notice(notice(1)))
    await deliveries.send_due()
    assert deliveries.metric("headroom_deliveries_failed_total", reason="timeout") == 1


# Limits


async def test_a_queue_beyond_its_maximum_drops_repeats_and_counts_them(deliveries: DeliveryFixture) -> None:
    deliveries.configure_receiver(max_pending=2)
    await deliveries.commit(
        pending_notice(notice(1)),
        pending_notice(notice(2, kind=NoticeKind.REPEATED)),
        pending_notice(notice(3, kind=NoticeKind.RESOLVED)),
    )
    assert deliveries.metric("headroom_notices_dropped_total", reason="repeat") == 1
    assert [row.notice.number for row in deliveries.store.rows_of(PENDING_NOTICES).values()] == [1, 3]
    assert await deliveries.send_due() + await deliveries.send_due() == [[1], [3]]


async def test_superseded_notices_are_dropped_after_a_day_and_the_last_state_is_sent(
    deliveries: DeliveryFixture,
) -> None:
    deliveries.receiver.answer = lambda notification: DOWN
    await deliveries.commit(pending_notice(notice(0, "other")), pending_notice(notice(9, "another")))
    await deliveries.send_due()
    notices = [notice(1), notice(2, kind=NoticeKind.RESOLVED), notice(3), notice(4, kind=NoticeKind.RESOLVED)]
    await deliveries.commit(*map(pending_notice, notices))
    deliveries.now += DAY + 1
    assert deliveries.metric("headroom_notification_oldest_age_seconds") == DAY + 1
    await deliveries.delivery.maintain()
    deliveries.receiver.answer = lambda notification: ACCEPTED
    assert await deliveries.send_due() + await deliveries.send_due() == [[4], [9], [0]]
    assert deliveries.metric("headroom_notices_dropped_total", reason="superseded") == 3
