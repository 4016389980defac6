"""What one receiver is still to be told: pure bookkeeping, without disk, network or clock.

Two rules keep the order. A group sends its next notification only when the one before is settled; and a
notice goes only when its alert's earlier ones have gone, whatever group they were in.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

from monitor.alerting.notice import Kind, Notice, Notification
from monitor.alerting.records import Owed

SOON = 0.0  # to have a group looked at; when it is due shows then


@dataclass(slots=True)
class Formed:
    """A notification that has its id and waits for its next attempt, at `due`.

    tried: when it last was. alone: how many attempts failed after the receiver had accepted others meanwhile.
    """

    notification: Notification
    due: float
    attempts: int = 0
    tried: float = 0.0
    alone: int = 0


def key_of(group: Mapping[str, str]) -> str:
    """The same for equal labels."""
    return msgspec.json.encode(sorted(group.items())).decode()


class Outbox:
    """Times are epoch seconds; a group is named by `key_of` its labels."""

    def __init__(self) -> None:
        self.owed: dict[int, Owed] = {}  # by id, the oldest first
        self.formed: dict[str, deque[Formed]] = {}  # by group
        self._groups: dict[str, dict[int, Owed]] = {}
        self._lines: dict[
            str, deque[tuple[Notice, str]]
        ] = {}  # by alert: what has not gone in order, its group
        self._wakes: list[
            tuple[float, str]
        ] = []  # a heap; what is no longer true in it is found when it is due
        self._busy: set[str] = set()

    def __len__(self) -> int:
        return len(self.owed) + sum(
            len(one.notification.notices) for line in self.formed.values() for one in line
        )

    @property
    def oldest(self) -> float | None:
        """When the oldest notice was made that is still to be told."""
        ages = [one.notice.at for one in islice(self.owed.values(), 1)]
        ages += (
            notice.at for line in self.formed.values() for one in line for notice in one.notification.notices
        )
        return min(ages, default=None)

    def owe(self, rows: Iterable[Owed]) -> None:
        """Add what is to be told, in the order of the ids."""
        for row in rows:
            key = key_of(row.group)
            self.owed[row.id] = row
            self._groups.setdefault(key, {})[row.id] = row
            self._lines.setdefault(row.notice.alert, deque()).append((row.notice, key))
            self._wake(row.due, key)

    def resume(self, notification: Notification, now: float) -> None:
        """Add one that was formed before, to be sent at once, and before anything else of its alerts."""
        key = key_of(notification.group)
        self.formed.setdefault(key, deque()).append(Formed(notification, now))
        for notice in notification.notices:
            self._lines.setdefault(notice.alert, deque()).appendleft((notice, key))
        self._wake(now, key)

    def next(self) -> float | None:
        """When something may be due: never later than it is."""
        return self._wakes[0][0] if self._wakes else None

    def take(self, now: float, most: int) -> list[str]:
        """The groups that may send now, until each is released."""
        taken: list[str] = []
        while self._wakes and self._wakes[0][0] <= now and len(taken) < most:
            key = heapq.heappop(self._wakes)[1]
            due = self._due(key)
            if key in self._busy or due is None:
                continue
            if due > now:
                self._wake(due, key)
            else:
                self._busy.add(key)
                taken.append(key)
        return taken

    def release(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._busy.discard(key)
            self._wake_when_due(key)

    def ripe(self, key: str, most: int | None) -> list[Owed]:
        """What the group may tell now: the next notice of each alert, the oldest first, `most` at most."""
        return list(islice(filter(self._leads, self._groups.get(key, {}).values()), most))

    def _leads(self, row: Owed) -> bool:
        return self._lines[row.notice.alert][0][0] is row.notice

    def form(self, key: str, rows: Sequence[Owed], notification: Notification, now: float) -> None:
        """`rows` go as `notification`, which counts those that it leaves out."""
        self.formed.setdefault(key, deque()).append(Formed(notification, now))
        carried = {notice.alert for notice in notification.notices}
        for row in rows:
            self._forget(key, row)
            if row.notice.alert not in carried:
                self._advance(row.notice, key)

    def failed(self, key: str, now: float, accepted: float) -> Formed:
        """The group's first notification failed; the receiver last accepted one at `accepted`."""
        first = self.formed[key][0]
        first.attempts, first.alone = first.attempts + 1, first.alone + (first.tried < accepted)
        first.tried = now
        return first

    def settle(self, key: str) -> None:
        """The group's first notification needs no further attempt."""
        first = self.formed[key].popleft()
        if not self.formed[key]:
            del self.formed[key]
        for notice in first.notification.notices:
            self._advance(notice, key)

    def hurry(self, now: float) -> None:
        """The receiver is back: everything that waits for another attempt is due."""
        for key, line in self.formed.items():
            for one in line:
                one.due = min(one.due, now)
            self._wake(now, key)

    def drop(self, rows: Iterable[Owed]) -> None:
        """Forget what is not to be told any more."""
        for row in rows:
            key = key_of(row.group)
            self._forget(key, row)
            self._advance(row.notice, key)

    def _forget(self, key: str, row: Owed) -> None:
        del self.owed[row.id], self._groups[key][row.id]
        if not self._groups[key]:
            del self._groups[key]

    def _advance(self, notice: Notice, key: str) -> None:
        """The alert's next notice may go, in whatever group it is."""
        line = self._lines[notice.alert]
        line.remove((notice, key))
        if line:
            self._wake(SOON, line[0][1])
        else:
            del self._lines[notice.alert]

    def _due(self, key: str) -> float | None:
        if key in self.formed:
            return self.formed[key][0].due
        rows = self._groups.get(key, {}).values()
        return min(row.due for row in rows) if any(map(self._leads, rows)) else None

    def _wake_when_due(self, key: str) -> None:
        due = self._due(key)
        if due is not None:
            self._wake(due, key)

    def _wake(self, at: float, key: str) -> None:
        heapq.heappush(self._wakes, (at, key))


def surplus(rows: Sequence[Owed], most: int, too_old: float) -> dict[str, list[Owed]]:
    """What an outbox gives up, by reason: `repeat` or `superseded`, of those the oldest first.

    That is all that was made before `too_old`, and what is more than `most`; but never the last notice of an
    alert that says more than that it still fires. So some may stay that are older, or more.
    """
    last = {row.notice.alert: row.id for row in rows if row.notice.kind is not Kind.REPEATED}
    repeats = [row for row in rows if row.notice.kind is Kind.REPEATED]
    superseded = [
        row for row in rows if row.notice.kind is not Kind.REPEATED and row.id != last[row.notice.alert]
    ]
    dropped: dict[str, list[Owed]] = {}
    over = len(rows) - most
    for reason, candidates in (("repeat", repeats), ("superseded", superseded)):
        old = sum(row.notice.at < too_old for row in candidates)
        dropped[reason] = candidates[: max(old, over)]
        over -= len(dropped[reason])
    return dropped
