"""The page of alerts: a tab for each state, the history of notifications, and the receivers."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from monitor.alerting.alert_receivers import AlertReceivers
from monitor.alerting.delivery import ReceiverStatus
from monitor.alerting.firing_alerts import FiringAlert, firing_alerts, with_acknowledgement_and_silence
from monitor.alerting.records import SentNotice, Silence
from monitor.alerting.sent_notices import sent_by_notice
from monitor.alerting.service import Alerting
from monitor.alerting.silence_matches import SilenceMatches, matches_of
from monitor.fleet.fleet import Fleet
from monitor.fleet.snapshot import Snapshot
from monitor.notifiers.notice import Notice
from monitor.web.alert_names import alert_name
from monitor.web.alert_rows import AlertRows, AlertTab, by_tab, roots_with_inhibited, severity_groups
from rules.alerts import AlertState
from rules.band import Zone
from rules.plurals import agreeing

MAX_ROWS = 200
MAX_SILENCES = 200
MAX_NOTICES = 200  # notices in the history
MAX_SENT = 12  # notified receivers that are shown for each notice
HANDLED_TABS = (AlertTab.ACKNOWLEDGED, AlertTab.SILENCED)


@dataclass(frozen=True, slots=True)
class JudgedCounts:
    """The numbers that a page without alerts shows, so that the reader can trust it.

    judged: the number of judged series. unknown: the number of series without a judgement. newest: the time
    of the newest sample, in epoch seconds; None if there is none.
    """

    judged: int
    unknown: int
    newest: int | None

    @classmethod
    def of(cls, snapshot: Snapshot) -> "JudgedCounts":
        """Return the numbers of a judged fleet."""
        zones = snapshot.zone[snapshot.group >= 0]
        judged = int(np.count_nonzero(zones >= Zone.BELOW))
        newest_minute = int(snapshot.minute.max(initial=-1))
        return cls(judged, zones.size - judged, newest_minute * 60 if newest_minute >= 0 else None)


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """A change of an alert.

    name: the name of the alert. sent: the notifications of the change, the oldest first.
    """

    notice: Notice
    name: str
    sent: Sequence[SentNotice]

    @property
    def cause(self) -> str:
        """The cause of the change in a few words: the summary of the alert, or the reason why it ended."""
        notice = self.notice
        summary = notice.summary.partition(" Remedy: ")[0]
        return f"{notice.severity}: {summary}" if notice.firing else notice.resolution_reason or summary

    @property
    def receivers(self) -> list[tuple[str, str]]:
        """The receivers, each once, with the reason of its first notification."""
        first_reasons: dict[str, str] = {}
        for sent in self.sent:
            first_reasons.setdefault(sent.receiver, sent.reason.value)
        return [*first_reasons.items()]


@dataclass(frozen=True, slots=True)
class AlertHistory:
    """The changes of one alert, the newest first."""

    items: Sequence[HistoryItem]

    @property
    def newest(self) -> HistoryItem:
        """The newest change."""
        return self.items[0]

    @property
    def notifications(self) -> int:
        """The number of notifications: each notice counts once for each receiver that got it."""
        return sum(len(item.sent) for item in self.items)


@dataclass(frozen=True, slots=True)
class AlertsPage:
    """The variables of the tabs of the page of alerts."""

    alerting: Alerting
    fleet: Fleet
    snapshot: Snapshot

    async def variables(self, tab: AlertTab, alert: str | None = None) -> Mapping[str, Any]:
        """Return the variables of a tab. alert: the alert whose history is shown; None for all alerts."""
        alerts = await firing_alerts(self.alerting.engine)
        tabs, pending = await asyncio.to_thread(by_tab, alerts), self._pending_slots()
        receivers = self.alerting.delivery.statuses()
        failing = [status.receiver for status in receivers if is_failing(status, self._unreachable)]
        shared = {
            "tab": tab,
            "tabs": [
                (other, self._badge(other, tabs, len(pending), len(receivers), len(failing)))
                for other in AlertTab
            ],
            "firing_total": len(tabs[AlertTab.FIRING]),
            "handled": {handled: len(tabs[handled]) for handled in HANDLED_TABS},
            "judged_counts": JudgedCounts.of(self.snapshot),
        }
        return shared | await self._content(tab, tabs, pending, receivers, alert)

    @property
    def _unreachable(self) -> Mapping[str, str]:
        return self.alerting.reachability.unreachable

    def _badge(
        self,
        tab: AlertTab,
        tabs: Mapping[AlertTab, Sequence[FiringAlert]],
        pending_count: int,
        receivers_count: int,
        failing_count: int,
    ) -> str:
        """Return the number or text that is shown beside the name of a tab."""
        if tab is AlertTab.HISTORY:
            return ""
        if tab is AlertTab.RECEIVERS:
            return (
                f"{failing_count} of {receivers_count} {agreeing(failing_count, 'fails', 'fail')}"
                if failing_count
                else f"{receivers_count}"
            )
        return str(pending_count if tab is AlertTab.PENDING else len(tabs[tab]))

    async def _content(
        self,
        tab: AlertTab,
        tabs: Mapping[AlertTab, Sequence[FiringAlert]],
        pending: Sequence[int],
        receivers: Sequence[ReceiverStatus],
        alert: str | None,
    ) -> dict[str, Any]:
        if tab is AlertTab.HISTORY:
            return {"histories": await self._history(alert), "alert": alert, "max_sent": MAX_SENT}
        if tab is AlertTab.RECEIVERS:
            return {"receivers": receivers, "unreachable": self._unreachable, "is_failing": is_failing}
        alerts = self._previews(pending) if tab is AlertTab.PENDING else tabs[tab]
        rows = AlertRows(
            self.alerting.engine,
            self.fleet,
            AlertReceivers.of(self.alerting.engine, receivers),
            int(time.time() // 60),
        )
        total = len(pending) if tab is AlertTab.PENDING else len(alerts)
        ordered = await asyncio.to_thread(lambda: [*islice(roots_with_inhibited(alerts), MAX_ROWS)])
        groups = severity_groups(ordered, rows.row)
        content: dict[str, Any] = {
            "groups": groups,
            "total": total,
            "max_rows": MAX_ROWS,
            "inhibited_count": sum(row.follows_root for group in groups for row in group.rows),
        }
        if tab is AlertTab.SILENCED:
            content["silences"] = await self._silences()
        return content

    def _pending_slots(self) -> list[int]:
        return [alert.slot for alert in self.snapshot.alerts if alert.state == AlertState.PENDING]

    def _previews(self, slots: Sequence[int]) -> list[FiringAlert]:
        """Return the pending alerts of these slots as firing alerts, as if they fired now."""
        engine, now = self.alerting.engine, time.time()
        series = [self.fleet.by_slot[slot] for slot in slots[:MAX_ROWS]]
        notices = (engine.notice_builder.preview(member, now) for member in series if member)
        return [
            with_acknowledgement_and_silence(notice, engine.silences, now) for notice in notices if notice
        ]

    async def _silences(self) -> list[tuple[Silence, SilenceMatches]]:
        engine = self.alerting.engine
        return await matches_of(engine, self.fleet, engine.silences.stored[:MAX_SILENCES])

    async def _history(self, alert: str | None) -> list[AlertHistory]:
        """Return the newest changes by alert; the alert that changed last is first."""
        journal, registry = self.alerting.journal, self.alerting.engine.registry
        notices = await journal.history(alert, MAX_NOTICES)
        sent_lists = await sent_by_notice(journal, notices, alert)
        by_alert: dict[str, list[HistoryItem]] = {}
        for notice, sent in zip(notices, sent_lists, strict=True):
            item = HistoryItem(notice, alert_name(notice, registry), sent)
            by_alert.setdefault(notice.alert, []).append(item)
        return [AlertHistory(items) for items in by_alert.values()]


def is_failing(receiver: ReceiverStatus, unreachable: Mapping[str, str]) -> bool:
    """Return whether a receiver misses notifications.

    That is so if its last attempt failed, if it has dead letters, or if it is unreachable.
    """
    failed = receiver.stats.last_error is not None
    return failed or bool(receiver.dead_letters) or receiver.receiver in unreachable
