"""Firing alerts as people see them: with their acknowledgement, silence and inhibiting alert."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from collectors.registry import Registry
from monitor.alerting import inhibit
from monitor.alerting.engine import AlertEngine
from monitor.alerting.groups import urgency
from monitor.alerting.records import Acknowledgement, Silence
from monitor.alerting.series_notices import current_usage
from monitor.alerting.silences import Silences
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import LABELS, Key
from monitor.fleet.rows import row_of
from monitor.notifiers.notice import Notice


@dataclass(frozen=True, slots=True)
class FiringAlert:
    """A firing alert, or one that would fire, with what users and other alerts did about it.

    notice: its last notice. inhibited_by: the last notice of the alert that inhibits it. usage_text: the
    usage now, in words; empty for an alert that is not about a series. sample_time: the time of the usage, in
    epoch seconds.
    """

    notice: Notice
    acknowledgement: Acknowledgement | None
    silence: Silence | None
    inhibited_by: Notice | None
    usage_text: str = ""
    sample_time: int | None = None

    @property
    def has_series(self) -> bool:
        """True for an alert about a series, False for a blind spot."""
        return not inhibit.is_blind(self.notice)

    @property
    def acknowledged(self) -> bool:
        """True if the alert is acknowledged, and its severity has not risen since."""
        return self.acknowledgement is not None and (
            self.notice.severity.rank <= self.acknowledgement.severity.rank
        )

    @property
    def unhandled(self) -> bool:
        """True if the alert is neither acknowledged nor silenced nor inhibited."""
        return not (self.acknowledged or self.silence or self.inhibited_by)


async def firing_alerts(engine: AlertEngine) -> list[FiringAlert]:
    """Return all firing alerts: the unhandled alerts first, then by urgency."""
    notices = [notice for notice in engine.alerts.values() if notice.firing]
    return await asyncio.to_thread(_firing_alerts, notices, engine.silences, engine.registry)


def _firing_alerts(notices: Sequence[Notice], silences: Silences, registry: Registry) -> list[FiringAlert]:
    now, inhibiting_ids = time.time(), inhibit.inhibiting_alerts(notices, registry)
    notice_by_alert = {notice.alert: notice for notice in notices}
    alerts = [
        with_acknowledgement_and_silence(
            notice, silences, now, notice_by_alert.get(inhibiting_ids.get(notice.alert, ""))
        )
        for notice in sorted(notices, key=urgency)
    ]
    return sorted(alerts, key=lambda alert: not alert.unhandled)


def with_acknowledgement_and_silence(
    notice: Notice, silences: Silences, now: float, inhibited_by: Notice | None = None
) -> FiringAlert:
    """Return an alert with its acknowledgement and the silence that matches it."""
    acknowledgement = silences.acknowledgements.get(notice.alert)
    if acknowledgement and not acknowledgement.active_at(now):
        acknowledgement = None
    return FiringAlert(notice, acknowledgement, silences.matching_silence(notice.labels, now), inhibited_by)


def with_current_usage(alerts: Iterable[FiringAlert], fleet: Fleet) -> list[FiringAlert]:
    """Return the alerts with the usage as last judged; alerts of departed series are not changed.

    Call it in the event loop, because it reads columns that judgements write.
    """
    return [_with_current_usage(alert, fleet) for alert in alerts]


def _with_current_usage(alert: FiringAlert, fleet: Fleet) -> FiringAlert:
    key = _series_key(alert.notice)
    series = fleet.series.get(key) if key else None
    if series is None:
        return alert
    row = row_of(fleet, series)
    return replace(alert, usage_text=current_usage(row), sample_time=row.sample_time)


def _series_key(notice: Notice) -> Key | None:
    """Return the key of the series that an alert is about; None when it is about a blind spot."""
    if notice.subject is None or inhibit.is_blind(notice):
        return None
    account, region, service, signal = (notice.labels.get(name, "") for name in LABELS[:4])
    return Key(account, region, service, signal, notice.subject)
