"""Assigns to each change of an alert the receivers that were notified of it."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Protocol

from monitor.alerting.records import SentNotice
from monitor.notifiers.notice import Notice

MAX_SENT_PER_NOTICE = 20  # read for each notice that is shown, on average


class SentNoticeStore(Protocol):
    """Stores which receivers were notified. `Journal` implements it."""

    async def sent_notices(self, alert: str | None = None, limit: int = 100) -> list[SentNotice]:
        """Return which receivers were notified of one alert, or of all, newest first."""


async def sent_by_notice(
    store: SentNoticeStore, notices: Sequence[Notice], alert: str | None = None
) -> list[list[SentNotice]]:
    """Return for each notice the receivers that were notified of it, repeats included, the oldest first.

    alert: whose notices they are; None for those of all alerts.
    """
    sent = await store.sent_notices(alert, MAX_SENT_PER_NOTICE * max(len(notices), 1)) if notices else []
    return assign_sent(notices, reversed(sent))


def assign_sent(notices: Sequence[Notice], sent: Iterable[SentNotice]) -> list[list[SentNotice]]:
    """Return for each notice what was sent of it: of an alert, what was sent before its next notice.

    A repeat has a number of its own, between those of two notices of its alert.
    """
    by_alert: dict[str, list[tuple[int, int]]] = {}
    for place, notice in enumerate(notices):
        by_alert.setdefault(notice.alert, []).append((notice.number, place))
    for numbered in by_alert.values():
        numbered.sort()
    assigned: list[list[SentNotice]] = [[] for _ in notices]
    for one in sent:
        numbered = by_alert.get(one.alert, [])
        found = bisect_right(numbered, (one.number, len(notices))) - 1
        if found >= 0:
            assigned[numbered[found][1]].append(one)
    return assigned
