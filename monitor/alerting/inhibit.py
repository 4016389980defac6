"""Alerts that another one explains, so that one problem is told once.

Which signals explain which is declared in the catalogue (`follows`). A cause is saturated, and of the same
cell; it is the same resource, a part of it, what it is a part of, or the account itself. What it explains is
told after all when it outlives its cause.

A series needs no such rule for itself: it has one alert, of its worst zone.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from collectors.base import ACCOUNT
from monitor.alerting.notice import Notice
from rules.band import Zone
from rules.limits import catalogue

BLIND = "blind"  # the signal, and the zone, of what cannot be seen
SCOPE = ("account", "region", "service")  # labels that a blind alert has as many of as it is narrow
PRESSED = 0.9  # from this utilization on, usage itself explains refusals, whatever band is configured

Place = tuple[str, str, str, str, str]  # account, region, service, signal, resource
Rank = tuple[bool, int, float, int, str]


def is_blind(one: Notice) -> bool:
    """Whether it is of what cannot be seen, rather than of a series."""
    return one.labels.get("signal") == BLIND


class Cause(NamedTuple):
    """A saturated alert; of signals that share their refusals, the one of the highest rank is the cause."""

    rank: Rank
    alert: str


def explained(firing: Iterable[Notice]) -> dict[str, str]:
    """The alerts that need not be told, each with the alert that explains it.

    Refusals that several signals share (bytes and records of a stream, of the stream and its shards, all
    concurrency of an account) are told by one: by one whose usage is at its limit rather than by one that is
    refused below it; then by the whole rather than by its parts; then by the one nearest to its limit.
    """
    firing = tuple(firing)
    series = [one for one in firing if not is_blind(one)]
    causes = _causes(series)
    asked = series if causes.own else ()
    found = {one.alert: cause.alert for one in asked if (cause := _cause_of(one, causes))}
    return found | _blind(filter(is_blind, firing))


class _Causes(NamedTuple):
    own: dict[Place, Cause]
    parts: dict[Place, Cause]  # by what they are a part of


def _causes(series: Iterable[Notice]) -> _Causes:
    causes = _Causes({}, {})
    for one in series:
        if one.zone == Zone.SATURATED.word:
            cause = Cause(_rank(one), one.alert)
            resource = one.labels["resource"]
            _put(causes.own, _place(one, one.labels["signal"], resource), cause)
            for whole in _wholes(resource):
                _put(causes.parts, _place(one, one.labels["signal"], whole), cause)
    return causes


def _put(causes: dict[Place, Cause], place: Place, cause: Cause) -> None:
    causes[place] = max(cause, causes.get(place, cause))


def _cause_of(one: Notice, causes: _Causes) -> Cause | None:
    """What explains an alert best; of a signal that also follows this one, only what outranks it does."""
    service, signal = one.labels["service"], one.labels["signal"]
    candidates = [
        cause
        for other in _follows(service, signal)
        for cause in _related(one, other, causes)
        if signal not in _follows(service, other) or cause.rank > _rank(one)
    ]
    return max(candidates, default=None)


def _related(one: Notice, signal: str, causes: _Causes) -> Iterator[Cause]:
    resource = one.labels["resource"]
    for place in (_place(one, signal, name) for name in (resource, *_wholes(resource))):
        if place in causes.own:
            yield causes.own[place]
    part = causes.parts.get(_place(one, signal, resource))
    if part:
        yield part


def _place(one: Notice, signal: str, resource: str) -> Place:
    labels = one.labels
    return labels["account"], labels["region"], labels["service"], signal, resource


def _wholes(resource: str) -> Iterator[str]:
    """What a resource is a part of: `a/b/c` of `a/b`, `a`, and the account."""
    if resource != ACCOUNT:
        yield ACCOUNT
        yield from (resource[:end] for end, letter in enumerate(resource) if letter == "/")


def _rank(one: Notice) -> Rank:
    """Larger leads, among alerts that follow each other; no two are equal."""
    labels, utilization = one.labels, one.utilization or 0.0
    names = tuple(catalogue()[labels["service"]].signals)
    order = names.index(labels["signal"]) if labels["signal"] in names else len(names)
    parts = sum(1 for _ in _wholes(labels["resource"]))
    return utilization >= PRESSED, -parts, utilization, -order, one.alert


@cache
def _follows(service: str, signal: str) -> frozenset[str]:
    known = catalogue().get(service)
    entry = known.signals.get(signal) if known else None
    return frozenset(entry.follows) if entry else frozenset()


def _blind(those: Iterable[Notice]) -> dict[str, str]:
    """A service is not told to be unseen beside its cell, nor a cell beside its account."""
    scopes = {one.alert: tuple(one.labels.get(name, "") for name in SCOPE) for one in those}
    widest = {scope: alert for alert, scope in scopes.items()}
    found = {}
    for alert, scope in scopes.items():
        wider = (tuple(scope[:end]) + ("",) * (len(SCOPE) - end) for end in range(1, len(SCOPE)))
        cause = next((widest[other] for other in wider if other != scope and other in widest), None)
        if cause:
            found[alert] = cause
    return found
