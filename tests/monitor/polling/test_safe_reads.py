"""Polls of a cell whose shards are hardly read while their stream writes too little to endanger any."""

from collections import Counter
from typing import Any

from collectors.base import Observed
from collectors.kinesis import SHARD_WRITE_BYTES, shard_series, stream_series
from monitor.aws.cell import Cell
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.pruned import safe_reason
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.series_settings import SeriesSettings
from monitor.planning.intervals import Intervals
from monitor.planning.planner import Planner
from monitor.polling.reader import MetricReader
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.fake_cloudwatch import Body, FakeCloudWatch, Query, Response, fake_credentials, result
from tests.registries import OWNERS, REGISTRY, STREAM_WRITE_BYTES
from tests.telemetries import Telemetries

START, DELAY, LONGEST = 29_000_000, 2, 15
CELL = "123456789012", "eu-west-1"
SHARDS = [f"shard-{n}" for n in range(8)]
QUIET, LOUD = 0.01 * SHARD_WRITE_BYTES, 0.9 * SHARD_WRITE_BYTES  # bytes a second
SUMMARY = {"OpenShardCount": len(SHARDS), "StreamCreationTimestamp": "2020-01-01T00:00:00Z"}


class Stream:
    """CloudWatch with the bytes of a stream and of its shards, and when each was requested."""

    def __init__(self) -> None:
        self.now = START
        self.loud_from = START + 10_000  # shard-5 writes much from this minute on
        self.requested = Counter[str]()
        self.last_requested = dict[str, int]()

    def answer(self, body: Body) -> Response:
        return {"MetricDataResults": [self._result(query) for query in body["MetricDataQueries"]]}

    def _result(self, query: Query) -> dict[str, Any]:
        metric = query["MetricStat"]["Metric"]
        shard = next((one["Value"] for one in metric["Dimensions"] if one["Name"] == "ShardId"), "")
        if metric["MetricName"] != "IncomingBytes":
            return result(query, {})
        self.requested[shard] += 1
        self.last_requested[shard] = self.now
        newest = self.now - DELAY - 1
        return result(
            query, {minute: self._bytes(shard, minute) for minute in range(newest - WINDOW, newest + 1)}
        )

    def _bytes(self, shard: str, minute: int) -> float:
        loud = minute >= self.loud_from
        if not shard:
            return 60 * (QUIET * (len(SHARDS) - loud) + LOUD * loud)
        return 60 * (LOUD if loud and shard == "shard-5" else QUIET)


def fleet_of_shards() -> Fleet:
    """Return the series of the bytes of the stream and of its shards."""
    fleet = Fleet()
    fleet.set_bounds(REGISTRY.bounds)
    of_shards = (one for shard in SHARDS for one in shard_series("orders", shard, {"IncomingBytes"}))
    for one in (*stream_series("orders", SUMMARY), *of_shards):
        if one.signal in ("stream_write_bytes", "shard_write_bytes"):
            add(fleet, one)
    return fleet


def add(fleet: Fleet, observed: Observed) -> None:
    limit = Limit(observed.limit or SHARD_WRITE_BYTES, LimitSource.API, 0.0)
    settings = SeriesSettings(signal=STREAM_WRITE_BYTES, limit=limit, band=Band(), delay=DELAY)
    fleet.put(Key(*CELL, "kinesis", observed.signal, observed.resource), observed, settings, START)


async def poll(reader: MetricReader, aws: Stream, minutes: int) -> None:
    """Poll once a minute, for so many minutes."""
    for _ in range(minutes):
        assert await reader.read(aws.now) == []
        aws.now += 1


async def test_shards_of_a_quiet_stream_are_read_once_an_hour_and_at_once_when_it_is_not_quiet() -> None:
    aws, fleet = Stream(), fleet_of_shards()
    async with FakeCloudWatch(aws.answer) as server:
        cell = Cell(fake_credentials(), *CELL, Telemetries().aws, {"cloudwatch": 1000.0}, server.url)
        reader = MetricReader(cell, fleet, OWNERS, planner=Planner(fleet, Intervals(1, LONGEST, 5)))
        await poll(reader, aws, 40)
        before = aws.requested.copy()
        await poll(reader, aws, 60)
        assert max(aws.requested[shard] - before[shard] for shard in SHARDS) == 1
        safe = {
            safe_reason(fleet, one) for one in fleet.series.values() if one.key.signal == "shard_write_bytes"
        }
        assert safe == {"IncomingBytes of StreamName orders"}
        aws.loud_from = aws.now
        while aws.last_requested["shard-5"] <= aws.loud_from:
            await poll(reader, aws, 1)
        assert aws.now - 1 <= aws.loud_from + DELAY + 1 + LONGEST
        assert aws.last_requested["shard-5"] == aws.last_requested[""]
        await cell.close()
