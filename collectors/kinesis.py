"""Kinesis Data Streams: reads and writes of streams, shards and enhanced fan-out consumers.

Limits: https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
Metrics: https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html
"""

from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from collectors.base import (
    ACCOUNT,
    Aws,
    Collector,
    Metric,
    Observed,
    Resource,
    per_second,
    reader_lag,
    unread_duration,
)
from collectors.expression import ExpressionError
from collectors.kinesis_write_peak import (
    REQUIRED_NUMBERS,
    SUMMARY_MEMBERS,
    StreamSummary,
    WritePeaks,
    created_at,
    get_write_peak,
    incoming_bytes,
    stream_name,
)
from collectors.readable_items import ReadableItems
from collectors.response_members import is_list, is_number, is_text, members_of
from rules.units import BYTES, MILLISECONDS

MIB = 1024**2
SHARD_WRITE_BYTES = MIB  # bytes per second, documented as 1 MB/s
SHARD_WRITE_RECORDS = 1000  # records per second
CONSUMER_READ_BYTES = 2 * MIB  # bytes per second and shard, documented as 2 MB/s
ON_DEMAND_INITIAL = 4 * MIB  # bytes per second of a new on-demand stream, by AWS's documentation
MILLISECONDS_PER_HOUR = 3_600_000

# Kinesis publishes these metrics only for minutes with writes or reads.
incoming_records = Metric("AWS/Kinesis", "IncomingRecords", "Sum", zero_when_absent=True)
outgoing_bytes = Metric("AWS/Kinesis", "OutgoingBytes", "Sum", unit=BYTES)
get_records = Metric("AWS/Kinesis", "GetRecords.Success", "SampleCount", zero_when_absent=True)
iterator_age = Metric("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "Maximum", unit=MILLISECONDS)
millis_behind = Metric(
    "AWS/Kinesis", "SubscribeToShardEvent.MillisBehindLatest", "Maximum", unit=MILLISECONDS
)
pushed_bytes = Metric("AWS/Kinesis", "SubscribeToShardEvent.Bytes", "Sum", unit=BYTES)
throttled_writes = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)
throttled_reads = Metric("AWS/Kinesis", "ReadProvisionedThroughputExceeded", "Sum", zero_when_absent=True)


async def account(aws: Aws) -> AsyncIterator[Observed]:
    """Yield the series of the account: the number of its open shards."""
    if not await aws.is_in_use():
        return
    limits = await aws.call("kinesis", "DescribeLimits")
    yield Observed(
        signal="shards_per_region",
        resource=ACCOUNT,
        limit=limits["ShardLimit"],
        usage=float(limits["OpenShardCount"]),
    )


async def streams(aws: Aws) -> AsyncIterator[Observed]:
    """Yield the series of all streams, their shards and their consumers."""
    summaries = []
    names = ReadableItems(aws.list_items("kinesis", "ListStreams", "StreamNames"), "streams", stream_name_of)

    async def series_of(name: str) -> tuple[StreamSummary, list[Observed]]:
        aws.record_resource()
        summary = await describe_stream(aws, name)
        return summary, [*series_of_answers(aws, name, summary, partial(summary_series, name, summary))]

    async for _, (summary, series) in aws.map(names.items(), series_of, stream_resource):
        summaries.append(summary)
        for observed in series:
            yield observed
    async for summary, ids in aws.map(
        filter(shard_level_metrics, summaries), partial(list_open_shards, aws), summary_resource
    ):
        make = partial(series_of_shards, summary, ids)
        for observed in series_of_answers(aws, ("shards", stream_name(summary)), summary, make, ids):
            yield observed
    consumed_streams = [summary for summary in summaries if summary.get("ConsumerCount")]
    async for summary, consumers in aws.map(consumed_streams, partial(list_consumers, aws), summary_resource):
        name = stream_name(summary)
        make = partial(reader_series, name, summary, consumers)
        for observed in series_of_answers(aws, ("readers", name), summary, make, consumers):
            yield observed
    aws.state(WritePeaks).retain(map(stream_name, summaries))
    on_demand_streams = [
        summary
        for summary in filter(is_on_demand, summaries)
        if aws.includes("on_demand_write_capacity", summary_resource(summary))
    ]
    get_capacity = partial(get_write_capacity, aws)
    async for summary, capacity in aws.map(on_demand_streams, get_capacity, summary_resource):
        make = partial(on_demand_series, stream_name(summary), capacity, created_at(summary))
        for observed in series_of_answers(aws, ("capacity", stream_name(summary)), summary, make, capacity):
            yield observed
    names.check()


def series_of_answers(
    aws: Aws, key: Hashable, summary: StreamSummary, make: Callable[[], Iterable[Observed]], *answers: Any
) -> Iterable[Observed]:
    """Return the series that `make` makes of a stream's summary and further answers (see `Aws.series`)."""
    return aws.series(key, (summary, answers), make, aws.read_at(("summary", stream_name(summary))))


