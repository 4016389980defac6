"""The alerts of forecasts: series that will probably reach their limits.

A forecast has a class: the shortest horizon within which the limit is likely to be reached. A receiver is
notified once when a class has lasted for the configured time, and once for each nearer class, but not when
the date changes within a class. An alert ends when reaching the limit has been improbable for the configured
time, when its series comes near the limit (which fires another alert), or when the series no longer exists.
"""

import asyncio
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from monitor.alerting.engine_state import EngineState
from monitor.alerting.forecast_text import ended_text, forecast_summary
from monitor.alerting.inhibit import FORECAST
from monitor.alerting.notice_builder import NoticeBuilder, departed_reason, key_of
from monitor.alerting.series_notices import current_usage, limit_change
from monitor.aws.status import MonitorStatus
from monitor.fleet.columns import Ids
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.reach import Reach
from monitor.fleet.rows import Row, row_of
from monitor.lib.cooperative import cooperative_iter
from monitor.lib.text import replace_surrogates
from monitor.notifiers.notice import Notice, NoticeKind, Severity
from monitor.schema.selector import SelectorLabels
from rules.arrays import Flags
from rules.band import Zone
from rules.forecast import LIKELY
from rules.forecast_features import HORIZONS

IMPROBABLE: Final = 0.3  # an alert ends if the probability within the longest horizon is below this
UPDATE_INTERVAL: Final = 60.0  # seconds
SERIES_AT_ONCE: Final = 20_000  # series that are updated without a pause, in some 15 milliseconds
NO_CLASS = 0  # classes are 1 (likely within the longest horizon) to len(HORIZONS) (within the shortest)
Seconds = npt.NDArray[np.float64]


class ForecastChange(NamedTuple):
    """A forecast to notify. forecast_class: its class, nearer than that of the last notice."""

    forecast_class: int
    row: Row
    reach: Reach


