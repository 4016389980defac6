"""What tells one receiver: rounds of attempts, backing off while it fails."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec

from monitor.alerting.delivery_telemetry import DeliveryTelemetry
from monitor.alerting.groups import urgency
from monitor.alerting.journal import Journal
from monitor.alerting.notice import WORST, Notification
from monitor.alerting.outbox import Formed, Outbox, surplus
from monitor.alerting.records import Owed, Parked
from monitor.alerting.tables import FORMED, OWED, PARKED, Key, Table
from monitor.notifiers.answer import Answer, Outcome, retry

log = logging.getLogger(__name__)

Change = dict[tuple[Table[Any], Key], msgspec.Struct | None]

LEAST_WAIT, MOST_WAIT = 1, 300  # seconds between two attempts
TRIES = 4  # at least, in the time after which a receiver is to be told again lest it forgets
MOST_ASKED = 3600  # seconds that a receiver can make us wait
PATIENCE = 90  # seconds that an attempt gets, whatever the notifier's own time-outs
OUTAGE = 2  # notifications that fail with none accepted between them: it is the receiver, not what it is told
HOPELESS = 20  # attempts that fail though the receiver accepts others between them
PARKED_MOST = 1000  # a receiver
LONGEST_SLEEP = 60  # seconds; the wall clock, which says what is due, may be set forward


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Who is told, and how. send: makes one attempt.

    per_alert: each notice must get there itself, so that what is beyond `WORST` goes in the next notification
    rather than being counted. keepalive: seconds after which it must be told again of what it would forget.
    width: attempts at the same time, of different groups. most, oldest (seconds): beyond them repeats and
    superseded notices are dropped.
    """

    name: str
    send: Callable[[Notification], Awaitable[Answer]]
    per_alert: bool = False
    keepalive: float | None = None
    width: int = 8
    most: int = 10_000
    oldest: float = 24 * 3600

    @property
    def most_wait(self) -> float:
        """Seconds between two attempts, at most."""
        return min(MOST_WAIT, self.keepalive / TRIES) if self.keepalive else MOST_WAIT


@dataclass(slots=True, kw_only=True)
class Progress:
    """How telling a receiver goes. Times are epoch seconds; `problem` is the last attempt's, if it failed."""

    sent: int = 0
    failed: int = 0
    accepted: float | None = None
    attempted: float | None = None
    problem: str | None = None


