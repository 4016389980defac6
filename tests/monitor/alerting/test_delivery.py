"""Deliveries: what a notification has, and what each result of an attempt leads to."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.alerting.sender import DeliveryTarget
from monitor.alerting.tables import DEAD_LETTERS, NOTIFICATIONS, PENDING_NOTICES
from monitor.notifiers.notice import MAX_LISTED_NOTICES, NoticeKind, Notification, Severity
from monitor.outbound.result import DeliveryResult, refused, result_of_status
from tests.monitor.alerting.delivery_fixture import ACCEPTED, DOWN, DeliveryFixture, open_delivery
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.alerting.pending import NOW, notice, pending_notice

DAY = 24 * 3600.0


@pytest.fixture
async def world(storage: Path | MemoryStore) -> AsyncIterator[DeliveryFixture]:
    async with open_delivery(storage) as made:
        yield made


# What a notification carries


async def test_a_group_is_one_notification_with_the_most_urgent_first(world: DeliveryFixture) -> None:
    region = {"region": "eu-west-1"}
    await world.commit(
        pending_notice(notice(1, "over", NoticeKind.RESOLVED, severity=Severity.CRITICAL), group=region),
        pending_notice(notice(2, "warning", utilization=0.8), group=region),
        pending_notice(notice(3, "worse", utilization=0.9), group=region),
        pending_notice(notice(4, "critical", severity=Severity.CRITICAL), group=region),
        pending_notice(notice(5, "elsewhere"), group={"region": "eu-west-2"}),
    )
    assert await world.send_due() == [[4, 3, 2, 1], [5]]
    first = world.receiver.sent[0]
    assert (first.receiver, first.group, first.at, first.more) == ("pager", region, NOW, 0)
    assert first.id != world.receiver.sent[1].id


async def test_beyond_the_worst_twenty_they_are_counted(world: DeliveryFixture) -> None:
    await world.commit(
        *(pending_notice(notice(n, f"a{n}"), group={"x": "y"}) for n in range(MAX_LISTED_NOTICES + 3))
    )
    assert [len(numbers) for numbers in await world.send_due()] == [MAX_LISTED_NOTICES]
    assert world.receiver.sent[0].more == 3
    assert await world.send_due() == []
    await world.commit(pending_notice(notice(99, "a22"), group={"x": "y"}))
    assert await world.send_due() == [[99]]


async def test_a_receiver_that_needs_each_alert_gets_the_rest_in_further_notifications(
    world: DeliveryFixture,
) -> None:
    world.configure_receiver(per_alert=True)
    await world.commit(
        *(pending_notice(notice(n, f"a{n}"), group={"x": "y"}) for n in range(MAX_LISTED_NOTICES + 3))
    )
    assert [len(numbers) for numbers in await world.send_due() + await world.send_due()] == [
        MAX_LISTED_NOTICES,
        3,
    ]
    assert [made.more for made in world.receiver.sent] == [0, 0]


async def test_a_notice_is_not_sent_before_its_group_is_due(world: DeliveryFixture) -> None:
    await world.commit(pending_notice(notice(1), due=NOW + 30))
    assert await world.send_due(after=29) == []
    assert await world.send_due(after=1) == [[1]]


# What an answer leads to


async def test_an_accepted_notification_is_no_longer_pending(world: DeliveryFixture) -> None:
    await world.commit(pending_notice(notice(1)))
    assert world.metric("headroom_notices_queued") == 1
    await world.send_due()
    assert not world.store.all(PENDING_NOTICES)
    assert not world.store.all(NOTIFICATIONS)
    assert world.metric("headroom_notices_queued") == 0
    assert world.metric("headroom_notifications_sent_total") == 1


async def test_a_failed_request_is_retried_unchanged_with_growing_waits(world: DeliveryFixture) -> None:
    world.receiver.answer = lambda made: DOWN
    await world.commit(pending_notice(notice(1)))
    waits = [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert await world.send_due() == [[1]]
    for wait in waits:
        assert await world.send_due(after=wait - 0.5) == []
        assert await world.send_due(after=0.5) == [[1]]
    assert len({made.id for made in world.receiver.sent}) == 1
    assert all(made == world.receiver.sent[0] for made in world.receiver.sent)
    assert world.metric("headroom_deliveries_failed_total", reason="http_503") == len(waits) + 1


async def test_waits_are_jittered_down_to_a_second(world: DeliveryFixture) -> None:
    world.receiver.answer = lambda made: DOWN
    await world.commit(pending_notice(notice(1)))
    await world.send_due()
    await world.send_due(after=2)
    world.random_numbers = itertools.repeat(0.0)
    await world.send_due(after=4)
    assert await world.send_due(after=0.9) == []
    assert await world.send_due(after=0.1) == [[1]]


@pytest.mark.parametrize(("retry_after", "waited"), [(120, 120), (1, 2), (86400, 3600)])
async def test_a_receiver_says_how_long_it_wants_to_be_left_alone(
    world: DeliveryFixture, retry_after: float, waited: float
) -> None:
    world.receiver.answer = lambda made: result_of_status("it", 429, retry_after=retry_after)
    await world.commit(pending_notice(notice(1)))
    await world.send_due()
    world.receiver.answer = lambda made: ACCEPTED
    assert await world.send_due(after=waited - 0.5) == []
    assert await world.send_due(after=0.5) == [[1]]


async def test_retry_after_pauses_all_deliveries_to_the_receiver(world: DeliveryFixture) -> None:
    world.receiver.answer = lambda made: result_of_status("it", 429, retry_after=120)
    await world.commit(pending_notice(notice(1)))
    await world.send_due()
    world.receiver.answer = lambda made: ACCEPTED
    await world.commit(pending_notice(notice(2, "b")))
    assert await world.send_due(after=119.5) == []
    assert await world.send_due(after=0.5) + await world.send_due() == [[2], [1]]


async def test_while_one_waits_newer_ones_of_its_group_wait_and_others_do_not(world: DeliveryFixture) -> None:
    world.receiver.answer = lambda made: DOWN if made.notices[0].alert == "a" else ACCEPTED
    await world.commit(pending_notice(notice(1)))
    await world.send_due()
    await world.commit(pending_notice(notice(2, kind=NoticeKind.RESOLVED)), pending_notice(notice(3, "b")))
    assert await world.send_due() == [[3]]
    world.receiver.answer = lambda made: ACCEPTED
    assert await world.send_due(after=2) == [[1]]
    assert await world.send_due() == [[2]]


async def test_a_receiver_that_is_down_is_tried_once_per_pause_however_much_is_pending(
    world: DeliveryFixture,
) -> None:
    world.receiver.answer = lambda made: DOWN
    await world.commit(*(pending_notice(notice(n, f"a{n}")) for n in range(100)))
    assert len(await world.send_due()) == 8
    attempts = 0
    while world.now < NOW + 3600:
        attempts += len(await world.send_due(after=1))
    assert attempts < 30


async def test_once_a_receiver_is_back_what_it_missed_is_reported_at_once(world: DeliveryFixture) -> None:
    world.receiver.answer = lambda made: DOWN
    await world.commit(pending_notice(notice(1)), pending_notice(notice(2, "b")))
    for _ in range(20):
        await world.send_due(after=300)
    world.random_numbers = iter([1.0, 0.0])  # the one that failed waits long, the receiver does not
    await world.send_due(after=300)
    world.receiver.answer = lambda made: ACCEPTED
    assert sorted(await world.send_due(after=1) + await world.send_due()) == [[1], [2]]


async def test_a_notification_that_one_receiver_rejects_is_sent_to_the_others(world: DeliveryFixture) -> None:
    other = DeliveryTarget(name="other", send=world.receiver.send)
    world.delivery.configure([DeliveryTarget(name="pager", send=world.receiver.send), other])
    world.receiver.answer = lambda made: refused("http_400", "no")
    await world.commit(pending_notice(notice(1)))
    await world.send_due()
    assert {one.receiver: len(one.dead_letters) for one in world.delivery.statuses()} == {
        "pager": 1,
        "other": 0,
    }


async def test_a_refusal_is_a_dead_letter_not_retried_and_what_follows_is_sent(
    world: DeliveryFixture,
) -> None:
    world.receiver.answer = lambda made: result_of_status("it", 400, "no such field")
    await world.commit(pending_notice(notice(1)), pending_notice(notice(2, kind=NoticeKind.RESOLVED)))
    await world.send_due()
    world.receiver.answer = lambda made: ACCEPTED
    assert await world.send_due() == [[2]]
    assert await world.send_due(after=DAY) == []
    (status,) = world.delivery.statuses()
    (letter,) = status.dead_letters
    assert (letter.status, letter.sentence) == (400, "it answered 400: no such field")
    assert letter.notification == world.receiver.sent[0]
    assert world.metric("headroom_notification_dead_letters") == 1
    assert world.metric("headroom_deliveries_failed_total", reason="http_400") == 1


async def test_a_replay_sends_dead_letters_under_the_same_id(world: DeliveryFixture) -> None:
    world.receiver.answer = lambda made: refused("http_400", "no")
    await world.commit(pending_notice(notice(1)), pending_notice(notice(2, "b")))
    await world.send_due()
    world.receiver.answer = lambda made: ACCEPTED
    assert await world.delivery.replay("chat") == 0
    assert await world.delivery.replay("pager") == 2
    assert await world.delivery.replay() == 0
    assert await world.send_due() == [[1], [2]]
    assert world.receiver.sent[2:] == world.receiver.sent[:2]
    assert not world.store.all(DEAD_LETTERS)
    assert not world.store.all(NOTIFICATIONS)


async def test_the_oldest_dead_letter_is_dropped_when_there_are_too_many(world: DeliveryFixture) -> None:
    world.configure_receiver(max_dead_letters=2)
    world.receiver.answer = lambda made: refused("http_400", "no")
    for number in (1, 2, 3):
        await world.commit(pending_notice(notice(number)))
        await world.send_due()
    assert [one.notification.notices[0].number for one in world.delivery.senders["pager"].dead_letters] == [
        2,
        3,
    ]
    assert world.metric("headroom_notices_dropped_total", reason="dead_letter") == 1


async def test_a_request_that_fails_for_a_day_while_others_are_accepted_is_a_dead_letter(
    world: DeliveryFixture,
) -> None:
    world.receiver.answer = lambda made: DOWN if made.notices[0].alert == "a" else ACCEPTED
    await world.commit(pending_notice(notice(1)))
    for number in range(2, 30):
        await world.send_due(after=300)
        await world.commit(pending_notice(notice(number, "b")))
        await world.send_due(after=1)
    assert not world.store.all(DEAD_LETTERS)
    await world.send_due(after=DAY)
    assert len(world.store.all(DEAD_LETTERS)) == 1


async def test_a_request_that_fails_for_a_day_while_all_fail_is_no_dead_letter(
    world: DeliveryFixture,
) -> None:
    await world.commit(pending_notice(notice(1)))
    await world.send_due()
    world.receiver.answer = lambda made: DOWN
    await world.commit(pending_notice(notice(2)), pending_notice(notice(3, "b")))
    while world.now < NOW + 2 * DAY:
        await world.send_due(after=300)
    assert not world.store.all(DEAD_LETTERS)
    world.receiver.answer = lambda made: ACCEPTED
    assert sorted(await world.send_due(after=300) + await world.send_due()) == [[2], [3]]


async def test_a_notifier_with_a_bug_is_a_failure_like_others(world: DeliveryFixture) -> None:
    def wrong(made: Notification) -> DeliveryResult:
        raise ZeroDivisionError

    world.receiver.answer = wrong
    await world.commit(pending_notice(notice(1)))
    await world.send_due()
    (status,) = world.delivery.statuses()
    assert status.stats.last_error == "the notifier failed: ZeroDivisionError"
    world.receiver.answer = lambda made: ACCEPTED
    assert await world.send_due(after=2) == [[1]]


async def test_an_attempt_that_never_ends_is_a_failure(world: DeliveryFixture) -> None:
    async def hang(made: Notification) -> DeliveryResult:
        await asyncio.Event().wait()
        return ACCEPTED

    world.delivery.configure([DeliveryTarget(name="pager", send=hang, timeout=0.01)])
    await world.commit(pending_notice(notice(1)))
    await world.send_due()
    assert world.metric("headroom_deliveries_failed_total", reason="timeout") == 1


# Limits


async def test_a_queue_that_is_too_long_drops_repeats_and_says_so(world: DeliveryFixture) -> None:
    world.configure_receiver(max_pending=2)
    await world.commit(
        pending_notice(notice(1)),
        pending_notice(notice(2, kind=NoticeKind.REPEATED)),
        pending_notice(notice(3, kind=NoticeKind.RESOLVED)),
    )
    assert world.metric("headroom_notices_dropped_total", reason="repeat") == 1
    assert [one.notice.number for one in world.store.all(PENDING_NOTICES).values()] == [1, 3]
    assert await world.send_due() + await world.send_due() == [[1], [3]]


async def test_after_a_day_what_is_superseded_is_dropped_and_the_last_state_sent(
    world: DeliveryFixture,
) -> None:
    world.receiver.answer = lambda made: DOWN
    await world.commit(pending_notice(notice(0, "other")), pending_notice(notice(9, "another")))
    await world.send_due()
    rows = [notice(1), notice(2, kind=NoticeKind.RESOLVED), notice(3), notice(4, kind=NoticeKind.RESOLVED)]
    await world.commit(*map(pending_notice, rows))
    world.now += DAY + 1
    assert world.metric("headroom_notification_oldest_age_seconds") == DAY + 1
    await world.delivery.maintain()
    world.receiver.answer = lambda made: ACCEPTED
    assert await world.send_due() + await world.send_due() == [[4], [9], [0]]
    assert world.metric("headroom_notices_dropped_total", reason="superseded") == 3
