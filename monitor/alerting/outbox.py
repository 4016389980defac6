"""The outbox: the queue of one receiver, in memory. It uses neither disk nor network nor clock.

Two rules keep the order. A group sends its next notification only after its previous notification is
complete. A notice is sent only after all earlier notices of its alert, even those of another group.
"""

import heapq
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

from monitor.alerting.records import PendingNotice
from monitor.notifiers.notice import Notice, NoticeKind, Notification

IMMEDIATELY = 0.0  # a time in the past: a group that is due then is checked at once


@dataclass(slots=True)
class QueuedNotification:
    """A notification and its failed attempts. The id and content of the notification no longer change.

    due: when to try next, in epoch seconds. failed_attempts: their number. last_failed_at: when the last
    attempt failed, in epoch seconds; 0 if none has failed. isolated_failures: the number of failures that no
    outage explains, because the receiver accepted another notification since the preceding failure.
    """

    notification: Notification
    due: float
    failed_attempts: int = 0
    last_failed_at: float = 0.0
    isolated_failures: int = 0


def group_key(group: Mapping[str, str]) -> str:
    """Return a text that identifies a group. Groups with equal labels have the same text."""
    return msgspec.json.encode(sorted(group.items())).decode()


class Outbox:
    """The pending notices and queued notifications of one receiver.

    Times are epoch seconds. The key of a group is `group_key` of its labels. pending: the pending notices by
    id, oldest first. notifications: the queued notifications by group key, in the order of sending.
    """

    def __init__(self) -> None:
        self.pending: dict[int, PendingNotice] = {}
        self.notifications: dict[str, deque[QueuedNotification]] = {}
        # By group key, its pending notices by id.
        self._pending_by_group: dict[str, dict[int, PendingNotice]] = {}
        # By alert, its notices in the order of sending, each with its group's key.
        self._alert_queues: dict[str, deque[tuple[Notice, str]]] = {}
        # Pairs of a due time and a group key. An outdated pair is discarded when its time comes.
        self._due_heap: list[tuple[float, str]] = []
        self._reserved_groups: set[str] = set()

    def __len__(self) -> int:
        return len(self.pending) + sum(
            len(queued.notification.notices) for queue in self.notifications.values() for queued in queue
        )

    @property
    def oldest_at(self) -> float | None:
        """The time at which the oldest undelivered notice was made; None if there is none."""
        times = [row.notice.at for row in islice(self.pending.values(), 1)]
        times += (
            notice.at
            for queue in self.notifications.values()
            for queued in queue
            for notice in queued.notification.notices
        )
        return min(times, default=None)

    @property
    def alert_ids(self) -> Collection[str]:
        """The ids of the alerts with undelivered notices."""
        return self._alert_queues.keys()

    def enqueue(self, rows: Iterable[PendingNotice]) -> None:
        """Add pending notices, in the order of their ids."""
        for row in rows:
            key = group_key(row.group)
            self.pending[row.id] = row
            self._pending_by_group.setdefault(key, {})[row.id] = row
            self._alert_queues.setdefault(row.notice.alert, deque()).append((row.notice, key))
            self._schedule(row.due, key)

    def requeue(self, notification: Notification, now: float) -> None:
        """Add a stored notification, due at once and before all other notices of its alerts."""
        key = group_key(notification.group)
        self.notifications.setdefault(key, deque()).append(QueuedNotification(notification, now))
        for notice in notification.notices:
            self._alert_queues.setdefault(notice.alert, deque()).appendleft((notice, key))
        self._schedule(now, key)

    def next_due(self) -> float | None:
        """Return when to call `acquire_due` next, in epoch seconds, or None. No group is due earlier."""
        return self._due_heap[0][0] if self._due_heap else None

    def acquire_due(self, now: float, limit: int) -> list[str]:
        """Reserve up to `limit` groups that are due at `now`, and return their keys. `release` frees them."""
        acquired: list[str] = []
        while self._due_heap and self._due_heap[0][0] <= now and len(acquired) < limit:
            key = heapq.heappop(self._due_heap)[1]
            due = self._due_time(key)
            if key in self._reserved_groups or due is None:
                continue
            if due > now:
                self._schedule(due, key)
            else:
                self._reserved_groups.add(key)
                acquired.append(key)
        return acquired

    def release(self, keys: Iterable[str]) -> None:
        """End the reservation of groups."""
        for key in keys:
            self._reserved_groups.discard(key)
            self._reschedule(key)

    def sendable_notices(self, key: str, limit: int | None) -> list[PendingNotice]:
        """Return up to `limit` notices that a group may send: the next notice of each alert, oldest first."""
        return list(islice(filter(self._is_next, self._pending_by_group.get(key, {}).values()), limit))

    def _is_next(self, row: PendingNotice) -> bool:
        """Return whether no earlier notice of the alert is undelivered."""
        next_notice, _ = self._alert_queues[row.notice.alert][0]
        return next_notice is row.notice

    def replace_pending(
        self, key: str, rows: Sequence[PendingNotice], notification: Notification, now: float
    ) -> None:
        """Replace a group's pending notices with the notification that was made of them.

        Notices that the notification only counts, and does not list, are complete.
        """
        self.notifications.setdefault(key, deque()).append(QueuedNotification(notification, now))
        listed_alert_ids = {notice.alert for notice in notification.notices}
        for row in rows:
            self._remove_pending(key, row)
            if row.notice.alert not in listed_alert_ids:
                self._advance(row.notice, key)

    def first_notification(self, key: str) -> Notification:
        """Return the notification of a group that is sent next."""
        return self.notifications[key][0].notification

    def record_failure(self, key: str, now: float, last_accepted: float) -> QueuedNotification:
        """Count a failed attempt to send a group's first notification, and return that notification.

        last_accepted: when the receiver last accepted a notification.
        """
        first = self.notifications[key][0]
        first.failed_attempts += 1
        if first.last_failed_at < last_accepted:
            first.isolated_failures += 1
        first.last_failed_at = now
        return first

    def complete(self, key: str) -> None:
        """Remove a group's first notification. Call it when that notification was delivered or given up."""
        first = self.notifications[key].popleft()
        if not self.notifications[key]:
            del self.notifications[key]
        for notice in first.notification.notices:
            self._advance(notice, key)

    def retry_now(self, now: float) -> None:
        """Make all queued notifications due at `now`. Call it when the receiver is available again."""
        for key, queue in self.notifications.items():
            for queued in queue:
                queued.due = min(queued.due, now)
            self._schedule(now, key)

    def drop(self, rows: Iterable[PendingNotice]) -> None:
        """Remove pending notices without sending them."""
        for row in rows:
            key = group_key(row.group)
            self._remove_pending(key, row)
            self._advance(row.notice, key)

    def _remove_pending(self, key: str, row: PendingNotice) -> None:
        del self.pending[row.id], self._pending_by_group[key][row.id]
        if not self._pending_by_group[key]:
            del self._pending_by_group[key]

    def _advance(self, notice: Notice, key: str) -> None:
        """Remove a notice from its alert's queue, and schedule the group of the alert's next notice."""
        queue = self._alert_queues[notice.alert]
        queue.remove((notice, key))
        if queue:
            _, next_key = queue[0]
            self._schedule(IMMEDIATELY, next_key)
        else:
            del self._alert_queues[notice.alert]

    def _due_time(self, key: str) -> float | None:
        if key in self.notifications:
            return self.notifications[key][0].due
        rows = self._pending_by_group.get(key, {}).values()
        return min(row.due for row in rows) if any(map(self._is_next, rows)) else None

    def _reschedule(self, key: str) -> None:
        due = self._due_time(key)
        if due is not None:
            self._schedule(due, key)

    def _schedule(self, at: float, key: str) -> None:
        heapq.heappush(self._due_heap, (at, key))


def notices_to_drop(
    rows: Sequence[PendingNotice], limit: int, oldest_kept: float
) -> dict[str, list[PendingNotice]]:
    """Return the notices to drop, by reason: `repeat` or `superseded`.

    Drops notices that were made before `oldest_kept`, in epoch seconds, and the oldest notices beyond
    `limit`; repeats first, then superseded notices. Of each alert, the last notice other than a repeat is
    never dropped, so more than `limit` notices, and notices before `oldest_kept`, can remain.
    """
    last_ids = {row.notice.alert: row.id for row in rows if row.notice.kind is not NoticeKind.REPEATED}
    repeats = [row for row in rows if row.notice.kind is NoticeKind.REPEATED]
    superseded = [
        row
        for row in rows
        if row.notice.kind is not NoticeKind.REPEATED and row.id != last_ids[row.notice.alert]
    ]
    dropped: dict[str, list[PendingNotice]] = {}
    excess = len(rows) - limit
    for reason, candidates in (("repeat", repeats), ("superseded", superseded)):
        old_count = sum(row.notice.at < oldest_kept for row in candidates)
        dropped[reason] = candidates[: max(old_count, excess)]
        excess -= len(dropped[reason])
    return dropped
