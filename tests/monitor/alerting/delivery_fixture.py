"""A delivery on a store; tests set its clock, and the answers of its receiver."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from monitor.alerting.delivery import Delivery
from monitor.alerting.journal import Journal
from monitor.alerting.records import PendingNotice
from monitor.alerting.sender import DeliveryTarget
from monitor.alerting.state_store import AlertStateStore
from monitor.alerting.tables import TABLES
from monitor.alerting.telemetry import DeliveryTelemetry
from monitor.notifiers.notice import Notification
from monitor.outbound.result import DeliveryResult, result_of_status
from tests.background import background
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.alerting.pending import NOW

JOURNAL_NAME = "journal.db"  # the name of the file in the folder of the storage
ACCEPTED = result_of_status("it", 204)
DOWN = result_of_status("it", 503)


class FakeReceiver:
    """A receiver that returns the result of `answer`, and records the notifications."""

    def __init__(self) -> None:
        self.answer: Callable[[Notification], DeliveryResult] = lambda notification: ACCEPTED
        self.sent: list[Notification] = []

    async def send(self, notification: Notification) -> DeliveryResult:
        self.sent.append(notification)
        return self.answer(notification)

    @property
    def numbers(self) -> list[list[int]]:
        """The numbers of the notices of each notification."""
        return [[notice.number for notice in notification.notices] for notification in self.sent]


class DeliveryFixture:
    """A delivery on a store. now: epoch seconds. random_numbers: the jitter of retries is made of them."""

    def __init__(self, store: AlertStateStore) -> None:
        self.now = NOW
        self.random_numbers: Iterator[float] = itertools.repeat(1.0)
        self.store, self.receiver, self.registry = store, FakeReceiver(), CollectorRegistry()
        self.delivery = Delivery(
            store,
            DeliveryTelemetry(self.registry),
            now=lambda: self.now,
            random=lambda: next(self.random_numbers),
        )

    def configure_receiver(self, name: str = "pager", **options: Any) -> None:
        self.delivery.configure([DeliveryTarget(name=name, send=self.receiver.send, **options)])

    async def commit(self, *rows: PendingNotice) -> None:
        await self.delivery.commit({}, [row.notice for row in rows], rows)

    async def send_due(self, after: float = 0) -> list[list[int]]:
        """Advance the clock by `after` seconds, send due notices; return their numbers, by notification."""
        self.now += after
        sent_before = len(self.receiver.sent)
        await self.delivery.senders["pager"].send_due()
        return self.receiver.numbers[sent_before:]

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, {"receiver": "pager", **labels})


@asynccontextmanager
async def open_delivery(storage: Path | MemoryStore) -> AsyncIterator[DeliveryFixture]:
    """Yield a fixture with one receiver, `pager`. storage: the folder of a journal, or a store in memory."""
    store: AlertStateStore
    if isinstance(storage, MemoryStore):
        store = storage
    else:
        store = await Journal.open(storage / JOURNAL_NAME, now=lambda: NOW)
    fixture = DeliveryFixture(store)
    fixture.configure_receiver()
    yield fixture
    if isinstance(store, Journal):
        await store.close()


@asynccontextmanager
async def running_delivery(delivery: Delivery) -> AsyncIterator[None]:
    """Run the senders, and stop them at the end."""
    async with background(delivery.run()):
        yield


async def stored_rows(path: Path) -> dict[str, list[object]]:
    """Return the rows that a new process reads from a journal, by table."""
    journal = await Journal.open(path)
    tables = {table.name: list(journal.rows_of(table).values()) for table in TABLES}
    await journal.close()
    return {name: rows for name, rows in tables.items() if rows}
