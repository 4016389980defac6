"""Finds which receivers were notified of a notice, and of its repeats.

A sent notice is the record that one receiver was notified.
"""

from bisect import bisect_right
from collections.abc import Awaitable, Iterable, Sequence
from typing import Protocol

from monitor.alerting.records import SentNotice
from monitor.notifiers.notice import Notice

MAX_SENT_PER_NOTICE = 20  # how many sent notices are read for each notice


class SentNoticeStore(Protocol):
    """Stores which receivers were notified of which notices. `Journal` implements the protocol."""

    def sent_notices(self, alert: str | None = None, limit: int = 100) -> Awaitable[list[SentNotice]]:
        """Return the sent notices of one alert, or of all alerts, newest first."""


async def sent_by_notice(
    store: SentNoticeStore, notices: Sequence[Notice], alert: str | None = None
) -> list[list[SentNotice]]:
    """Return, for each notice, the sent notices of it and of its repeats, oldest first.

    notices: the notices of changes, without repeats. alert: the alert that all notices are about; None if
    they are about several alerts.
    """
    sent = await store.sent_notices(alert, MAX_SENT_PER_NOTICE * max(len(notices), 1)) if notices else []
    return assign_sent(notices, reversed(sent))


def assign_sent(notices: Sequence[Notice], sent: Iterable[SentNotice]) -> list[list[SentNotice]]:
    """Return, for each notice, the sent notices that are assigned to it.

    A sent notice is assigned to the notice of its alert that has the same number. A repeat has its own
    number, and is assigned to the last notice of its alert before it.
    """
    # By alert, the number and the index of each of its notices.
    by_alert: dict[str, list[tuple[int, int]]] = {}
    for index, notice in enumerate(notices):
        by_alert.setdefault(notice.alert, []).append((notice.number, index))
    for numbers_and_indices in by_alert.values():
        numbers_and_indices.sort()
    assigned: list[list[SentNotice]] = [[] for _ in notices]
    for sent_notice in sent:
        numbers_and_indices = by_alert.get(sent_notice.alert, [])
        after_number = sent_notice.number, len(notices)  # sorts after each index with this number
        position = bisect_right(numbers_and_indices, after_number) - 1
        if position >= 0:
            assigned[numbers_and_indices[position][1]].append(sent_notice)
    return assigned
