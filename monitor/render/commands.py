"""AWS commands that raise a limit, so that the current usage is in the middle of the target band.

People run them: Headroom itself changes nothing in an account.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, inf

from collectors.kinesis import CONSUMER_READ_BYTES, HOUR_MS, SHARD_WRITE_BYTES, SHARD_WRITE_RECORDS
from monitor.aws.partitions import partition_of
from monitor.fleet.fleet import Series
from rules.limits import PUBLISHED_ONLY, Band, Signal

MAX_BELOW_EDGE = 0.15  # utilization; half the width of the default band
QUOTA = (
    "service-quotas request-service-quota-increase"
    " --service-code {service} --quota-code {code} --desired-value {number}"
)
SHARDS = (
    "kinesis update-shard-count --stream-name={parent} --target-shard-count {number}"
    " --scaling-type UNIFORM_SCALING"
)


@dataclass(frozen=True, slots=True)
class RemedyCommand:
    """The arguments of `aws`, as a template. {parent} and {child}: ids of the path of the resource.

    unit_value: what one of {number} is, in the signal's unit. max_factor: by how much AWS lets one call
    multiply the number.
    """

    template: str
    unit_value: float = 1.0
    max_factor: float = inf


RETENTION = RemedyCommand(
    "kinesis increase-stream-retention-period --stream-name={parent} --retention-period-hours {number}",
    HOUR_MS,
)

COMMANDS: Mapping[str, RemedyCommand] = {
    "autoscaling.group_max_size": RemedyCommand(
        "autoscaling update-auto-scaling-group --auto-scaling-group-name={parent} --max-size {number}"
    ),
    "kinesis.stream_write_bytes": RemedyCommand(SHARDS, SHARD_WRITE_BYTES, max_factor=2),
    "kinesis.stream_write_records": RemedyCommand(SHARDS, SHARD_WRITE_RECORDS, max_factor=2),
    "kinesis.efo_read_bytes": RemedyCommand(SHARDS, CONSUMER_READ_BYTES, max_factor=2),
    "kinesis.efo_consumer_lag": RETENTION,
    "kinesis.retention_iterator_age": RETENTION,
    "lambda.function_reserved_concurrency": RemedyCommand(
        "lambda put-function-concurrency --function-name={parent} --reserved-concurrent-executions {number}"
    ),
    "lambda.function_provisioned_concurrency": RemedyCommand(
        "lambda put-provisioned-concurrency-config --function-name={parent} --qualifier={child}"
        " --provisioned-concurrent-executions {number}"
    ),
    "sqs.fifo_message_rate_batched": RemedyCommand(
        "sqs set-queue-attributes --queue-url https://sqs.{region}.{suffix}/{account}/{parent}"
        " --attributes DeduplicationScope=messageGroup,FifoThroughputLimit=perMessageGroupId"
    ),
}


def target_utilization(band: Band) -> float:
    """Return the utilization to aim for: the middle of the band, at most MAX_BELOW_EDGE under its upper edge.

    Without that maximum, a band that begins at 0 would double the capacity.
    """
    return max((band.low + band.high) / 2, band.high - MAX_BELOW_EDGE)


def increase_command(
    signal: Signal, series: Series, utilization: float | None, in_force: float | None = None
) -> str | None:
    """Return the command that raises the limit of a series.

    in_force: the limit that the utilization refers to; None for the one read last. Returns None when no
    command is known, or the utilization is not above the band.
    """
    limit, band, key = series.settings.limit, series.settings.band, series.key
    command = RemedyCommand(QUOTA) if signal.quota else COMMANDS.get(signal.id)
    if not command or not limit or not utilization or utilization <= band.high:
        return None
    present = in_force or limit.value
    if present is PUBLISHED_ONLY:
        return None
    needed = present * min(utilization / target_utilization(band), command.max_factor)
    parent, child = (*key.subject.path, "", "")[:2]
    quota = {"service": signal.quota.service, "code": signal.quota.code} if signal.quota else {}
    values = {**key.labels, "parent": parent, "child": child, "number": ceil(needed / command.unit_value)}
    quoted = {name: shlex.quote(str(value)) for name, value in (values | quota).items()}
    suffix = partition_of(key.region).dns_suffix
    return f"aws {command.template.format(**quoted, suffix=suffix)} --region {quoted['region']}"
