"""Kinesis Data Streams: moto keeps streams, shards and consumers; limits and summaries are ours."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from monitor.demo.metric import BYTES, EVENTS, READING, Emitted
from monitor.demo.region import AwsError, Params, Region, Service
from monitor.demo.services.quotas import quota
from monitor.demo.traffic import Floats, Minutes, Traffic

SHARD_BYTES = 1024**2 * 60  # written in a minute; twice that may be read
ON_DEMAND_SHARDS = 4  # what a new on-demand stream starts with: 4 MiB/s
NEVER_BEHIND = Traffic(mean=3e-6, day=0.0, noise=2e-6)  # a fraction of a second
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
class Stream:
    """A stream; `write` is a share of what its shards take, `lag` of its retention."""

    name: str
    write: Traffic
    shards: int = ON_DEMAND_SHARDS
    on_demand: bool = False
    skew: tuple[float, ...] = ()  # how much of an even part each shard gets; empty: exactly that
    shard_metrics: bool = False
    record_bytes: int = 2048
    readers: float = 1  # how many consumers read it all with GetRecords
    consumers: tuple[str, ...] = ()  # and with enhanced fan-out
    lag: Traffic = NEVER_BEHIND
    retention_hours: int = 24

    @property
    def mode(self) -> str:
        return "ON_DEMAND" if self.on_demand else "PROVISIONED"

    def demand(self, minutes: Minutes) -> Floats:
        """For each shard and minute, the bytes sent as a share of the shard's limit."""
        return np.outer(self.skew or np.ones(self.shards), self.write.at(self.name, minutes))


def emitted(region: Region) -> Iterator[Emitted]:
    for stream in region.all(Stream):
        whole = {"StreamName": stream.name}
        yield from writes(stream, whole, slice(None))
        yield from reads(stream, whole)
        for consumer in stream.consumers:
            yield from pushes(stream, whole | {"ConsumerName": consumer})
        if stream.shard_metrics:
            for shard in range(stream.shards):
                part = whole | {"ShardId": f"shardId-{shard:012}"}
                yield from writes(stream, part, slice(shard, shard + 1))
                yield from shard_reads(stream, part, slice(shard, shard + 1))


def sent(stream: Stream, shards: slice, per: int) -> Any:
    """Bytes or records (`per` bytes each) that the shards took."""
    return lambda m: np.minimum(stream.demand(m)[shards], 1.0).sum(axis=0) * SHARD_BYTES / per


def excess(stream: Stream, shards: slice, per: int, of: float = 1.0) -> Any:
    """The same, of what was asked beyond `of` times the limit; no data point without any."""

    def at(minutes: Minutes) -> Floats:
        over = np.maximum(stream.demand(minutes)[shards] - of, 0.0).sum(axis=0)
        return np.where(over > 0, over, np.nan) * SHARD_BYTES / per

    return at


def writes(stream: Stream, where: dict[str, str], shards: slice) -> Iterator[Emitted]:
    """What the whole stream and each shard report alike."""
    size = stream.record_bytes
    yield Emitted("AWS/Kinesis", "IncomingBytes", where, BYTES, sent(stream, shards, 1))
    yield Emitted("AWS/Kinesis", "IncomingRecords", where, EVENTS, sent(stream, shards, size))
    too_much = excess(stream, shards, size)
    yield Emitted("AWS/Kinesis", "WriteProvisionedThroughputExceeded", where, EVENTS, too_much)
    if "ShardId" not in where:
        yield Emitted("AWS/Kinesis", "PutRecords.ThrottledRecords", where, EVENTS, too_much)


def age(stream: Stream) -> Any:
    return lambda m: stream.lag.at(stream.name + "/lag", m) * stream.retention_hours * 3_600_000


def reads(stream: Stream, where: dict[str, str]) -> Iterator[Emitted]:
    took = sent(stream, slice(None), 1)
    yield Emitted("AWS/Kinesis", "GetRecords.Bytes", where, BYTES, lambda m: stream.readers * took(m))
    calls = stream.shards * stream.readers * 60  # each reader asks each shard once a second
    yield Emitted("AWS/Kinesis", "GetRecords.Success", where, EVENTS, lambda m: took(m) * 0 + calls)
    too_much = excess(stream, slice(None), SHARD_BYTES // 60, of=2 / stream.readers)
    yield Emitted("AWS/Kinesis", "ReadProvisionedThroughputExceeded", where, EVENTS, too_much)
    yield Emitted("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", where, READING, age(stream))


def shard_reads(stream: Stream, where: dict[str, str], shards: slice) -> Iterator[Emitted]:
    times = stream.readers + len(stream.consumers)
    took, records = sent(stream, shards, 1), sent(stream, shards, stream.record_bytes)
    yield Emitted("AWS/Kinesis", "OutgoingBytes", where, BYTES, lambda m: times * took(m))
    yield Emitted("AWS/Kinesis", "OutgoingRecords", where, EVENTS, lambda m: times * records(m))
    yield Emitted("AWS/Kinesis", "IteratorAgeMilliseconds", where, READING, age(stream))


def pushes(stream: Stream, where: dict[str, str]) -> Iterator[Emitted]:
    yield Emitted("AWS/Kinesis", "SubscribeToShardEvent.Bytes", where, BYTES, sent(stream, slice(None), 1))
    yield Emitted("AWS/Kinesis", "SubscribeToShardEvent.MillisBehindLatest", where, READING, age(stream))


def seed(region: Region, kinesis: Any) -> None:
    for stream in region.all(Stream):
        shards = {} if stream.on_demand else {"ShardCount": stream.shards}
        kinesis.create_stream(StreamName=stream.name, StreamModeDetails={"StreamMode": stream.mode}, **shards)
        for consumer in stream.consumers:
            kinesis.register_stream_consumer(StreamARN=arn(region, stream), ConsumerName=consumer)


def arn(region: Region, stream: Stream) -> str:
    return region.arn("kinesis", f"stream/{stream.name}")


def describe_limits(region: Region, _: Params, __: float) -> Mapping[str, Any]:
    streams = region.all(Stream)
    return {
        "ShardLimit": int(quota(region, "L-0918CF54")),
        "OpenShardCount": sum(stream.shards for stream in streams if not stream.on_demand),
        "OnDemandStreamCount": sum(stream.on_demand for stream in streams),
        "OnDemandStreamCountLimit": 50,
    }


def describe_stream_summary(region: Region, params: Params, _: float) -> Mapping[str, Any]:
    """Ours, because moto's does not tell how many consumers there are."""
    for stream in region.all(Stream):
        if params.get("StreamName") == stream.name or params.get("StreamARN") == arn(region, stream):
            return {"StreamDescriptionSummary": summary(region, stream)}
    raise AwsError("ResourceNotFoundException", f"Stream {params.get('StreamName')} not found.")


def summary(region: Region, stream: Stream) -> Mapping[str, Any]:
    return {
        "StreamName": stream.name,
        "StreamARN": arn(region, stream),
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": {"StreamMode": stream.mode},
        "RetentionPeriodHours": stream.retention_hours,
        "StreamCreationTimestamp": datetime(2026, 1, 1, tzinfo=UTC),
        "EnhancedMonitoring": [{"ShardLevelMetrics": SHARD_METRICS}] if stream.shard_metrics else [],
        "EncryptionType": "NONE",
        "OpenShardCount": stream.shards,
        "ConsumerCount": len(stream.consumers),
    }


SERVICE = Service(
    name="kinesis",
    emitted=emitted,
    seed=seed,
    answers={"DescribeLimits": describe_limits, "DescribeStreamSummary": describe_stream_summary},
)
