"""Alerts as rows: which tab, below which other alert, what it is about, and who was told."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from collectors.registry import Registry
from monitor.alerting.engine import AlertEngine
from monitor.alerting.firing_alerts import FiringAlert
from monitor.alerting.inhibit import FORECAST, is_blind, is_forecast
from monitor.alerting.links import runbook_of_alert
from monitor.alerting.notice_builder import key_of
from monitor.alerting.series_notices import throttled_text, usage_text
from monitor.alerting.told_receivers import ToldReceiver, ToldReceivers
from monitor.fleet.fleet import Fleet
from monitor.fleet.rows import Row, row_of
from monitor.notifiers.notice import Notice, Severity
from monitor.render.forecast_words import ForecastWords, forecast_words
from monitor.web.alert_names import alert_name

BLIND = "blind spot"  # instead of a zone
MEANINGS: Mapping[Severity, str] = {
    Severity.CRITICAL: "someone is woken",
    Severity.WARNING: "to be looked at today",
    Severity.INFO: "worth knowing",
}
MAX_DEPTH = 8  # of alerts that each follow from another


class AlertTab(StrEnum):
    """The tabs of the page of alerts, by the ends of their addresses."""

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

    is_child: it follows from the alert above. sign: the zone whose sign is shown. zone: the word beside it.
    throttled: demand in words; empty where there is none. what: what it does, in words. reach: when it
    reaches its limit; None without a series. told: its receivers; empty if nobody is told.
    """

    alert: FiringAlert
    is_child: bool
    name: str
    sign: str
    zone: str
    throttled: str
    what: str
    reach: ForecastWords | None
    told: Sequence[ToldReceiver]
    runbook: str

    @property
    def notice(self) -> Notice:
        """The last notice of the alert."""
        return self.alert.notice

    @property
    def is_told(self) -> bool:
        """True if a receiver was told of it, or should have been."""
        return any(one.is_told or one.state.is_trouble for one in self.told)


@dataclass(frozen=True, slots=True)
class SeverityGroup:
    """The rows of one severity, with what follows from them."""

    severity: Severity
    meaning: str
    rows: Sequence[AlertRow]


OrderedAlert = tuple[Severity, FiringAlert, bool]  # the severity of its group; whether it is a child


def roots(alerts: Sequence[FiringAlert]) -> dict[str, FiringAlert]:
    """Return the alert that each follows from in the end: itself, where nothing that fires inhibits it."""
    by_id = {one.notice.alert: one for one in alerts}
    return {one.notice.alert: _root(one, by_id) for one in alerts}


def _root(alert: FiringAlert, by_id: Mapping[str, FiringAlert]) -> FiringAlert:
    for _ in range(MAX_DEPTH):
        above = by_id.get(alert.inhibited_by.alert) if alert.inhibited_by else None
        if above is None:
            break
        alert = above
    return alert


def by_tab(alerts: Sequence[FiringAlert]) -> dict[AlertTab, list[FiringAlert]]:
    """Return the firing alerts by tab: what follows from another alert is where that one is."""
    found: dict[AlertTab, list[FiringAlert]] = {tab: [] for tab in AlertTab}
    root_of = roots(alerts)
    for one in alerts:
        tab = _tab(one)
        found[_tab(root_of[one.notice.alert]) if tab is AlertTab.FIRING else tab].append(one)
    return found


def _tab(alert: FiringAlert) -> AlertTab:
    if alert.acknowledged:
        return AlertTab.ACKNOWLEDGED
    return AlertTab.SILENCED if alert.silence else AlertTab.FIRING


def in_order(alerts: Sequence[FiringAlert]) -> Iterator[OrderedAlert]:
    """Yield each alert with the severity of its group, and whether it follows from the one above.

    The most severe come first; below each alert stands what follows from it.
    """
    root_of = roots(alerts)
    children: dict[str, list[FiringAlert]] = {}
    for one in alerts:
        root = root_of[one.notice.alert]
        if root is not one:
            children.setdefault(root.notice.alert, []).append(one)
    tops = [one for one in alerts if root_of[one.notice.alert] is one]
    for top in sorted(tops, key=lambda one: -one.notice.severity.rank):
        yield top.notice.severity, top, False
        for child in children.get(top.notice.alert, ()):
            yield top.notice.severity, child, True


def severity_groups(
    ordered: Iterable[OrderedAlert], row: Callable[[FiringAlert, bool], AlertRow]
) -> list[SeverityGroup]:
    """Return alerts in order as groups of rows. row: makes the row of an alert."""
    groups: dict[Severity, list[AlertRow]] = {}
    for severity, alert, is_child in ordered:
        groups.setdefault(severity, []).append(row(alert, is_child))
    return [SeverityGroup(severity, MEANINGS[severity], rows) for severity, rows in groups.items()]


@dataclass(frozen=True, slots=True)
class AlertRows:
    """Makes the rows of alerts. For the event loop: it reads what judgements write.

    now: the current minute.
    """

    engine: AlertEngine
    fleet: Fleet
    receivers: ToldReceivers
    now: int

    def row(self, alert: FiringAlert, is_child: bool) -> AlertRow:
        """Return the row of an alert."""
        notice, registry = alert.notice, self.engine.registry
        current = self._current(notice)
        throttled, what = _what(notice, current, registry)
        sign, zone = _sign(notice, current)
        return AlertRow(
            alert=alert,
            is_child=is_child,
            name=alert_name(notice, registry),
            sign=sign,
            zone=zone,
            throttled=throttled,
            what=what,
            reach=forecast_words(current.reach, self.now) if current else None,
            told=self.receivers.told(notice),
            runbook=runbook_of_alert(notice),
        )

    def _current(self, notice: Notice) -> Row | None:
        series = None if is_blind(notice) else self.fleet.series.get(key_of(notice))
        return row_of(self.fleet, series) if series else None


def _sign(notice: Notice, current: Row | None) -> tuple[str, str]:
    """Return the zone whose sign an alert has, and its word."""
    if is_blind(notice):
        return "unobservable", BLIND
    if is_forecast(notice):
        return (current.zone.word if current else "above"), FORECAST
    return notice.zone, notice.zone


def _what(notice: Notice, current: Row | None, registry: Registry) -> tuple[str, str]:
    """Return the throttled demand of an alert, and what its series does now; or what it told last."""
    if current is None or is_forecast(notice):
        return "", notice.summary.partition(" Remedy: ")[0]
    noun = current.signal.noun or registry.title(current.key.service)
    throttled = throttled_text(current, current.throttled) if current.throttled else ""
    return throttled.partition(" (")[0], f"{noun} {usage_text(current)}"
