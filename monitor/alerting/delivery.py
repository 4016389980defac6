"""What is owed gets to its receivers: one sender a receiver, all of them fed and looked after here."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitor.alerting.delivery_telemetry import DeliveryTelemetry
from monitor.alerting.journal import Journal
from monitor.alerting.notice import Notice
from monitor.alerting.records import Owed, Parked
from monitor.alerting.sender import Change, Progress, Receiver, Sender
from monitor.alerting.tables import FORMED, OWED, PARKED

__all__ = ["Delivery", "Receiver", "Standing"]

log = logging.getLogger(__name__)

TEND = 15  # seconds
STOPPING = 5  # seconds that attempts get to end when the process is told to stop
ORPHANED = 24 * 3600  # seconds that what is owed to a receiver outlives its configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How it stands with one receiver. oldest: when the oldest of its queued notices was made."""

    receiver: str
    queued: int
    oldest: float | None
    parked: Sequence[Parked]
    progress: Progress


class Delivery:
    """Give it receivers, run it, and tell it what is owed. now: epoch seconds. random: 0 to 1."""

    def __init__(
        self,
        journal: Journal,
        telemetry: DeliveryTelemetry,
        now: Callable[[], float] = time.time,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.senders: dict[str, Sender] = {}
        self._journal, self._told, self._now, self._random = journal, telemetry, now, random
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._running = False

    def configure(self, receivers: Iterable[Receiver]) -> None:
        """Take these receivers into use, in place of those before.

        What is owed to one that is gone is kept for a day, in case it comes back.
        """
        wanted = {receiver.name: receiver for receiver in receivers}
        for name in self.senders.keys() - wanted:
            self._end(name)
        for name, receiver in wanted.items():
            if name in self.senders:
                self.senders[name].receiver = receiver
            else:
                self._begin(receiver)

    async def tell(
        self, states: Mapping[str, bytes | None], notices: Sequence[Notice], owed: Iterable[Owed]
    ) -> None:
        """Journal in one transaction what became of alerts, and what is told to whom; then have it told."""
        rows = self._journal.numbered(owed)
        by_receiver: dict[str, list[Owed]] = {}
        for row in rows:
            by_receiver.setdefault(row.receiver, []).append(row)
        known = {self.senders[name]: mine for name, mine in by_receiver.items() if name in self.senders}
        saved = self._journal.commit(states, notices, rows)
        for sender, mine in known.items():
            sender.outbox.owe(mine)  # before any wait: a cancellation must not come between
        await saved
        for sender in known:
            await sender.trim()
            sender.wake.set()

    async def replay(self, receiver: str | None = None) -> int:
        """Have what is parked sent again, for one receiver or all; return how many notifications."""
        changes: Change = {}
        for sender in self.senders.values():
            for one in sender.parked if receiver in (None, sender.receiver.name) else ():
                changes |= {(PARKED, one.id): None, (FORMED, one.id): one.notification}
                sender.outbox.resume(one.notification, self._now())
                sender.wake.set()
        await self._journal.write(changes)
        return len(changes) // 2

    def standings(self) -> list[Standing]:
        """How it stands with each receiver."""
        return [
            Standing(
                receiver=name,
                queued=len(sender.outbox),
                oldest=sender.outbox.oldest,
                parked=sender.parked,
                progress=sender.progress,
            )
            for name, sender in self.senders.items()
        ]

    async def run(self) -> None:
        """Deliver until cancelled; attempts under way then get a few seconds to end."""
        self._running = True
        try:
            for name in self.senders:
                self._start(name)
            while True:
                await self._tend_safely()
                await asyncio.sleep(TEND)
        finally:
            self._running = False
            await self._finish()

    async def _tend_safely(self) -> None:
        try:
            await self.tend()
        except Exception:
            log.exception("looking after the deliveries failed")

    async def tend(self) -> None:
        """Look after the journal, and after what has waited too long."""
        await self._journal.tend()
        for sender in list(self.senders.values()):
            await sender.trim()
        await self._forget_orphans()

    async def _forget_orphans(self) -> None:
        changes: Change = {}
        too_old = self._now() - ORPHANED
        for row in self._journal.all(OWED).values():
            if row.receiver not in self.senders and row.notice.at < too_old:
                changes[OWED, row.id] = None
                self._told.dropped.labels(row.receiver, "no_such_receiver").inc()
        for made in self._journal.all(FORMED).values():
            if made.receiver not in self.senders and made.at < too_old:
                changes[FORMED, made.id] = None
                self._told.dropped.labels(made.receiver, "no_such_receiver").inc(len(made.notices))
        if changes:
            log.warning("%d notices for receivers that are no longer configured are dropped", len(changes))
            await self._journal.write(changes)

    def _begin(self, receiver: Receiver) -> None:
        """Go on where the journal stands."""
        sender = Sender(receiver, self._journal, self._told, self._now, self._random)
        self.senders[receiver.name] = sender
        for made in self._journal.all(FORMED).values():
            if made.receiver == receiver.name:
                sender.outbox.resume(made, self._now())
        sender.outbox.owe(row for row in self._journal.all(OWED).values() if row.receiver == receiver.name)
        self._told.watch(
            receiver.name,
            queued=lambda: len(sender.outbox),
            parked=lambda: len(sender.parked),
            age=lambda: self._now() - (sender.outbox.oldest or self._now()),
        )
        if self._running:
            self._start(receiver.name)

    def _end(self, name: str) -> None:
        del self.senders[name]
        self._told.forget(name)
        if name in self._tasks:
            task = self._tasks.pop(name)
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def _start(self, name: str) -> None:
        self._tasks[name] = asyncio.create_task(self.senders[name].run(self._stop), name=f"sender {name}")

    async def _finish(self) -> None:
        self._stop.set()
        for sender in self.senders.values():
            sender.wake.set()
        tasks = {*self._tasks.values(), *self._ending}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOPPING)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
