"""Writes the notices of blind spots, by comparing the blind spots with the last notices."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from msgspec.structs import replace

from collectors.registry import Registry
from monitor.alerting import blind_text
from monitor.alerting.inhibit import BLIND_SIGNAL
from monitor.alerting.visibility import THIS_MACHINE, BlindScope, BlindSpot, ObservationTarget, blind_spots
from monitor.aws.status import MonitorStatus
from monitor.lib.durations import format_duration
from monitor.notifiers.notice import Notice, NoticeKind, Severity

# Seconds between two notices of one alert. If a blind spot grows sooner after its first notice, a new notice
# replaces the first.
MIN_NOTICE_INTERVAL = 60.0

LinkUrls = Mapping[str, str]  # by name
NO_LINKS: LinkUrls = MappingProxyType({})


class BlindAlerts:
    """Writes the notices of blind spots. next_number: returns the number of the next notice."""

    def __init__(self, registry: Registry, next_number: Callable[[], int]) -> None:
        self._registry, self._next_number = registry, next_number
        self._scopes: dict[str, BlindScope] = {}  # the scope of the last notice, by alert

    def update(
        self,
        status: MonitorStatus,
        targets: Sequence[ObservationTarget],
        firing: Mapping[str, Notice],
        now: float,
        links: LinkUrls = NO_LINKS,
    ) -> Iterator[Notice]:
        """Yield the notices of blind spots that begin, change or end.

        firing: the last notices of the alerts that fire, by id. links: URLs for the notices, by name.
        """
        spots = blind_spots(targets, now)
        for spot in spots:
            if notice := self._changed_notice(spot, firing.get(spot.alert), now, links):
                self._scopes[spot.alert] = spot.scope
                yield notice
        blind_alerts = {spot.alert for spot in spots}
        for last in firing.values():
            if last.alert not in blind_alerts and not _may_last(last, status, targets):
                self._scopes.pop(last.alert, None)
                yield self._end_notice(last, status, targets, now)

    def _changed_notice(
        self, spot: BlindSpot, last: Notice | None, now: float, links: LinkUrls
    ) -> Notice | None:
        """Return a new notice of a blind spot, or None when nothing changed since the last notice."""
        if last is None:
            return self._notice(spot, NoticeKind.FIRING, spot.since, now, links)
        is_recent = now - last.at < MIN_NOTICE_INTERVAL
        if self._scopes.get(spot.alert) == spot.scope or (is_recent and last.kind is not NoticeKind.FIRING):
            return None
        if is_recent:  # the last notice is the first, and the new notice replaces it
            kind, at = NoticeKind.FIRING, last.at
        else:
            kind, at = NoticeKind.WORSENED if spot.place_count > last.places else NoticeKind.EASED, now
        notice = self._notice(spot, kind, min(last.since, spot.since), at, links)
        notice = replace(notice, labels=last.labels)  # receivers tell alerts apart by their labels
        if notice.summary == last.summary:  # no change; after a restart the last scope is unknown
            self._scopes[spot.alert] = spot.scope
            return None
        return notice

    def _notice(self, spot: BlindSpot, kind: NoticeKind, since: float, at: float, links: LinkUrls) -> Notice:
        return Notice(
            alert=spot.alert,
            number=self._next_number(),
            kind=kind,
            severity=Severity.WARNING,
            zone=BLIND_SIGNAL,
            summary=blind_text.summary(spot, self._registry),
            labels=spot.labels,
            at=at,
            since=since,
            places=spot.place_count,
            remedy=blind_text.remedies(spot),
            links=links,
        )

    def _end_notice(
        self, last: Notice, status: MonitorStatus, targets: Iterable[ObservationTarget], now: float
    ) -> Notice:
        name = last.labels.get("account_name") or last.labels["account"]
        cause = last.labels.get("cause")
        is_monitored = any(_targets_of(last, status, targets))
        reason = status.departed_accounts.get(last.labels["account"], "")
        ending = (
            f"recovered: {blind_text.end_text(cause)}"
            if is_monitored and cause
            else f"is not monitored any more{reason and f': it {reason}'}"
        )
        summary = f"{name} {ending}, after {format_duration(now - last.since)}."
        return replace(last, number=self._next_number(), kind=NoticeKind.RESOLVED, summary=summary, at=now)


def _may_last(last: Notice, status: MonitorStatus, targets: Iterable[ObservationTarget]) -> bool:
    """Return true if nothing proves that a firing alert has ended. last: its last notice.

    The alert lasts while any target in its account fails for its cause, even once, or has not been read yet.
    It also lasts while an account is inaccessible or not opened yet, which may be the alert's account.
    """
    if last.labels["account"] in status.departed_accounts:
        return False
    own_targets = list(_targets_of(last, status, targets))
    if own_targets:
        cause = last.labels.get("cause")
        return any(target.cause == cause or not _has_been_read(target) for target in own_targets)
    return bool(status.pending) or status.may_be_unknown(last.labels["account"])


def _has_been_read(target: ObservationTarget) -> bool:
    """Return whether a read of the target has ended; an attempt to access an account is not a read."""
    return target.ended and bool(target.region or target.account == THIS_MACHINE or target.service)


def _targets_of(
    last: Notice, status: MonitorStatus, targets: Iterable[ObservationTarget]
) -> Iterator[ObservationTarget]:
    """Return the targets of an alert's account. The account's name stands for an id that is unknown."""
    account = last.labels["account"]
    ids = {account, *(entry.account for entry in status.accounts if entry.name == account)}
    return (target for target in targets if target.account in ids)
