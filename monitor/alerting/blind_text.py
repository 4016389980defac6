"""The texts of blind spots: what failed and where, with AWS's message, and how to mend it."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from collectors import quotas, tags
from collectors.base import GLOBAL_REGION
from collectors.registry import Registry
from monitor.alerting.visibility import BlindSpot, ObservationTarget
from monitor.aws.failure import Failure
from monitor.aws.failure_class import FailureClass

METRICS_TITLE = "CloudWatch metrics"  # of a cell
MAX_REGIONS = 3  # regions that are named; the others are counted
MAX_SERVICES = 8
POLICY_REMEDY = (
    "Allow the missing actions: `headroom iam-policy` prints a policy. Permission boundaries and service "
    "control policies apply as well."
)
EXCLUDE_REMEDY = (
    "List regions and services that need no monitoring under `exclude`: Headroom does not call them."
)

REMEDIES: dict[str, tuple[str, ...]] = {
    FailureClass.DENIED: (POLICY_REMEDY, EXCLUDE_REMEDY),
    FailureClass.EXPIRED: (
        "Renew the credentials, or give Headroom a role, whose credentials are renewed automatically.",
    ),
    FailureClass.CREDENTIALS: (
        "Give Headroom valid credentials. `aws sts get-caller-identity` checks the credentials of a shell.",
    ),
    FailureClass.THROTTLED: (
        "Find out what else in the account calls these operations, or lengthen the intervals.",
    ),
    FailureClass.UNREACHABLE: (
        "Check that Headroom reaches the endpoints of AWS: DNS, proxy, firewall, VPC endpoints.",
    ),
    FailureClass.CLOCK: (
        "Synchronize the clock by NTP: AWS refuses requests that are signed more than five minutes off.",
    ),
    FailureClass.DISABLED: ("Enable the region in the account, or leave it out of `regions`.",),
}
END_TEXTS: dict[str, str] = {
    FailureClass.DENIED: "nothing is denied any more",
    FailureClass.EXPIRED: "the credentials are valid again",
    FailureClass.CREDENTIALS: "the credentials are accepted",
    FailureClass.THROTTLED: "nothing is throttled any more",
    FailureClass.UNREACHABLE: "AWS answers again",
    FailureClass.DISABLED: "all regions that are read are enabled",
    FailureClass.CLOCK: "its clock agrees with AWS's again",
    FailureClass.LATE: "reads complete again",
}


def summary(spot: BlindSpot, registry: Registry) -> str:
    """Return a sentence on a blind spot as it is now."""
    failure = _representative(spot.targets, registry)
    what = _what(spot, failure, registry)
    message = f": {failure.message.rstrip('.')}" if failure and failure.message else ""
    where = _where(spot)
    if spot.cause == FailureClass.CLOCK and failure:
        return f"{failure.message[0].upper()}{failure.message[1:]}."
    if not where:
        return f"{what}: Headroom cannot access the account {spot.name or spot.account}{message}."
    return f"{what} {where}{message}. Not monitored there: {affected_services(spot, registry)}."


def remedies(spot: BlindSpot) -> tuple[str, ...]:
    """Return sentences on how to mend a blind spot; none for an unknown cause."""
    return REMEDIES.get(spot.cause, ())


def end_text(cause: str) -> str:
    """Return what is true once a blind spot of this cause has ended, such as `AWS answers again`."""
    return END_TEXTS.get(cause, f"AWS does not answer {cause} any more")


@lru_cache(4096)
def iam_action(service: str, operation: str, registry: Registry) -> str:
    """Return the IAM action of an operation. service: the collector's; empty for the reading of metrics."""
    if not operation:
        return ""
    actions = (
        *(action for collector in registry.collectors_of((service,)) for action in collector.iam_actions),
        "cloudwatch:GetMetricData",
        "sts:AssumeRole",
        "sts:GetCallerIdentity",
        *quotas.ACTIONS,
        *tags.ACTIONS,
    )
    matching = next((action for action in actions if action.rpartition(":")[2] == operation), None)
    return matching or (f"{service}:{operation}" if service else operation)


def _representative(targets: Iterable[ObservationTarget], registry: Registry) -> Failure | None:
    """Return the failure whose message is shown: the first by action, so that it seldom changes."""
    failed = [
        (iam_action(target.service, failure.operation, registry), failure)
        for target in targets
        for failure in target.failures
    ]
    return min(failed, key=lambda pair: (not pair[0], pair[0]), default=("", None))[1]


def _what(spot: BlindSpot, failure: Failure | None, registry: Registry) -> str:
    if failure is None:
        return "No read has completed"
    actions = sorted(
        {
            iam_action(target.service, failed.operation, registry)
            for target in spot.targets
            for failed in target.failures
        }
    )
    named = [action for action in actions if action]
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    return f"{failure.code} of {named[0]}{more}" if named else failure.code


def _where(spot: BlindSpot) -> str:
    """Return in which regions it shows; empty for the account as a whole."""
    regions = sorted({target.region for target in spot.targets if target.region})
    name = spot.name or spot.account
    if regions == [GLOBAL_REGION]:
        return f"in the global services of {name}"
    if len(regions) <= 1:
        return "".join(f"in {region} of {name}" for region in regions)
    return f"in {len(regions)} of {spot.regions} regions of {name} ({join_limited(regions, MAX_REGIONS)})"


def affected_services(spot: BlindSpot, registry: Registry, region: str = "") -> str:
    """Return the titles of the services that cannot be read, in one region or in any."""
    targets = (target for target in spot.targets if target.region)
    names = sorted({target.service for target in targets if region in ("", target.region)})
    return join_limited([registry.title(name) or METRICS_TITLE for name in names], MAX_SERVICES)


def join_limited(names: Sequence[str], limit: int) -> str:
    """Return the names as a list in a sentence, with those beyond `limit` counted."""
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
