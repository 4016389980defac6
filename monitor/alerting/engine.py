"""The alert engine: six stages that lead from samples and failed reads to stored notifications.

1. `restore` ends alerts whose series no longer exist, and continues the alerts of earlier processes.
2. `evaluate` steps the alert states with new samples, and records a notice of each change.
3. `forecast_alerts` records notices of series that will probably reach their limits.
4. `observe` records notices of blind spots, which are resources and metrics that cannot be read.
5. `plan` decides which receivers are notified of which alerts now.
6. `persist` stores all of it in one transaction, and hands the notifications to the delivery.

Stages 5 and 6 also run between evaluations, whenever something may be due. A run that fails or is cancelled
keeps its results so far, and the next run continues.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

import numpy as np

from monitor.alerting.delivery import Delivery
from monitor.alerting.engine_state import EVALUATED_UNTIL, EngineState
from monitor.alerting.evaluate import Evaluator
from monitor.alerting.forecast_alerts import ForecastAlerts
from monitor.alerting.lifecycle import Lifecycle, batch_minutes
from monitor.alerting.notice_builder import NoticeBuilder
from monitor.alerting.notification_plan import NotificationPlanner, PlannedGroup
from monitor.alerting.observe import Observer
from monitor.alerting.records import Acknowledgement, PendingNotice, Silence
from monitor.alerting.restore import Restorer
from monitor.alerting.routes import RoutedReceiver, Router
from monitor.alerting.settings import AlertingSettings
from monitor.alerting.silences import Silences
from monitor.alerting.state_store import AlertStateStore
from monitor.aws.status import MonitorStatus
from monitor.fleet.fleet import Fleet
from monitor.fleet.snapshot import ActiveAlert
from monitor.lib.cooperative import cooperative_iter, snapshot_batches
from monitor.lib.errors import HeadroomError
from monitor.notifiers.notice import Notice, NoticeKind
from rules.arrays import Ints

MAX_SLEEP = 60.0  # seconds; short, because notifications become due earlier if the clock is set forward
MAX_PLANNED_WITHOUT_THREAD = 20  # alerts and groups; planning so few on the event loop is faster
MIN_SLEEP = 0.5  # seconds; notifications that become due within this time are planned together


class NotFiringError(HeadroomError, LookupError):
    """No alert with this id fires."""


class AlertEngine:
    """The alerts of a fleet.

    registry: the known services and signals. silences: silences and acknowledgements. notice_builder: builds
    the notices.
    """

    def __init__(
        self,
        fleet: Fleet,
        store: AlertStateStore,
        delivery: Delivery,
        settings: AlertingSettings,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.registry, self._delivery, self._now = settings.registry, delivery, now
        self._state = EngineState(store, settings.registry)
        self.silences = Silences(store)
        lifecycle = Lifecycle(fleet, self._evaluated_until())
        self.notice_builder = NoticeBuilder(fleet, lifecycle, settings, self._highest_number(store))
        self._lifecycle = lifecycle
        self._restorer = Restorer(fleet, lifecycle, self._state)
        self._evaluator = Evaluator(fleet, lifecycle, self.notice_builder, self._state)
        self._forecasts = ForecastAlerts(fleet, self.notice_builder, self._state)
        self._observer = Observer(self.notice_builder, self._state, now())
        self.wake = asyncio.Event()  # set to plan notifications at once
        self._next_due: float | None = None
        self._is_all_read = False  # true once everything was read, so that every series was evaluated
        self._run_lock = asyncio.Lock()
        self.configure(settings)

    def configure(self, settings: AlertingSettings) -> None:
        """Apply new settings. The observation of blind spots starts again, as all reads do."""
        self.notice_builder.settings = settings
        self._lifecycle.max_batch_minutes = batch_minutes(settings.poll_interval)
        receivers = settings.receivers
        self._planner = NotificationPlanner(
            Router(settings.route, [receiver.name for receiver in receivers], settings.windows),
            {receiver.name: receiver.keepalive for receiver in receivers if receiver.keepalive},
            self.silences,
            settings.registry,
        )
        self._observer.started_at = self._now()
        self._evaluator.renew_notices()
        self.wake.set()

    @property
    def alerts(self) -> dict[str, Notice]:
        """The last notice of each alert that fires, or whose end must still be notified, by id."""
        return self._state.alerts

    def firing_notice(self, alert_id: str) -> Notice:
        """Return the last notice of a firing alert. Raises NotFiringError when it does not fire."""
        notice = self.alerts.get(alert_id)
        if notice is None or not notice.firing:
            raise NotFiringError(f"no alert with the id {alert_id} fires")
        return notice

    def notified_receivers(self) -> dict[str, set[str]]:
        """Return the receivers that were notified of each firing alert, by the id of the alert."""
        receivers: dict[str, set[str]] = {}
        for group in self._state.groups.values():
            for alert in group.notified:
                receivers.setdefault(alert, set()).add(group.receiver)
        return receivers

    def routes_of(self, notice: Notice) -> Sequence[RoutedReceiver]:
        """Return the receivers to which the routes lead an alert now."""
        return self._planner.router.route(notice.labels, self._now())

    def active_alerts(self) -> list[ActiveAlert]:
        """Return the pending and firing alerts of series: one for each series, of its worst rule."""
        return self._evaluator.active_alerts()

    def active_slots(self) -> Ints:
        """Return the slots of all series on which an alert is pending or fires."""
        return self._lifecycle.active_slots()

    def blind_places(self) -> dict[tuple[str, ...], float]:
        """Return how many places are affected by each firing blind spot, by account and cause."""
        firing = self._state.blind_alerts()
        return {
            (notice.labels["account"], notice.labels.get("cause", "")): float(notice.places)
            for notice in firing
        }

    async def acknowledge(self, acknowledgement: Acknowledgement) -> Acknowledgement:
        """Store an acknowledgement, and plan notifications at once. Raises InvalidInputError."""
        stored = await self.silences.acknowledge(acknowledgement)
        self.wake.set()
        return stored

    async def acknowledge_new(
        self, acknowledgements: Iterable[Acknowledgement]
    ) -> tuple[list[Acknowledgement], list[Acknowledgement]]:
        """Store acknowledgements, except where others have acknowledged, and plan notifications at once.

        Return those stored, and the earlier ones that stay; see `Silences.acknowledge_new`.
        """
        stored_and_earlier = await self.silences.acknowledge_new(acknowledgements)
        self.wake.set()
        return stored_and_earlier

    async def unacknowledge(
        self, should_undo: Callable[[Acknowledgement], bool], now: float
    ) -> list[Acknowledgement]:
        """Remove acknowledgements as `Silences.unacknowledge` does, and plan notifications at once."""
        removed = await self.silences.unacknowledge(should_undo, now)
        self.wake.set()
        return removed

    async def silence(self, silence: Silence, now: float) -> Silence:
        """Store a silence under a new id, and plan notifications at once.

        Raises InvalidInputError and MatcherError.
        """
        stored = await self.silences.add(silence, now)
        self.wake.set()
        return stored

    async def end_silence(self, silence_id: str) -> Silence:
        """End the silence with this id, and plan notifications at once. Raises KeyError if there is none."""
        ended = await self.silences.end(silence_id)
        self.wake.set()
        return ended

    async def process(self, status: MonitorStatus, account_names: Mapping[str, str]) -> None:
        """Run all stages, after the fleet was judged. account_names: by 12-digit id."""
        async with self._run_lock:
            now, self._is_all_read = self._now(), not status.pending
            self._evaluator.name_accounts(account_names)
            await self._restore(status, now)
            await self._evaluator.evaluate(now)
            await self._forecasts.update(status, now)
            self._observer.observe(status, now)
            await self._notify(now)
            await self.silences.expire(
                now, [notice.alert for notice in self.alerts.values() if notice.firing]
            )

    async def run(self) -> None:
        """Plan and persist what becomes due between evaluations, until cancelled."""
        while True:
            self.wake.clear()
            async with self._run_lock:
                await self._notify(self._now())
            wait = MAX_SLEEP if self._next_due is None else self._next_due - self._now()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(max(wait, MIN_SLEEP), MAX_SLEEP)):
                    await self.wake.wait()

    def _evaluated_until(self) -> int:
        """Return the last minute that an earlier process evaluated; the present minute without one."""
        minute = int(self._now() // 60)
        return minute if self._state.evaluated_until is None else min(self._state.evaluated_until, minute)

    def _highest_number(self, store: AlertStateStore) -> int:
        """Return the highest number of all notices, including last notices that the history no longer has."""
        return max([store.number, *(notice.number for notice in self.alerts.values())])

    async def _restore(self, status: MonitorStatus, now: float) -> None:
        services = self.notice_builder.settings.services
        departed = self._evaluator.remove_departed()
        self._forecasts.end_departed(departed, status.departed_accounts, now)
        for alert in [
            *departed,
            *self._restorer.alerts_without_series(status, services),
        ]:
            self._evaluator.end(alert, now, status.departed_accounts)
        async for slot in self._restorer.resume(status):
            self._evaluator.mark_changed(slot)

    async def _notify(self, now: float) -> None:
        planned = await self._plan(now)
        pending = await self._pending_notices(planned, now)
        await self._persist(planned, pending, now)

    async def _plan(self, now: float) -> list[PlannedGroup]:
        alerts, groups = dict(self._state.alerts), dict(self._state.groups)
        if len(alerts) + len(groups) <= MAX_PLANNED_WITHOUT_THREAD:
            return self._planner.plan(alerts, groups, now)
        return await asyncio.to_thread(self._planner.plan, alerts, groups, now)

    async def _pending_notices(self, planned: Iterable[PlannedGroup], now: float) -> list[PendingNotice]:
        """Return the notices that receivers get. Repeated notices are rebuilt with the present usage."""
        pending = []
        for batch in snapshot_batches(
            (plan.decision.group, planned_notice)
            for plan in planned
            for planned_notice in plan.decision.notices
        ):
            repeated = [
                planned_notice.notice
                for _, planned_notice in batch
                if planned_notice.notice.kind is NoticeKind.REPEATED
            ]
            series = self.notice_builder.series_of(repeated)
            slots = np.array([each.slot for each in series.values()], np.int32)
            trends = self.notice_builder.trends(slots)
            async for group, (last, reason) in cooperative_iter(batch):
                notice = last
                if last.kind is NoticeKind.REPEATED:
                    notice = self.notice_builder.repeated_notice(last, series.get(last.alert), now, trends)
                pending.append(
                    PendingNotice(
                        receiver=group.receiver,
                        group=dict(group.labels),
                        due=now,
                        notice=notice,
                        reason=reason,
                    )
                )
        return pending

    async def _persist(
        self, planned: Sequence[PlannedGroup], pending: Sequence[PendingNotice], now: float
    ) -> None:
        """Store the changed states, the new notices and the pending notices, in one transaction."""
        self._state.update_groups(planned)
        due = (group.decision.next_due for group in planned if group.decision.next_due is not None)
        self._next_due = min(due, default=None)
        changes, notices = self._state.take_changes()
        if changes or pending:
            if self._is_all_read:
                changes[EVALUATED_UNTIL] = b"%d" % (now // 60)
            await self._delivery.commit(changes, notices, pending)
