"""Inhibition: suppresses an alert that another alert explains, so that one problem is one notification.

The catalogue declares which signals inhibit which (`throttle_group`, `inhibited_by` and `covered_by`). The
series of both alerts have the same account and region. The resource of the inhibiting alert is the inhibited
alert's resource, a part of that resource, a resource that contains it, or the account. The inhibiting alert
is saturated; by `covered_by`, it may be in any zone. When it ends, the inhibited alert is sent if it still
fires.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from collectors.registry import Registry
from collectors.resource import ResourcePath
from monitor.notifiers.notice import Notice, resource_of
from rules.band import ZONES, Zone

BLIND_SIGNAL = "blind"  # the label `signal` and the zone of alerts about blind spots
FORECAST = "forecast"  # the label `cause` and the zone of alerts about forecasts
NEAR_LIMIT = 0.9  # utilization at which usage itself explains throttling, whatever band is configured

MAX_CACHED_SIGNALS = 4096

SignalPath = tuple[str, str, str, str, ResourcePath]  # account, region, service, signal, resource
Rank = tuple[bool, int, float, int, str]  # see `_rank`


def is_blind(notice: Notice) -> bool:
    """Return true if an alert is about a blind spot rather than a series."""
    return notice.labels.get("signal") == BLIND_SIGNAL


def is_forecast(notice: Notice) -> bool:
    """Return true if an alert is about the forecast of a series, rather than about its present zone."""
    return notice.zone == FORECAST


class InhibitingAlert(NamedTuple):
    """A saturated alert. In a `throttle_group`, the alert of the highest rank inhibits the others."""

    rank: Rank
    alert: str


def inhibiting_alerts(firing: Iterable[Notice], registry: Registry) -> dict[str, str]:
    """Return the id of the inhibiting alert by the id of each inhibited alert.

    `throttle_group`: some signals share one count of throttled demand, such as the bytes and records of a
    stream. The alert with the highest rank inhibits the other alerts of the group. An alert ranks higher if
    its usage is at its limit (`NEAR_LIMIT`), then if its resource contains the resources of the others, then
    by its utilization.

    `covered_by`: the catalogue names a covering signal, which is read from the same metrics. An alert on the
    covering signal, of the same resource or of a part of it, inhibits the alert on the covered signal if the
    zone of the covering alert is the same or worse. Neither alert needs to be saturated.
    """
    notices = [notice for notice in firing if not (is_blind(notice) or is_forecast(notice))]
    saturated = _saturated_alerts(notices, registry)
    candidates = notices if saturated.by_resource else ()
    by_saturation = {
        notice.alert: inhibiting.alert
        for notice in candidates
        if (inhibiting := _inhibiting_alert(notice, saturated, registry))
    }
    return dict(_alerts_inhibited_by_covering_alerts(notices, registry)) | by_saturation


def _alerts_inhibited_by_covering_alerts(
    notices: Sequence[Notice], registry: Registry
) -> Iterator[tuple[str, str]]:
    """Yield each alert that is inhibited by `covered_by`, and the alert that inhibits it."""
    covering_signals = {
        notice.alert: signal
        for notice in notices
        if (signal := _covering_signal(registry, *_signal_names(notice)))
    }
    if not covering_signals:
        return
    worst_alerts: dict[SignalPath, Notice] = {}  # of each resource and its parts
    for notice in sorted(notices, key=lambda notice: ZONES[notice.zone]):  # a worse alert replaces another
        resource = resource_of(notice)
        for path in (*resource.ancestor_paths, resource.path):
            worst_alerts[_signal_path(notice, notice.labels["signal"], path)] = notice
    for notice in notices:
        if signal := covering_signals.get(notice.alert):
            inhibiting = worst_alerts.get(_signal_path(notice, signal, resource_of(notice).path))
            if inhibiting and ZONES[inhibiting.zone] >= ZONES[notice.zone]:
                yield notice.alert, inhibiting.alert


def _signal_names(notice: Notice) -> tuple[str, str]:
    return notice.labels["service"], notice.labels["signal"]


@lru_cache(MAX_CACHED_SIGNALS)
def _covering_signal(registry: Registry, service: str, signal: str) -> str | None:
    """Return the signal that `covered_by` of a signal names, or None."""
    service_entry = registry.services.get(service)
    entry = service_entry.signals.get(signal) if service_entry else None
    return entry.covered_by if entry else None


class _SaturatedAlerts(NamedTuple):
    """Saturated alerts; where several have the same key, the alert of the highest rank.

    by_resource: by signal and the alert's resource. by_ancestor: by signal and each resource that contains
    the alert's resource.
    """

    by_resource: dict[SignalPath, InhibitingAlert]
    by_ancestor: dict[SignalPath, InhibitingAlert]


def _saturated_alerts(notices: Iterable[Notice], registry: Registry) -> _SaturatedAlerts:
    saturated = _SaturatedAlerts({}, {})
    for notice in notices:
        if notice.zone == Zone.SATURATED.word:
            alert = InhibitingAlert(_rank(notice, registry), notice.alert)
            resource = resource_of(notice)
            _keep_highest(
                saturated.by_resource, _signal_path(notice, notice.labels["signal"], resource.path), alert
            )
            for ancestor in resource.ancestor_paths:
                path = _signal_path(notice, notice.labels["signal"], ancestor)
                _keep_highest(saturated.by_ancestor, path, alert)
    return saturated


def _keep_highest(
    alerts: dict[SignalPath, InhibitingAlert], path: SignalPath, alert: InhibitingAlert
) -> None:
    """Store the alert at `path`, unless an alert of a higher rank is stored there."""
    alerts[path] = max(alert, alerts.get(path, alert))


def _inhibiting_alert(
    notice: Notice, saturated: _SaturatedAlerts, registry: Registry
) -> InhibitingAlert | None:
    """Return the saturated alert that inhibits the alert of `notice`, or None.

    If two alerts would inhibit each other, only the one with the higher rank inhibits.
    """
    service, signal = notice.labels["service"], notice.labels["signal"]
    candidates = [
        alert
        for other in _inhibiting_signals(registry, service, signal)
        for alert in _related_alerts(notice, other, saturated)
        if signal not in _inhibiting_signals(registry, service, other) or alert.rank > _rank(notice, registry)
    ]
    return max(candidates, default=None)


def _related_alerts(notice: Notice, signal: str, saturated: _SaturatedAlerts) -> Iterator[InhibitingAlert]:
    """Yield the saturated alerts of a signal on the same resource, its ancestors and its parts."""
    resource = resource_of(notice)
    for path in (resource.path, *resource.ancestor_paths):
        if alert := saturated.by_resource.get(_signal_path(notice, signal, path)):
            yield alert
    if alert_on_part := saturated.by_ancestor.get(_signal_path(notice, signal, resource.path)):
        yield alert_on_part


def _signal_path(notice: Notice, signal: str, path: ResourcePath) -> SignalPath:
    labels = notice.labels
    return labels["account"], labels["region"], labels["service"], signal, path


def _rank(notice: Notice, registry: Registry) -> Rank:
    """Return the alert's rank among alerts that inhibit each other. No two alerts have the same rank."""
    labels, utilization = notice.labels, notice.utilization or 0.0
    signals = tuple(registry.services[labels["service"]].signals)
    position = signals.index(labels["signal"]) if labels["signal"] in signals else len(signals)
    depth = len(resource_of(notice).path)
    return utilization >= NEAR_LIMIT, -depth, utilization, -position, notice.alert


@lru_cache(MAX_CACHED_SIGNALS)
def _inhibiting_signals(registry: Registry, service: str, signal: str) -> frozenset[str]:
    entry = registry.services.get(service)
    return entry.inhibitors(signal) if entry else frozenset()
