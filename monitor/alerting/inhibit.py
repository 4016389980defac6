"""Inhibition: suppresses an alert that another alert explains, so that one problem is one notification.

The catalogue declares which signals inhibit which (`throttle_group`, `inhibited_by` and `covered_by`). An
inhibiting alert is saturated, and its series has the same account and region as the inhibited alert's. Its
resource is the inhibited alert's resource, a part of that resource, a resource that contains it, or the
account. When the inhibiting alert ends, the other alert is sent if it still fires.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from collectors.registry import Registry
from collectors.resource import ResourcePath
from monitor.notifiers.notice import Notice, resource_of
from rules.band import ZONES, Zone

BLIND_SIGNAL = "blind"  # both the signal and the zone of alerts about blind spots
FORECAST = "forecast"  # both the zone and the label `cause` of alerts about forecasts
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
    """A saturated alert and its rank. The highest rank inhibits the others of a `throttle_group`."""

    rank: Rank
    alert: str


def inhibited(firing: Iterable[Notice], registry: Registry) -> dict[str, str]:
    """Return the id of the inhibiting alert by the id of each inhibited alert.

    `throttle_group`: some signals share one count of throttled demand, such as the bytes and records of a
    stream. The alert with the highest rank inhibits the other alerts of the group. An alert ranks higher if
    its usage is at its limit, then if its resource contains the others, then by its utilization.

    `covered_by`: the catalogue names a signal that is read from the same metrics. An alert on that signal, of
    the same resource or of a part of it, inhibits this one in every zone, if it is as bad or worse.
    """
    series = [notice for notice in firing if not (is_blind(notice) or is_forecast(notice))]
    saturated = _saturated(series, registry)
    candidates = series if saturated.own else ()
    inhibitors = {
        notice.alert: best.alert
        for notice in candidates
        if (best := _best_inhibitor(notice, saturated, registry))
    }
    return dict(_covered(series, registry)) | inhibitors


def _covered(series: Sequence[Notice], registry: Registry) -> Iterator[tuple[str, str]]:
    """Yield each alert that `covered_by` inhibits, and the inhibiting alert, which is as bad or worse."""
    covering_signals = {
        notice.alert: other for notice in series if (other := _covered_by(registry, *_signal(notice)))
    }
    if not covering_signals:
        return
    firing: dict[SignalPath, Notice] = {}
    for notice in sorted(series, key=lambda notice: ZONES[notice.zone]):
        resource = resource_of(notice)
        for path in (*resource.ancestor_paths, resource.path):
            firing[_signal_path(notice, notice.labels["signal"], path)] = notice
    for notice in series:
        if other := covering_signals.get(notice.alert):
            inhibiting = firing.get(_signal_path(notice, other, resource_of(notice).path))
            if inhibiting and ZONES[inhibiting.zone] >= ZONES[notice.zone]:
                yield notice.alert, inhibiting.alert


def _signal(notice: Notice) -> tuple[str, str]:
    return notice.labels["service"], notice.labels["signal"]


@lru_cache(MAX_CACHED_SIGNALS)
def _covered_by(registry: Registry, service: str, signal: str) -> str | None:
    """Return the signal that `covered_by` of a signal names, or None."""
    service_entry = registry.services.get(service)
    entry = service_entry.signals.get(signal) if service_entry else None
    return entry.covered_by if entry else None


class _Saturated(NamedTuple):
    """The saturated alerts of the highest rank.

    own: the alerts by signal and resource. parts: the alerts by signal and each containing resource.
    """

    own: dict[SignalPath, InhibitingAlert]
    parts: dict[SignalPath, InhibitingAlert]


def _saturated(series: Iterable[Notice], registry: Registry) -> _Saturated:
    saturated = _Saturated({}, {})
    for notice in series:
        if notice.zone == Zone.SATURATED.word:
            alert = InhibitingAlert(_rank(notice, registry), notice.alert)
            resource = resource_of(notice)
            _keep_highest(saturated.own, _signal_path(notice, notice.labels["signal"], resource.path), alert)
            for ancestor in resource.ancestor_paths:
                _keep_highest(saturated.parts, _signal_path(notice, notice.labels["signal"], ancestor), alert)
    return saturated


def _keep_highest(
    alerts: dict[SignalPath, InhibitingAlert], path: SignalPath, alert: InhibitingAlert
) -> None:
    """Store the alert at `path`, unless an alert of a higher rank is stored there."""
    alerts[path] = max(alert, alerts.get(path, alert))


def _best_inhibitor(notice: Notice, saturated: _Saturated, registry: Registry) -> InhibitingAlert | None:
    """Return the alert that inhibits `notice`, or None.

    If two alerts would inhibit each other, only the one with the higher rank inhibits.
    """
    service, signal = notice.labels["service"], notice.labels["signal"]
    candidates = [
        alert
        for other in _inhibitors(registry, service, signal)
        for alert in _related(notice, other, saturated)
        if signal not in _inhibitors(registry, service, other) or alert.rank > _rank(notice, registry)
    ]
    return max(candidates, default=None)


def _related(notice: Notice, signal: str, saturated: _Saturated) -> Iterator[InhibitingAlert]:
    """Yield the saturated alerts of a signal on the same resource, its ancestors and its parts."""
    resource = resource_of(notice)
    for path in (resource.path, *resource.ancestor_paths):
        if alert := saturated.own.get(_signal_path(notice, signal, path)):
            yield alert
    part = saturated.parts.get(_signal_path(notice, signal, resource.path))
    if part:
        yield part


def _signal_path(notice: Notice, signal: str, path: ResourcePath) -> SignalPath:
    labels = notice.labels
    return labels["account"], labels["region"], labels["service"], signal, path


def _rank(notice: Notice, registry: Registry) -> Rank:
    """Return the rank among alerts that inhibit each other. No two alerts have the same rank."""
    labels, utilization = notice.labels, notice.utilization or 0.0
    names = tuple(registry.services[labels["service"]].signals)
    order = names.index(labels["signal"]) if labels["signal"] in names else len(names)
    depth = len(resource_of(notice).path)
    return utilization >= NEAR_LIMIT, -depth, utilization, -order, notice.alert


@lru_cache(MAX_CACHED_SIGNALS)
def _inhibitors(registry: Registry, service: str, signal: str) -> frozenset[str]:
    entry = registry.services.get(service)
    return entry.inhibitors(signal) if entry else frozenset()
