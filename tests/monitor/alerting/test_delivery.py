import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.alerting.delivery import Receiver
from monitor.alerting.notice import WORST, Kind, Notification, Severity
from monitor.alerting.tables import FORMED, OWED, PARKED
from monitor.notifiers.answer import Answer, of_status, refused
from tests.monitor.alerting.owing import NOW, notice, owed
from tests.monitor.alerting.worlds import ACCEPTED, DOWN, World, world_at

DAY = 24 * 3600.0


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_at(tmp_path / "journal.db") as made:
        yield made


# What a notification carries


async def test_a_group_is_one_notification_with_the_most_urgent_first(world: World) -> None:
    region = {"region": "eu-west-1"}
    await world.tell(
        owed(notice(1, "over", Kind.RESOLVED, severity=Severity.CRITICAL), group=region),
        owed(notice(2, "warning", utilization=0.8), group=region),
        owed(notice(3, "worse", utilization=0.9), group=region),
        owed(notice(4, "critical", severity=Severity.CRITICAL), group=region),
        owed(notice(5, "elsewhere"), group={"region": "eu-west-2"}),
    )
    assert await world.round() == [[4, 3, 2, 1], [5]]
    first = world.party.sent[0]
    assert (first.receiver, first.group, first.at, first.more) == ("pager", region, NOW, 0)
    assert first.id != world.party.sent[1].id


async def test_beyond_the_worst_twenty_they_are_counted(world: World) -> None:
    await world.tell(*(owed(notice(n, f"a{n}"), group={"x": "y"}) for n in range(WORST + 3)))
    assert [len(numbers) for numbers in await world.round()] == [WORST]
    assert world.party.sent[0].more == 3
    assert await world.round() == []
    await world.tell(owed(notice(99, "a22"), group={"x": "y"}))
    assert await world.round() == [[99]]


async def test_where_each_must_get_there_the_rest_follows(world: World) -> None:
    world.receive(per_alert=True)
    await world.tell(*(owed(notice(n, f"a{n}"), group={"x": "y"}) for n in range(WORST + 3)))
    assert [len(numbers) for numbers in await world.round() + await world.round()] == [WORST, 3]
    assert [made.more for made in world.party.sent] == [0, 0]


async def test_nothing_leaves_before_its_group_is_due(world: World) -> None:
    await world.tell(owed(notice(1), due=NOW + 30))
    assert await world.round(after=29) == []
    assert await world.round(after=1) == [[1]]


# What an answer leads to


async def test_what_is_accepted_is_owed_no_more(world: World) -> None:
    await world.tell(owed(notice(1)))
    assert world.metric("headroom_notices_queued") == 1
    await world.round()
    assert not world.journal.all(OWED)
    assert not world.journal.all(FORMED)
    assert world.metric("headroom_notices_queued") == 0
    assert world.metric("headroom_notifications_sent_total") == 1


