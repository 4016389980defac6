"""The exact command that makes room for a series: today's usage in the middle of its band.

What people run, not Headroom: it changes nothing in an account.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, inf

from collectors.kinesis import CONSUMER_READ_BYTES, HOUR_MS, SHARD_WRITE_BYTES, SHARD_WRITE_RECORDS
from monitor.fleet import Series
from rules.limits import Signal

QUOTA = (
    "service-quotas request-service-quota-increase"
    " --service-code {service} --quota-code {code} --desired-value {number}"
)
SHARDS = (
    "kinesis update-shard-count --stream-name {parent} --target-shard-count {number}"
    " --scaling-type UNIFORM_SCALING"
)


@dataclass(frozen=True, slots=True)
class Command:
    """What follows `aws`, as a template.

    worth: what one of the command's number is, in the signal's unit. most: how many times as high the number
    may be made at once.
    """

    words: str
    worth: float = 1.0
    most: float = inf


COMMANDS: Mapping[str, Command] = {
    "autoscaling.group_max_size": Command(
        "autoscaling update-auto-scaling-group --auto-scaling-group-name {resource} --max-size {number}"
    ),
    "kinesis.stream_write_bytes": Command(SHARDS, SHARD_WRITE_BYTES, most=2),
    "kinesis.stream_write_records": Command(SHARDS, SHARD_WRITE_RECORDS, most=2),
    "kinesis.efo_read_bytes": Command(SHARDS, CONSUMER_READ_BYTES, most=2),
    "kinesis.retention_iterator_age": Command(
        "kinesis increase-stream-retention-period --stream-name {resource} --retention-period-hours {number}",
        HOUR_MS,
    ),
    "lambda.function_reserved_concurrency": Command(
        "lambda put-function-concurrency --function-name {resource} --reserved-concurrent-executions {number}"
    ),
    "lambda.function_provisioned_concurrency": Command(
        "lambda put-provisioned-concurrency-config --function-name {parent} --qualifier {child}"
        " --provisioned-concurrent-executions {number}"
    ),
    "sqs.fifo_message_rate_batched": Command(
        "sqs set-queue-attributes --queue-url https://sqs.{region}.amazonaws.com{china}/{account}/{resource}"
        " --attributes DeduplicationScope=messageGroup,FifoThroughputLimit=perMessageGroupId"
    ),
}


def make_room(signal: Signal, series: Series, utilization: float | None) -> str | None:
    """The command; None where it is not known, or nothing is above the band."""
    limit, band, key = series.ruling.limit, series.ruling.band, series.key
    command = Command(QUOTA) if signal.quota else COMMANDS.get(signal.id)
    if not command or not limit or not utilization or utilization <= band.high:
        return None
    wanted = limit.value * min(utilization / ((band.low + band.high) / 2), command.most)
    parent, _, child = key.resource.partition("/")
    quota = {"service": signal.quota.service, "code": signal.quota.code} if signal.quota else {}
    told = {**key._asdict(), "parent": parent, "child": child, "number": ceil(wanted / command.worth)}
    quoted = {name: shlex.quote(str(value)) for name, value in (told | quota).items()}
    china = ".cn" if key.region.startswith("cn-") else ""
    return f"aws {command.words.format(**quoted, china=china)} --region {quoted['region']}"
