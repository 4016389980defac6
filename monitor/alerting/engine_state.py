"""The state of the alert engine that survives a restart, with the changes that are not stored yet.

The state is stored in rows whose keys begin with a kind: `alert/` for the last notice of an alert, `states/`
for the states of a series' rules, `group/` for the alerts that a receiver was notified of, `account/` for the
id of a configured account. The row `judged` has the last evaluated minute.
"""

import re
from collections.abc import Iterable, Mapping

import msgspec
import numpy as np

from collectors.registry import Registry
from monitor.alerting.groups import GroupKey, NotificationGroup
from monitor.alerting.inhibit import is_blind, is_forecast
from monitor.alerting.lifecycle import Lifecycle
from monitor.alerting.notice_builder import key_of
from monitor.alerting.notification_plan import PlannedGroup
from monitor.alerting.state_store import AlertStateStore
from monitor.alerting.tables import STATES
from monitor.aws.status import AccountStatus
from monitor.lib.account_ids import ACCOUNT_ID
from monitor.lib.text import replace_surrogates
from monitor.notifiers.notice import Notice
from rules.band import ZONES

# The kinds of keys; the last is a whole key.
ALERT, ALERT_STATES, GROUP, ACCOUNT, EVALUATED_UNTIL = "alert/", "states/", "group/", "account/", "judged"
ALERT_ID = re.compile("[0-9a-f]{16}")  # the id of an alert
# msgspec's errors are ValueErrors.
UNUSABLE_STATE_ERRORS = (ValueError, LookupError, OverflowError, RecursionError)


class EngineState:
    """The state of the alert engine.

    alerts: the last notice of each alert that fires, or whose end a receiver must still be notified of.
    An alert on a signal has the id of its series. groups: the alerts that each receiver was notified of, by
    group. alert_states: the stored states of the rules of series that have not been found since the start, by
    the series' id as a number. evaluated_until: the last minute evaluated by an earlier process; None if
    there was none. account_ids: the ids of configured accounts by name. They are stored because AWS does not
    return the id of an inaccessible account.
    """

    def __init__(self, store: AlertStateStore, registry: Registry) -> None:
        saved = _load(store, registry)
        alerts = (msgspec.json.decode(value, type=Notice) for value in _saved_of_kind(saved, ALERT).values())
        groups = (
            msgspec.json.decode(value, type=NotificationGroup)
            for value in _saved_of_kind(saved, GROUP).values()
        )
        self.alerts = {notice.alert: notice for notice in alerts}
        self.groups = {group.key: group for group in groups}
        self.alert_states = {
            int(series_id, 16): value for series_id, value in _saved_of_kind(saved, ALERT_STATES).items()
        }
        self.account_ids = {name: value.decode() for name, value in _saved_of_kind(saved, ACCOUNT).items()}
        self.evaluated_until = int(saved[EVALUATED_UNTIL]) if EVALUATED_UNTIL in saved else None
        self._changes: dict[str, bytes | None] = {}
        self._notices: list[Notice] = []

    def blind_alerts(self) -> list[Notice]:
        """Return the last notices of the firing alerts of blind spots."""
        return [notice for notice in self.alerts.values() if is_blind(notice) and notice.firing]

    def series_alerts(self) -> list[Notice]:
        """Return the last notices of all alerts except those of blind spots and forecasts."""
        return [notice for notice in self.alerts.values() if not (is_blind(notice) or is_forecast(notice))]

    def forecast_alerts(self) -> list[Notice]:
        """Return the last notices of the firing alerts of forecasts."""
        return [notice for notice in self.alerts.values() if is_forecast(notice) and notice.firing]

    def record(self, notice: Notice) -> None:
        """Store a new notice as the last notice of its alert, and add it to the history."""
        self.alerts[notice.alert] = notice
        self._notices.append(notice)
        self._changes[ALERT + notice.alert] = msgspec.json.encode(notice)

    def update_accounts(self, accounts: Iterable[AccountStatus]) -> None:
        """Store the ids of the configured accounts, and delete the ids of other accounts."""
        ids_by_name = {replace_surrogates(status.name): status.account for status in accounts}
        for name in self.account_ids.keys() - ids_by_name.keys():
            del self.account_ids[name]
            self._changes[ACCOUNT + name] = None
        for name, account in ids_by_name.items():
            if account and self.account_ids.get(name) != account:
                self.account_ids[name] = account
                self._changes[ACCOUNT + name] = account.encode()

    def save_alert_states(self, series_id: str, saved: bytes | None) -> None:
        """Store the states of a series' rules; None if all of them are inactive."""
        self._changes[ALERT_STATES + series_id] = saved

    def forget_alert_states(self, series_id: str) -> None:
        """Delete the stored states of a series' rules, even if the series was not found since the start."""
        self.alert_states.pop(int(series_id, 16), None)
        self._changes[ALERT_STATES + series_id] = None

    def update_groups(self, planned: Iterable[PlannedGroup]) -> None:
        """Store, before sending, the state that each group will have after its planned notifications.

        Alerts that ended are deleted as soon as no receiver must be notified of their end any more.
        """
        still_needed: set[str] = set()
        for decision, statuses in planned:
            still_needed |= {status.notice.alert for status in statuses} - set(decision.finished)
            self._update_group(decision.group)
        for alert in [notice.alert for notice in self.alerts.values() if not notice.firing]:
            if alert not in still_needed:
                del self.alerts[alert]
                self._changes[ALERT + alert] = None

    def _update_group(self, group: NotificationGroup) -> None:
        previous = self.groups.get(group.key)
        if group != previous and (group.notified or previous):
            self._changes[GROUP + _group_name(group.key)] = (
                msgspec.json.encode(group) if group.notified else None
            )
        if group.notified:
            self.groups[group.key] = group
        else:
            self.groups.pop(group.key, None)

    def take_changes(self) -> tuple[dict[str, bytes | None], list[Notice]]:
        """Return the states that changed and the notices recorded since the last call."""
        changes, notices = self._changes, self._notices
        self._changes, self._notices = {}, []
        return changes, notices


