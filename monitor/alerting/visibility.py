"""Blind spots: places that Headroom cannot read. Each account and class of cause has one alert.

The account and the class of cause identify the alert, so that it stays the same alert while more or fewer
places are affected. The text of the alert names the places; no label does.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

from monitor.alerting.inhibit import BLIND_SIGNAL
from monitor.aws.failure import Failure
from monitor.aws.failure_class import DENYING_POLICY, PERMANENT_CLASSES, FailureClass
from monitor.aws.run_status import FailureStreak, RunStatus
from monitor.aws.status import AccountStatus, MonitorStatus
from monitor.lib.text import replace_surrogates
from monitor.notifiers.notice import Severity

MIN_FAILED_ATTEMPTS = 2  # failed attempts in a row, before an alert fires
MIN_BLIND = 300.0  # seconds without a successful read before an alert fires
MAX_UNREAD = 900.0  # seconds without a successful read after which an alert needs no failed attempts
# Causes whose alert does not wait for MIN_BLIND.
REPORTED_AT_ONCE = (FailureClass.EXPIRED, FailureClass.CLOCK)
ORGANIZATIONS = "organizations"  # takes the place of a service for lists of an organization's accounts
THIS_MACHINE = "this machine"  # takes the place of an account for the machine that Headroom runs on
MAX_ATTEMPT_DURATION = 60.0  # seconds that an attempt may take

# A region and a service. Both are empty for an account as a whole. Only the service is empty for the metrics
# of a cell. For the list of an organization's accounts, the service is ORGANIZATIONS and the region is empty.
RegionAndService = tuple[str, str]
# The affected places, each with a failed operation or an empty text.
BlindScope = frozenset[tuple[RegionAndService, str]]


class ObservationTarget(NamedTuple):
    """A place of an account that is read regularly, and one class of cause for its failed reads.

    region, service: see `RegionAndService`. name: the account's name. interval: seconds between two attempts
    to read. last_seen: when an attempt last ended without this cause, in epoch seconds; without such an
    attempt, when observation began. ended: true if an attempt has ended. cause: the class of cause; empty if
    the last attempt succeeded. failures: the failures of this cause. failed_attempts: the number of attempts
    in a row with this cause. never_seen: true if every attempt had this cause. signer: the id and the name of
    the monitoring account whose credentials read the place; empty if the account's own credentials do.
    """

    account: str
    region: str
    service: str
    name: str
    last_seen: float
    interval: float
    ended: bool = True
    cause: str = ""
    failures: tuple[Failure, ...] = ()
    failed_attempts: int = 0
    never_seen: bool = False
    signer: tuple[str, str] = ("", "")

    @property
    def place(self) -> RegionAndService:
        """The region and the service of the target."""
        return self.region, self.service


class BlindSpot(NamedTuple):
    """The places and operations of an account that cannot be read, for one class of cause.

    name: the account's name. cause: the class of cause. targets: the targets that cannot be read, at least
    one, sorted by place. region_count: the number of the account's regions that are observed.
    """

    account: str
    name: str
    cause: str
    targets: Sequence[ObservationTarget]
    region_count: int

    @property
    def alert(self) -> str:
        """The id of the alert of this blind spot; a restart, or other places, do not change the id."""
        identity = "\0".join((BLIND_SIGNAL, self.account, self.cause)).encode("utf-8", "surrogatepass")
        return blake2b(identity, digest_size=8).hexdigest()

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of the alert of this blind spot, which do not change while the blind spot lasts."""
        labels = {
            "account": self.account,
            "account_name": self.name,
            "signal": BLIND_SIGNAL,
            "cause": self.cause,
            "severity": Severity.WARNING,
        }
        return {name: replace_surrogates(label) for name, label in labels.items() if label}

    @property
    def since(self) -> float:
        """The epoch second at which the first target became unreadable: the earliest `last_seen`."""
        return min(target.last_seen for target in self.targets)

    @property
    def scope(self) -> BlindScope:
        """The affected places and operations. When they change, the notice is written again."""
        return frozenset(
            (target.place, failure.operation) for target in self.targets for failure in target.failures
        ) | {(target.place, "") for target in self.targets}

    @property
    def place_count(self) -> int:
        """The number of affected places."""
        return len({target.place for target in self.targets})


