"""The stage `evaluate` of the alert engine: updates alert states by new samples, and records notices."""

import asyncio
from collections.abc import Mapping
from time import perf_counter
from typing import NamedTuple

import numpy as np

from monitor.alerting.engine_state import EngineState
from monitor.alerting.lifecycle import Lifecycle
from monitor.alerting.notice_builder import NoticeBuilder, key_of
from monitor.alerting.trend import Trend
from monitor.fleet.fleet import Fleet
from monitor.fleet.snapshot import ActiveAlert
from monitor.lib.cooperative import YIELD_INTERVAL, cooperative_iter, snapshot_batches
from monitor.lib.text import replace_surrogates
from rules.alert_rules import Rule, Severity
from rules.alerts import AlertState
from rules.arrays import Ints, distinct_values

EVALUATION_BATCH = 2048  # series evaluated before other tasks get a turn


class ExportedAlert(NamedTuple):
    """The exported alert of a series: of its worst firing rule, or else of its worst pending rule."""

    id: str
    rule: Rule
    severity: Severity
    state: AlertState


class Evaluator:
    """Updates the alert states of a fleet, and records notices.

    If a call of `evaluate` is cancelled, the next call continues where it stopped.
    """

    def __init__(
        self, fleet: Fleet, lifecycle: Lifecycle, notice_builder: NoticeBuilder, state: EngineState
    ) -> None:
        self._fleet, self._lifecycle, self._notice_builder = fleet, lifecycle, notice_builder
        self._state = state
        self._exported_alerts: dict[int, ExportedAlert] = {}  # by slot
        self._unevaluated_slots: Ints = np.empty(0, np.int32)  # slots with new samples
        self._changed_slots: dict[int, None] = {}  # slots whose notices may have to change, in order
        self._must_renew_notices = True

    def renew_notices(self) -> None:
        """Let the next `evaluate` check whether any alert needs a new notice, as after a reload."""
        self._must_renew_notices = True

    def name_accounts(self, names: Mapping[str, str]) -> None:
        """Set the names of accounts, by id, which notices show and overrides match."""
        storable = {account: replace_surrogates(name) for account, name in names.items()}
        if storable != self._notice_builder.account_names:
            self._notice_builder.account_names = storable
            self.renew_notices()

    def mark_changed(self, slot: int) -> None:
        """Let the next `evaluate` check whether the series in a slot needs a new notice."""
        self._changed_slots[slot] = None

    def remove_departed(self) -> list[str]:
        """Forget the series that left the fleet, and return their ids, which their alerts have, too."""
        departed_series = self._fleet.reclaim()
        if departed_series:
            self._lifecycle.forget(departed_series)
        for series in departed_series:
            self._exported_alerts.pop(series.slot, None)
        return [series.key.id for series in departed_series]

    def end(self, alert: str, now: float, departed_accounts: Mapping[str, str]) -> None:
        """Delete the alert states of a series that left the fleet. If its alert fires, record its resolution.

        alert: the id of the series. now: epoch seconds. departed_accounts: why accounts are no longer
        monitored, by id.
        """
        self._state.forget_alert_states(alert)
        last_notice = self._state.alerts.get(alert)
        if last_notice and last_notice.firing:
            self._state.record(self._notice_builder.departed_notice(last_notice, now, departed_accounts))

    async def evaluate(self, now: float) -> None:
        """Evaluate new samples and changed limits, and record the notices. now: epoch seconds."""
        self._unevaluated_slots = self._with_updated(self._unevaluated_slots)
        await asyncio.sleep(0)
        for slots in self._lifecycle.reevaluate_changed_in_parts():
            self._save(slots)
            await asyncio.sleep(0)
        while self._unevaluated_slots.size:
            batch = self._unevaluated_slots[:EVALUATION_BATCH]
            self._save(await self._advance(batch))
            self._unevaluated_slots = self._unevaluated_slots[EVALUATION_BATCH:]
            await asyncio.sleep(0)
        await self._record_notices(now)

    def _with_updated(self, slots: Ints) -> Ints:
        """Return these slots and the slots with new samples, in ascending order."""
        is_unevaluated = np.zeros(self._fleet.size, np.bool_)
        is_unevaluated[slots] = True
        is_unevaluated[self._fleet.take_updated()] = True
        return np.flatnonzero(is_unevaluated).astype(np.int32)

    async def _advance(self, batch: Ints) -> Ints:
        """Evaluate series, and return the slots of the series whose alerts changed state.

        All states change after the last part. Nothing is awaited from then on, so that no change is lost.
        """
        changed, started_at = [batch[:0]], perf_counter()
        for slots in self._lifecycle.advance_in_parts(batch):
            changed.append(slots)
            if perf_counter() - started_at > YIELD_INTERVAL:
                await asyncio.sleep(0)
                started_at = perf_counter()
        return distinct_values(np.concatenate(changed))

    def active_alerts(self) -> list[ActiveAlert]:
        """Return the pending and firing alerts: one for each series, of its worst rule."""
        return [
            ActiveAlert(slot, exported.severity.value, int(exported.state), self._started_at(slot, exported))
            for slot, exported in self._exported_alerts.items()
        ]

    def _started_at(self, slot: int, exported: ExportedAlert) -> int:
        """Return when the breach of an alert began, in epoch seconds."""
        notice = self._state.alerts.get(exported.id) if exported.state is AlertState.FIRING else None
        return int(notice.since) if notice else self._lifecycle.breach_minute(slot, exported.rule) * 60

    def _save(self, slots: Ints) -> None:
        """Store the changed alert states of the series in these slots."""
        self._changed_slots |= dict.fromkeys(slots.tolist())
        for slot, saved in self._lifecycle.save(slots).items():
            if series := self._fleet.by_slot[slot]:
                self._state.save_alert_states(series.key.id, saved)

    async def _record_notices(self, now: float) -> None:
        if self._must_renew_notices:
            alerted_series = (
                self._fleet.series.get(key_of(notice)) for notice in self._state.series_alerts()
            )
            self._changed_slots |= {series.slot: None for series in alerted_series if series}
            self._changed_slots |= dict.fromkeys(self._lifecycle.active_slots().tolist())
            self._must_renew_notices = False
        for batch in snapshot_batches(self._changed_slots):
            trends = self._notice_builder.trends(self._lifecycle.firing_slots(np.array(batch, np.int32)))
            async for slot in cooperative_iter(batch):
                self._record_notice(slot, now, trends.get(slot))
                del self._changed_slots[slot]

    def _record_notice(self, slot: int, now: float, trend: Trend | None) -> None:
        """Update the exported alert of a series, and record a notice if its alert changed."""
        series = self._fleet.by_slot[slot]
        self._exported_alerts.pop(slot, None)
        if series is None:
            return
        last_notice = self._state.alerts.get(series.key.id)
        firing_rule = self._notice_builder.worst_rule(series, AlertState.FIRING)
        if notice := self._notice_builder.transition_notice(series, last_notice, firing_rule, now, trend):
            self._state.record(notice)
        state = AlertState.FIRING if firing_rule else AlertState.PENDING
        if worst_rule := firing_rule or self._notice_builder.worst_rule(series, state):
            self._exported_alerts[slot] = ExportedAlert(
                series.key.id, worst_rule.rule, worst_rule.severity, state
            )
