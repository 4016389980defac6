"""Kinesis: the account's shards, throughput of streams and shards, consumers and readers."""

from collections import Counter
from datetime import UTC, datetime
from itertools import count
from typing import Any

from collectors.base import ACCOUNT, Observed, per_second, reader_lag, unread_duration
from collectors.kinesis import (
    COLLECTOR,
    MIB,
    account,
    get_records,
    incoming_records,
    iterator_age,
    millis_behind,
    outgoing_bytes,
    streams,
    throttled_reads,
    throttled_writes,
)
from collectors.kinesis_write_peak import incoming_bytes
from monitor.aws.pagination import MAX_PAGES_OF_OPERATION
from monitor.aws.telemetry import SERVICE_LABELS
from tests.fake_aws import ACCOUNT_ID, FakeAws, denied
from tests.kinesis_answers import SHARD_LIMITS
from tests.kinesis_answers import stream_names as names
from tests.kinesis_answers import stream_summary as summary


async def test_the_accounts_shards_come_from_the_api() -> None:
    aws = FakeAws(describe_limits=SHARD_LIMITS)
    series = await aws.run_scan(account)
    assert series == {
        ("shards_per_region", ""): Observed(
            signal="shards_per_region", resource=ACCOUNT, limit=50, usage=40.0
        )
    }


async def test_a_provisioned_stream_may_write_one_mib_and_a_thousand_records_per_shard() -> None:
    aws = FakeAws(list_streams=names("orders"), describe_stream_summary=summary("orders", shards=4))
    series = await aws.run_scan(streams)
    written = series["stream_write_bytes", "orders"]
    assert written.limit == 4 * MIB
    assert written.usage == per_second(incoming_bytes.of(StreamName="orders"))
    assert written.throttled == per_second(throttled_writes.of(StreamName="orders"))
    records = series["stream_write_records", "orders"]
    assert records.limit == 4000
    assert records.usage == per_second(incoming_records.of(StreamName="orders"))


async def test_the_rate_of_get_records_calls_is_divided_by_the_number_of_shards() -> None:
    aws = FakeAws(list_streams=names("orders"), describe_stream_summary=summary("orders", shards=4))
    calls = (await aws.run_scan(streams))["shard_get_records_rate", "orders"]
    assert [weight for _, weight in calls.usage.terms] == [1 / 60 / 4]  # type: ignore[union-attr]
    assert calls.throttled == per_second(throttled_reads.of(StreamName="orders"))


async def test_the_limit_of_the_iterator_age_is_the_retention() -> None:
    aws = FakeAws(
        list_streams=names("orders"),
        describe_stream_summary=summary("orders", 1, RetentionPeriodHours=48),
    )
    assert (await aws.run_scan(streams))["retention_iterator_age", "orders"].limit == 48 * 3_600_000


async def test_an_on_demand_stream_accepts_its_warm_throughput_or_twice_its_write_peak() -> None:
    mode = {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}
    warm = {"WarmThroughput": {"TargetMiBps": 100, "CurrentMiBps": 80}}
    summaries = {
        "new": summary("new", 4, **mode),
        "old": summary("old", 4, **mode),
        "warm": summary("warm", 4, **mode, **warm),
    }

    def get_metric_data(**params: Any) -> dict[str, Any]:
        stream = params["MetricDataQueries"][0]["MetricStat"]["Metric"]["Dimensions"][0]["Value"]
        values = [float(10 * MIB * 300), float(2 * MIB * 300)] if stream == "old" else []
        return {"MetricDataResults": [{"Id": "bytes", "StatusCode": "Complete", "Values": values}]}

    aws = FakeAws(
        list_streams=names(*summaries),
        describe_stream_summary=lambda StreamName: summaries[StreamName],
        get_metric_data=get_metric_data,
    )
    series = await aws.run_scan(streams)
    assert {name: series["on_demand_write_capacity", name].limit for name in summaries} == {
        "new": None,  # so the catalogue's limit applies: the documented initial capacity
        "old": 20 * MIB,
        "warm": 80 * MIB,
    }
    assert ("stream_write_bytes", "old") not in series  # the shards of an on-demand stream are no limit


NOW = 1_800_000_000.0
DAY = 86_400.0