def observation_targets(
    status: MonitorStatus,
    started: float,
    intervals: tuple[float, float],
    account_ids: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[ObservationTarget]:
    """Yield every place that Headroom reads, with the result of the last attempts.

    started: when observation began, in epoch seconds. intervals: the seconds between two inventories, and the
    seconds between two polls. account_ids: the ids of configured accounts by name, for accounts that are
    not accessible now.
    """
    targets = _targets(status, started, intervals, account_ids)
    yield from _assign_shared_causes(explain_denials(targets))


def _assign_shared_causes(targets: Sequence[ObservationTarget]) -> Iterator[ObservationTarget]:
    """Yield the targets. A cause that all linked accounts share is assigned to their monitoring account.

    The credentials of a monitoring account read the metrics of the accounts that are linked to it. If reading
    fails for all linked accounts with the same cause, the monitoring account has the cause.
    """
    linked_accounts = defaultdict[tuple[str, str], set[str]](set)
    accounts_with_cause = defaultdict[tuple[tuple[str, str], str], set[str]](set)
    for target in targets:
        if target.signer[0]:
            linked_accounts[target.signer].add(target.account)
            accounts_with_cause[target.signer, target.cause].add(target.account)
    for target in targets:
        affected = accounts_with_cause.get((target.signer, target.cause), set())
        is_shared = target.cause and len(affected) > 1 and affected == linked_accounts[target.signer]
        account, name = target.signer if is_shared else (target.account, target.name)
        yield target._replace(account=account, name=name)


def explain_denials(targets: Iterable[ObservationTarget]) -> list[ObservationTarget]:
    """Return the targets. A target whose denial is unexplained may get the cause ORGANIZATION.

    Some services do not say which policy denies a call. If a policy of the organization denies calls to other
    services in the same account and region, it is assumed to deny the unexplained calls, too.
    """
    all_targets = list(targets)
    denied_cells = {
        (target.account, target.region) for target in all_targets if target.cause == FailureClass.ORGANIZATION
    }
    return [
        target._replace(cause=FailureClass.ORGANIZATION)
        if (target.account, target.region) in denied_cells and _is_unexplained_denial(target)
        else target
        for target in all_targets
    ]


def _is_unexplained_denial(target: ObservationTarget) -> bool:
    return target.cause == FailureClass.DENIED and not any(
        DENYING_POLICY.search(failure.message) for failure in target.failures
    )


def _targets(
    status: MonitorStatus,
    started: float,
    intervals: tuple[float, float],
    account_ids: Mapping[str, str],
) -> Iterator[ObservationTarget]:
    inventory_interval, poll_interval = intervals
    accounts = {entry.name: entry for entry in status.accounts}
    if status.clock.ended_at:
        yield from _with_causes(
            status.clock, ObservationTarget(THIS_MACHINE, "", "", THIS_MACHINE, started, MAX_ATTEMPT_DURATION)
        )
    for organization in status.organizations:
        title = organization.title
        target = ObservationTarget(title, "", ORGANIZATIONS, title, started, MAX_ATTEMPT_DURATION)
        yield from _with_causes(organization.listing, target)
    for name, failure in status.inaccessible_accounts.items():
        entry = accounts.get(name) or AccountStatus(name=name, access=RunStatus(failures=(failure,)))
        account = entry.account or account_ids.get(replace_surrogates(name), name)
        target = ObservationTarget(account, "", "", name, started, MAX_ATTEMPT_DURATION)
        yield from _with_causes(entry.access, target)
    account_names = {cell.account: cell.name for cell in status.cells}
    for cell in status.cells:
        target = ObservationTarget(cell.account, cell.region, "", cell.name, started, poll_interval)
        target = target._replace(signer=(cell.signer, account_names.get(cell.signer, "")))
        yield from _with_causes(cell.poll, target)
        for service, run in cell.collectors.items():
            yield from _with_causes(
                run, target._replace(service=service, interval=max(inventory_interval, run.interval))
            )


def _with_causes(run: RunStatus, target: ObservationTarget) -> Iterator[ObservationTarget]:
    """Yield the target once for each class of cause in `run`.

    If `run` succeeded, or never ended yet, yield the target once, without a cause.
    """
    last_end = run.ended_at or run.succeeded_at
    if not run.streaks:
        ended = last_end is not None
        yield target._replace(last_seen=last_end or target.last_seen, ended=ended, never_seen=not ended)
    for cause, streak in run.streaks.items():
        yield _with_failures(target, cause, streak, run.failures)


def _with_failures(
    target: ObservationTarget, cause: str, streak: FailureStreak, failures: Iterable[Failure]
) -> ObservationTarget:
    return target._replace(
        last_seen=streak.last_clear or target.last_seen,
        cause=cause,
        failures=tuple(failure for failure in failures if failure.failure_class == cause),
        failed_attempts=streak.failed_runs,
        never_seen=streak.last_clear is None,
    )


def blind_spots(targets: Sequence[ObservationTarget], now: float) -> list[BlindSpot]:
    """Return the blind spots, one for each account and class of cause.

    A blind spot with a permanent cause also includes places that failed only once so far with that cause, so
    that the first notice names all affected places.
    """
    blind = [
        target._replace(cause=target.cause or FailureClass.LATE)
        for target in targets
        if _is_blind(target, now)
    ]
    permanent = {_identity(target) for target in blind if target.cause in PERMANENT_CLASSES}
    blind_places = {(_identity(target), target.place) for target in blind}
    failed_once = (
        target
        for target in targets
        if _identity(target) in permanent and (_identity(target), target.place) not in blind_places
    )
    return group_targets([*blind, *failed_once], targets)


def group_targets(
    failing: Iterable[ObservationTarget], targets: Iterable[ObservationTarget]
) -> list[BlindSpot]:
    """Return the failing targets as blind spots, sorted by account and class of cause."""
    regions: dict[str, set[str]] = {}
    for target in targets:
        regions.setdefault(target.account, set()).add(target.region)
    return [
        BlindSpot(
            account, replace_surrogates(affected[0].name), cause, affected, len(regions[account] - {""})
        )
        for (account, cause), group in groupby(sorted(failing, key=_sort_key), _identity)
        if (affected := list(group))
    ]


def _is_blind(target: ObservationTarget, now: float) -> bool:
    """Return true if the target failed often enough, and for long enough, for an alert."""
    blind_for = now - target.last_seen
    if target.cause and target.failed_attempts >= MIN_FAILED_ATTEMPTS:
        return blind_for >= _min_blind(target)
    return blind_for > max(MAX_UNREAD, 2 * target.interval + MAX_ATTEMPT_DURATION)


def _min_blind(target: ObservationTarget) -> float:
    """Return for how many seconds a target must have failed before its alert fires.

    The result is 0 for REPORTED_AT_ONCE, and for a target that was never read if the cause is permanent or
    the target has no region.
    """
    is_permanent = target.cause in PERMANENT_CLASSES or not target.region
    return 0.0 if target.cause in REPORTED_AT_ONCE or (target.never_seen and is_permanent) else MIN_BLIND


def _identity(target: ObservationTarget) -> tuple[str, str]:
    return target.account, target.cause


def _sort_key(target: ObservationTarget) -> tuple[str, str, str, str]:
    return target.account, target.cause, target.region, target.service
