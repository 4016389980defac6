"""Kinesis Data Streams: moto stores streams, shards and consumers; limits and summaries are simulated."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from monitor.demo.metric import BYTES, EVENTS, REPORTED_EACH_MINUTE, THROTTLES, DemoMetric
from monitor.demo.region import AwsResponseError, DemoRegion, DemoService, RequestParams
from monitor.demo.services.quotas import quota_value
from monitor.demo.traffic import Minutes, Traffic
from rules.arrays import Float64s

# The write limit of a shard; its read limit is twice as high.
SHARD_BYTES_PER_MINUTE = 1024**2 * 60
ON_DEMAND_SHARDS = 4  # the shards of a new on-demand stream: 4 MiB/s
NEARLY_NO_LAG = Traffic(mean=3e-6, daily=0.0, noise=2e-6)  # a fraction of a second
SHARD_METRICS = (
    "IncomingBytes",
    "IncomingRecords",
    "IteratorAgeMilliseconds",
    "OutgoingBytes",
    "OutgoingRecords",
    "ReadProvisionedThroughputExceeded",
    "WriteProvisionedThroughputExceeded",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoStream:
    """A stream. write: a share of the shards' write limit. lag: the iterator age, a share of retention."""

    name: str
    write: Traffic
    shards: int = ON_DEMAND_SHARDS
    on_demand: bool = False
    skew: tuple[float, ...] = ()  # load of each shard relative to the mean; empty: equal load
    shard_metrics: bool = False
    record_bytes: int = 2048
    readers: float = 1  # consumers that read everything with GetRecords
    consumers: tuple[str, ...] = ()  # enhanced fan-out consumers
    lag: Traffic = NEARLY_NO_LAG
    retention_hours: int = 24

    @property
    def mode(self) -> str:
        """The stream mode."""
        return "ON_DEMAND" if self.on_demand else "PROVISIONED"

    @property
    def open_shards(self) -> int:
        """The number of open shards now."""
        return self.shards

    def demand(self, minutes: Minutes) -> Float64s:
        """Return the demand on each shard in each minute, as a share of the shard's limit."""
        return np.outer(self.skew or np.ones(self.shards), self.write.demand(self.name, minutes))

    def accepted(self, minutes: Minutes) -> Float64s:
        """Return the accepted demand, in the unit of `demand`."""
        return np.minimum(self.demand(minutes), 1.0)

    def excess(self, minutes: Minutes, factor: float) -> Float64s:
        """Return the demand beyond `factor` times the limit, in the unit of `demand`."""
        return np.maximum(self.demand(minutes) - factor, 0.0)


def metrics(region: DemoRegion) -> Iterator[DemoMetric]:
    """Yield the metrics of all streams."""
    for stream in region.resources_of(DemoStream):
        stream_dimensions = {"StreamName": stream.name}
        yield from write_metrics(stream, stream_dimensions, slice(None))
        yield from read_metrics(stream, stream_dimensions)
        for consumer in stream.consumers:
            yield from fan_out_metrics(stream, stream_dimensions | {"ConsumerName": consumer})
        if stream.shard_metrics:
            for shard in range(stream.shards):
                shard_dimensions = stream_dimensions | {"ShardId": f"shardId-{shard:012}"}
                yield from write_metrics(stream, shard_dimensions, slice(shard, shard + 1))
                yield from shard_read_metrics(stream, shard_dimensions, slice(shard, shard + 1))


def accepted_writes(stream: DemoStream, shards: slice, unit_bytes: int) -> Any:
    """Return the writes accepted per minute, in units of `unit_bytes`, as a function of the minute."""
    return lambda minutes: stream.accepted(minutes)[shards].sum(axis=0) * SHARD_BYTES_PER_MINUTE / unit_bytes


def excess_writes(stream: DemoStream, shards: slice, unit_bytes: int, factor: float = 1.0) -> Any:
    """Return the writes beyond `factor` times the limit, in the unit of `accepted_writes`."""
    return lambda minutes: (
        stream.excess(minutes, factor)[shards].sum(axis=0) * SHARD_BYTES_PER_MINUTE / unit_bytes
    )


def write_metrics(stream: DemoStream, dimensions: dict[str, str], shards: slice) -> Iterator[DemoMetric]:
    """Yield the write metrics of a stream or of a shard."""
    size = stream.record_bytes
    yield DemoMetric("AWS/Kinesis", "IncomingBytes", dimensions, BYTES, accepted_writes(stream, shards, 1))
    yield DemoMetric(
        "AWS/Kinesis", "IncomingRecords", dimensions, EVENTS, accepted_writes(stream, shards, size)
    )
    throttled, written = excess_writes(stream, shards, size), accepted_writes(stream, shards, size)
    names = ["WriteProvisionedThroughputExceeded"]
    names += [] if "ShardId" in dimensions else ["PutRecords.ThrottledRecords"]
    for name in names:
        yield DemoMetric("AWS/Kinesis", name, dimensions, THROTTLES, throttled, count_at=written)


def iterator_age(stream: DemoStream) -> Any:
    """Return the iterator age in milliseconds as a function of the minute."""
    return lambda minutes: (
        stream.lag.demand(stream.name + "/lag", minutes) * stream.retention_hours * 3_600_000
    )