def stream_name_of(item: Any) -> str | None:
    """Return the name of a stream in ListStreams; None for an item that is no name."""
    return item if is_text(item) and item else None


async def describe_stream(aws: Aws, name: str) -> StreamSummary:
    """Get the summary of a stream."""

    async def read() -> StreamSummary:
        response = await aws.call("kinesis", "DescribeStreamSummary", StreamName=name)
        described: StreamSummary = response["StreamDescriptionSummary"]
        summary = {member: described[member] for member in SUMMARY_MEMBERS if member in described}
        for member in REQUIRED_NUMBERS:
            if not is_number(summary.get(member)):
                raise ExpressionError(f"expected a number in {member}, found {summary.get(member)!r}")
        return summary | {"StreamName": name, "EnhancedMonitoring": enhanced_monitoring(described)}

    return await aws.in_turn(("summary", name), stream_resource(name), read)


async def list_open_shards(aws: Aws, summary: StreamSummary) -> list[str]:
    """List the ids of the open shards of a stream."""
    first = {"StreamName": stream_name(summary), "ShardFilter": {"Type": "AT_LATEST"}}

    async def read() -> list[str]:
        return [shard["ShardId"] async for shard in aws.list_items("kinesis", "ListShards", "Shards", first)]

    return await aws.in_turn(("shards", stream_name(summary)), summary_resource(summary), read)


async def list_consumers(aws: Aws, summary: StreamSummary) -> list[str]:
    """List the names of the enhanced fan-out consumers of a stream."""

    async def read() -> list[str]:
        listed = aws.list_items("kinesis", "ListStreamConsumers", "Consumers", StreamARN=summary["StreamARN"])
        return [consumer["ConsumerName"] async for consumer in listed]

    return await aws.in_turn(("consumers", stream_name(summary)), summary_resource(summary), read)


async def get_write_capacity(aws: Aws, summary: StreamSummary) -> float:
    """Get the bytes per second that an on-demand stream accepts before it has to scale.

    The capacity is the stream's warm throughput, or else twice its write peak (see `get_write_peak`).
    """
    return warm_throughput(summary) or 2 * await get_write_peak(aws, summary)


def stream_resource(name: str) -> Resource:
    """Return the resource of a stream."""
    return Resource("stream", (name,))


def summary_resource(summary: StreamSummary) -> Resource:
    """Return the resource of the stream that a summary describes."""
    return stream_resource(stream_name(summary))


def is_on_demand(summary: StreamSummary) -> bool:
    """Return true if a stream is in on-demand mode."""
    return bool(summary.get("StreamModeDetails", {}).get("StreamMode") == "ON_DEMAND")


def warm_throughput(summary: StreamSummary) -> float:
    """Return the warm throughput of an on-demand stream in bytes per second; 0 if none is set."""
    return float(summary.get("WarmThroughput", {}).get("CurrentMiBps", 0) * MIB)


def shard_level_metrics(summary: StreamSummary) -> set[str]:
    """Return the names of the shard-level metrics that are enabled on a stream."""
    return {name for level in summary["EnhancedMonitoring"] for name in level.get("ShardLevelMetrics", ())}


def enhanced_monitoring(described: StreamSummary) -> list[dict[str, list[str]]]:
    """Return the `EnhancedMonitoring` of a stream, without members of a wrong type."""
    answer: Any = described.get("EnhancedMonitoring")
    levels = [
        members_of(level, {"ShardLevelMetrics": is_list}) for level in (answer if is_list(answer) else ())
    ]
    return [{"ShardLevelMetrics": [*filter(is_text, level.get("ShardLevelMetrics", ()))]} for level in levels]


def series_maker(name: str, summary: StreamSummary) -> Callable[..., Observed]:
    """Return a function that makes a series of a stream from the fields that differ between its series."""
    return partial(Observed, resource=stream_resource(name), created_at=created_at(summary))


def traffic_series(name: str, summary: StreamSummary) -> Iterator[Observed]:
    """Yield the series of a stream: of its writes, if it is provisioned, and of its GetRecords calls."""
    shards, make_series = summary["OpenShardCount"], series_maker(name, summary)
    written = incoming_bytes.of(StreamName=name)
    records = incoming_records.of(StreamName=name)
    throttled, served = per_second(throttled_writes.of(StreamName=name)), per_second(records)
    if not is_on_demand(summary):
        yield make_series(
            signal="stream_write_bytes",
            limit=shards * SHARD_WRITE_BYTES,
            hard_limit=True,
            usage=per_second(written),
            throttled=throttled,
            served=served,
        )
        yield make_series(
            signal="stream_write_records",
            limit=shards * SHARD_WRITE_RECORDS,
            hard_limit=True,
            usage=per_second(records),
            throttled=throttled,
            served=served,
        )
    reads = per_second(get_records.of(StreamName=name))
    yield make_series(
        signal="shard_get_records_rate",
        usage=reads.scaled(1 / max(shards, 1)),
        throttled=per_second(throttled_reads.of(StreamName=name)),
        served=reads,
    )


