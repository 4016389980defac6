"""The state of a quota: whether it is watched; if not, the reason, and how to watch it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from collectors.base import Unobservable
from collectors.metrics_only import LIMIT_NEEDED, ROLE_NEEDED
from monitor.aws.failure import Failure
from monitor.aws.failure_class import DENIAL_CLASSES, FailureClass
from monitor.aws.run_status import RunStatus
from rules.band import Zone

NEED_A_ROLE = (ROLE_NEEDED, LIMIT_NEEDED)


class CoverageState(StrEnum):
    """The state of a quota: watched, or why it is not. States that users can change come first."""

    NOT_ENABLED = "not_enabled"  # a setting of Headroom or of AWS makes the usage observable
    NOT_PERMITTED = "not_permitted"  # AWS denies the calls that return the usage
    STALE = "stale"  # no series has a recent sample, or the usage could not be read
    VALUE_ONLY = "value_only"  # the value is known; no usage was found, or none was read yet
    NO_USAGE_SOURCE = "no_usage_source"  # neither AWS nor Headroom can tell the usage
    WATCHED = "watched"  # a series compares the usage with the quota

    @property
    def words(self) -> str:
        """The state in words: `not enabled`."""
        return self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of a quota.

    reason: why it is not watched, as a sentence; empty if it is watched. enable: the command, the setting or
    the permission that makes it watched; empty if there is none.
    """

    state: CoverageState
    reason: str = ""
    enable: str = ""


@dataclass(frozen=True, slots=True)
class QuotaSeries:
    """A series that a quota limits, as judged last.

    slot: the slot of the series in the fleet. quota_arn: the ARN of the resource that has a quota of its own;
    empty if the quota is the account's. utilization: None if it is unknown. It is also None for a rate and
    for a part of the account, which the report of AWS does not have.
    """

    signal: str
    zone: Zone
    unobservable: Unobservable | None
    slot: int
    quota_arn: str = ""
    utilization: float | None = None


def verdict_of_series(series: Sequence[QuotaSeries]) -> Verdict:
    """Return the verdict on a quota by its series: it is watched if one of them has a recent sample."""
    if any(quota_series.zone not in (Zone.STALE, Zone.UNOBSERVABLE) for quota_series in series):
        return Verdict(CoverageState.WATCHED)
    reasons = [quota_series.unobservable for quota_series in series if quota_series.unobservable]
    for reason in reasons:
        if reason.enable_command:
            return Verdict(CoverageState.NOT_ENABLED, reason.reason, reason.enable_command)
    if reasons and all(reason in NEED_A_ROLE for reason in reasons):
        return Verdict(CoverageState.NOT_PERMITTED, reasons[0].reason)
    if len(reasons) == len(series):
        return Verdict(CoverageState.NO_USAGE_SOURCE, reasons[0].reason)
    return Verdict(CoverageState.STALE, "There is no recent sample of its usage.")


def verdict_of_failure(failure: Failure) -> Verdict:
    """Return the verdict on a quota whose usage could not be read."""
    if failure.failure_class not in DENIAL_CLASSES:
        return Verdict(CoverageState.STALE, failure.sentence)
    # Nobody within the account can allow what a policy of the organization denies.
    action = failure.denied_action if failure.failure_class is FailureClass.DENIED else ""
    return Verdict(CoverageState.NOT_PERMITTED, failure.sentence, f"allow {action}" if action else "")


def worst_failure(runs: Mapping[str, RunStatus], services: Iterable[str]) -> Failure | None:
    """Return a failure of the last inventories of services, if possible a denial; None if all succeeded."""
    failures = [failure for service in services if service in runs for failure in runs[service].failures]
    denials = (failure for failure in failures if failure.failure_class in DENIAL_CLASSES)
    return next(denials, failures[0] if failures else None)
