"""Delivers notifications: creates and removes a sender for each receiver, and hands notices to the sender."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from monitor.alerting.delivery_store import DeliveryStore
from monitor.alerting.records import DeadLetter, PendingNotice
from monitor.alerting.sender import DeliveryStats, DeliveryTarget, Sender
from monitor.alerting.tables import DEAD_LETTERS, NOTIFICATIONS, PENDING_NOTICES, RowChanges
from monitor.alerting.telemetry import DeliveryTelemetry
from monitor.notifiers.notice import Notice

log = logging.getLogger(__name__)

MAINTENANCE_INTERVAL = 15  # seconds
SHUTDOWN_TIMEOUT = 5  # seconds that running attempts have to finish when the process stops
MAX_ORPHAN_AGE = 24 * 3600  # seconds for which notices for a removed receiver stay stored


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverStatus:
    """The state of deliveries to one receiver.

    queued_count: the number of waiting notices. oldest_queued_at: when the oldest of them was made, in epoch
    seconds; None if none waits. queued_alerts: the ids of the alerts of the waiting notices.
    """

    receiver: str
    queued_count: int
    oldest_queued_at: float | None
    queued_alerts: frozenset[str]
    dead_letters: Sequence[DeadLetter]
    stats: DeliveryStats


class Delivery:
    """Delivers the notices given to `commit` while `run` runs.

    now: returns epoch seconds. random: returns a number from 0 to 1, for the jitter of retries.
    """

    def __init__(
        self,
        store: DeliveryStore,
        telemetry: DeliveryTelemetry,
        now: Callable[[], float] = time.time,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.senders: dict[str, Sender] = {}
        self._store, self._telemetry, self._now, self._random = store, telemetry, now, random
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending_tasks: set[asyncio.Task[None]] = set()  # of removed senders
        self._stop = asyncio.Event()
        self._is_running = False

    def configure(self, receivers: Iterable[DeliveryTarget]) -> None:
        """Replace the receivers.

        Notices for a removed receiver are stored for a day, in case the receiver is added again.
        """
        receivers_by_name = {receiver.name: receiver for receiver in receivers}
        for name in self.senders.keys() - receivers_by_name:
            self._remove_sender(name)
        for name, receiver in receivers_by_name.items():
            if name in self.senders:
                self.senders[name].target = receiver
            else:
                self._add_sender(receiver)

    async def commit(
        self, states: Mapping[str, bytes | None], notices: Sequence[Notice], pending: Iterable[PendingNotice]
    ) -> None:
        """Store alert states, notices and pending notices in one transaction; then start delivering.

        states: by key; None deletes a state. Returns when everything is stored.
        """
        rows = self._store.with_ids(pending)
        by_sender: dict[Sender, list[PendingNotice]] = {}
        for row in rows:
            if sender := self.senders.get(row.receiver):
                by_sender.setdefault(sender, []).append(row)
        storing = self._store.commit(states, notices, rows)
        for sender, sender_rows in by_sender.items():
            # Before the first await, so that a cancellation cannot skip it.
            sender.outbox.enqueue(sender_rows)
        await storing
        for sender in by_sender:
            await sender.trim()
            sender.wake.set()

    async def replay(self, receiver: str | None = None) -> int:
        """Requeue the dead letters of one receiver, or of all. Return their number."""
        replayed = [
            (sender, dead_letter)
            for name, sender in self.senders.items()
            if receiver in (None, name)
            for dead_letter in sender.dead_letters
        ]
        changes: RowChanges = {}
        for sender, dead_letter in replayed:
            changes[DEAD_LETTERS, dead_letter.id] = None
            changes[NOTIFICATIONS, dead_letter.id] = dead_letter.notification
            sender.outbox.requeue(dead_letter.notification, self._now())
            sender.wake.set()
        await self._store.write(changes)
        return len(replayed)

    def statuses(self) -> list[ReceiverStatus]:
        """Return the status of each receiver."""
        return [
            ReceiverStatus(
                receiver=name,
                queued_count=len(sender.outbox),
                oldest_queued_at=sender.outbox.oldest_at,
                queued_alerts=frozenset(sender.outbox.alert_ids),
                dead_letters=sender.dead_letters,
                stats=sender.stats,
            )
            for name, sender in self.senders.items()
        ]

    @property
    def progress(self) -> tuple[int, ...]:
        """Counts that change with each attempt, and when a notice is queued or dropped."""
        counts = (
            (sender.stats.sent, sender.stats.failed, len(sender.outbox)) for sender in self.senders.values()
        )
        return tuple(chain.from_iterable(counts))

    async def run(self) -> None:
        """Deliver until cancelled. Then wait up to SHUTDOWN_TIMEOUT for running attempts."""
        self._is_running = True
        try:
            for name in self.senders:
                self._start_sender(name)
            while True:
                await self._maintain_safely()
                await asyncio.sleep(MAINTENANCE_INTERVAL)
        finally:
            self._is_running = False
            await self._stop_senders()

    async def _maintain_safely(self) -> None:
        try:
            await self.maintain()
        except Exception:
            log.exception("maintenance of the deliveries failed")

    async def maintain(self) -> None:
        """Maintain the store, and drop notices that have waited too long."""
        await self._store.maintain()
        for sender in list(self.senders.values()):
            await sender.trim()
        await self._drop_orphans()

    async def _drop_orphans(self) -> None:
        changes: RowChanges = {}
        oldest_allowed = self._now() - MAX_ORPHAN_AGE
        for row in self._store.rows_of(PENDING_NOTICES).values():
            if row.receiver not in self.senders and row.notice.at < oldest_allowed:
                changes[PENDING_NOTICES, row.id] = None
                self._telemetry.dropped.labels(row.receiver, "no_such_receiver").inc()
        for notification in self._store.rows_of(NOTIFICATIONS).values():
            if notification.receiver not in self.senders and notification.at < oldest_allowed:
                changes[NOTIFICATIONS, notification.id] = None
                self._telemetry.dropped.labels(notification.receiver, "no_such_receiver").inc(
                    len(notification.notices)
                )
        if changes:
            log.warning("dropped %d notices for receivers that are no longer configured", len(changes))
            await self._store.write(changes)

    def _add_sender(self, receiver: DeliveryTarget) -> None:
        """Create a sender, and give it the stored notices and notifications of its receiver."""
        sender = Sender(receiver, self._store, self._telemetry, self._now, self._random)
        self.senders[receiver.name] = sender
        for notification in self._store.rows_of(NOTIFICATIONS).values():
            if notification.receiver == receiver.name:
                sender.outbox.requeue(notification, self._now())
        sender.outbox.enqueue(
            row for row in self._store.rows_of(PENDING_NOTICES).values() if row.receiver == receiver.name
        )
        self._telemetry.add_receiver(
            receiver.name,
            queued=lambda: len(sender.outbox),
            dead_letters=lambda: len(sender.dead_letters),
            oldest_age=lambda: self._now() - (sender.outbox.oldest_at or self._now()),
        )
        if self._is_running:
            self._start_sender(receiver.name)

    def _remove_sender(self, name: str) -> None:
        del self.senders[name]
        self._telemetry.remove_receiver(name)
        if name in self._tasks:
            task = self._tasks.pop(name)
            task.cancel()
            self._ending_tasks.add(task)
            task.add_done_callback(self._ending_tasks.discard)

    def _start_sender(self, name: str) -> None:
        self._tasks[name] = asyncio.create_task(self.senders[name].run(self._stop), name=f"sender {name}")

    async def _stop_senders(self) -> None:
        self._stop.set()
        for sender in self.senders.values():
            sender.wake.set()
        tasks = {*self._tasks.values(), *self._ending_tasks}
        if tasks:
            _, unfinished = await asyncio.wait(tasks, timeout=SHUTDOWN_TIMEOUT)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
