"""The stage `observe` of the alert engine: records notices of blind spots, and logs their begin and end."""

import logging

from monitor.alerting.blind_alerts import BlindAlerts
from monitor.alerting.engine_state import EngineState
from monitor.alerting.notice_builder import NoticeBuilder
from monitor.alerting.visibility import observation_targets
from monitor.aws.status import MonitorStatus
from monitor.lib.text import escape_unprintable
from monitor.notifiers.notice import NoticeKind

log = logging.getLogger(__name__)


class Observer:
    """Records notices of blind spots. started_at: when Headroom began to observe AWS, in epoch seconds."""

    def __init__(self, notice_builder: NoticeBuilder, state: EngineState, started_at: float) -> None:
        self._notice_builder, self._state, self.started_at = notice_builder, state, started_at
        self._blind_alerts = BlindAlerts(notice_builder.settings.registry, notice_builder.next_number)

    def observe(self, status: MonitorStatus, now: float) -> None:
        """Record the notices of blind spots that begin, change or end. now: epoch seconds."""
        settings = self._notice_builder.settings
        self._state.update_accounts(status.accounts)
        targets = list(
            observation_targets(
                status,
                self.started_at,
                (settings.inventory_interval, settings.poll_interval),
                self._state.account_ids,
            )
        )
        firing = {notice.alert: notice for notice in self._state.blind_alerts()}
        for notice in self._blind_alerts.update(
            status, targets, firing, now, settings.links.for_blind_spots()
        ):
            if notice.alert not in firing or notice.kind is NoticeKind.RESOLVED:
                log.warning("%s", escape_unprintable(notice.summary))
            self._state.record(notice)
