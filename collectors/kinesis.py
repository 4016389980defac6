"""Kinesis Data Streams: what producers and consumers move, per stream, shard and fan-out consumer.

Limits: https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
Metrics: https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html
"""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from collectors.base import ACCOUNT, Aws, Collector, Metric, Observed, highest, per_second

MIB = 1024**2
SHARD_WRITE_BYTES = MIB  # per second, documented as 1 MB/s
SHARD_WRITE_RECORDS = 1000  # per second
CONSUMER_READ_BYTES = 2 * MIB  # per second and shard, documented as 2 MB/s
ON_DEMAND_INITIAL = 4 * MIB  # per second, of a new on-demand stream: the documented default
HOUR_MS = 3_600_000
PEAK_DAYS, PEAK_PERIOD = 30, 300  # AWS keeps five-minute points for 63 days, one-minute points for 15

incoming_bytes = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
incoming_records = Metric("AWS/Kinesis", "IncomingRecords", "Sum")
outgoing_bytes = Metric("AWS/Kinesis", "OutgoingBytes", "Sum")
get_records = Metric("AWS/Kinesis", "GetRecords.Success", "SampleCount")
iterator_age = Metric("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "Maximum")
pushed_bytes = Metric("AWS/Kinesis", "SubscribeToShardEvent.Bytes", "Sum")
refused_writes = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)
refused_reads = Metric("AWS/Kinesis", "ReadProvisionedThroughputExceeded", "Sum", zero_when_absent=True)

Summary = dict[str, Any]  # a StreamDescriptionSummary


async def account(aws: Aws) -> AsyncIterator[Observed]:
    limits = await aws.call("kinesis", "DescribeLimits")
    yield Observed(
        signal="shards_per_region",
        resource=ACCOUNT,
        limit=limits["ShardLimit"],
        usage=float(limits["OpenShardCount"]),
    )


async def streams(aws: Aws) -> AsyncIterator[Observed]:
    seen = []
    names = aws.pages("kinesis", "ListStreams", "StreamNames")
    async for name, summary in aws.each(names, partial(describe, aws), str):
        seen.append(summary)
        for observed in of_stream(name, summary):
            yield observed
    async for summary, ids in aws.each(filter(shard_level, seen), partial(open_shards, aws), stream_name):
        for shard in ids:
            for observed in of_shard(stream_name(summary), shard, shard_level(summary)):
                yield observed
    fanned_out = [summary for summary in seen if summary.get("ConsumerCount")]
    async for summary, consumers in aws.each(fanned_out, partial(fan_out_consumers, aws), stream_name):
        for consumer in consumers:
            yield of_consumer(stream_name(summary), consumer, summary["OpenShardCount"])
    async for summary, limit in aws.each(filter(on_demand, seen), partial(write_capacity, aws), stream_name):
        yield of_on_demand(stream_name(summary), limit)


async def describe(aws: Aws, name: str) -> Summary:
    answer = await aws.call("kinesis", "DescribeStreamSummary", StreamName=name)
    summary: Summary = answer["StreamDescriptionSummary"]
    return summary


async def open_shards(aws: Aws, summary: Summary) -> list[str]:
    open_now = {"Type": "AT_LATEST"}
    name = stream_name(summary)
    pages = aws.pages("kinesis", "ListShards", "Shards", StreamName=name, ShardFilter=open_now)
    return [shard["ShardId"] async for shard in pages]


async def fan_out_consumers(aws: Aws, summary: Summary) -> list[str]:
    pages = aws.pages("kinesis", "ListStreamConsumers", "Consumers", StreamARN=summary["StreamARN"])
    return [consumer["ConsumerName"] async for consumer in pages]


async def write_capacity(aws: Aws, summary: Summary) -> float:
    """Bytes per second that an on-demand stream takes at once: what it is warm for, or twice its peak."""
    return warm_throughput(summary) or 2 * await highest_write_rate(aws, stream_name(summary))


def stream_name(summary: Summary) -> str:
    return str(summary["StreamName"])


def on_demand(summary: Summary) -> bool:
    return bool(summary.get("StreamModeDetails", {}).get("StreamMode") == "ON_DEMAND")


def warm_throughput(summary: Summary) -> float:
    """Bytes per second that an on-demand stream is warm for; 0 when it has none set."""
    return float(summary.get("WarmThroughput", {}).get("CurrentMiBps", 0) * MIB)


