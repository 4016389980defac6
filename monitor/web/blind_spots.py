"""The content of the page of blind spots: failed reads of AWS and unobservable series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collectors.registry import Registry
from monitor.alerting import blind_text
from monitor.alerting.visibility import BlindSpot, group_targets, observation_targets
from monitor.aws.status import MonitorStatus
from monitor.fleet.snapshot import Snapshot
from monitor.fleet.unobservable import UnobservableGroup, group_unobservable, unobservable_series

MAX_EXAMPLES = 10  # series listed for one reason


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """The failed reads of one account that have one cause.

    cause: a FailureClass, else an error code. location: the account, and the region or the number of regions.
    failure_count: failures of the last attempts. never_succeeded: true if any of these reads has never
    succeeded. services_by_region: the names of the affected services, as one text for each region. command:
    shows the cause, or mends it.
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


def unobservable_groups(snapshot: Snapshot) -> list[UnobservableGroup[str]]:
    """Return the unobservable series by service and reason, the largest group first.

    May take long: not for the event loop.
    """
    found = ((series.key, cause) for series, cause in unobservable_series(snapshot))
    return group_unobservable((key.service, key, cause) for key, cause in found)


def failure_groups(status: MonitorStatus, registry: Registry) -> list[FailureGroup]:
    """Return the failed reads by account and cause; what was never read comes first."""
    # Start and intervals only decide which targets are late, and the page lists failures only.
    targets = list(observation_targets(status, started=0.0, intervals=(0.0, 0.0)))
    spots = group_targets((one for one in targets if one.cause), targets)
    groups = [_failure_group(spot, registry) for spot in spots]
    return sorted(groups, key=lambda one: (not one.never_succeeded, one.location, one.cause))


def _failure_group(spot: BlindSpot, registry: Registry) -> FailureGroup:
    regions = {one.region: "" for one in spot.targets if one.region}
    return FailureGroup(
        cause=spot.cause,
        location=_location(spot, sorted(regions)),
        summary=blind_text.summary(spot, registry),
        codes=", ".join(sorted({failure.code for one in spot.targets for failure in one.failures})),
        failure_count=sum(len(one.failures) for one in spot.targets),
        never_succeeded=any(one.never_seen for one in spot.targets),
        services_by_region={
            region: blind_text.affected_services(spot, registry, region) for region in regions
        },
        remedies=blind_text.remedies(spot),
        command=blind_text.next_steps(spot)[0].command,
    )


def _location(spot: BlindSpot, regions: Sequence[str]) -> str:
    name = spot.name or spot.account
    if len(regions) > 1:
        return f"{name}, {len(regions)} of {spot.regions} regions"
    return ", ".join((name, *regions))