class Sender:
    """Owner of one receiver's outbox. `wake` tells it that there is something new."""

    def __init__(
        self,
        receiver: Receiver,
        journal: Journal,
        telemetry: DeliveryTelemetry,
        now: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self.receiver, self.outbox, self.progress = receiver, Outbox(), Progress()
        self.wake = asyncio.Event()
        self._journal, self._told, self._now, self._random = journal, telemetry, now, random
        self._pause = 0.0  # until when nothing is attempted
        self._failing: set[str] = set()  # notifications that failed since one was accepted or refused
        self._rounds = 0  # how often all of a round failed since then

    async def run(self, stop: asyncio.Event) -> None:
        """Tell what is due, until `stop` is set; a round that has begun is ended."""
        while not stop.is_set():
            self.wake.clear()
            try:
                await self.round()
            except Exception:
                log.exception("%s: a round of deliveries failed", self.receiver.name)
                self._pause = self._now() + LEAST_WAIT
            await self._sleep()

    async def _sleep(self) -> None:
        due = self.outbox.next()
        wait = LONGEST_SLEEP if due is None else min(max(due, self._pause) - self._now(), LONGEST_SLEEP)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self.wake.wait()

    async def round(self) -> None:
        """One attempt for each group that is due, as many at a time as the receiver takes; keep the answers.

        Ids are in the journal before the first attempt, so that every later one bears the same.
        """
        if self._now() < self._pause:
            return
        keys = self.outbox.take(self._now(), 1 if self._failing else self.receiver.width)
        try:
            await self._form([key for key in keys if key not in self.outbox.formed])
            first = {key: self.outbox.formed[key][0].notification for key in keys}
            answers = await asyncio.gather(*map(self._attempt, first.values()))
            await self._record(list(zip(keys, first.values(), answers, strict=True)))
        finally:
            self.outbox.release(keys)

    async def _form(self, keys: Iterable[str]) -> None:
        changes: Change = {}
        for key in keys:
            rows = self.outbox.ripe(key, WORST if self.receiver.per_alert else None)
            made = notification(self.receiver.name, rows, self._now())
            self.outbox.form(key, rows, made, self._now())
            changes |= {(OWED, row.id): None for row in rows}
            changes[FORMED, made.id] = made
        if changes:
            await self._journal.write(changes)

    async def _attempt(self, made: Notification) -> Answer:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.receiver.send(made)
        except TimeoutError:
            return retry("timeout", f"no answer within {PATIENCE} s")
        except Exception as error:
            log.exception("%s: the notifier failed", self.receiver.name)
            return retry("bug", f"the notifier failed: {type(error).__name__}")

    async def _record(self, results: Sequence[tuple[str, Notification, Answer]]) -> None:
        changes: Change = {}
        again: list[tuple[Formed, Answer]] = []
        for key, made, answer in results:
            self._count(answer)
            if answer.outcome is Outcome.RETRY:
                failed = self.outbox.failed(key, self._now(), self.progress.accepted or 0)
                if not self._hopeless(failed):
                    again.append((failed, answer))
                    continue
            self.outbox.settle(key)
            changes[FORMED, made.id] = None
            if answer.outcome is not Outcome.DELIVERED:
                changes |= self._park(made, answer)
        if changes:
            self._answered()
        self._postpone(again)
        if changes:
            await self._journal.write(changes)

    def _count(self, answer: Answer) -> None:
        self.progress.attempted = self._now()
        if answer.outcome is Outcome.DELIVERED:
            self.progress.accepted, self.progress.problem = self._now(), None
            self.progress.sent += 1
            self._told.sent.labels(self.receiver.name).inc()
        else:
            self.progress.problem = answer.sentence
            self.progress.failed += 1
            self._told.failed.labels(self.receiver.name, answer.reason).inc()

    def _answered(self) -> None:
        """The receiver is there: what failed because it was not is tried at once."""
        if len(self._failing) >= OUTAGE:
            log.warning("%s: the receiver is back", self.receiver.name)
            self.outbox.hurry(self._now())
        self._failing.clear()
        self._rounds = 0

    def _postpone(self, results: Sequence[tuple[Formed, Answer]]) -> None:
        """Each waits longer than the time before; and so does all the rest once more than one has failed."""
        for failed, answer in results:
            if not self._failing:
                log.warning("%s: not delivered, to be tried again: %s", self.receiver.name, answer.sentence)
            self._failing.add(failed.notification.id)
            asked = min(answer.retry_after or 0, MOST_ASKED)
            failed.due = self._now() + max(asked, self._backoff(failed.attempts))
            self._pause = max(self._pause, self._now() + asked)
        if results and len(self._failing) >= OUTAGE:
            self._rounds += 1
            self._pause = max(self._pause, self._now() + self._backoff(self._rounds))

    def _backoff(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row: exponential, with full jitter."""
        most = min(self.receiver.most_wait, LEAST_WAIT * math.exp2(min(failures, 30)))
        return max(LEAST_WAIT, self._random() * most)

    def _hopeless(self, failed: Formed) -> bool:
        """Whether it failed for so long, and so often alone, that it must be its own fault."""
        return failed.alone >= HOPELESS and self._now() - failed.notification.at > self.receiver.oldest

    def _park(self, made: Notification, answer: Answer) -> Change:
        log.error("%s: a notification is parked: %s", self.receiver.name, answer.sentence)
        parked = Parked(
            id=made.id,
            receiver=self.receiver.name,
            notification=made,
            status=answer.status,
            sentence=answer.sentence,
            at=self._now(),
        )
        changes: Change = {(PARKED, made.id): parked}
        for one in self.parked[: max(0, len(self.parked) + 1 - PARKED_MOST)]:
            changes[PARKED, one.id] = None
            self._told.dropped.labels(self.receiver.name, "parked").inc(len(one.notification.notices))
        return changes

    @property
    def parked(self) -> list[Parked]:
        """What was given up, the oldest first."""
        return [one for one in self._journal.all(PARKED).values() if one.receiver == self.receiver.name]

    async def trim(self) -> None:
        """Drop what is too old or too much, as far as it may be dropped; counted, and said."""
        rows = list(self.outbox.owed.values())
        too_old = self._now() - self.receiver.oldest
        if len(rows) <= self.receiver.most and (not rows or rows[0].notice.at >= too_old):
            return
        changes: Change = {}
        for reason, dropped in surplus(rows, self.receiver.most, too_old).items():
            self.outbox.drop(dropped)
            changes |= {(OWED, row.id): None for row in dropped}
            self._told.dropped.labels(self.receiver.name, reason).inc(len(dropped))
        if changes:
            log.warning(
                "%s: %d notices dropped, its queue is too long or too old", self.receiver.name, len(changes)
            )
            await self._journal.write(changes)


def notification(receiver: str, rows: Sequence[Owed], now: float) -> Notification:
    """What carries these notices, the most urgent first: what fires before what is over, then the worse."""
    notices = sorted((row.notice for row in rows), key=urgency)
    return Notification(
        id=str(uuid4()),
        receiver=receiver,
        group=rows[0].group,
        notices=tuple(notices[:WORST]),
        at=now,
        more=max(0, len(notices) - WORST),
    )
