"""AWS commands that change a limit or a size, so that utilization is in the middle of the target band.

People run the commands: Headroom itself changes nothing in an account.
"""

import shlex
from collections.abc import Mapping
from math import ceil, inf
from typing import TYPE_CHECKING

from monitor.lib.partitions import partition_of
from rules.command_template import PLACEHOLDER, fill_command
from rules.limits import PUBLISHED_ONLY
from rules.right_size import target_utilization
from rules.signals import REQUEST_COMMAND, LimitKind, RemedyCommand, Signal

if TYPE_CHECKING:
    from monitor.fleet.fleet import Series

QUOTA_COMMAND = RemedyCommand(
    run=f"{REQUEST_COMMAND}"
    " --service-code {service} --quota-code {code} --desired-value {number} --region {region}"
)


def increase_command(
    signal: Signal,
    series: "Series",
    utilization: float | None,
    limit_in_force: float | None = None,
    saturated: bool = False,
) -> str | None:
    """Return the command that raises the limit of a series until utilization is in the middle of the band.

    limit_in_force: the limit that the utilization refers to; None for the limit read last. saturated: whether
    demand is throttled. Returns None if no command is known, or if the utilization is not above the band and
    no demand is throttled.
    """
    limit, band = series.settings.limit, series.settings.band
    is_above = bool(utilization and utilization > band.high)
    if not is_above and not saturated:
        return None
    limit_in_force = limit_in_force or (limit.value if limit else PUBLISHED_ONLY)
    if utilization and is_above and limit_in_force is not PUBLISHED_ONLY:
        new_limit = limit_in_force * utilization / target_utilization(band)
        return command_for_limit(signal, series, new_limit, limit_in_force)
    return command_for_limit(signal, series)


def command_for_limit(
    signal: Signal, series: "Series", new_limit: float | None = None, limit_in_force: float | None = None
) -> str | None:
    """Return the command that changes the limit of a series to `new_limit`, or as near to it as one call can.

    Both limits are in the signal's unit. Returns None if no command is known, or if the command needs a new
    limit and `new_limit` is None.
    """
    command = command_of_signal(signal)
    if not command:
        return None
    values = _values(signal, series)
    if new_limit is not None:
        max_limit = limit_in_force * command.max_factor if limit_in_force and command.max_factor else inf
        values["number"] = str(ceil(min(new_limit, max_limit) / command.unit_value))
    text = _fill(command, values)
    arn = series.settings.quota_arn if command.is_request else ""
    return f"{text} --context-id {shlex.quote(arn)}" if arn and text else text


def size_command(signal: Signal, series: "Series", items: float, ratio: float) -> str | None:
    """Return the command that changes the number of bought items to `items`; None if there is no command.

    ratio: `items` divided by the present number of items. If AWS does not allow this ratio in one call, the
    command has the nearest number that AWS allows.
    """
    command, size = signal.command, series.settings.size
    if not command or not size:
        return None
    factor = command.max_factor or inf
    present_items = items / ratio
    allowed_items = present_items * min(max(ratio, 1 / factor), factor)
    number = {"number": str(ceil(allowed_items * size.holds / command.unit_value))}
    return _fill(command, _values(signal, series) | number)


def _fill(command: RemedyCommand, values: Mapping[str, str]) -> str | None:
    """Return a command with values in place of its placeholders; None if a value is missing.

    A value is missing if the limit is not known, or if the resource was not read since a restart.
    """
    if not values.keys() >= {*PLACEHOLDER.findall(command.run)}:
        return None
    return fill_command(command.run, values.__getitem__)


def command_of_signal(signal: Signal) -> RemedyCommand | None:
    """Return the command of a signal: the declared command, or the request for an increase of its quota.

    Returns None if no command is declared and AWS does not increase the limit.
    """
    if signal.command:
        return signal.command
    if not signal.quota or signal.kind is not LimitKind.QUOTA:
        return None  # a signal of another kind may name a quota, too: Service Quotas also lists fixed limits
    return QUOTA_COMMAND.model_copy(update={"unit_value": signal.quota_unit})


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