class ForecastAlerts:
    """Writes the notices of forecasts of a fleet."""

    def __init__(self, fleet: Fleet, notice_builder: NoticeBuilder, state: EngineState) -> None:
        self._fleet, self._notice_builder, self._state = fleet, notice_builder, state
        self._ids: Ids = np.empty(0, np.uint64)
        # By slot: since when each class, or a nearer class, lasts.
        self._since: Seconds = np.empty((0, len(HORIZONS)))
        self._improbable_since: Seconds = np.empty(0)
        self._updated_at = -np.inf

    async def update(self, status: MonitorStatus, now: float) -> None:
        """Record the notices of forecasts that begin, come nearer or end. now: epoch seconds."""
        if now - self._updated_at < UPDATE_INTERVAL:
            return
        self._updated_at = now
        slots = await self._update_class_times(now)
        firing = {notice.alert: notice for notice in self._state.forecast_alerts()}
        async for slot in cooperative_iter(slots):
            series = self._fleet.by_slot[slot] if self._fleet.id[slot] == self._ids[slot] else None
            if series and (notice := self._new_notice(series, firing, now)):
                self._state.record(notice)
        for last_notice in firing.values():
            has_new_notice = self._state.alerts[last_notice.alert] is not last_notice
            if not has_new_notice and (notice := self._end_notice(last_notice, status, now)):
                self._state.record(notice)

    def end_departed(
        self, series_ids: Iterable[str], departed_accounts: Mapping[str, str], now: float
    ) -> None:
        """End the alerts of series that left the fleet. now: epoch seconds.

        departed_accounts: why accounts are no longer monitored, by id.
        """
        for series_id in series_ids:
            last_notice = self._state.alerts.get(alert_id(series_id))
            if last_notice and last_notice.firing:
                reason = departed_reason(departed_accounts, last_notice)
                self._state.record(self._ended_notice(last_notice, reason, now))

    async def _update_class_times(self, now: float) -> list[int]:
        """Update since when each class of each series lasts; return the slots in which a class lasts.

        The series are updated in parts, between which other tasks run.
        """
        size, slots = self._fleet.size, list[int]()
        since, improbable_since = np.empty((size, len(HORIZONS))), np.empty(size)
        ids = self._fleet.id[:size].copy()
        for start in range(0, size, SERIES_AT_ONCE):
            part = slice(start, min(start + SERIES_AT_ONCE, size))
            since[part], improbable_since[part] = self._class_times(part, ids, now)
            any_class_lasts = np.logical_or.reduce([np.isfinite(times) for times in since[part].T])
            slots += (start + np.flatnonzero(any_class_lasts)).tolist()
            await asyncio.sleep(0)
        self._since, self._improbable_since, self._ids = since, improbable_since, ids
        return slots

    def _class_times(self, part: slice, ids: Ids, now: float) -> tuple[Seconds, Seconds]:
        """Return since when each class of some series lasts, and since when reaching the limit is improbable.

        ids: of all series, by slot. Times of a series that was in the slot before are discarded.
        """
        fleet, size = self._fleet, part.stop - part.start
        since, improbable_since = np.full((size, len(HORIZONS)), now), np.full(size, now)
        earlier_slots = slice(part.start, min(part.stop, self._ids.size))
        unchanged = np.flatnonzero(self._ids[earlier_slots] == ids[earlier_slots])
        for times, earlier_times in ((since, self._since), (improbable_since, self._improbable_since)):
            unchanged_times = earlier_times[earlier_slots][unchanged]
            times[unchanged] = np.where(np.isfinite(unchanged_times), unchanged_times, now)
        probability = fleet.reach_probability[part]
        # A slot is eligible if it has a series that is not near its limit, and has not reached it or its
        # ceiling.
        is_eligible = (fleet.zone[part] < Zone.NEAR) & (fleet.group[part] >= 0) & ~(probability[:, 0] >= 1)
        lasts = (probability[:, ::-1] >= LIKELY) & is_eligible[:, None]  # the longest horizon first
        improbable: Flags = probability[:, -1] < IMPROBABLE
        return np.where(lasts, since, np.nan), np.where(improbable, improbable_since, np.nan)

    def _new_notice(self, series: Series, firing: dict[str, Notice], now: float) -> Notice | None:
        """Return a notice if the class of a series is nearer than in its last notice; else None."""
        labels = self._labels(series)
        lasting = now - self._since[series.slot] >= self._notice_builder.settings.will_reach_for(labels)
        nearest_class = int(np.flatnonzero(lasting)[-1]) + 1 if lasting.any() else NO_CLASS
        last_notice = firing.get(alert_id(series.key.id))
        severity = self._notice_builder.settings.will_reach_severity(labels)
        if severity is None or nearest_class <= (last_notice.forecast_class if last_notice else NO_CLASS):
            return None
        row = row_of(self._fleet, series)
        change = ForecastChange(nearest_class, row, row.reach)
        return self._notice(series, change, severity, last_notice, now)

    def _notice(
        self,
        series: Series,
        change: ForecastChange,
        severity: Severity,
        last_notice: Notice | None,
        now: float,
    ) -> Notice:
        builder, row = self._notice_builder, change.row
        labels = {**tags_of(series), **row.key.labels, "severity": str(severity), "cause": FORECAST}
        if name := builder.account_names.get(series.key.account):
            labels["account_name"] = name
        return Notice(
            alert=alert_id(series.key.id),
            number=builder.next_number(),
            kind=NoticeKind.WORSENED if last_notice else NoticeKind.FIRING,
            severity=severity,
            zone=FORECAST,
            summary=forecast_summary(
                row, change.reach, name or "", int(now // 60), builder.settings.registry
            ),
            labels=last_notice.labels if last_notice else labels,
            at=now,
            since=last_notice.since if last_notice else now,
            usage=row.usage,
            limit=row.limit,
            unit=row.unit.name,
            source=row.source or "",
            utilization=row.utilization,
            sampled=row.sample_time,
            places=change.forecast_class,  # `Notice.forecast_class` reads it
            remedy=row.signal.remedy,
            docs=row.signal.docs[0],
            links=builder.settings.links.for_series(series.key, builder.settings.registry, series.aws_region),
            subject=row.key.subject,
        )

    def _end_notice(self, last_notice: Notice, status: MonitorStatus, now: float) -> Notice | None:
        """Return the notice of an alert that has ended; None if it lasts, or its forecast is unknown."""
        series = self._fleet.series.get(key_of(last_notice))
        reason = (
            self._reason_of_end(last_notice, series, now)
            if series
            else self._reason_of_loss(last_notice, status)
        )
        return self._ended_notice(last_notice, reason, now) if reason else None

    def _ended_notice(self, last_notice: Notice, reason: str, now: float) -> Notice:
        return replace(
            last_notice,
            number=self._notice_builder.next_number(),
            kind=NoticeKind.RESOLVED,
            summary=ended_text(last_notice, reason, now, self._notice_builder.settings.registry),
            at=now,
            resolution_reason=reason,
        )

    def _reason_of_loss(self, last_notice: Notice, status: MonitorStatus) -> str:
        """Return why the fleet lacks a series of an earlier process; empty while it may still be found."""
        services = self._notice_builder.settings.services
        labels, resource = last_notice.labels, key_of(last_notice).subject
        if status.shows_deletion_of(resource, labels) or status.is_unmonitored(labels, services):
            return departed_reason(status.departed_accounts, last_notice)
        return ""

    def _reason_of_end(self, last_notice: Notice, series: Series, now: float) -> str:
        """Return why the alert of a series ended; empty if it lasts, or its forecast is unknown."""
        labels, row = self._labels(series), row_of(self._fleet, series)
        if self._notice_builder.settings.will_reach_severity(labels) is None:
            return "the configuration switches the alert off"
        if row.zone >= Zone.NEAR or row.reach.is_reached:
            return f"it is near its limit now, and {current_usage(row)}"
        if not row.reach.probability or row.reach.probability[-1] >= IMPROBABLE:
            return ""
        if change := limit_change(last_notice.limit, row.limit, row.unit):
            return change
        # The series may be newer than the last `_update_class_times`.
        has_times = series.slot < self._ids.size
        lasted = now - self._improbable_since[series.slot] if has_times else -np.inf
        if lasted < self._notice_builder.settings.will_reach_for(labels):
            return ""
        return f"the forecast has changed: {row.reach.text(int(now // 60))}"

    def _labels(self, series: Series) -> SelectorLabels:
        name = self._notice_builder.account_names.get(series.key.account, "")
        return SelectorLabels(**series.key.labels, account_name=name)


def tags_of(series: Series) -> dict[str, str]:
    """Return the exported tags of a series."""
    tags = series.settings.tags.items()
    return {replace_surrogates(name): replace_surrogates(tag) for name, tag in tags}


def alert_id(series_id: str) -> str:
    """Return the id of the alert of a series' forecast, which differs from the alert of the series."""
    return blake2b(f"{FORECAST}\0{series_id}".encode(), digest_size=8).hexdigest()