async def test_what_fails_is_tried_again_the_same_with_growing_waits(world: World) -> None:
    world.party.answer = lambda made: DOWN
    await world.tell(owed(notice(1)))
    waits = [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert await world.round() == [[1]]
    for wait in waits:
        assert await world.round(after=wait - 0.5) == []
        assert await world.round(after=0.5) == [[1]]
    assert len({made.id for made in world.party.sent}) == 1
    assert all(made == world.party.sent[0] for made in world.party.sent)
    assert world.metric("headroom_deliveries_failed_total", reason="http_503") == len(waits) + 1


async def test_waits_are_jittered_down_to_a_second(world: World) -> None:
    world.party.answer = lambda made: DOWN
    await world.tell(owed(notice(1)))
    await world.round()
    await world.round(after=2)
    world.chances = itertools.repeat(0.0)
    await world.round(after=4)
    assert await world.round(after=0.9) == []
    assert await world.round(after=0.1) == [[1]]


@pytest.mark.parametrize(("asked", "waited"), [(120, 120), (1, 2), (86400, 3600)])
async def test_a_receiver_says_how_long_it_wants_to_be_left_alone(
    world: World, asked: float, waited: float
) -> None:
    world.party.answer = lambda made: of_status("it", 429, retry_after=asked)
    await world.tell(owed(notice(1)))
    await world.round()
    world.party.answer = lambda made: ACCEPTED
    assert await world.round(after=waited - 0.5) == []
    assert await world.round(after=0.5) == [[1]]


async def test_a_receiver_that_wants_to_be_left_alone_is_for_all_it_is_owed(world: World) -> None:
    world.party.answer = lambda made: of_status("it", 429, retry_after=120)
    await world.tell(owed(notice(1)))
    await world.round()
    world.party.answer = lambda made: ACCEPTED
    await world.tell(owed(notice(2, "b")))
    assert await world.round(after=119.5) == []
    assert await world.round(after=0.5) + await world.round() == [[2], [1]]


async def test_while_one_waits_newer_ones_of_its_group_wait_and_others_do_not(world: World) -> None:
    world.party.answer = lambda made: DOWN if made.notices[0].alert == "a" else ACCEPTED
    await world.tell(owed(notice(1)))
    await world.round()
    await world.tell(owed(notice(2, kind=Kind.RESOLVED)), owed(notice(3, "b")))
    assert await world.round() == [[3]]
    world.party.answer = lambda made: ACCEPTED
    assert await world.round(after=2) == [[1]]
    assert await world.round() == [[2]]


async def test_a_receiver_that_is_down_is_tried_once_a_wait_however_much_is_owed(world: World) -> None:
    world.party.answer = lambda made: DOWN
    await world.tell(*(owed(notice(n, f"a{n}")) for n in range(100)))
    assert len(await world.round()) == 8
    attempts = 0
    while world.now < NOW + 3600:
        attempts += len(await world.round(after=1))
    assert attempts < 30


async def test_once_a_receiver_is_back_what_it_missed_is_told_at_once(world: World) -> None:
    world.party.answer = lambda made: DOWN
    await world.tell(owed(notice(1)), owed(notice(2, "b")))
    for _ in range(20):
        await world.round(after=300)
    world.chances = iter([1.0, 0.0])  # the one that failed waits long, the receiver does not
    await world.round(after=300)
    world.party.answer = lambda made: ACCEPTED
    assert sorted(await world.round(after=1) + await world.round()) == [[1], [2]]


async def test_what_one_receiver_refuses_is_not_parked_for_another(world: World) -> None:
    other = Receiver(name="other", send=world.party.send)
    world.delivery.configure([Receiver(name="pager", send=world.party.send), other])
    world.party.answer = lambda made: refused("http_400", "no")
    await world.tell(owed(notice(1)))
    await world.round()
    assert {one.receiver: len(one.parked) for one in world.delivery.standings()} == {"pager": 1, "other": 0}


async def test_a_refusal_is_parked_not_retried_and_what_follows_is_told(world: World) -> None:
    world.party.answer = lambda made: of_status("it", 400, "no such field")
    await world.tell(owed(notice(1)), owed(notice(2, kind=Kind.RESOLVED)))
    await world.round()
    world.party.answer = lambda made: ACCEPTED
    assert await world.round() == [[2]]
    assert await world.round(after=DAY) == []
    (standing,) = world.delivery.standings()
    (parked,) = standing.parked
    assert (parked.status, parked.sentence) == (400, "it answered 400: no such field")
    assert parked.notification == world.party.sent[0]
    assert world.metric("headroom_notifications_parked") == 1
    assert world.metric("headroom_deliveries_failed_total", reason="http_400") == 1


async def test_a_replay_sends_what_was_parked_under_the_same_id(world: World) -> None:
    world.party.answer = lambda made: refused("http_400", "no")
    await world.tell(owed(notice(1)), owed(notice(2, "b")))
    await world.round()
    world.party.answer = lambda made: ACCEPTED
    assert await world.delivery.replay("chat") == 0
    assert await world.delivery.replay("pager") == 2
    assert await world.delivery.replay() == 0
    assert await world.round() == [[1], [2]]
    assert world.party.sent[2:] == world.party.sent[:2]
    assert not world.journal.all(PARKED)
    assert not world.journal.all(FORMED)


async def test_of_what_is_parked_the_oldest_goes_when_it_is_too_much(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.alerting.sender.PARKED_MOST", 2)
    world.party.answer = lambda made: refused("http_400", "no")
    for number in (1, 2, 3):
        await world.tell(owed(notice(number)))
        await world.round()
    assert [one.notification.notices[0].number for one in world.delivery.senders["pager"].parked] == [2, 3]
    assert world.metric("headroom_notices_dropped_total", reason="parked") == 1


async def test_what_fails_for_a_day_while_all_else_is_accepted_is_parked(world: World) -> None:
    world.party.answer = lambda made: DOWN if made.notices[0].alert == "a" else ACCEPTED
    await world.tell(owed(notice(1)))
    for number in range(2, 30):
        await world.round(after=300)
        await world.tell(owed(notice(number, "b")))
        await world.round(after=1)
    assert not world.journal.all(PARKED)
    await world.round(after=DAY)
    assert len(world.journal.all(PARKED)) == 1


async def test_what_fails_for_a_day_as_all_else_does_is_not(world: World) -> None:
    await world.tell(owed(notice(1)))
    await world.round()
    world.party.answer = lambda made: DOWN
    await world.tell(owed(notice(2)), owed(notice(3, "b")))
    while world.now < NOW + 2 * DAY:
        await world.round(after=300)
    assert not world.journal.all(PARKED)
    world.party.answer = lambda made: ACCEPTED
    assert sorted(await world.round(after=300) + await world.round()) == [[2], [3]]


async def test_a_notifier_with_a_bug_is_a_failure_like_others(world: World) -> None:
    def wrong(made: Notification) -> Answer:
        raise ZeroDivisionError

    world.party.answer = wrong
    await world.tell(owed(notice(1)))
    await world.round()
    (standing,) = world.delivery.standings()
    assert standing.progress.problem == "the notifier failed: ZeroDivisionError"
    world.party.answer = lambda made: ACCEPTED
    assert await world.round(after=2) == [[1]]


async def test_an_attempt_that_never_ends_is_a_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.alerting.sender.PATIENCE", 0.01)

    async def hang(made: Notification) -> Answer:
        await asyncio.Event().wait()
        return ACCEPTED

    world.delivery.configure([Receiver(name="pager", send=hang)])
    await world.tell(owed(notice(1)))
    await world.round()
    assert world.metric("headroom_deliveries_failed_total", reason="timeout") == 1


# Limits


async def test_a_queue_that_is_too_long_drops_repeats_and_says_so(world: World) -> None:
    world.receive(most=2)
    await world.tell(
        owed(notice(1)), owed(notice(2, kind=Kind.REPEATED)), owed(notice(3, kind=Kind.RESOLVED))
    )
    assert world.metric("headroom_notices_dropped_total", reason="repeat") == 1
    assert [one.notice.number for one in world.journal.all(OWED).values()] == [1, 3]
    assert await world.round() + await world.round() == [[1], [3]]


async def test_after_a_day_what_is_superseded_is_dropped_and_the_last_state_told(world: World) -> None:
    world.party.answer = lambda made: DOWN
    await world.tell(owed(notice(0, "other")), owed(notice(9, "another")))
    await world.round()
    rows = [notice(1), notice(2, kind=Kind.RESOLVED), notice(3), notice(4, kind=Kind.RESOLVED)]
    await world.tell(*map(owed, rows))
    world.now += DAY + 1
    assert world.metric("headroom_notification_oldest_age_seconds") == DAY + 1
    await world.delivery.tend()
    world.party.answer = lambda made: ACCEPTED
    assert await world.round() + await world.round() == [[4], [9], [0]]
    assert world.metric("headroom_notices_dropped_total", reason="superseded") == 3