def read_metrics(stream: DemoStream, dimensions: dict[str, str]) -> Iterator[DemoMetric]:
    """Yield the read metrics of a stream."""
    written = accepted_writes(stream, slice(None), 1)
    yield DemoMetric(
        "AWS/Kinesis",
        "GetRecords.Bytes",
        dimensions,
        BYTES,
        lambda minutes: stream.readers * written(minutes),
    )
    call_count = stream.shards * stream.readers * 60  # each reader calls once per second and shard

    def calls(minutes: Minutes) -> Any:
        return written(minutes) * 0 + call_count  # NaN in minutes without data

    yield DemoMetric("AWS/Kinesis", "GetRecords.Success", dimensions, EVENTS, calls)
    # All readers together may read twice what may be written, so each may read 2 / readers times the write
    # limit. A call is throttled for each MiB beyond that.
    throttled = excess_writes(stream, slice(None), SHARD_BYTES_PER_MINUTE // 60, factor=2 / stream.readers)
    name = "ReadProvisionedThroughputExceeded"
    yield DemoMetric("AWS/Kinesis", name, dimensions, THROTTLES, throttled, count_at=calls)
    yield DemoMetric(
        "AWS/Kinesis",
        "GetRecords.IteratorAgeMilliseconds",
        dimensions,
        REPORTED_EACH_MINUTE,
        iterator_age(stream),
    )


def shard_read_metrics(stream: DemoStream, dimensions: dict[str, str], shards: slice) -> Iterator[DemoMetric]:
    """Yield the read metrics of a shard."""
    readers = stream.readers + len(stream.consumers)
    written_bytes = accepted_writes(stream, shards, 1)
    written_records = accepted_writes(stream, shards, stream.record_bytes)
    yield DemoMetric(
        "AWS/Kinesis", "OutgoingBytes", dimensions, BYTES, lambda minutes: readers * written_bytes(minutes)
    )
    yield DemoMetric(
        "AWS/Kinesis",
        "OutgoingRecords",
        dimensions,
        EVENTS,
        lambda minutes: readers * written_records(minutes),
    )
    yield DemoMetric(
        "AWS/Kinesis", "IteratorAgeMilliseconds", dimensions, REPORTED_EACH_MINUTE, iterator_age(stream)
    )


def fan_out_metrics(stream: DemoStream, dimensions: dict[str, str]) -> Iterator[DemoMetric]:
    """Yield the metrics of an enhanced fan-out consumer."""
    yield DemoMetric(
        "AWS/Kinesis",
        "SubscribeToShardEvent.Bytes",
        dimensions,
        BYTES,
        accepted_writes(stream, slice(None), 1),
    )
    yield DemoMetric(
        "AWS/Kinesis",
        "SubscribeToShardEvent.MillisBehindLatest",
        dimensions,
        REPORTED_EACH_MINUTE,
        iterator_age(stream),
    )


def seed(region: DemoRegion, kinesis: Any) -> None:
    """Create the streams and their consumers in moto."""
    for stream in region.resources_of(DemoStream):
        shards = {} if stream.on_demand else {"ShardCount": stream.shards}
        kinesis.create_stream(StreamName=stream.name, StreamModeDetails={"StreamMode": stream.mode}, **shards)
        for consumer in stream.consumers:
            kinesis.register_stream_consumer(StreamARN=stream_arn(region, stream), ConsumerName=consumer)


def stream_arn(region: DemoRegion, stream: DemoStream) -> str:
    """Return the ARN of a stream."""
    return region.arn("kinesis", f"stream/{stream.name}")


def describe_limits(region: DemoRegion, _: RequestParams, __: float) -> Mapping[str, Any]:
    """Answer DescribeLimits."""
    streams = region.resources_of(DemoStream)
    return {
        "ShardLimit": int(quota_value(region, "L-0918CF54")),
        "OpenShardCount": sum(stream.open_shards for stream in streams if not stream.on_demand),
        "OnDemandStreamCount": sum(stream.on_demand for stream in streams),
        "OnDemandStreamCountLimit": 50,
    }


def describe_stream_summary(region: DemoRegion, params: RequestParams, _: float) -> Mapping[str, Any]:
    """Answer DescribeStreamSummary: moto's response lacks the number of consumers."""
    for stream in region.resources_of(DemoStream):
        if params.get("StreamName") == stream.name or params.get("StreamARN") == stream_arn(region, stream):
            return {"StreamDescriptionSummary": stream_summary(region, stream)}
    raise AwsResponseError("ResourceNotFoundException", f"Stream {params.get('StreamName')} not found.")


def stream_summary(region: DemoRegion, stream: DemoStream) -> Mapping[str, Any]:
    """Return the summary of a stream."""
    return {
        "StreamName": stream.name,
        "StreamARN": stream_arn(region, stream),
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": {"StreamMode": stream.mode},
        "RetentionPeriodHours": stream.retention_hours,
        "StreamCreationTimestamp": datetime(2026, 1, 1, tzinfo=UTC),
        "EnhancedMonitoring": [{"ShardLevelMetrics": SHARD_METRICS}] if stream.shard_metrics else [],
        "EncryptionType": "NONE",
        "OpenShardCount": stream.open_shards,
        "ConsumerCount": len(stream.consumers),
    }


SERVICE = DemoService(
    name="kinesis",
    metrics=metrics,
    seed=seed,
    operations={"DescribeLimits": describe_limits, "DescribeStreamSummary": describe_stream_summary},
)
