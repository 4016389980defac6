from typing import Any

from collectors.base import ACCOUNT, Observed, per_second
from collectors.kinesis import (
    COLLECTOR,
    MIB,
    account,
    incoming_bytes,
    incoming_records,
    outgoing_bytes,
    refused_reads,
    refused_writes,
    streams,
)
from tests.fake_aws import FakeAws, denied

LIMITS = {"OpenShardCount": 40, "ShardLimit": 50, "OnDemandStreamCount": 0, "OnDemandStreamCountLimit": 50}


def summary(name: str, shards: int, **more: Any) -> dict[str, Any]:
    return {
        "StreamDescriptionSummary": {
            "StreamName": name,
            "StreamARN": f"arn:aws:kinesis:eu-west-1:123456789012:stream/{name}",
            "StreamStatus": "ACTIVE",
            "StreamModeDetails": {"StreamMode": "PROVISIONED"},
            "RetentionPeriodHours": 24,
            "StreamCreationTimestamp": "2026-01-01T00:00:00Z",
            "EnhancedMonitoring": [{}],
            "OpenShardCount": shards,
            **more,
        }
    }


def names(*streams: str) -> dict[str, Any]:
    return {"StreamNames": list(streams), "HasMoreStreams": False}


async def test_the_accounts_shards_are_told_by_the_api() -> None:
    aws = FakeAws(describe_limits=LIMITS)
    seen = await aws.seen(account)
    assert seen == {
        ("shards_per_region", ACCOUNT): Observed(
            signal="shards_per_region", resource=ACCOUNT, limit=50, usage=40.0
        )
    }


async def test_a_provisioned_stream_may_write_one_mib_and_a_thousand_records_per_shard() -> None:
    aws = FakeAws(list_streams=names("orders"), describe_stream_summary=summary("orders", shards=4))
    seen = await aws.seen(streams)
    written = seen["stream_write_bytes", "orders"]
    assert written.limit == 4 * MIB
    assert written.usage == per_second(incoming_bytes.of(StreamName="orders"))
    assert written.refused == per_second(refused_writes.of(StreamName="orders"))
    records = seen["stream_write_records", "orders"]
    assert records.limit == 4000
    assert records.usage == per_second(incoming_records.of(StreamName="orders"))


async def test_get_records_calls_are_shared_out_over_the_shards() -> None:
    aws = FakeAws(list_streams=names("orders"), describe_stream_summary=summary("orders", shards=4))
    calls = (await aws.seen(streams))["shard_get_records_rate", "orders"]
    assert [weight for _, weight in calls.usage.terms] == [1 / 60 / 4]  # type: ignore[union-attr]
    assert calls.refused == per_second(refused_reads.of(StreamName="orders"))


async def test_the_oldest_unread_record_is_held_against_the_retention() -> None:
    aws = FakeAws(
        list_streams=names("orders"), describe_stream_summary=summary("orders", 1, RetentionPeriodHours=48)
    )
    assert (await aws.seen(streams))["retention_iterator_age", "orders"].limit == 48 * 3_600_000


async def test_an_on_demand_stream_takes_its_warm_throughput_or_twice_its_highest_traffic() -> None:
    on_demand = {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}
    warm = {"WarmThroughput": {"TargetMiBps": 100, "CurrentMiBps": 80}}
    summaries = {
        "new": summary("new", 4, **on_demand),
        "old": summary("old", 4, **on_demand),
        "warm": summary("warm", 4, **on_demand, **warm),
    }

    def history(**params: Any) -> dict[str, Any]:
        stream = params["MetricDataQueries"][0]["MetricStat"]["Metric"]["Dimensions"][0]["Value"]
        values = [float(10 * MIB * 300), float(2 * MIB * 300)] if stream == "old" else []
        return {"MetricDataResults": [{"Id": "bytes", "StatusCode": "Complete", "Values": values}]}

    aws = FakeAws(
        list_streams=names(*summaries),
        describe_stream_summary=lambda StreamName: summaries[StreamName],
        get_metric_data=history,
    )
    seen = await aws.seen(streams)
    assert {name: seen["on_demand_write_capacity", name].limit for name in summaries} == {
        "new": None,  # the documented initial capacity
        "old": 20 * MIB,
        "warm": 80 * MIB,
    }
    assert ("stream_write_bytes", "old") not in seen  # its shards are no limit


async def test_each_shard_is_seen_by_the_metrics_that_are_enabled_on_it() -> None:
    levels = [{"ShardLevelMetrics": ["IncomingBytes", "OutgoingBytes", "ReadProvisionedThroughputExceeded"]}]
    aws = FakeAws(
        list_streams=names("orders"),
        describe_stream_summary=summary("orders", 1, EnhancedMonitoring=levels),
        list_shards={
            "Shards": [
                {
                    "ShardId": "shardId-0",
                    "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
                    "SequenceNumberRange": {"StartingSequenceNumber": "0"},
                }
            ]
        },
    )
    seen = await aws.seen(streams)
    at = {"StreamName": "orders", "ShardId": "shardId-0"}
    assert seen["shard_write_bytes", "orders/shardId-0"].usage == per_second(incoming_bytes.of(**at))
    assert seen["shard_write_bytes", "orders/shardId-0"].refused is None  # not among the enabled ones
    assert seen["shard_read_bytes", "orders/shardId-0"].usage == per_second(outgoing_bytes.of(**at))
    assert seen["shard_read_bytes", "orders/shardId-0"].refused == per_second(refused_reads.of(**at))
    assert ("shard_write_records", "orders/shardId-0") not in seen


async def test_a_fan_out_consumer_reads_two_mib_per_shard() -> None:
    aws = FakeAws(
        list_streams=names("orders"),
        describe_stream_summary=summary("orders", 3, ConsumerCount=1),
        list_stream_consumers={
            "Consumers": [
                {
                    "ConsumerName": "billing",
                    "ConsumerARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/orders/consumer/billing:1",
                    "ConsumerStatus": "ACTIVE",
                    "ConsumerCreationTimestamp": "2026-01-01T00:00:00Z",
                }
            ]
        },
    )
    assert (await aws.seen(streams))["efo_read_bytes", "orders/billing"].limit == 3 * 2 * MIB


async def test_one_stream_that_cannot_be_described_costs_itself_alone() -> None:
    aws = FakeAws(
        list_streams=names("orders", "secret"),
        describe_stream_summary=lambda StreamName: (
            denied("DescribeStreamSummary") if StreamName == "secret" else summary("orders", 1)
        ),
    )
    seen = await aws.seen(streams)
    assert {resource for _, resource in seen} == {"orders"}
    assert [(failure.operation, failure.item, failure.code) for failure in aws.look.failures] == [
        ("DescribeStreamSummary", "secret", "AccessDeniedException")
    ]


async def test_it_asks_for_exactly_the_permissions_it_uses() -> None:
    levels = [{"ShardLevelMetrics": ["ALL"]}]
    aws = FakeAws(
        describe_limits=LIMITS,
        list_streams=names("orders"),
        describe_stream_summary=summary(
            "orders",
            1,
            EnhancedMonitoring=levels,
            ConsumerCount=1,
            StreamModeDetails={"StreamMode": "ON_DEMAND"},
        ),
        list_shards={"Shards": []},
        list_stream_consumers={"Consumers": []},
        get_metric_data={"MetricDataResults": []},
    )
    await aws.all_seen(COLLECTOR)
    assert aws.actions == set(COLLECTOR.actions)
