"""Deliveries over restarts and reloads, without a disk, and at work with a real clock."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from monitor.alerting.delivery import Delivery, Receiver
from monitor.alerting.delivery_telemetry import DeliveryTelemetry
from monitor.alerting.journal import Journal
from monitor.alerting.notice import Kind, Notification
from monitor.alerting.records import State
from monitor.alerting.tables import FORMED, OWED, STATES
from monitor.notifiers.answer import Answer, refused
from tests.monitor.alerting.owing import NOW, notice, owed
from tests.monitor.alerting.worlds import ACCEPTED, DOWN, World, working, world_at

DAY = 24 * 3600.0
SOON = 10  # seconds, for what takes milliseconds


async def test_a_restart_sends_what_was_under_way_again_under_its_id_and_then_the_rest(
    tmp_path: Path,
) -> None:
    async with world_at(tmp_path / "journal.db") as before:
        before.party.answer = lambda made: DOWN
        await before.tell(owed(notice(1)), owed(notice(2, kind=Kind.RESOLVED)))
        await before.round()
    async with world_at(tmp_path / "journal.db") as after:
        assert await after.round() == [[1]]
        assert after.party.sent == before.party.sent
        assert await after.round() == [[2]]


async def test_an_id_is_in_the_journal_before_it_is_sent(tmp_path: Path) -> None:
    found: list[object] = []

    def look(made: Notification) -> Answer:
        found.extend(world.journal.all(FORMED).values())
        return ACCEPTED

    async with world_at(tmp_path / "journal.db") as world:
        world.party.answer = look
        await world.tell(owed(notice(1)))
        await world.round()
    assert found == world.party.sent


async def test_what_is_owed_to_a_receiver_that_is_gone_is_kept_for_a_day(tmp_path: Path) -> None:
    async with world_at(tmp_path / "journal.db") as world:
        world.party.answer = lambda made: DOWN
        await world.tell(owed(notice(1)), owed(notice(2, "b")))
        await world.round()
        await world.tell(owed(notice(3, "c")))
        world.delivery.configure([])
        await world.tell(owed(notice(4, "d")))
        assert world.metric("headroom_notices_queued") is None
        await world.delivery.tend()
        world.party.answer = lambda made: ACCEPTED
        world.receive()
        assert await world.round() == [[1], [2], [3], [4]]

        world.party.answer = lambda made: DOWN
        await world.tell(owed(notice(5)))
        await world.round()
        await world.tell(owed(notice(6)))
        world.delivery.configure([])
        world.now += DAY + 1
        await world.delivery.tend()
        assert not world.journal.all(OWED)
        assert not world.journal.all(FORMED)
        assert world.metric("headroom_notices_dropped_total", reason="no_such_receiver") == 2


async def test_without_a_disk_it_is_told_from_memory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with world_at(tmp_path / "file" / "journal.db") as world:
        await world.delivery.tell(
            {"lives/a": b"firing"}, [notice(1)], [owed(notice(1)), owed(notice(1), "chat")]
        )
        assert await world.round() == [[1]]
        (tmp_path / "file").unlink()
        await world.delivery.tend()
        assert world.journal.healthy
    journal = await Journal.open(tmp_path / "file" / "journal.db")
    assert journal.all(STATES) == {"lives/a": State("lives/a", b"firing")}
    assert [row.receiver for row in journal.all(OWED).values()] == ["chat"]
    await journal.close()


# At work


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path / "journal.db")
    yield opened
    await opened.close()


@pytest.fixture
def delivery(journal: Journal) -> Delivery:
    return Delivery(journal, DeliveryTelemetry(CollectorRegistry()), now=lambda: NOW)


class Hanging:
    """A receiver that answers when it is told to."""

    def __init__(self) -> None:
        self.sent: list[Notification] = []
        self.begun, self.go, self.given_up = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def send(self, made: Notification) -> Answer:
        self.sent.append(made)
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.given_up.set()
            raise
        return ACCEPTED


class Quick:
    """A receiver that gives one answer to all."""

    def __init__(self, answer: Answer = ACCEPTED) -> None:
        self.answer = answer
        self.times: list[float] = []
        self.sent: asyncio.Queue[Notification] = asyncio.Queue()

    async def send(self, made: Notification) -> Answer:
        self.sent.put_nowait(made)
        self.times.append(asyncio.get_running_loop().time())
        return self.answer

    async def number(self) -> int:
        return (await asyncio.wait_for(self.sent.get(), SOON)).notices[0].number


async def test_a_slow_receiver_delays_no_other(delivery: Delivery) -> None:
    slow, fast = Hanging(), Quick()
    delivery.configure([Receiver(name="slow", send=slow.send), Receiver(name="fast", send=fast.send)])
    async with working(delivery):
        for number in (1, 2):
            await delivery.tell({}, [], [owed(notice(number), "slow"), owed(notice(number), "fast")])
            assert await fast.number() == number
        assert len(slow.sent) == 1
        slow.go.set()


async def idle(delivery: Delivery, journal: Journal) -> None:
    """Until what came of an attempt is recorded, and its sender sleeps."""
    while delivery.standings()[0].queued:
        await asyncio.sleep(0)
    await journal.history()
    for _ in range(10):
        await asyncio.sleep(0)


async def test_an_idle_sender_wakes_for_what_is_new_and_for_what_is_replayed(
    delivery: Delivery, journal: Journal
) -> None:
    quick = Quick(refused("http_400", "no"))
    delivery.configure([Receiver(name="pager", send=quick.send)])
    async with working(delivery):
        for number in (1, 2):
            await delivery.tell({}, [], [owed(notice(number))])
            assert await quick.number() == number
            await idle(delivery, journal)
        await delivery.replay()
        assert await quick.number() == 1
        assert await quick.number() == 2


async def test_a_round_that_fails_by_a_bug_is_logged_and_the_next_one_made(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("monitor.alerting.sender.LEAST_WAIT", 0.01)
    chances = iter([1.0, "a bug", 1.0])
    delivery = Delivery(
        journal,
        DeliveryTelemetry(CollectorRegistry()),
        now=asyncio.get_running_loop().time,
        random=lambda: cast(float, next(chances)),
    )
    quick = Quick(DOWN)
    delivery.configure([Receiver(name="pager", send=quick.send)])
    async with working(delivery):
        await delivery.tell({}, [], [owed(notice(1), due=0)])
        for _ in range(3):
            assert await quick.number() == 1
    assert quick.times[2] - quick.times[1] >= 0.01
    assert "a round of deliveries failed" in caplog.text
    assert "TypeError" in caplog.text


async def test_what_is_due_later_leaves_without_being_asked_for(journal: Journal) -> None:
    loop, quick = asyncio.get_running_loop(), Quick()
    delivery = Delivery(journal, DeliveryTelemetry(CollectorRegistry()), now=loop.time)
    delivery.configure([Receiver(name="pager", send=quick.send)])
    async with working(delivery):
        due = loop.time() + 0.05
        await delivery.tell({}, [], [owed(notice(1, at=loop.time()), due=due)])
        assert await quick.number() == 1
        assert loop.time() >= due


async def test_attempts_under_way_are_ended_and_recorded_when_told_to_stop(
    delivery: Delivery, journal: Journal
) -> None:
    hanging = Hanging()
    delivery.configure([Receiver(name="pager", send=hanging.send)])
    async with working(delivery):
        await delivery.tell({}, [], [owed(notice(1))])
        await asyncio.wait_for(hanging.begun.wait(), SOON)
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, hanging.go.set)
    assert not journal.all(FORMED)


async def test_a_receiver_that_is_removed_is_given_up_and_told_again_when_it_is_back(
    delivery: Delivery,
) -> None:
    hanging, quick = Hanging(), Quick()
    delivery.configure([Receiver(name="pager", send=hanging.send)])
    async with working(delivery):
        await delivery.tell({}, [], [owed(notice(1))])
        await asyncio.wait_for(hanging.begun.wait(), SOON)
        delivery.configure([])
        await asyncio.wait_for(hanging.given_up.wait(), SOON)
        delivery.configure([Receiver(name="pager", send=quick.send)])
        again = await asyncio.wait_for(quick.sent.get(), SOON)
    assert [again] == hanging.sent


async def test_a_new_configuration_is_used_for_what_is_owed_already(tmp_path: Path) -> None:
    async with world_at(tmp_path / "journal.db") as world:
        old, new = world.party, World(world.journal).party
        await world.tell(owed(notice(1)))
        world.party = new
        world.receive()
        assert await world.round() == [[1]]
        assert old.sent == []
