"""The reasons why no series is monitored, and what to do about them."""

from typing import NamedTuple

from collectors.registry import Registry
from monitor.aws.failure_class import FailureClass
from monitor.aws.status import MonitorStatus
from monitor.web.blind_spots import FailureGroup, failure_groups

DEFAULT_COMMAND = "headroom check"
COMMANDS: dict[str, str] = {  # by class of failure, else by code
    FailureClass.CREDENTIALS: "aws sts get-caller-identity",
    FailureClass.EXPIRED: "aws sts get-caller-identity",
    FailureClass.DENIED: "headroom iam-policy > policy.json",
    "MissingRegionError": "export AWS_REGION=eu-west-1",
}
REMEDIES = {"MissingRegionError": "Set `regions` in the configuration, or the region in the environment:"}
EXCLUDED_REMEDY = "Change `exclude` in the configuration; this command lists settings without effect:"
EXCLUDED_COMMAND = "headroom config check"


class NoDataReason(NamedTuple):
    """A reason, what to do about it, and the command that does or explains it.

    The remedy and the command may be empty.
    """

    reason: str
    remedy: str = ""
    command: str = ""


def no_data_reasons(status: MonitorStatus, registry: Registry) -> list[NoDataReason]:
    """Return the reasons why no series is monitored; empty while any is."""
    if status.has_data:
        return []
    reasons = [_reason(one) for one in failure_groups(status, registry)]
    if status.pending:
        reasons.append(NoDataReason(f"Not read yet: {', '.join(status.pending)}."))
    return reasons or [
        NoDataReason("`exclude` excludes everything that is configured.", EXCLUDED_REMEDY, EXCLUDED_COMMAND)
    ]


def _reason(group: FailureGroup) -> NoDataReason:
    remedy = group.remedies[0] if group.remedies else REMEDIES.get(group.cause, "")
    return NoDataReason(group.summary, remedy, COMMANDS.get(group.cause, DEFAULT_COMMAND))
