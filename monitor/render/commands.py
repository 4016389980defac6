"""AWS commands that raise a limit, so that the current usage is in the middle of the target band.

People run them: Headroom itself changes nothing in an account.
"""

import shlex
from math import ceil, inf
from typing import TYPE_CHECKING

from monitor.lib.partitions import partition_of
from rules.command_template import PLACEHOLDER, fill_command
from rules.limits import PUBLISHED_ONLY
from rules.signals import Band, LimitKind, RemedyCommand, Signal

if TYPE_CHECKING:
    from monitor.fleet.fleet import Series

MAX_BELOW_EDGE = 0.15  # utilization; half the width of the default band
REQUEST = "aws service-quotas request-service-quota-increase"
QUOTA = RemedyCommand(
    run=f"{REQUEST}"
    " --service-code {service} --quota-code {code} --desired-value {number} --region {region}"
)


def target_utilization(band: Band) -> float:
    """Return the utilization to aim for: the middle of the band, at most MAX_BELOW_EDGE under its upper edge.

    Without that maximum, a band that begins at 0 would double the capacity.
    """
    return max((band.low + band.high) / 2, band.high - MAX_BELOW_EDGE)


def increase_command(
    signal: Signal,
    series: "Series",
    utilization: float | None,
    in_force: float | None = None,
    saturated: bool = False,
) -> str | None:
    """Return the command that raises the limit of a series.

    in_force: the limit that the utilization refers to; None for the one read last. saturated: demand is
    throttled. Returns None when no command is known, or neither is the utilization above the band nor demand
    throttled.
    """
    limit, band = series.settings.limit, series.settings.band
    command = command_of_signal(signal)
    is_above = bool(utilization and utilization > band.high)
    if not command or not (is_above or saturated):
        return None
    values = _values(signal, series)
    present = in_force or (limit.value if limit else PUBLISHED_ONLY)
    if utilization and is_above and present is not PUBLISHED_ONLY:
        factor = min(utilization / target_utilization(band), command.max_factor or inf)
        values["number"] = str(ceil(present * factor / command.unit_value))
    if not values.keys() >= {*PLACEHOLDER.findall(command.run)}:
        return None  # without a limit to raise, or for a resource that was not seen since a restart
    filled = fill_command(command.run, values.__getitem__)
    arn = series.settings.quota_arn if command.run.startswith(REQUEST) else ""
    return f"{filled} --context-id {shlex.quote(arn)}" if arn else filled


def command_of_signal(signal: Signal) -> RemedyCommand | None:
    """Return the command of a signal: its own, or the request for an increase of its quota.

    None where there is none, and AWS does not increase the quota.
    """
    if signal.command:
        return signal.command
    if not signal.quota or signal.kind is not LimitKind.QUOTA:
        return None  # Service Quotas lists values that are fixed as well
    return QUOTA.model_copy(update={"unit_value": signal.quota_unit})


def _values(signal: Signal, series: "Series") -> dict[str, str]:
    """Return the values of the placeholders of a command."""
    key, region = series.key, series.aws_region
    quota = {"service": signal.quota.service, "code": signal.quota.code} if signal.quota else {}
    partition = partition_of(region)
    cell = {
        "region": region,
        "account_id": key.account,
        "partition": partition.name,
        "suffix": partition.dns_suffix,
    }
    return {**key.subject.ids, **cell, **quota}
