"""The stage `restore` of the alert engine: continues earlier alerts once their series are found."""

from collections.abc import AsyncIterator, Container

import numpy as np

from monitor.alerting.engine_state import EngineState
from monitor.alerting.lifecycle import Lifecycle
from monitor.alerting.notice_builder import key_of
from monitor.aws.status import MonitorStatus
from monitor.fleet.fleet import Fleet
from monitor.lib.cooperative import cooperative_iter


class Restorer:
    """Matches stored alerts and alert states with the series of the fleet, until all are matched."""

    def __init__(self, fleet: Fleet, lifecycle: Lifecycle, state: EngineState) -> None:
        self._fleet, self._lifecycle, self._state = fleet, lifecycle, state
        self._unmatched = {notice.alert for notice in state.series_alerts()}
        self._fleet_version = -1  # the version of the fleet that was last searched

    def alerts_without_series(self, status: MonitorStatus, services: Container[str]) -> list[str]:
        """Return the alerts of earlier processes whose series no longer exist, each alert once.

        A series no longer exists if all lists of its service succeeded and lack its resource, or if its
        service, region or account is no longer monitored. services: the monitored services.
        """
        lost_alerts = []
        for alert in tuple(self._unmatched):
            notice = self._state.alerts.get(alert)
            if notice is None or (key := key_of(notice)) in self._fleet.series:
                self._unmatched.discard(alert)
            elif status.shows_deletion_of(key.subject, notice.labels) or status.is_unmonitored(
                notice.labels, services
            ):
                self._unmatched.discard(alert)
                lost_alerts.append(alert)
        return lost_alerts

    async def resume(self, status: MonitorStatus) -> AsyncIterator[int]:
        """Restore the stored alert states of series that the fleet has, and yield the slots of these series.

        Once every service of every cell had an inventory (`MonitorStatus.is_complete`), the states of series
        that the fleet does not have are deleted.
        """
        saved_states = self._state.alert_states
        is_fleet_searched = self._fleet_version == self._fleet.version
        if not saved_states or (is_fleet_searched and not status.is_complete):
            return
        self._fleet_version = self._fleet.version
        saved_ids = np.array(sorted(saved_states), np.uint64)
        fleet_ids = self._fleet.id[: self._fleet.size]
        # The position in `saved_ids` of each of the fleet's ids, if the id is saved.
        positions = np.searchsorted(saved_ids, fleet_ids)
        is_saved = saved_ids[np.minimum(positions, saved_ids.size - 1)] == fleet_ids
        async for slot in cooperative_iter(np.flatnonzero(is_saved).tolist()):
            if states := saved_states.pop(int(self._fleet.id[slot]), None):
                self._lifecycle.restore(slot, states)
                yield slot
        if status.is_complete:
            for saved_id in tuple(saved_states):
                self._state.forget_alert_states(f"{saved_id:016x}")
