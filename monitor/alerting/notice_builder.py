"""Builds the notice of an alert when it begins, worsens, eases, is repeated or ends."""

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from monitor.alerting import series_notices
from monitor.alerting.inhibit import is_blind, is_forecast
from monitor.alerting.lifecycle import Lifecycle
from monitor.alerting.series_notices import NoticeDetails
from monitor.alerting.settings import AlertingSettings
from monitor.alerting.trend import Trend, find_trends
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.history import usage_histories
from monitor.fleet.key import Key
from monitor.fleet.rows import Row, row_of
from monitor.lib.text import replace_surrogates
from monitor.notifiers.notice import Notice, NoticeKind, Severity, resource_of
from monitor.schema.selector import SelectorLabels
from rules.alert_rules import Rule
from rules.alerts import AlertState
from rules.arrays import Ints
from rules.band import ZONES, Zone

RESOURCE_GONE = "the resource no longer exists"
SWITCHED_OFF = "the configuration switches the alert off"

Trends = Mapping[int, Trend | None]  # by slot
AlertLevel = tuple[Severity, Zone]


class BreachedRule(NamedTuple):
    """A rule on a series, the severity of its alert, and when the breach began, in epoch seconds."""

    severity: Severity
    rule: Rule
    since: int


class NoticeBuilder:
    """Builds the notices of a fleet's alerts, and numbers them from `number` + 1.

    account_names: the names of accounts, by 12-digit id.
    """

    def __init__(
        self,
        fleet: Fleet,
        lifecycle: Lifecycle,
        settings: AlertingSettings,
        number: int,
        account_names: Mapping[str, str] | None = None,
    ) -> None:
        self.settings, self.account_names = settings, account_names or {}
        self._fleet, self._lifecycle = fleet, lifecycle
        self._numbers = count(number + 1)

    def next_number(self) -> int:
        """Return the number of the next notice."""
        return next(self._numbers)

    def worst_rule(self, series: Series, state: AlertState) -> BreachedRule | None:
        """Return the worst rule whose alert on a series is in `state`, or None.

        Rules whose alert the configuration switches off are left out.
        """
        for rule, since in self._lifecycle.rules_in_state(series.slot, state):
            if severity := self.severity_of(series, rule):
                return BreachedRule(severity, rule, since * 60)
        return None

    def severity_of(self, series: Series, rule: Rule) -> Severity | None:
        """Return the severity of a rule's alert on a series, or None if the alert is switched off."""
        account_name = self.account_names.get(series.key.account, "")
        labels = SelectorLabels(**series.key.labels, account_name=account_name)
        severity = self.settings.severity_of(labels, rule)
        if severity and series.settings.signal.unverified and not self._fleet.has_answered(series.slot):
            return Severity.INFO
        return severity

    def trends(self, slots: Ints) -> Trends:
        """Return the trend of the usage of each series, by slot. One call for many series is much faster."""
        return dict(zip(slots.tolist(), find_trends(*usage_histories(self._fleet, slots)), strict=True))

    def series_of(self, notices: Iterable[Notice]) -> dict[str, Series]:
        """Return the series of alerts, by alert id. Series that left the fleet are left out."""
        keys = ((notice.alert, key_of(notice)) for notice in notices if not is_blind(notice))
        return {alert: series for alert, key in keys if (series := self._fleet.series.get(key))}

    def transition_notice(
        self,
        series: Series,
        last_notice: Notice | None,
        worst: BreachedRule | None,
        at: float,
        trend: Trend | None,
    ) -> Notice | None:
        """Return the notice of a change of a series' alert, or None if the alert did not change.

        last_notice: of the alert; None if it has none. worst: the worst rule that fires now. trend: the
        usage's trend, if a rule fires.
        """
        firing = last_notice if last_notice and last_notice.firing else None
        if worst is None:
            return self._resolved_notice(series, firing, at) if firing else None
        severity, rule, since = worst
        zone = ZONES[rule.word]
        earlier_level = (firing.severity, ZONES[firing.zone]) if firing else None
        kind = kind_of_change(earlier_level, (severity, zone))
        if kind is None:
            return None
        began_at = firing.since if firing else since
        fields = {"number": self.next_number(), "severity": severity, "zone": zone, "since": began_at}
        return self._series_notice(series, self._details(series, kind, at, **fields), trend)

    def repeated_notice(
        self, last_notice: Notice, series: Series | None, at: float, trends: Trends
    ) -> Notice:
        """Return the notice that repeats an unchanged alert, with the present usage if it has a series.

        last_notice: the alert's last notice.
        """
        if series is None or self._fleet.by_slot[series.slot] is None or is_forecast(last_notice):
            return replace(last_notice, number=self.next_number(), at=at)
        fields = {
            "severity": last_notice.severity,
            "zone": ZONES[last_notice.zone],
            "since": last_notice.since,
        }
        details = self._details(series, NoticeKind.REPEATED, at, number=self.next_number(), **fields)
        return self._series_notice(series, details, trends.get(series.slot))

    def preview(self, series: Series, at: float) -> Notice | None:
        """Return the notice that a pending alert would have if it fired at `at`. The notice's number is 0.

        Returns None if no alert of the series is pending.
        """
        worst = self.worst_rule(series, AlertState.PENDING)
        if worst is None:
            return None
        severity, rule, since = worst
        fields = {"number": 0, "severity": severity, "zone": ZONES[rule.word], "since": since}
        trend = self.trends(np.array([series.slot], np.int32))[series.slot]
        return self._series_notice(series, self._details(series, NoticeKind.FIRING, at, **fields), trend)

    def departed_notice(self, last_notice: Notice, at: float, departed_accounts: Mapping[str, str]) -> Notice:
        """Return the notice of the end of an alert whose series left the fleet; see `departed_reason`."""
        return self._ended_notice(
            key_of(last_notice), last_notice, at, departed_reason(departed_accounts, last_notice)
        )

    def _ended_notice(self, key: Key, last_notice: Notice, at: float, reason: str) -> Notice:
        return replace(
            last_notice,
            number=self.next_number(),
            kind=NoticeKind.RESOLVED,
            summary=series_notices.ended_summary(key, last_notice, at, reason, self.settings.registry),
            at=at,
            resolution_reason=reason,
        )

    def _resolved_notice(self, series: Series, last_notice: Notice, at: float) -> Notice:
        if self._lifecycle.rules_in_state(series.slot, AlertState.FIRING):
            return self._ended_notice(series.key, last_notice, at, SWITCHED_OFF)
        row = row_of(self._fleet, series)
        fields = {"number": self.next_number(), "severity": last_notice.severity, "since": last_notice.since}
        zone, reason = max(row.zone, Zone.BELOW), self._limit_change(series.slot, row, last_notice)
        details = self._details(
            series, NoticeKind.RESOLVED, at, zone=zone, resolution_reason=reason, **fields
        )
        return series_notices.series_notice(row, details, self.settings.registry)

    def _limit_change(self, slot: int, row: Row, last_notice: Notice) -> str:
        """Return how the limit changed, if the alert would keep firing with the former limit; else ""."""
        if row.usage is None or not last_notice.limit:
            return ""
        if not self._lifecycle.would_stay(
            slot, Rule[last_notice.zone.upper()], row.usage / last_notice.limit
        ):
            return ""
        return series_notices.limit_change(last_notice.limit, row.limit, row.unit)

    def _series_notice(self, series: Series, details: NoticeDetails, trend: Trend | None) -> Notice:
        return series_notices.series_notice(
            row_of(self._fleet, series), details, self.settings.registry, trend
        )

    def _details(self, series: Series, kind: NoticeKind, at: float, **fields: Any) -> NoticeDetails:
        return NoticeDetails(
            alert=series.key.id,
            kind=kind,
            at=at,
            account_name=self.account_names.get(series.key.account, ""),
            tags={
                replace_surrogates(name): replace_surrogates(tag)
                for name, tag in series.settings.tags.items()
            },
            links=self.settings.links.for_series(series.key, self.settings.registry, series.aws_region),
            **fields,
        )


def key_of(notice: Notice) -> Key:
    """Return the key of the series of an alert."""
    labels = notice.labels
    identifying_labels = labels["account"], labels["region"], labels["service"], labels["signal"]
    return Key(*identifying_labels, resource_of(notice))


def departed_reason(departed_accounts: Mapping[str, str], last_notice: Notice) -> str:
    """Return why an alert ended when its series left the fleet.

    departed_accounts: why whole accounts are no longer watched, as phrases after "its account", by id.
    """
    account_reason = departed_accounts.get(last_notice.labels["account"], "")
    return f"its account {account_reason}" if account_reason else RESOURCE_GONE


def kind_of_change(last_level: AlertLevel | None, level: AlertLevel) -> NoticeKind | None:
    """Return the kind of change of a firing alert since its last notice, or None if its level is the same.

    last_level: the level in the last notice; None if the alert did not fire then. level: the level now.
    """
    if last_level is None:
        return NoticeKind.FIRING
    last_rank, rank = _level_rank(last_level), _level_rank(level)
    if last_rank == rank:
        return None
    return NoticeKind.WORSENED if rank > last_rank else NoticeKind.EASED


def _level_rank(level: AlertLevel) -> tuple[int, Zone]:
    severity, zone = level
    return severity.rank, zone
