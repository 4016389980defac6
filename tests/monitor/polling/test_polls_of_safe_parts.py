"""Polls of a cell: shards are read hourly while their stream has too little traffic to endanger one."""

from collections import Counter
from typing import Any

from collectors.base import Observed
from collectors.kinesis import SHARD_WRITE_BYTES, shard_series, traffic_series
from monitor.aws.cell import Cell
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.pruned import proof_of_safety
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.series_settings import SeriesSettings
from monitor.planning.intervals import Intervals
from monitor.planning.planner import Planner
from monitor.polling.reader import MetricReader
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.fake_cloudwatch import Body, FakeCloudWatch, Query, Response, fake_credentials, query_result
from tests.registries import METRIC_SERVICES, REGISTRY, STREAM_WRITE_BYTES
from tests.telemetries import Telemetries

START, DELAY, MAX_USAGE_INTERVAL = 29_000_000, 2, 15  # minutes
CELL = "123456789012", "eu-west-1"
SHARDS = [f"shard-{n}" for n in range(8)]
LOW_TRAFFIC, HIGH_TRAFFIC = 0.01 * SHARD_WRITE_BYTES, 0.9 * SHARD_WRITE_BYTES  # bytes a second
SUMMARY = {"OpenShardCount": len(SHARDS), "StreamCreationTimestamp": "2020-01-01T00:00:00Z"}


class StreamMetrics:
    """A fake CloudWatch with the bytes of a stream and of its shards.

    request_counts: how often the metric of each shard was requested; "" is the stream. last_requested: by
    shard, the minute of the last request for its metric.
    """

    def __init__(self) -> None:
        self.now = START
        self.high_traffic_from = START + 10_000  # the minute from which on shard-5 has high traffic
        self.request_counts = Counter[str]()
        self.last_requested = dict[str, int]()

    def answer(self, body: Body) -> Response:
        return {"MetricDataResults": [self._result(query) for query in body["MetricDataQueries"]]}

    def _result(self, query: Query) -> dict[str, Any]:
        metric = query["MetricStat"]["Metric"]
        shard = next((pair["Value"] for pair in metric["Dimensions"] if pair["Name"] == "ShardId"), "")
        if metric["MetricName"] != "IncomingBytes":
            return query_result(query, {})
        self.request_counts[shard] += 1
        self.last_requested[shard] = self.now
        newest = self.now - DELAY - 1
        return query_result(
            query, {minute: self._bytes(shard, minute) for minute in range(newest - WINDOW, newest + 1)}
        )

    def _bytes(self, shard: str, minute: int) -> float:
        is_high = minute >= self.high_traffic_from
        if not shard:
            return 60 * (LOW_TRAFFIC * (len(SHARDS) - is_high) + HIGH_TRAFFIC * is_high)
        return 60 * (HIGH_TRAFFIC if is_high and shard == "shard-5" else LOW_TRAFFIC)


def fleet_of_shards() -> Fleet:
    """Return a fleet with the series of the written bytes of the stream and of its shards."""
    fleet = Fleet()
    fleet.set_bounds(REGISTRY.bounds)
    observations = [*traffic_series("orders", SUMMARY)]
    for shard in SHARDS:
        observations += shard_series("orders", shard, {"IncomingBytes"})
    for observed in observations:
        if observed.signal in ("stream_write_bytes", "shard_write_bytes"):
            add(fleet, observed)
    return fleet


def add(fleet: Fleet, observed: Observed) -> None:
    """Register a series with its observed limit, or else with that of a shard."""
    limit = Limit(observed.limit or SHARD_WRITE_BYTES, LimitSource.API, 0.0)
    settings = SeriesSettings(signal=STREAM_WRITE_BYTES, limit=limit, band=Band(), delay=DELAY)
    fleet.put(Key(*CELL, "kinesis", observed.signal, observed.resource), observed, settings, START)


async def poll(reader: MetricReader, aws: StreamMetrics, minutes: int) -> None:
    """Poll once in each of the next minutes."""
    for _ in range(minutes):
        assert await reader.read(aws.now) == []
        aws.now += 1


async def test_shards_are_read_hourly_while_traffic_is_low_and_at_once_when_it_is_high() -> None:
    aws, fleet = StreamMetrics(), fleet_of_shards()
    async with FakeCloudWatch(aws.answer) as server:
        cell = Cell(fake_credentials(), *CELL, Telemetries().aws, {"cloudwatch": 1000.0}, server.url)
        reader = MetricReader(
            cell, fleet, METRIC_SERVICES, planner=Planner(fleet, Intervals(1, MAX_USAGE_INTERVAL, 5))
        )
        await poll(reader, aws, 40)
        counts_before = aws.request_counts.copy()
        await poll(reader, aws, 60)
        assert max(aws.request_counts[shard] - counts_before[shard] for shard in SHARDS) == 1
        shard_bytes = [series for series in fleet.series.values() if series.key.signal == "shard_write_bytes"]
        assert {proof_of_safety(fleet, series) for series in shard_bytes} == {
            "IncomingBytes of StreamName orders"
        }
        aws.high_traffic_from = aws.now
        while aws.last_requested["shard-5"] <= aws.high_traffic_from:
            await poll(reader, aws, 1)
        assert aws.now - 1 <= aws.high_traffic_from + DELAY + 1 + MAX_USAGE_INTERVAL
        assert aws.last_requested["shard-5"] == aws.last_requested[""]
        await cell.close()