def on_demand_stream(
    name: str, age: float, points: dict[float, float]
) -> tuple[FakeAws, list[tuple[float, float]]]:
    """Return an AWS with an on-demand stream, and a list to which each request appends its start and end.

    age: seconds since the stream was created. points: bytes per second by seconds before NOW; points from
    before the creation belong to an earlier stream of the same name.
    """
    requested = []

    def get_metric_data(**params: Any) -> dict[str, Any]:
        start, end = (params[name].timestamp() for name in ("StartTime", "EndTime"))
        requested.append((start, end))
        values = [rate * 300 for seconds, rate in points.items() if start <= NOW - seconds < end]
        return {"MetricDataResults": [{"Id": "bytes", "StatusCode": "Complete", "Values": values}]}

    mode = {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}
    created = datetime.fromtimestamp(NOW - age, UTC)
    described = summary(name, 4, StreamCreationTimestamp=created, **mode)
    answers: dict[str, Any] = {
        "list_streams": names(name),
        "describe_stream_summary": described,
        "get_metric_data": get_metric_data,
    }
    return FakeAws(now=NOW, **answers), requested


async def test_traffic_from_before_a_stream_was_created_does_not_count() -> None:
    aws, requested = on_demand_stream("orders", DAY, {20 * DAY: 60.0 * MIB, 3 * 3600: 3.0 * MIB})
    series = (await aws.run_scan(streams))["on_demand_write_capacity", "orders"]
    assert series.limit == 6 * MIB
    assert series.created_at == NOW - DAY
    ((start, end),) = requested
    assert start >= NOW - DAY and end <= NOW


async def test_the_write_peak_is_that_of_the_last_thirty_days() -> None:
    aws, _ = on_demand_stream("orders", 90 * DAY, {31 * DAY: 60.0 * MIB, 29 * DAY: 5.0 * MIB})
    assert (await aws.run_scan(streams))["on_demand_write_capacity", "orders"].limit == 10 * MIB


async def test_endless_pages_of_traffic_are_a_failure_of_the_stream() -> None:
    aws, _ = on_demand_stream("orders", 10 * DAY, {})
    tokens = count()
    result = {"Id": "bytes", "StatusCode": "PartialData", "Values": [1.0]}
    aws.answers["get_metric_data"] = lambda **_: {
        "MetricDataResults": [result],
        "NextToken": f"t{next(tokens)}",
    }
    series = await aws.run_scan(streams)
    assert ("on_demand_write_capacity", "orders") not in series
    failures = [(failure.operation, failure.resource) for failure in aws.scan.failures]
    assert failures == [("GetMetricData", "orders")]
    assert next(tokens) == MAX_PAGES_OF_OPERATION["GetMetricData"]


async def test_the_traffic_of_a_stream_created_this_hour_is_not_requested() -> None:
    aws, requested = on_demand_stream("orders", 60, {20 * DAY: 60.0 * MIB})
    assert (await aws.run_scan(streams))["on_demand_write_capacity", "orders"].limit is None
    assert requested == []


async def test_the_traffic_of_thirty_days_is_requested_and_billed_once_an_hour() -> None:
    aws, requested = on_demand_stream("orders", 90 * DAY, {2 * DAY: 5.0 * MIB})
    for minutes in range(0, 180, 10):
        aws.now = NOW + minutes * 60
        assert (await aws.run_scan(streams))["on_demand_write_capacity", "orders"].limit == 10 * MIB
    assert len(requested) == 3
    labels = dict(zip(SERVICE_LABELS, (ACCOUNT_ID, "eu-west-1", ""), strict=True))
    assert aws.registry.get_sample_value("headroom_metrics_requested_total", labels) == 3


async def test_a_shard_has_the_series_whose_shard_level_metrics_are_enabled() -> None:
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
    series = await aws.run_scan(streams)
    dimensions = {"StreamName": "orders", "ShardId": "shardId-0"}
    written = series["shard_write_bytes", "orders/shardId-0"]
    assert written.usage == per_second(incoming_bytes.of(**dimensions))
    assert written.throttled is None  # WriteProvisionedThroughputExceeded is not enabled
    read = series["shard_read_bytes", "orders/shardId-0"]
    assert read.usage == per_second(outgoing_bytes.of(**dimensions))
    assert read.throttled == per_second(throttled_reads.of(**dimensions))
    assert ("shard_write_records", "orders/shardId-0") not in series


def shard(number: int) -> dict[str, Any]:
    """Return a shard, as ListShards describes it."""
    return {
        "ShardId": f"shardId-{number:012d}",
        "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
        "SequenceNumberRange": {"StartingSequenceNumber": "1"},
    }


SHARDS, PAGE_SIZE = 1500, 1000  # of a large stream, in two pages of ListShards


