"""Alerts as rows: the tab of each alert, the order of the rows, their words and the notified receivers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from collectors.registry import Registry
from monitor.alerting.alert_receivers import AlertReceiver, AlertReceivers
from monitor.alerting.engine import AlertEngine
from monitor.alerting.firing_alerts import FiringAlert
from monitor.alerting.inhibit import FORECAST, is_blind, is_forecast
from monitor.alerting.links import runbook_of_alert
from monitor.alerting.notice_builder import key_of
from monitor.alerting.series_notices import throttled_text, usage_text
from monitor.fleet.fleet import Fleet
from monitor.fleet.rows import Row, row_of
from monitor.notifiers.notice import Notice, Severity
from monitor.render.forecast_words import ForecastWords, forecast_words
from monitor.web.alert_names import alert_name

BLIND = "blind spot"  # shown instead of the word of a zone
MEANINGS: Mapping[Severity, str] = {
    Severity.CRITICAL: "someone is woken",
    Severity.WARNING: "to be looked at today",
    Severity.INFO: "worth knowing",
}
MAX_DEPTH = 8  # alerts in a chain in which each alert is inhibited by the next


class AlertTab(StrEnum):
    """The tabs of the page of alerts; each value is the end of the tab's address."""

    FIRING = ""
    ACKNOWLEDGED = "acknowledged"
    PENDING = "pending"
    SILENCED = "silenced"
    HISTORY = "history"
    RECEIVERS = "receivers"

    @property
    def path(self) -> str:
        """The address of the tab."""
        return f"/alerts/{self}" if self else "/alerts"

    @property
    def heading(self) -> str:
        """The name of the tab."""
        return (self or "firing").capitalize()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """An alert as a row.

    follows_root: true if the row follows the row of its root, which inhibits the alert.
    sign_zone: the zone whose sign is shown.
    sign_word: the word beside the sign: a zone, `forecast` or BLIND.
    throttled: the throttled demand in words; empty if there is none.
    description: the usage of the series, or the summary of the alert.
    reach: when the series reaches its limit; None without a series.
    receivers: the receivers of the alert.
    """

    alert: FiringAlert
    follows_root: bool
    name: str
    sign_zone: str
    sign_word: str
    throttled: str
    description: str
    reach: ForecastWords | None
    receivers: Sequence[AlertReceiver]
    runbook: str

    @property
    def notice(self) -> Notice:
        """The last notice of the alert."""
        return self.alert.notice

    @property
    def is_notified(self) -> bool:
        """True if a receiver was notified of the alert, or should have been."""
        return any(receiver.is_notified or receiver.state.is_trouble for receiver in self.receivers)


@dataclass(frozen=True, slots=True)
class SeverityGroup:
    """The rows of the root alerts of one severity, each followed by the rows of the alerts it inhibits."""

    severity: Severity
    meaning: str
    rows: Sequence[AlertRow]


# The severity of the group, the alert, and whether it follows its root.
OrderedAlert = tuple[Severity, FiringAlert, bool]


def roots(alerts: Sequence[FiringAlert]) -> dict[str, FiringAlert]:
    """Return the root of each alert by the alert's id.

    The root is the last alert in the chain of firing alerts that inhibit an alert. An alert that no firing
    alert inhibits is its own root.
    """
    by_id = {alert.notice.alert: alert for alert in alerts}
    return {alert.notice.alert: _root(alert, by_id) for alert in alerts}


def _root(alert: FiringAlert, by_id: Mapping[str, FiringAlert]) -> FiringAlert:
    for _ in range(MAX_DEPTH):
        inhibiting = by_id.get(alert.inhibited_by.alert) if alert.inhibited_by else None
        if inhibiting is None:
            break
        alert = inhibiting
    return alert


