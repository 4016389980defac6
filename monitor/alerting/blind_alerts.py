"""The alerts of blind spots, from one evaluation to the next."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from monitor.alerting import blind_text
from monitor.alerting.inhibit import BLIND_SIGNAL
from monitor.alerting.visibility import THIS_MACHINE, BlindSpot, ObservationTarget, blind_spots
from monitor.aws.status import MonitorStatus
from monitor.lib.durations import format_duration
from monitor.notifiers.notice import Notice, NoticeKind, Severity

MIN_REWRITE = 60.0  # seconds between two notices of one alert, but for its first minute

Scope = frozenset[tuple[tuple[str, str], str]]


class BlindAlerts:
    """Writes the notices of blind spots. next_number: returns the number of the next notice."""

    def __init__(self, next_number: Callable[[], int]) -> None:
        self._next_number = next_number
        self._scopes: dict[str, Scope] = {}  # of the last notices, by alert

    def update(
        self,
        status: MonitorStatus,
        targets: Sequence[ObservationTarget],
        firing: Mapping[str, Notice],
        now: float,
        page: str = "",
    ) -> Iterator[Notice]:
        """Yield the notices of blind spots that begin, change or end.

        firing: the last notices of the alerts that fire, by id. page: the address of the page on blind spots.
        """
        spots = blind_spots(targets, now)
        for spot in spots:
            if notice := self._changed(spot, firing.get(spot.alert), now, page):
                self._scopes[spot.alert] = spot.scope
                yield notice
        blind = {spot.alert for spot in spots}
        for one in firing.values():
            if one.alert not in blind and not _may_last(one, status, targets):
                self._scopes.pop(one.alert, None)
                yield self._ended(one, status, targets, now)

    def _changed(self, spot: BlindSpot, before: Notice | None, now: float, page: str) -> Notice | None:
        """Return a new notice of a blind spot, or None when nothing changed since the last one."""
        if before is None:
            return self._notice(spot, NoticeKind.FIRING, spot.since, now, page)
        recent = now - before.at < MIN_REWRITE
        if self._scopes.get(spot.alert) == spot.scope or (recent and before.kind is not NoticeKind.FIRING):
            return None
        kind = NoticeKind.WORSENED if spot.places > before.places else NoticeKind.EASED
        kind, at = (NoticeKind.FIRING, before.at) if recent else (kind, now)  # the first minute is one notice
        notice = self._notice(spot, kind, min(before.since, spot.since), at, page)
        notice = replace(notice, labels=before.labels)  # receivers tell alerts apart by their labels
        if notice.summary == before.summary:  # as after a restart
            self._scopes[spot.alert] = spot.scope
            return None
        return notice

    def _notice(self, spot: BlindSpot, kind: NoticeKind, since: float, at: float, page: str) -> Notice:
        return Notice(
            alert=spot.alert,
            number=self._next_number(),
            kind=kind,
            severity=Severity.WARNING,
            zone=BLIND_SIGNAL,
            summary=blind_text.summary(spot),
            labels=spot.labels,
            at=at,
            since=since,
            places=spot.places,
            remedy=blind_text.remedies(spot),
            links={"page": page} if page else {},
        )

    def _ended(
        self, one: Notice, status: MonitorStatus, targets: Iterable[ObservationTarget], now: float
    ) -> Notice:
        name, cause = one.labels.get("account_name") or one.labels["account"], one.labels.get("cause")
        seen = any(_targets_of(one, status, targets))
        how = f"recovered: {blind_text.end_of(cause)}" if seen and cause else "is not monitored any more"
        summary = f"{name} {how}, after {format_duration(now - one.since)}."
        return replace(one, number=self._next_number(), kind=NoticeKind.RESOLVED, summary=summary, at=now)


def _may_last(one: Notice, status: MonitorStatus, targets: Iterable[ObservationTarget]) -> bool:
    """Return whether a firing alert may still last, because nothing proves that it ended.

    That is so while anything in the account fails for its cause, if only once, or has not been read yet, and
    while the account is inaccessible or has not been tried.
    """
    mine = list(_targets_of(one, status, targets))
    if mine:
        cause = one.labels.get("cause")
        return any(target.cause == cause or not _is_answered(target) for target in mine)
    # The id of an account that is inaccessible may not be known.
    return bool(status.pending or status.inaccessible_accounts)


def _is_answered(target: ObservationTarget) -> bool:
    return target.ended and bool(target.region or target.account == THIS_MACHINE)


def _targets_of(
    one: Notice, status: MonitorStatus, targets: Iterable[ObservationTarget]
) -> Iterator[ObservationTarget]:
    """Return the targets of an alert's account, which goes by its name as long as its id is not known."""
    account = one.labels["account"]
    ids = {account, *(known.account for known in status.accounts if known.name == account)}
    return (target for target in targets if target.account in ids)
