"""Assigns the notices that receivers were sent to the changes of alerts."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Protocol

from monitor.alerting.records import SentNotice
from monitor.notifiers.notice import Notice

MAX_SENT_PER_NOTICE = 20  # sent notices that are read for each listed notice, on average


class SentNoticeStore(Protocol):
    """Stores which receivers were notified of which notices. `Journal` implements the protocol."""

    async def sent_notices(self, alert: str | None = None, limit: int = 100) -> list[SentNotice]:
        """Return the sent notices of one alert, or of all alerts, newest first."""


async def sent_by_notice(
    store: SentNoticeStore, notices: Sequence[Notice], alert: str | None = None
) -> list[list[SentNotice]]:
    """Return the sent notices of each notice, including repeats, oldest first.

    alert: the alert of all notices; None if they are of several alerts.
    """
    sent = await store.sent_notices(alert, MAX_SENT_PER_NOTICE * max(len(notices), 1)) if notices else []
    return assign_sent(notices, reversed(sent))


def assign_sent(notices: Sequence[Notice], sent: Iterable[SentNotice]) -> list[list[SentNotice]]:
    """Return, for each notice, the sent notices from its number up to the next notice of its alert.

    A repeat has its own number, which is between the numbers of two notices of its alert.
    """
    by_alert: dict[str, list[tuple[int, int]]] = {}
    for index, notice in enumerate(notices):
        by_alert.setdefault(notice.alert, []).append((notice.number, index))
    for numbered in by_alert.values():
        numbered.sort()
    assigned: list[list[SentNotice]] = [[] for _ in notices]
    for sent_notice in sent:
        numbered = by_alert.get(sent_notice.alert, [])
        position = bisect_right(numbered, (sent_notice.number, len(notices))) - 1
        if position >= 0:
            assigned[numbered[position][1]].append(sent_notice)
    return assigned
