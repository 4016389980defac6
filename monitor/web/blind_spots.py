"""The content of the page of blind spots: failed reads of AWS and unobservable series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from collectors.registry import Registry
from monitor.alerting import blind_text
from monitor.alerting.visibility import BlindSpot, group_targets, observation_targets
from monitor.aws.failure_class import DENIAL_CLASSES
from monitor.aws.status import MonitorStatus
from monitor.fleet.fleet import Series
from monitor.fleet.key import Key
from monitor.fleet.namespaces import NEVER
from monitor.fleet.snapshot import Snapshot
from monitor.fleet.unobservable import group_unobservable, unobservable_series
from rules.band import Zone

MAX_EXAMPLES = 10  # series listed for one reason
MAX_SWITCHES, MAX_STALE = 50, 20  # settings, and stale series, that are listed


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """The failed reads of one account that have one cause.

    cause: a FailureClass, else an error code.
    location: the account, and the region or the number of regions.
    failure_count: the number of failures in the last attempts.
    never_succeeded: true if any of these reads has never succeeded.
    services_by_region: the names of the affected services, as one text for each region.
    command: the command that shows or removes the cause.
    """

    cause: str
    location: str
    summary: str
    codes: str
    failure_count: int
    never_succeeded: bool
    services_by_region: Mapping[str, str]
    remedies: Sequence[str]
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A setting of AWS that makes series observable. cost: what AWS charges for it; empty if not known."""

    reason: str
    command: str
    cost: str
    keys: Sequence[Key]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWithoutCommand:
    """Series that are unobservable for one reason and that no command makes observable.

    scope: the service of the series.
    """

    scope: str
    reason: str
    keys: Sequence[Key]

    @property
    def series_count(self) -> int:
        """The number of series."""
        return len(self.keys)


def unobservable_variables(snapshot: Snapshot) -> dict[str, Any]:
    """Return the variables of the template about unobservable and stale series, the largest group first.

    It may take long: call it outside the event loop.
    """
    unobservable = [*unobservable_series(snapshot)]
    costs = {cause.enable_command: cause.cost.text for _, cause in unobservable if cause.cost}
    groups = group_unobservable((series.key.service, series.key, cause) for series, cause in unobservable)
    group_commands = [
        (group, command, keys) for group in groups for command, keys in group.keys_by_command.items()
    ]
    switches = [
        Switch(reason=group.reason, command=command, cost=costs.get(command, ""), keys=keys)
        for group, command, keys in group_commands
        if command
    ]
    without_command = [
        GroupWithoutCommand(scope=group.scope, reason=group.reason, keys=keys)
        for group, command, keys in group_commands
        if not command
    ]
    stale = np.flatnonzero((snapshot.zone == Zone.STALE) & (snapshot.group >= 0))
    return {
        "groups": groups,
        "switches": switches[:MAX_SWITCHES],
        "switch_count": len(switches),
        "switch_series_count": sum(len(switch.keys) for switch in switches),
        "without_command": without_command,
        "without_command_series_count": sum(group.series_count for group in without_command),
        "stale": [_stale_series(snapshot, slot) for slot in stale[:MAX_STALE].tolist()],
        "stale_series_count": int(stale.size),
        "denied": DENIAL_CLASSES,
    }


def _stale_series(snapshot: Snapshot, slot: int) -> tuple[Series, int | None]:
    """Return a series without a recent sample, and the time of its last sample in epoch seconds."""
    minute = int(snapshot.minute[slot])
    return snapshot.series[slot], minute * 60 if minute > NEVER else None


def failure_groups(status: MonitorStatus, registry: Registry) -> list[FailureGroup]:
    """Return the failed reads by account and cause; reads that never succeeded come first."""
    # Start and intervals affect only which targets are late, and the page lists failures, not late targets.
    targets = list(observation_targets(status, started=0.0, intervals=(0.0, 0.0)))
    spots = group_targets((target for target in targets if target.cause), targets)
    groups = [_failure_group(spot, registry) for spot in spots]
    return sorted(groups, key=lambda group: (not group.never_succeeded, group.location, group.cause))


def _failure_group(spot: BlindSpot, registry: Registry) -> FailureGroup:
    regions = {target.region: "" for target in spot.targets if target.region}
    return FailureGroup(
        cause=spot.cause,
        location=_location(spot, sorted(regions)),
        summary=blind_text.summary(spot, registry),
        codes=", ".join(sorted({failure.code for target in spot.targets for failure in target.failures})),
        failure_count=sum(len(target.failures) for target in spot.targets),
        never_succeeded=any(target.never_seen for target in spot.targets),
        services_by_region={
            region: blind_text.affected_services(spot, registry, region) for region in regions
        },
        remedies=blind_text.remedies(spot),
        command=blind_text.next_steps(spot)[0].command,
    )


def _location(spot: BlindSpot, regions: Sequence[str]) -> str:
    name = spot.name or spot.account
    if len(regions) > 1:
        return f"{name}, {len(regions)} of {spot.region_count} regions"
    return ", ".join((name, *regions))
