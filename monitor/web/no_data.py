"""The reasons why no series is monitored, and what to do about them."""

from typing import NamedTuple

from collectors.registry import Registry
from monitor.aws.status import MonitorStatus
from monitor.web.blind_spots import FailureGroup, failure_groups

DISABLED_REMEDY = (
    "Enable the region in the account, or name others in `regions`. "
    "Headroom checks every hour whether the region is enabled."
)
EXCLUDED_REMEDY = "Change `exclude` in the configuration; this command lists settings without effect:"
EXCLUDED_COMMAND = "headroom config check"


class NoDataReason(NamedTuple):
    """A reason, its remedy, and a command that carries out the remedy or explains the reason.

    The remedy and the command may be empty.
    """

    reason: str
    remedy: str = ""
    command: str = ""


def no_data_reasons(status: MonitorStatus, registry: Registry) -> list[NoDataReason]:
    """Return the reasons why no series is monitored; empty if any series is monitored."""
    if status.has_data:
        return []
    reasons = [_reason(group) for group in failure_groups(status, registry)]
    reasons += [NoDataReason(f"{sentence}.", DISABLED_REMEDY) for sentence in status.disabled_regions]
    if status.pending:
        reasons.append(NoDataReason(f"Not read yet: {', '.join(status.pending)}."))
    return reasons or [
        NoDataReason("`exclude` excludes everything that is configured.", EXCLUDED_REMEDY, EXCLUDED_COMMAND)
    ]


def _reason(group: FailureGroup) -> NoDataReason:
    return NoDataReason(group.summary, group.remedies[0] if group.remedies else "", group.command)
