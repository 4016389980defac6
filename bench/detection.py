"""Delay from the first throttled second to `/metrics` and to a webhook. `python bench/detection.py`

`headroom serve` runs as users start it, and reads a fake CloudWatch on loopback. The fake has the delays of
the real one: the point of a minute is visible 60 to 180 seconds after the minute began. One point in five
has only a part of its value at first; one in fifty is visible five minutes later than the others. Each stream
is throttled for ten minutes from a random moment on.

The bench runs in real time: `--minutes 15 --interval 60` takes 25 minutes.
"""

import argparse
import asyncio
import json
import random
import re
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.sax.saxutils import escape

import aiohttp
from aiohttp import web

from monitor.demo.environment import ENVIRONMENT
from tests.http_endpoint import serve_http
from tests.monitor.serve_process import free_port
from tests.processes import COMMAND, running

Json = dict[str, Any]

ACCOUNT, REGION = "123456789012", "eu-west-1"
WARM_UP, TAIL = 120, 480  # seconds before the first throttling begins, and after the last one begins
THROTTLED_SECONDS = 600  # each stream is throttled for so long
SHARDS, SHARD_BYTES = 10, 1024**2
TRAFFIC = 0.6  # fraction of the capacity of the shards
THROTTLED_RATE = 200.0  # records per second, while a stream is throttled
MIN_DELAY, MAX_DELAY = 60, 180  # seconds from the start of a minute until its point is visible
REVISED_SHARE = 0.2  # of points: they have only FIRST_FRACTION of their value for REVISED_AFTER seconds
FIRST_FRACTION, REVISED_AFTER = 0.83, 60
LATE_SHARE, LATE_SECONDS = 0.02, 300  # share of points that are late, and their additional delay
SCRAPE_INTERVAL = 1.0  # seconds
# 3 is the zone `saturated`.
SATURATED = re.compile(
    r'^headroom_zone\{.*signal="stream_write_records".*resource="(stream-\d+)".*\} 3$', re.M
)
IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    f"<Arn>{escape('arn:aws:iam::' + ACCOUNT + ':user/bench')}</Arn><UserId>bench</UserId>"
    f"<Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
CONFIG = """
services: [kinesis]
regions: [{region}]
interval: {interval}
listen: 127.0.0.1:{port}
journal: {folder}/headroom.db
receivers:
  - {{name: hook, type: webhook, url: "{url}/hook", allow_insecure: true, allow_private: true}}
route: {{group_wait: 0, group_by: [resource], severities: [critical]}}
"""


@dataclass
class Streams:
    """The metrics of streams. onsets: when each stream begins to be throttled, in epoch seconds, by name."""

    onsets: Mapping[str, float]

    def final_sum(self, stream: str, metric: str, minute: int) -> float | None:
        """Return the final sum of a metric in a minute; None if CloudWatch publishes no point."""
        if metric == "IncomingBytes":
            return SHARDS * SHARD_BYTES * 60 * TRAFFIC
        if metric == "IncomingRecords":
            return SHARDS * 1000 * 60 * TRAFFIC
        if metric == "WriteProvisionedThroughputExceeded":
            onset = self.onsets[stream]
            seconds = min(onset + THROTTLED_SECONDS, minute * 60 + 60) - max(onset, minute * 60)
            return THROTTLED_RATE * seconds if seconds > 0 else None
        return None

    def visible_sum(self, stream: str, metric: str, minute: int, now: float) -> float | None:
        """Return the sum that CloudWatch shows at the time `now`; None if no point is visible yet.

        All metrics of a stream have the same delay in a minute.
        """
        final_sum = self.final_sum(stream, metric, minute)
        rng = random.Random(f"{stream}/{minute}")
        visible_at = (
            minute * 60
            + rng.uniform(MIN_DELAY, MAX_DELAY)
            + (LATE_SECONDS if rng.random() < LATE_SHARE else 0)
        )
        if final_sum is None or now < visible_at:
            return None
        is_partial = rng.random() < REVISED_SHARE and now < visible_at + REVISED_AFTER
        return final_sum * FIRST_FRACTION if is_partial else final_sum


