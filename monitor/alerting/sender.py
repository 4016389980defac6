"""Sends the notifications of one receiver, and backs off while attempts fail."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

from monitor.alerting.delivery_store import DeliveryStore
from monitor.alerting.groups import urgency
from monitor.alerting.outbox import Outbox, QueuedNotification, notices_to_drop
from monitor.alerting.records import DeadLetter, PendingNotice
from monitor.alerting.tables import DEAD_LETTERS, NOTIFICATIONS, PENDING_NOTICES, RowChanges
from monitor.alerting.telemetry import DeliveryTelemetry
from monitor.notifiers.notice import MAX_LISTED_NOTICES, Notification, NotificationReason
from monitor.outbound.result import DeliveryOutcome, DeliveryResult, retry_result

log = logging.getLogger(__name__)

MAX_BACKOFF = 300  # seconds between two attempts
MIN_ATTEMPTS_PER_KEEPALIVE = 4  # attempts within `DeliveryTarget.keepalive`
MAX_RETRY_AFTER = 3600  # seconds; a longer Retry-After is cut to this
MIN_OUTAGE_FAILURES = 2  # different notifications that fail in a row: the receiver counts as unavailable
MAX_ISOLATED_FAILURES = 20  # see `QueuedNotification.isolated_failures`
MAX_SLEEP = 60  # seconds; short, because notices become due earlier if the system clock is set forward


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryTarget:
    """A receiver and the settings of its deliveries.

    send: makes one attempt. per_alert: every notice must be listed, so notices beyond `MAX_LISTED_NOTICES`
    wait for the next notification. keepalive: seconds after which the receiver forgets a firing alert that is
    not sent again; None if it never does. concurrency: the number of groups that are sent at the same time.

    max_pending: the number of pending notices beyond which repeats and superseded notices are dropped.
    max_age: the age in seconds beyond which these notices are dropped, and beyond which a notification that
    keeps failing while others are accepted is given up. max_dead_letters: the number of dead letters beyond
    which the oldest is dropped. min_backoff: the shortest time between two attempts, in seconds. timeout:
    seconds that one attempt may take.
    """

    name: str
    send: Callable[[Notification], Awaitable[DeliveryResult]]
    per_alert: bool = False
    keepalive: float | None = None
    concurrency: int = 8
    max_pending: int = 10_000
    max_age: float = 24 * 3600
    max_dead_letters: int = 1000
    min_backoff: float = 1
    timeout: float = 90

    @property
    def max_backoff(self) -> float:
        """The longest time between two attempts, in seconds."""
        return (
            min(MAX_BACKOFF, self.keepalive / MIN_ATTEMPTS_PER_KEEPALIVE) if self.keepalive else MAX_BACKOFF
        )


@dataclass(slots=True, kw_only=True)
class DeliveryStats:
    """Counters of deliveries to a receiver since the start. Times are epoch seconds.

    sent, failed: the numbers of successful and of failed attempts. last_accepted: when an attempt last
    succeeded. last_error: the error of the last attempt; None if it succeeded. last_reason: why the last
    accepted notification was sent.
    """

    sent: int = 0
    failed: int = 0
    last_accepted: float | None = None
    last_reason: NotificationReason | None = None
    last_attempt: float | None = None
    last_error: str | None = None


class Sender:
    """Sends the notices of one receiver's outbox. Set `wake` after adding notices."""

    def __init__(
        self,
        receiver: DeliveryTarget,
        store: DeliveryStore,
        telemetry: DeliveryTelemetry,
        now: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self.target, self.outbox, self.stats = receiver, Outbox(), DeliveryStats()
        self.wake = asyncio.Event()
        self._store, self._telemetry, self._now, self._random = store, telemetry, now, random
        self._paused_until = 0.0  # epoch seconds
        # The ids of notifications that failed since the last one was delivered or given up.
        self._failing_ids: set[str] = set()
        self._outage_rounds = 0  # calls of `send_due` during the present outage

    async def run(self, stop: asyncio.Event) -> None:
        """Send due groups until `stop` is set. Attempts that have begun are completed."""
        while not stop.is_set():
            self.wake.clear()
            try:
                await self.send_due()
            except Exception:
                log.exception("%s: sending failed", self.target.name)
                self._paused_until = self._now() + self.target.min_backoff
            await self._sleep()

    async def _sleep(self) -> None:
        due = self.outbox.next_due()
        wait = MAX_SLEEP if due is None else min(max(due, self._paused_until) - self._now(), MAX_SLEEP)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self.wake.wait()

    async def send_due(self) -> None:
        """Make one attempt for each due group, up to the receiver's concurrency. Store the results.

        A notification is stored before its first attempt, so that a retry after a crash has the same id.
        """
        if self._now() < self._paused_until:
            return
        keys = self.outbox.acquire_due(self._now(), 1 if self._failing_ids else self.target.concurrency)
        try:
            await self._build_notifications([key for key in keys if key not in self.outbox.notifications])
            notifications = [self.outbox.first_notification(key) for key in keys]
            results = await asyncio.gather(*map(self._attempt, notifications))
            await self._record(list(zip(keys, notifications, results, strict=True)))
        finally:
            self.outbox.release(keys)

    async def _build_notifications(self, keys: Iterable[str]) -> None:
        """Make and store a notification of the pending notices of each group. keys: of the groups."""
        changes: RowChanges = {}
        for key in keys:
            rows = self.outbox.sendable_notices(key, MAX_LISTED_NOTICES if self.target.per_alert else None)
            notification = build_notification(self.target.name, rows, self._now())
            self.outbox.replace_pending(key, rows, notification, self._now())
            changes |= {(PENDING_NOTICES, row.id): None for row in rows}
            changes[NOTIFICATIONS, notification.id] = notification
        if changes:
            await self._store.write(changes)

    async def _attempt(self, notification: Notification) -> DeliveryResult:
        with self._telemetry.tracer.span("delivery", {"headroom.receiver": self.target.name}) as span:
            span.set_attribute("headroom.notices", len(notification.notices))
            result = await self._send(notification)
            span.set_attribute("headroom.outcome", result.outcome.value)
            if result.outcome is not DeliveryOutcome.DELIVERED:
                span.fail(result.reason)
            return result

    async def _send(self, notification: Notification) -> DeliveryResult:
        try:
            async with asyncio.timeout(self.target.timeout):
                return await self.target.send(notification)
        except TimeoutError:
            return retry_result("timeout", f"no response within {self.target.timeout:g} s")
        except Exception as error:
            log.exception("%s: the notifier failed", self.target.name)
            return retry_result("bug", f"the notifier failed: {type(error).__name__}")

    async def _record(self, results: Sequence[tuple[str, Notification, DeliveryResult]]) -> None:
        changes: RowChanges = {}  # of notifications that were delivered or given up
        failures: list[tuple[QueuedNotification, DeliveryResult]] = []
        for key, notification, result in results:
            self._count(notification, result)
            if result.outcome is DeliveryOutcome.RETRY:
                queued = self.outbox.record_failure(key, self._now(), self.stats.last_accepted or 0)
                if not self._is_undeliverable(queued):
                    failures.append((queued, result))
                    continue
            self.outbox.complete(key)
            changes[NOTIFICATIONS, notification.id] = None
            if result.outcome is not DeliveryOutcome.DELIVERED:
                changes |= self._give_up(notification, result)
        any_completed = bool(changes)
        if any_completed:  # another notification was accepted, in the case of one that is given up
            self._recover()
        self._postpone(failures)
        if any_completed:
            await self._store.write(changes)

    def _count(self, notification: Notification, result: DeliveryResult) -> None:
        self.stats.last_attempt = self._now()
        if result.outcome is DeliveryOutcome.DELIVERED:
            self.stats.last_accepted, self.stats.last_error = self._now(), None
            self.stats.last_reason = notification.reason
            log.info(
                "%s: notification %s is delivered, reason: %s",
                self.target.name,
                notification.id,
                notification.reason,
            )
            self.stats.sent += 1
            self._telemetry.sent.labels(self.target.name).inc()
        else:
            self.stats.last_error = result.sentence
            self.stats.failed += 1
            self._telemetry.failed.labels(self.target.name, result.reason).inc()

    def _recover(self) -> None:
        """End the back-off. After an outage, retry all notifications at once."""
        if len(self._failing_ids) >= MIN_OUTAGE_FAILURES:
            log.warning("%s: the receiver is available again", self.target.name)
            self.outbox.retry_now(self._now())
        self._failing_ids.clear()
        self._outage_rounds = 0

    def _postpone(self, failures: Sequence[tuple[QueuedNotification, DeliveryResult]]) -> None:
        """Delay the next attempt of each failed notification. In an outage, delay all attempts.

        failures: the notifications to retry, each with the result of its attempt.
        """
        for queued, result in failures:
            if not self._failing_ids:
                log.warning("%s: delivery failed, will retry: %s", self.target.name, result.sentence)
            self._failing_ids.add(queued.notification.id)
            retry_after = min(result.retry_after or 0, MAX_RETRY_AFTER)
            queued.due = self._now() + max(retry_after, self._backoff(queued.failed_attempts))
            self._paused_until = max(self._paused_until, self._now() + retry_after)
        if failures and len(self._failing_ids) >= MIN_OUTAGE_FAILURES:
            self._outage_rounds += 1
            self._paused_until = max(self._paused_until, self._now() + self._backoff(self._outage_rounds))

    def _backoff(self, failure_count: int) -> float:
        """Return the seconds to wait after failures in a row: exponential back-off with full jitter."""
        exponential = self.target.min_backoff * math.exp2(
            min(failure_count, 30)
        )  # bounded, because exp2 can overflow
        longest = min(self.target.max_backoff, exponential)
        return max(self.target.min_backoff, self._random() * longest)

    def _is_undeliverable(self, queued: QueuedNotification) -> bool:
        """Return true if the notification is too old, and failed too often while others were accepted."""
        return (
            queued.isolated_failures >= MAX_ISOLATED_FAILURES
            and self._now() - queued.notification.at > self.target.max_age
        )

    def _give_up(self, notification: Notification, result: DeliveryResult) -> RowChanges:
        log.error(
            "%s: notification %s (reason: %s) could not be delivered: %s",
            self.target.name,
            notification.id,
            notification.reason,
            result.sentence,
        )
        dead_letter = DeadLetter(
            id=notification.id,
            receiver=self.target.name,
            notification=notification,
            status=result.status,
            sentence=result.sentence,
            at=self._now(),
        )
        changes: RowChanges = {(DEAD_LETTERS, notification.id): dead_letter}
        excess = len(self.dead_letters) + 1 - self.target.max_dead_letters
        for dropped in self.dead_letters[: max(0, excess)]:
            changes[DEAD_LETTERS, dropped.id] = None
            self._telemetry.dropped.labels(self.target.name, "dead_letter").inc(
                len(dropped.notification.notices)
            )
        return changes

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """The undeliverable notifications of the receiver, oldest first."""
        return [row for row in self._store.rows_of(DEAD_LETTERS).values() if row.receiver == self.target.name]

    async def trim(self) -> None:
        """Drop the notices that `notices_to_drop` returns for `max_pending` and `max_age`."""
        rows = list(self.outbox.pending.values())
        oldest_kept = self._now() - self.target.max_age
        if len(rows) <= self.target.max_pending and (not rows or rows[0].notice.at >= oldest_kept):
            return
        changes: RowChanges = {}
        for reason, dropped_rows in notices_to_drop(rows, self.target.max_pending, oldest_kept).items():
            self.outbox.drop(dropped_rows)
            changes |= {(PENDING_NOTICES, row.id): None for row in dropped_rows}
            self._telemetry.dropped.labels(self.target.name, reason).inc(len(dropped_rows))
        if changes:
            log.warning(
                "%s: dropped %d notices: the queue is too long, or the notices are too old",
                self.target.name,
                len(changes),
            )
            await self._store.write(changes)


def build_notification(receiver: str, rows: Sequence[PendingNotice], now: float) -> Notification:
    """Return a notification of pending notices of one group. Its notices are the most urgent first."""
    notices = sorted((row.notice for row in rows), key=urgency)
    return Notification(
        id=str(uuid4()),
        receiver=receiver,
        group=rows[0].group,
        notices=tuple(notices[:MAX_LISTED_NOTICES]),
        at=now,
        more=max(0, len(notices) - MAX_LISTED_NOTICES),
        reason=min((row.reason for row in rows), key=lambda reason: reason.rank),
    )