async def test_the_shards_of_all_pages_are_found_though_later_requests_may_not_name_the_stream() -> None:
    def page(**requested: Any) -> dict[str, Any]:
        assert ("NextToken" in requested) != ("StreamName" in requested or "ShardFilter" in requested)
        start = int(requested.get("NextToken", 0))
        end = min(start + PAGE_SIZE, SHARDS)
        next_page = {"NextToken": str(end)} if end < SHARDS else {}
        return {"Shards": [shard(number) for number in range(start, end)], **next_page}

    aws = FakeAws(
        list_streams=names("large"),
        describe_stream_summary=summary("large", SHARDS, EnhancedMonitoring=[{"ShardLevelMetrics": ["ALL"]}]),
        list_shards=page,
    )
    signals = Counter(signal for signal, _ in await aws.run_scan(streams))
    assert aws.scan.failures == []
    shard_signals = ("shard_write_bytes", "shard_write_records", "shard_read_bytes")
    assert {signals[signal] for signal in shard_signals} == {SHARDS}
    assert aws.calls.count("kinesis:ListShards") == 2


def consumer(name: str) -> dict[str, Any]:
    """Return an enhanced fan-out consumer, as ListStreamConsumers describes it."""
    return {
        "ConsumerName": name,
        "ConsumerARN": f"arn:aws:kinesis:eu-west-1:123456789012:stream/orders/consumer/{name}:1",
        "ConsumerStatus": "ACTIVE",
        "ConsumerCreationTimestamp": "2026-01-01T00:00:00Z",
    }


async def test_a_fan_out_consumer_may_read_two_mib_per_shard_and_publishes_its_lag() -> None:
    aws = FakeAws(
        list_streams=names("orders"),
        describe_stream_summary=summary("orders", 3, ConsumerCount=1, RetentionPeriodHours=48),
        list_stream_consumers={"Consumers": [consumer("billing")]},
    )
    series = await aws.run_scan(streams)
    assert series["efo_read_bytes", "orders/billing"].limit == 3 * 2 * MIB
    behind = millis_behind.of(StreamName="orders", ConsumerName="billing")
    written = incoming_bytes.of(StreamName="orders")
    lag = series["efo_consumer_lag", "orders/billing"]
    assert (lag.limit, lag.usage) == (48 * 3_600_000, reader_lag(behind, written=written))
    polled = iterator_age.of(StreamName="orders")
    assert series["retention_iterator_age", "orders"].usage == reader_lag(polled, behind, written=written)


async def test_the_time_without_readers_is_computed_from_the_metrics_of_all_readers() -> None:
    aws = FakeAws(
        list_streams=names("orders"),
        describe_stream_summary=summary("orders", 1, ConsumerCount=2),
        list_stream_consumers={"Consumers": [consumer("a"), consumer("b")]},
    )
    behind = [millis_behind.of(StreamName="orders", ConsumerName=name) for name in "ab"]
    expected = unread_duration(
        get_records.of(StreamName="orders"), *behind, written=incoming_bytes.of(StreamName="orders")
    )
    assert (await aws.run_scan(streams))["stream_unread", "orders"].usage == expected


async def test_consumers_that_cannot_be_listed_leave_the_other_series_of_the_stream() -> None:
    aws = FakeAws(
        list_streams=names("orders"),
        describe_stream_summary=summary("orders", 1, ConsumerCount=1),
        list_stream_consumers=denied("ListStreamConsumers"),
    )
    signals = {signal for signal, _ in await aws.run_scan(streams)}
    assert signals == {"stream_write_bytes", "stream_write_records", "shard_get_records_rate"}
    assert [failure.operation for failure in aws.scan.failures] == ["ListStreamConsumers"]


async def test_a_stream_that_cannot_be_described_affects_only_itself() -> None:
    aws = FakeAws(
        list_streams=names("orders", "secret"),
        describe_stream_summary=lambda StreamName: (
            denied("DescribeStreamSummary") if StreamName == "secret" else summary("orders", 1)
        ),
    )
    series = await aws.run_scan(streams)
    assert {resource for _, resource in series} == {"orders"}
    assert [(failure.operation, failure.resource, failure.code) for failure in aws.scan.failures] == [
        ("DescribeStreamSummary", "secret", "AccessDeniedException")
    ]


async def test_the_collector_declares_exactly_the_permissions_that_it_uses() -> None:
    levels = [{"ShardLevelMetrics": ["ALL"]}]
    aws = FakeAws(
        describe_limits=SHARD_LIMITS,
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
    await aws.run_all_scans(COLLECTOR)
    assert aws.iam_actions == set(COLLECTOR.iam_actions)
