"""The alerts of blind spots, from one evaluation to the next."""

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

# Seconds between two notices of one alert. A blind spot that grows so soon after its first notice replaces
# it.
MIN_NOTICE_INTERVAL = 60.0

Links = Mapping[str, str]  # URLs by name
NO_LINKS: Links = MappingProxyType({})


class BlindAlerts:
    """Writes the notices of blind spots. next_number: returns the number of the next notice."""

    def __init__(self, registry: Registry, next_number: Callable[[], int]) -> None:
        self._registry, self._next_number = registry, next_number
        self._scopes: dict[str, BlindScope] = {}  # of the last notices, by alert

    def update(
        self,
        status: MonitorStatus,
        targets: Sequence[ObservationTarget],
        firing: Mapping[str, Notice],
        now: float,
        links: Links = NO_LINKS,
    ) -> Iterator[Notice]:
        """Yield the notices of blind spots that begin, change or end.

        firing: the last notices of the alerts that fire, by id. links: of the alerts, by name.
        """
        spots = blind_spots(targets, now)
        for spot in spots:
            if notice := self._changed(spot, firing.get(spot.alert), now, links):
                self._scopes[spot.alert] = spot.scope
                yield notice
        blind = {spot.alert for spot in spots}
        for before in firing.values():
            if before.alert not in blind and not _may_last(before, status, targets):
                self._scopes.pop(before.alert, None)
                yield self._ended(before, status, targets, now)

    def _changed(self, spot: BlindSpot, before: Notice | None, now: float, links: Links) -> Notice | None:
        """Return a new notice of a blind spot, or None when nothing changed since the last one."""
        if before is None:
            return self._notice(spot, NoticeKind.FIRING, spot.since, now, links)
        recent = now - before.at < MIN_NOTICE_INTERVAL
        if self._scopes.get(spot.alert) == spot.scope or (recent and before.kind is not NoticeKind.FIRING):
            return None
        kind = NoticeKind.WORSENED if spot.places > before.places else NoticeKind.EASED
        kind, at = (NoticeKind.FIRING, before.at) if recent else (kind, now)  # replaces the first notice
        notice = self._notice(spot, kind, min(before.since, spot.since), at, links)
        notice = replace(notice, labels=before.labels)  # receivers tell alerts apart by their labels
        if notice.summary == before.summary:  # as after a restart
            self._scopes[spot.alert] = spot.scope
            return None
        return notice

    def _notice(self, spot: BlindSpot, kind: NoticeKind, since: float, at: float, links: Links) -> Notice:
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
            places=spot.places,
            remedy=blind_text.remedies(spot),
            links=links,
        )

    def _ended(
        self, before: Notice, status: MonitorStatus, targets: Iterable[ObservationTarget], now: float
    ) -> Notice:
        name, cause = (
            before.labels.get("account_name") or before.labels["account"],
            before.labels.get("cause"),
        )
        seen = any(_targets_of(before, status, targets))
        reason = status.departed_accounts.get(before.labels["account"], "")
        how = (
            f"recovered: {blind_text.end_text(cause)}"
            if seen and cause
            else f"is not monitored any more{reason and f': it {reason}'}"
        )
        summary = f"{name} {how}, after {format_duration(now - before.since)}."
        return replace(before, number=self._next_number(), kind=NoticeKind.RESOLVED, summary=summary, at=now)


def _may_last(before: Notice, status: MonitorStatus, targets: Iterable[ObservationTarget]) -> bool:
    """Return true if nothing proves that a firing alert has ended. before: its last notice.

    It lasts while anything in the account fails for its cause, if only once, or has not been read yet. It
    also lasts while accounts are inaccessible or were not opened yet, as one of them may be its account.
    """
    if before.labels["account"] in status.departed_accounts:
        return False
    own_targets = list(_targets_of(before, status, targets))
    if own_targets:
        cause = before.labels.get("cause")
        return any(target.cause == cause or not _is_answered(target) for target in own_targets)
    return bool(status.pending) or status.may_be_unknown(before.labels["account"])


def _is_answered(target: ObservationTarget) -> bool:
    return target.ended and bool(target.region or target.account == THIS_MACHINE or target.service)


def _targets_of(
    before: Notice, status: MonitorStatus, targets: Iterable[ObservationTarget]
) -> Iterator[ObservationTarget]:
    """Return the targets of an alert's account. Its name stands for its id as long as that is unknown."""
    account = before.labels["account"]
    ids = {account, *(known.account for known in status.accounts if known.name == account)}
    return (target for target in targets if target.account in ids)