def _load(store: AlertStateStore, registry: Registry) -> dict[str, bytes]:
    """Return the stored states; unusable ones are moved to `unusable_rows`."""
    saved = {}
    for key, state in [*store.rows_of(STATES).items()]:
        try:
            _check(state.key, state.value, registry)
        except UNUSABLE_STATE_ERRORS as error:
            store.move_to_unusable(STATES, key, error)
        else:
            saved[state.key] = state.value
    return saved


def _saved_of_kind(saved: Mapping[str, bytes], kind: str) -> dict[str, bytes]:
    """Return the states of one kind, by their keys without the kind."""
    return {key.removeprefix(kind): value for key, value in saved.items() if key.startswith(kind)}


def _group_name(key: GroupKey) -> str:
    return msgspec.json.encode(key).decode()


def _check(key: str, value: bytes, registry: Registry) -> None:
    """Raise one of UNUSABLE_STATE_ERRORS when a state does not fit its key."""
    kind, slash, name = key.partition("/")
    kind += slash
    if kind in (ALERT, ALERT_STATES) and not ALERT_ID.fullmatch(name):
        raise ValueError("its key is not the id of an alert")
    if kind == ACCOUNT and not ACCOUNT_ID.fullmatch(value.decode()):
        raise ValueError("it is not the id of an account")
    if kind == EVALUATED_UNTIL:
        np.array(int(value), np.int32)
    elif kind == ALERT_STATES:
        Lifecycle.check(value)
    elif kind == ALERT:
        _check_notice(msgspec.json.decode(value, type=Notice), name, registry)
    elif kind == GROUP and _group_name(msgspec.json.decode(value, type=NotificationGroup).key) != name:
        raise ValueError("its key names another group")


def _check_notice(notice: Notice, alert: str, registry: Registry) -> None:
    if notice.alert != alert:
        raise ValueError("its key names another alert")
    if not is_blind(notice):
        key = key_of(notice)
        # Both lookups raise an error for an unknown name.
        _ = registry.signal(key.service, key.signal), is_forecast(notice) or ZONES[notice.zone]
