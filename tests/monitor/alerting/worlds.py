"""A journal and a delivery in a world where the clock stands still, and a receiver does as it is told."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from monitor.alerting.delivery import Delivery, Receiver
from monitor.alerting.delivery_telemetry import DeliveryTelemetry
from monitor.alerting.journal import Journal
from monitor.alerting.notice import Notification
from monitor.alerting.records import Owed
from monitor.alerting.tables import TABLES
from monitor.notifiers.answer import Answer, of_status
from tests.monitor.alerting.owing import NOW

ACCEPTED = of_status("it", 204)
DOWN = of_status("it", 503)


class Party:
    """A receiver that answers as it is told to, and remembers what it was sent."""

    def __init__(self) -> None:
        self.answer: Callable[[Notification], Answer] = lambda made: ACCEPTED
        self.sent: list[Notification] = []

    async def send(self, made: Notification) -> Answer:
        self.sent.append(made)
        return self.answer(made)

    @property
    def numbers(self) -> list[list[int]]:
        return [[one.number for one in made.notices] for made in self.sent]


class World:
    """A delivery on a journal, with a clock that stands still."""

    def __init__(self, journal: Journal) -> None:
        self.now = NOW
        self.chances: Iterator[float] = itertools.repeat(1.0)
        self.journal, self.party, self.registry = journal, Party(), CollectorRegistry()
        self.delivery = Delivery(
            journal, DeliveryTelemetry(self.registry), now=lambda: self.now, random=lambda: next(self.chances)
        )

    def receive(self, name: str = "pager", **options: Any) -> None:
        self.delivery.configure([Receiver(name=name, send=self.party.send, **options)])

    async def tell(self, *rows: Owed) -> None:
        await self.delivery.tell({}, [row.notice for row in rows], rows)

    async def round(self, after: float = 0) -> list[list[int]]:
        """What is sent now, by numbers."""
        self.now += after
        before = len(self.party.sent)
        await self.delivery.senders["pager"].round()
        return self.party.numbers[before:]

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, {"receiver": "pager", **labels})


@asynccontextmanager
async def world_at(path: Path) -> AsyncIterator[World]:
    """With one receiver, `pager`."""
    journal = await Journal.open(path, now=lambda: NOW)
    world = World(journal)
    world.receive()
    yield world
    await journal.close()


@asynccontextmanager
async def working(delivery: Delivery) -> AsyncIterator[None]:
    """Senders at work, which are told to stop in the end."""
    running = asyncio.create_task(delivery.run())
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def everything(path: Path) -> dict[str, list[object]]:
    """What a new process finds in a journal."""
    journal = await Journal.open(path)
    found = {table.name: list(journal.all(table).values()) for table in TABLES}
    await journal.close()
    return {name: rows for name, rows in found.items() if rows}
