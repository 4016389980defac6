"""The texts of blind spots: what failed and where, with AWS's message, and how to mend it."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import attrgetter

from collectors import tags
from collectors.base import GLOBAL_REGION
from collectors.registry import ACTIVITY, Registry
from monitor.alerting.visibility import ORGANIZATIONS, BlindSpot, ObservationTarget
from monitor.aws.failure import Failure
from monitor.aws.failure_class import FailureClass
from monitor.aws.iam import BASE_ACTIONS
from monitor.aws.next_steps import BY_CLASS, NextStep, next_step

METRICS_TITLE = "CloudWatch metrics"  # in place of a service's title, for reads of metrics
MAX_REGIONS = 3  # regions that a text names; the other regions are counted
MAX_SERVICES = 8  # services that a text names; the other services are counted
LISTING_EFFECT = "Accounts that are known stay monitored; new ones are not."
ACTIVITY_EFFECT = "Metrics without points are read there as often as others, which costs more."
END_TEXTS: dict[str, str] = {
    FailureClass.DENIED: "nothing is denied any more",
    FailureClass.ORGANIZATION: "the organization denies nothing any more",
    FailureClass.EXPIRED: "the credentials are valid again",
    FailureClass.CREDENTIALS: "the credentials are accepted",
    FailureClass.THROTTLED: "nothing is throttled any more",
    FailureClass.UNREACHABLE: "AWS answers again",
    FailureClass.DISABLED: "all regions that are read are enabled",
    FailureClass.CLOCK: "its clock agrees with AWS's again",
    FailureClass.LATE: "reads complete again",
}


def summary(spot: BlindSpot, registry: Registry) -> str:
    """Return the summary of a blind spot in its present scope."""
    failure = _shown_failure(spot.targets, registry)
    failed = _failure_text(spot, failure, registry)
    message = f": {failure.message.rstrip('.')}" if failure and failure.message else ""
    if is_unlistable_organization(spot):
        return f"{failed}: Headroom cannot list the accounts of the {spot.account}{message}. {LISTING_EFFECT}"
    if spot.cause == FailureClass.CLOCK and failure:
        return f"{failure.message[0].upper()}{failure.message[1:]}."
    places = _places_text(spot)
    if not places:
        return f"{failed}: Headroom cannot access the account {spot.name or spot.account}{message}."
    return f"{failed} {places}{message}. {_effect_text(spot, registry)}"


def _effect_text(spot: BlindSpot, registry: Registry) -> str:
    """Return what is not monitored, and the extra cost where lists of active metrics cannot be read."""
    unread_targets = [target for target in spot.targets if target.service != ACTIVITY]
    unread_services = affected_services(spot._replace(targets=unread_targets), registry)
    sentences = [f"Not monitored there: {unread_services}."] if unread_targets else []
    if len(unread_targets) < len(spot.targets):
        sentences.append(ACTIVITY_EFFECT)
    return " ".join(sentences)


def next_steps(spot: BlindSpot) -> list[NextStep]:
    """Return what to do about a blind spot, each step once; nothing for an unknown cause."""
    if spot.cause == FailureClass.ORGANIZATION:
        return [BY_CLASS[spot.cause]]
    failures = (failure for target in spot.targets for failure in target.failures)
    steps = [next_step(failure) for failure in sorted(failures, key=attrgetter("code", "operation"))]
    return [*dict.fromkeys(steps or [BY_CLASS.get(spot.cause, NextStep())])]


def remedies(spot: BlindSpot) -> tuple[str, ...]:
    """Return sentences on how to mend a blind spot; none for an unknown cause."""
    sentences = dict.fromkeys(sentence for step in next_steps(spot) for sentence in step.sentences)
    regions = [*dict.fromkeys(target.region for target in spot.targets if target.region)]
    if spot.cause == FailureClass.ORGANIZATION and len(regions) > MAX_REGIONS:
        sentences[f"It is denied in {', '.join(sorted(regions))}."] = None
    return (*sentences,)


def is_unlistable_organization(spot: BlindSpot) -> bool:
    """Return whether a blind spot is an organization whose accounts cannot be listed."""
    return any(target.place == ("", ORGANIZATIONS) for target in spot.targets)


def end_text(cause: str) -> str:
    """Return what is true once a blind spot of this cause has ended, such as `AWS answers again`."""
    return END_TEXTS.get(cause, f"AWS does not answer {cause} any more")


@lru_cache(4096)
def iam_action(service: str, operation: str, registry: Registry) -> str:
    """Return the IAM action of an operation. service: of the collector; empty for reads of metrics."""
    if not operation:
        return ""
    actions = (
        *(action for collector in registry.collectors_of((service,)) for action in collector.iam_actions),
        *BASE_ACTIONS,
        "sts:AssumeRole",
        "sts:GetCallerIdentity",
        *tags.ACTIONS,
    )
    matching = next((action for action in actions if action.rpartition(":")[2] == operation), None)
    return matching or (f"{service}:{operation}" if service else operation)


def _shown_failure(targets: Iterable[ObservationTarget], registry: Registry) -> Failure | None:
    """Return the failure whose message is shown: the first by action, so that the message seldom changes."""
    actions_and_failures = [
        (_iam_action_of(target.service, failure, registry), failure)
        for target in targets
        for failure in target.failures
    ]
    # Failures without an action come last.
    _, failure = min(actions_and_failures, key=lambda pair: (not pair[0], pair[0]), default=("", None))
    return failure


def _failure_text(spot: BlindSpot, failure: Failure | None, registry: Registry) -> str:
    if failure is None:
        return "No read has completed"
    actions = {
        _iam_action_of(target.service, failed, registry)
        for target in spot.targets
        for failed in target.failures
    }
    named_actions = sorted(actions - {""})
    more_text = f" and {len(named_actions) - 1} more" if len(named_actions) > 1 else ""
    if spot.cause == FailureClass.ORGANIZATION:
        return (
            f"The organization denies {named_actions[0]}{more_text}"
            if named_actions
            else "The organization denies calls"
        )
    return f"{failure.code} of {named_actions[0]}{more_text}" if named_actions else failure.code


def _iam_action_of(service: str, failure: Failure, registry: Registry) -> str:
    """Return the denied action that AWS names, else the action of the operation that failed."""
    return failure.denied_action or iam_action(service, failure.operation, registry)


def _places_text(spot: BlindSpot) -> str:
    """Return the regions of a blind spot in words; empty for the account as a whole."""
    regions = sorted({target.region for target in spot.targets if target.region})
    name = spot.name or spot.account
    if regions == [GLOBAL_REGION]:
        return f"in the global services of {name}"
    if len(regions) <= 1:
        return "".join(f"in {region} of {name}" for region in regions)
    return (
        f"in {len(regions)} of {spot.region_count} regions of {name} ({join_limited(regions, MAX_REGIONS)})"
    )


def affected_services(spot: BlindSpot, registry: Registry, region: str = "") -> str:
    """Return the titles of the services that cannot be read, in one region or in any region."""
    targets = (target for target in spot.targets if target.region)
    names = sorted({target.service for target in targets if region in ("", target.region)})
    return join_limited([registry.title(name) or METRICS_TITLE for name in names], MAX_SERVICES)


def join_limited(names: Sequence[str], limit: int) -> str:
    """Return the names as a list in a sentence, in which names beyond `limit` are counted."""
    unnamed_count = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {unnamed_count} more" if unnamed_count > 0 else "")