@dataclass
class FakeAws:
    """The AWS that Headroom reads, and the webhook.

    notified: when the alert of each stream arrived at the webhook, in epoch seconds.
    """

    streams: Streams
    notified: dict[str, float] = field(default_factory=dict)
    metrics_requested: int = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve on loopback; yield the URL."""
        async with serve_http(self.handle) as port:
            yield f"http://127.0.0.1:{port}"

    async def handle(self, request: web.Request) -> web.Response:
        return await (self.hook(request) if request.path == "/hook" else self.respond(request))

    async def hook(self, request: web.Request) -> web.Response:
        for alert in (await request.json())["data"]["alerts"]:
            self.notified.setdefault(alert["labels"]["resource"], time.time())
        return web.Response()

    async def respond(self, request: web.Request) -> web.Response:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if not operation:
            return web.Response(text=IDENTITY, content_type="text/xml")
        params: Json = json.loads(await request.read() or b"{}")
        body = getattr(self, f"_{operation}", self._not_authorized)(params)
        status = 400 if "__type" in body else 200
        return web.json_response(body, status=status, content_type="application/x-amz-json-1.1")

    def _not_authorized(self, _: Json) -> Json:
        return {"__type": "AccessDeniedException", "message": "not part of the measurement"}

    def _ListStreams(self, _: Json) -> Json:
        return {"StreamNames": list(self.streams.onsets), "HasMoreStreams": False}

    def _DescribeLimits(self, _: Json) -> Json:
        shards = SHARDS * len(self.streams.onsets)
        return {"ShardLimit": 2 * shards, "OpenShardCount": shards, "OnDemandStreamCountLimit": 50}

    def _DescribeStreamSummary(self, params: Json) -> Json:
        name = params["StreamName"]
        description = {
            "StreamName": name,
            "StreamARN": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}",
            "StreamStatus": "ACTIVE",
            "StreamModeDetails": {"StreamMode": "PROVISIONED"},
            "RetentionPeriodHours": 24,
            "StreamCreationTimestamp": 1.7e9,
            "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
            "EncryptionType": "NONE",
            "OpenShardCount": SHARDS,
            "ConsumerCount": 0,
        }
        return {"StreamDescriptionSummary": description}

    def _GetServiceQuota(self, _: Json) -> Json:
        return {"Quota": {"Value": 20_000.0}}

    def _GetMetricData(self, params: Json) -> Json:
        self.metrics_requested += len(params["MetricDataQueries"])
        minutes = range(int(params["StartTime"] // 60), int(-(-params["EndTime"] // 60)))
        now = time.time()
        queries = params["MetricDataQueries"]
        return {"MetricDataResults": [self._result(query, minutes, now) for query in queries]}

    def _result(self, query: Json, minutes: Iterable[int], now: float) -> Json:
        metric = query["MetricStat"]["Metric"]
        dimensions = {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]}
        stream = dimensions.get("StreamName", "")
        points = {}
        if stream in self.streams.onsets:
            sums = (
                (minute, self.streams.visible_sum(stream, metric["MetricName"], minute, now))
                for minute in minutes
            )
            points = {minute: value for minute, value in sums if value is not None}
        return {
            "Id": query["Id"],
            "Timestamps": [minute * 60 for minute in points],
            "Values": list(points.values()),
            "StatusCode": "Complete",
        }


async def scrape(port: int, first_seen: dict[str, float]) -> None:
    """Record in `first_seen` when `/metrics` first shows each stream as saturated, in epoch seconds."""
    async with aiohttp.ClientSession() as client:
        while True:
            try:
                async with client.get(f"http://127.0.0.1:{port}/metrics") as response:
                    saturated = SATURATED.findall(await response.text())
            except aiohttp.ClientError:
                saturated = []  # the service does not listen yet
            for stream in saturated:
                first_seen.setdefault(stream, time.time())
            await asyncio.sleep(SCRAPE_INTERVAL)


def summary(label: str, arrived: Mapping[str, float], onsets: Mapping[str, float]) -> str:
    """Return a sentence with the percentiles of the times from onset to arrival.

    arrived, onsets: epoch seconds by stream.
    """
    took = sorted(arrived[stream] - onset for stream, onset in onsets.items() if stream in arrived)
    if not took:
        return f"{label}: never"
    p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
    missed, before_onset = len(onsets) - len(took), sum(seconds < 0 for seconds in took)
    return (
        f"{label}: p50 {p50:.0f} s, p99 {p99:.0f} s, "
        f"{len(took)} of {len(onsets)} streams seen, {missed} missed, {before_onset} before the onset"
    )


async def measure(minutes: float, streams: int, interval: int) -> None:
    """Run Headroom beside a fake AWS whose streams begin to be throttled one after the other."""
    start = time.time() + WARM_UP
    rng = random.Random(1)
    onsets = {f"stream-{n}": start + rng.uniform(0, minutes * 60) for n in range(streams)}
    aws, first_seen, port = FakeAws(Streams(onsets)), dict[str, float](), free_port()
    environ = ENVIRONMENT | {"PATH": "", "PYTHONPATH": ":".join(filter(None, sys.path))}
    with TemporaryDirectory() as folder:
        async with aws.serving() as url:
            config = Path(folder) / "headroom.yaml"
            config.write_text(
                CONFIG.format(region=REGION, interval=interval, port=port, folder=folder, url=url)
            )
            environ["AWS_ENDPOINT_URL"] = url
            serve = (*COMMAND, "serve", "--config", str(config))
            async with running(*serve, environ=environ, folder=Path(folder)) as process:
                process_output = asyncio.create_task(process.communicate())
                scraping = asyncio.create_task(scrape(port, first_seen))
                await asyncio.wait(
                    [process_output, scraping], timeout=WARM_UP + minutes * 60 + TAIL + interval
                )
                for task in (scraping, process_output):
                    task.cancel()
                assert process.returncode is None, await asyncio.gather(
                    process_output, return_exceptions=True
                )
                process.kill()
    print(f"interval {interval} s, {aws.metrics_requested} metrics requested")
    print(summary("  to /metrics", first_seen, onsets))
    print(summary("  to a webhook", aws.notified, onsets), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--minutes", type=float, default=15, help="minutes within which all streams begin to be throttled"
    )
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--interval", type=int, default=60)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.minutes, arguments.streams, arguments.interval))


if __name__ == "__main__":
    main()