def by_tab(alerts: Sequence[FiringAlert]) -> dict[AlertTab, list[FiringAlert]]:
    """Return the firing alerts by tab; an alert that nobody acknowledged or silenced is with its root."""
    tabs: dict[AlertTab, list[FiringAlert]] = {tab: [] for tab in AlertTab}
    root_of = roots(alerts)
    for alert in alerts:
        tab = _tab(alert)
        tabs[_tab(root_of[alert.notice.alert]) if tab is AlertTab.FIRING else tab].append(alert)
    return tabs


def _tab(alert: FiringAlert) -> AlertTab:
    if alert.acknowledged:
        return AlertTab.ACKNOWLEDGED
    return AlertTab.SILENCED if alert.silence else AlertTab.FIRING


def roots_with_inhibited(alerts: Sequence[FiringAlert]) -> Iterator[OrderedAlert]:
    """Yield each alert with the severity of its group, and whether it follows its root.

    The most severe roots come first; each root is followed by the alerts that it inhibits, some indirectly.
    """
    root_of = roots(alerts)
    inhibited_by: dict[str, list[FiringAlert]] = {}
    for alert in alerts:
        root = root_of[alert.notice.alert]
        if root is not alert:
            inhibited_by.setdefault(root.notice.alert, []).append(alert)
    root_alerts = [alert for alert in alerts if root_of[alert.notice.alert] is alert]
    for root in sorted(root_alerts, key=lambda alert: -alert.notice.severity.rank):
        yield root.notice.severity, root, False
        for inhibited in inhibited_by.get(root.notice.alert, ()):
            yield root.notice.severity, inhibited, True


def severity_groups(
    ordered: Iterable[OrderedAlert], make_row: Callable[[FiringAlert, bool], AlertRow]
) -> list[SeverityGroup]:
    """Return ordered alerts as groups of rows. make_row: called with an alert and `follows_root`."""
    groups: dict[Severity, list[AlertRow]] = {}
    for severity, alert, follows_root in ordered:
        groups.setdefault(severity, []).append(make_row(alert, follows_root))
    return [SeverityGroup(severity, MEANINGS[severity], rows) for severity, rows in groups.items()]


@dataclass(frozen=True, slots=True)
class AlertRows:
    """Makes the rows of alerts. Call it on the event loop, where judgements write to the fleet.

    now: the current minute.
    """

    engine: AlertEngine
    fleet: Fleet
    receivers: AlertReceivers
    now: int

    def row(self, alert: FiringAlert, follows_root: bool) -> AlertRow:
        """Return the row of an alert."""
        notice, registry = alert.notice, self.engine.registry
        current = self._current(notice)
        throttled, description = _throttled_and_description(notice, current, registry)
        sign_zone, sign_word = _sign(notice, current)
        return AlertRow(
            alert=alert,
            follows_root=follows_root,
            name=alert_name(notice, registry),
            sign_zone=sign_zone,
            sign_word=sign_word,
            throttled=throttled,
            description=description,
            reach=forecast_words(current.reach, self.now) if current else None,
            receivers=self.receivers.receivers_of(notice),
            runbook=runbook_of_alert(notice),
        )

    def _current(self, notice: Notice) -> Row | None:
        series = None if is_blind(notice) else self.fleet.series.get(key_of(notice))
        return row_of(self.fleet, series) if series else None


def _sign(notice: Notice, current: Row | None) -> tuple[str, str]:
    """Return the zone whose sign is shown for an alert, and the word beside the sign."""
    if is_blind(notice):
        return "unobservable", BLIND
    if is_forecast(notice):
        return (current.zone.word if current else "above"), FORECAST
    return notice.zone, notice.zone


def _throttled_and_description(notice: Notice, current: Row | None, registry: Registry) -> tuple[str, str]:
    """Return the present throttled demand and the present usage of an alert's series, in words.

    Without a series, or for a forecast, return an empty text and the summary of the alert.
    """
    if current is None or is_forecast(notice):
        return "", notice.summary.partition(" Remedy: ")[0]
    noun = current.signal.noun or registry.title(current.key.service)
    throttled = throttled_text(current, current.throttled) if current.throttled else ""
    return throttled.partition(" (")[0], f"{noun} {usage_text(current)}"