def summary_series(name: str, summary: StreamSummary) -> Iterator[Observed]:
    """Yield the series of a stream that need only its summary.

    If the stream has no consumers, the series of its readers are among them.
    """
    yield from traffic_series(name, summary)
    if not summary.get("ConsumerCount"):
        yield from reader_series(name, summary, ())


def reader_series(name: str, summary: StreamSummary, consumers: Iterable[str]) -> Iterator[Observed]:
    """Yield the series of a stream's readers: their lag, and the time for which nobody reads the stream.

    Enhanced fan-out consumers make no GetRecords calls and have metrics of their own. A consumer without
    points while the stream is written has stopped.
    """
    retention_milliseconds = summary["RetentionPeriodHours"] * MILLISECONDS_PER_HOUR
    make_series = series_maker(name, summary)
    written = incoming_bytes.of(StreamName=name)
    lag_metrics = {
        consumer: millis_behind.of(StreamName=name, ConsumerName=consumer) for consumer in consumers
    }
    yield make_series(
        signal="retention_iterator_age",
        limit=retention_milliseconds,
        usage=reader_lag(iterator_age.of(StreamName=name), *lag_metrics.values(), written=written),
    )
    yield make_series(
        signal="stream_unread",
        usage=unread_duration(get_records.of(StreamName=name), *lag_metrics.values(), written=written),
    )
    for consumer, lag in lag_metrics.items():
        consumer_resource = stream_resource(name).child("consumer", consumer)
        yield make_series(
            signal="efo_read_bytes",
            resource=consumer_resource,
            limit=summary["OpenShardCount"] * CONSUMER_READ_BYTES,
            hard_limit=True,
            usage=per_second(pushed_bytes.of(StreamName=name, ConsumerName=consumer)),
        )
        yield make_series(
            signal="efo_consumer_lag",
            resource=consumer_resource,
            limit=retention_milliseconds,
            usage=reader_lag(lag, written=written),
        )


def on_demand_series(name: str, capacity: float, created: float | None) -> Iterator[Observed]:
    """Yield the series of the writes to an on-demand stream. capacity: in bytes per second."""
    yield Observed(
        signal="on_demand_write_capacity",
        resource=stream_resource(name),
        created_at=created,
        limit=capacity if capacity > ON_DEMAND_INITIAL else None,  # None: the documented initial capacity
        usage=per_second(incoming_bytes.of(StreamName=name)),
        throttled=per_second(throttled_writes.of(StreamName=name)),
        served=per_second(incoming_records.of(StreamName=name)),
    )


def series_of_shards(summary: StreamSummary, shards: Iterable[str]) -> Iterator[Observed]:
    """Yield the series of some shards of a stream."""
    for shard in shards:
        for observed in shard_series(stream_name(summary), shard, shard_level_metrics(summary)):
            yield replace(observed, created_at=created_at(summary))


def shard_series(name: str, shard: str, enabled_metrics: set[str]) -> Iterator[Observed]:
    """Yield the series of a shard whose metrics are enabled.

    enabled_metrics: the names of shard-level metrics; ALL stands for every one.
    """

    def is_enabled(metric: Metric) -> bool:
        return not enabled_metrics.isdisjoint((metric.name, "ALL"))

    signals = {
        "shard_write_bytes": (incoming_bytes, throttled_writes),
        "shard_write_records": (incoming_records, throttled_writes),
        "shard_read_bytes": (outgoing_bytes, throttled_reads),
    }
    for signal, (traffic, throttled) in signals.items():
        if is_enabled(traffic):
            has_throttles = is_enabled(throttled)
            has_records = throttled is throttled_writes and is_enabled(incoming_records)
            records = incoming_records.of(StreamName=name, ShardId=shard)
            yield Observed(
                signal=signal,
                resource=stream_resource(name).child("shard", shard),
                usage=per_second(traffic.of(StreamName=name, ShardId=shard)),
                throttled=per_second(throttled.of(StreamName=name, ShardId=shard)) if has_throttles else None,
                served=per_second(records) if has_throttles and has_records else None,
            )


COLLECTOR = Collector(
    service="kinesis",
    scans=(account, streams),
    metrics=(
        incoming_bytes,
        incoming_records,
        outgoing_bytes,
        get_records,
        iterator_age,
        millis_behind,
        pushed_bytes,
        throttled_writes,
        throttled_reads,
    ),
    iam_actions=(
        "kinesis:DescribeLimits",
        "kinesis:ListStreams",
        "kinesis:DescribeStreamSummary",
        "kinesis:ListShards",
        "kinesis:ListStreamConsumers",
        "cloudwatch:GetMetricData",
    ),
    call_rates={
        "kinesis": 20,
        "kinesis:DescribeLimits": 1,
        "kinesis:ListStreams": 5,
        "kinesis:ListStreamConsumers": 5,
    },
    arns={"stream": "arn:{partition}:kinesis:{region}:{account_id}:stream/{stream}"},
)