def shard_level(summary: Summary) -> set[str]:
    """The shard-level metrics that are enabled on a stream."""
    return {name for level in summary["EnhancedMonitoring"] for name in level.get("ShardLevelMetrics", ())}


async def highest_write_rate(aws: Aws, name: str) -> float:
    """The highest five-minute mean of bytes written per second in 30 days; 0 for a stream without data.

    An on-demand stream takes twice its highest traffic of the last 30 days at once:
    https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html
    """
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    metric = {
        "Namespace": incoming_bytes.namespace,
        "MetricName": incoming_bytes.name,
        "Dimensions": [{"Name": "StreamName", "Value": name}],
    }
    query = {"Id": "bytes", "MetricStat": {"Metric": metric, "Period": PEAK_PERIOD, "Stat": "Sum"}}
    results = aws.pages(
        "cloudwatch",
        "GetMetricData",
        "MetricDataResults",
        MetricDataQueries=[query],
        StartTime=end - timedelta(days=PEAK_DAYS),
        EndTime=end,
    )
    values = [value async for result in results for value in result["Values"]]
    return float(max(values, default=0.0) / PEAK_PERIOD)


def of_stream(name: str, summary: Summary) -> Iterator[Observed]:
    shards = summary["OpenShardCount"]
    written = incoming_bytes.of(StreamName=name)
    records = incoming_records.of(StreamName=name)
    refused = per_second(refused_writes.of(StreamName=name))
    if not on_demand(summary):
        yield Observed(
            signal="stream_write_bytes",
            resource=name,
            limit=shards * SHARD_WRITE_BYTES,
            usage=per_second(written),
            refused=refused,
        )
        yield Observed(
            signal="stream_write_records",
            resource=name,
            limit=shards * SHARD_WRITE_RECORDS,
            usage=per_second(records),
            refused=refused,
        )
    yield Observed(
        signal="shard_get_records_rate",
        resource=name,
        usage=per_second(get_records.of(StreamName=name)).scaled(1 / max(shards, 1)),
        refused=per_second(refused_reads.of(StreamName=name)),
    )
    yield Observed(
        signal="retention_iterator_age",
        resource=name,
        limit=summary["RetentionPeriodHours"] * HOUR_MS,
        usage=highest(iterator_age.of(StreamName=name)),
    )


def of_on_demand(name: str, capacity: float) -> Observed:
    return Observed(
        signal="on_demand_write_capacity",
        resource=name,
        limit=capacity if capacity > ON_DEMAND_INITIAL else None,
        usage=per_second(incoming_bytes.of(StreamName=name)),
        refused=per_second(refused_writes.of(StreamName=name)),
    )


def of_shard(stream: str, shard: str, enabled: set[str]) -> Iterator[Observed]:
    signals = {
        "shard_write_bytes": (incoming_bytes, refused_writes),
        "shard_write_records": (incoming_records, refused_writes),
        "shard_read_bytes": (outgoing_bytes, refused_reads),
    }
    for signal, (moved, refused) in signals.items():
        if enabled & {moved.name, "ALL"}:
            told = enabled & {refused.name, "ALL"}
            yield Observed(
                signal=signal,
                resource=f"{stream}/{shard}",
                usage=per_second(moved.of(StreamName=stream, ShardId=shard)),
                refused=per_second(refused.of(StreamName=stream, ShardId=shard)) if told else None,
            )


def of_consumer(stream: str, consumer: str, shards: int) -> Observed:
    return Observed(
        signal="efo_read_bytes",
        resource=f"{stream}/{consumer}",
        limit=shards * CONSUMER_READ_BYTES,
        usage=per_second(pushed_bytes.of(StreamName=stream, ConsumerName=consumer)),
    )


COLLECTOR = Collector(
    service="kinesis",
    parts=(account, streams),
    metrics=(
        incoming_bytes,
        incoming_records,
        outgoing_bytes,
        get_records,
        iterator_age,
        pushed_bytes,
        refused_writes,
        refused_reads,
    ),
    actions=(
        "kinesis:DescribeLimits",
        "kinesis:ListStreams",
        "kinesis:DescribeStreamSummary",
        "kinesis:ListShards",
        "kinesis:ListStreamConsumers",
        "cloudwatch:GetMetricData",
    ),
    rates={
        "kinesis": 20,
        "kinesis:DescribeLimits": 1,
        "kinesis:ListStreams": 5,
        "kinesis:ListStreamConsumers": 5,
    },
)
