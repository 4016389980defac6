"""Deliveries: across restarts and reloads, without a disk, and by running senders with a real clock."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from monitor.alerting.delivery import Delivery
from monitor.alerting.journal import Journal
from monitor.alerting.records import SavedState
from monitor.alerting.sender import DeliveryTarget
from monitor.alerting.tables import NOTIFICATIONS, PENDING_NOTICES, STATES
from monitor.alerting.telemetry import DeliveryTelemetry
from monitor.notifiers.notice import NoticeKind, Notification
from monitor.outbound.result import DeliveryResult, refused_result
from tests.monitor.alerting.delivery_fixture import (
    ACCEPTED,
    DOWN,
    JOURNAL_NAME,
    DeliveryFixture,
    open_delivery,
    running_delivery,
)
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.alerting.pending import NOW, notice, pending_notice

DAY = 24 * 3600.0
WAIT_TIMEOUT = 10  # seconds, for waits of milliseconds


async def test_after_a_restart_the_interrupted_delivery_is_repeated_first_and_with_its_id(
    storage: Path | MemoryStore,
) -> None:
    async with open_delivery(storage) as before:
        before.receiver.answer = lambda notification: DOWN
        await before.commit(pending_notice(notice(1)), pending_notice(notice(2, kind=NoticeKind.RESOLVED)))
        await before.send_due()
    async with open_delivery(storage) as after:
        assert await after.send_due() == [[1]]
        assert after.receiver.sent == before.receiver.sent
        assert await after.send_due() == [[2]]


async def test_a_notification_is_stored_before_it_is_sent(storage: Path | MemoryStore) -> None:
    stored: list[object] = []

    def record_stored(notification: Notification) -> DeliveryResult:
        stored.extend(deliveries.store.rows_of(NOTIFICATIONS).values())
        return ACCEPTED

    async with open_delivery(storage) as deliveries:
        deliveries.receiver.answer = record_stored
        await deliveries.commit(pending_notice(notice(1)))
        await deliveries.send_due()
    assert stored == deliveries.receiver.sent


async def test_notices_for_a_removed_receiver_are_stored_for_a_day(
    storage: Path | MemoryStore,
) -> None:
    async with open_delivery(storage) as deliveries:
        deliveries.receiver.answer = lambda notification: DOWN
        await deliveries.commit(pending_notice(notice(1)), pending_notice(notice(2, "b")))
        await deliveries.send_due()
        await deliveries.commit(pending_notice(notice(3, "c")))
        deliveries.delivery.configure([])
        await deliveries.commit(pending_notice(notice(4, "d")))
        assert deliveries.metric("headroom_notices_queued") is None
        await deliveries.delivery.maintain()
        deliveries.receiver.answer = lambda notification: ACCEPTED
        deliveries.configure_receiver()
        assert await deliveries.send_due() == [[1], [2], [3], [4]]

        deliveries.receiver.answer = lambda notification: DOWN
        await deliveries.commit(pending_notice(notice(5)))
        await deliveries.send_due()
        await deliveries.commit(pending_notice(notice(6)))
        deliveries.delivery.configure([])
        deliveries.now += DAY + 1
        await deliveries.delivery.maintain()
        assert not deliveries.store.rows_of(PENDING_NOTICES)
        assert not deliveries.store.rows_of(NOTIFICATIONS)
        assert deliveries.metric("headroom_notices_dropped_total", reason="no_such_receiver") == 2


async def test_notices_are_sent_from_memory_without_a_disk(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with open_delivery(tmp_path / "file") as deliveries:
        await deliveries.delivery.commit(
            {"states/a": b"firing"},
            [notice(1)],
            [pending_notice(notice(1)), pending_notice(notice(1), "chat")],
        )
        assert await deliveries.send_due() == [[1]]
        (tmp_path / "file").unlink()
        await deliveries.delivery.maintain()
        assert isinstance(deliveries.store, Journal) and deliveries.store.failure is None
    journal = await Journal.open(tmp_path / "file" / JOURNAL_NAME)
    assert journal.rows_of(STATES) == {"states/a": SavedState("states/a", b"firing")}
    assert [row.receiver for row in journal.rows_of(PENDING_NOTICES).values()] == ["chat"]
    await journal.close()


# Running senders


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(tmp_path / "journal.db")
    yield journal
    await journal.close()


@pytest.fixture
def delivery(journal: Journal) -> Delivery:
    return Delivery(journal, DeliveryTelemetry(CollectorRegistry()), now=lambda: NOW)


class HangingReceiver:
    """A receiver that answers when the test sets `may_answer`."""

    def __init__(self) -> None:
        self.sent: list[Notification] = []
        self.begun, self.may_answer, self.cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def send(self, notification: Notification) -> DeliveryResult:
        self.sent.append(notification)
        self.begun.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return ACCEPTED


class QuickReceiver:
    """A receiver that answers at once, and always with the same result."""

    def __init__(self, answer: DeliveryResult = ACCEPTED) -> None:
        self.answer = answer
        self.times: list[float] = []
        self.sent: asyncio.Queue[Notification] = asyncio.Queue()

    async def send(self, notification: Notification) -> DeliveryResult:
        self.sent.put_nowait(notification)
        self.times.append(asyncio.get_running_loop().time())
        return self.answer

    async def next_number(self) -> int:
        """Wait for the next notification, and return the number of its first notice."""
        return (await asyncio.wait_for(self.sent.get(), WAIT_TIMEOUT)).notices[0].number


async def test_a_slow_receiver_delays_no_other_receiver(delivery: Delivery) -> None:
    slow, fast = HangingReceiver(), QuickReceiver()
    delivery.configure(
        [DeliveryTarget(name="slow", send=slow.send), DeliveryTarget(name="fast", send=fast.send)]
    )
    async with running_delivery(delivery):
        for number in (1, 2):
            await delivery.commit(
                {}, [], [pending_notice(notice(number), "slow"), pending_notice(notice(number), "fast")]
            )
            assert await fast.next_number() == number
        assert len(slow.sent) == 1
        slow.may_answer.set()


async def wait_until_idle(delivery: Delivery, journal: Journal) -> None:
    """Wait until the result of an attempt is stored, and the sender sleeps."""
    while delivery.statuses()[0].queued_count:
        await asyncio.sleep(0)
    await journal.history()
    for _ in range(10):  # more turns of the event loop than the sender needs to begin its sleep
        await asyncio.sleep(0)


async def test_an_idle_sender_wakes_for_new_and_for_replayed_notices(
    delivery: Delivery, journal: Journal
) -> None:
    quick = QuickReceiver(refused_result("http_400", "no"))
    delivery.configure([DeliveryTarget(name="pager", send=quick.send)])
    async with running_delivery(delivery):
        for number in (1, 2):
            await delivery.commit({}, [], [pending_notice(notice(number))])
            assert await quick.next_number() == number
            await wait_until_idle(delivery, journal)
        await delivery.replay()
        assert await quick.next_number() == 1
        assert await quick.next_number() == 2


async def test_an_exception_of_a_sender_is_logged_and_the_sender_continues(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    random_numbers = iter([1.0, "a bug", 1.0])
    delivery = Delivery(
        journal,
        DeliveryTelemetry(CollectorRegistry()),
        now=asyncio.get_running_loop().time,
        random=lambda: cast(float, next(random_numbers)),  # for the pause before the next attempt
    )
    quick = QuickReceiver(DOWN)
    delivery.configure([DeliveryTarget(name="pager", send=quick.send, min_backoff=0.01)])
    async with running_delivery(delivery):
        await delivery.commit({}, [], [pending_notice(notice(1), due=0)])
        for _ in range(3):
            assert await quick.next_number() == 1
    assert quick.times[2] - quick.times[1] >= 0.01
    assert "sending failed" in caplog.text
    assert "TypeError" in caplog.text


async def test_a_notification_is_sent_when_it_becomes_due(journal: Journal) -> None:
    loop, quick = asyncio.get_running_loop(), QuickReceiver()
    delivery = Delivery(journal, DeliveryTelemetry(CollectorRegistry()), now=loop.time)
    delivery.configure([DeliveryTarget(name="pager", send=quick.send)])
    async with running_delivery(delivery):
        due = loop.time() + 0.05
        await delivery.commit({}, [], [pending_notice(notice(1, at=loop.time()), due=due)])
        assert await quick.next_number() == 1
        assert loop.time() >= due


async def test_running_attempts_end_and_are_recorded_when_the_delivery_stops(
    delivery: Delivery, journal: Journal
) -> None:
    hanging = HangingReceiver()
    delivery.configure([DeliveryTarget(name="pager", send=hanging.send)])
    async with running_delivery(delivery):
        await delivery.commit({}, [], [pending_notice(notice(1))])
        await asyncio.wait_for(hanging.begun.wait(), WAIT_TIMEOUT)
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, hanging.may_answer.set)  # two turns of the loop later, during the stop
    assert not journal.rows_of(NOTIFICATIONS)


async def test_a_delivery_to_a_removed_receiver_is_repeated_when_it_is_configured_again(
    delivery: Delivery,
) -> None:
    hanging, quick = HangingReceiver(), QuickReceiver()
    delivery.configure([DeliveryTarget(name="pager", send=hanging.send)])
    async with running_delivery(delivery):
        await delivery.commit({}, [], [pending_notice(notice(1))])
        await asyncio.wait_for(hanging.begun.wait(), WAIT_TIMEOUT)
        delivery.configure([])
        await asyncio.wait_for(hanging.cancelled.wait(), WAIT_TIMEOUT)
        delivery.configure([DeliveryTarget(name="pager", send=quick.send)])
        second_notification = await asyncio.wait_for(quick.sent.get(), WAIT_TIMEOUT)
    assert [second_notification] == hanging.sent


async def test_a_new_configuration_is_used_for_pending_notices(storage: Path | MemoryStore) -> None:
    async with open_delivery(storage) as deliveries:
        old, new = deliveries.receiver, DeliveryFixture(deliveries.store).receiver
        await deliveries.commit(pending_notice(notice(1)))
        deliveries.receiver = new
        deliveries.configure_receiver()
        assert await deliveries.send_due() == [[1]]
        assert old.sent == []
