"""CPU time of polling many metrics, and the share of each stage. `python bench/polling.py [metrics]`

The metrics are those of Kinesis streams, as in `bench.peers`. Another process is CloudWatch, on loopback. The
bench reads minute after minute, without waiting for them to pass: at first all metrics in each minute, then
the metrics that are due as planned by default. For both it prints the CPU time of a minute by the process's
clock: of polling, of a judgement, of rendering `/metrics`. Then it reads further minutes with cProfile, and
prints the share of each stage of polling. A profiler makes many short calls of Python look longer than they
are.
"""

import argparse
import asyncio
import cProfile
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import CodeType

from bench.peers.aws import ACCOUNT, REGION, FakeAws
from bench.peers.requests import PlannedStreams
from bench.peers.streams import HISTORY, METRICS, Streams
from monitor.aws.cell import Cell
from monitor.exposition.exposition import Exposition
from monitor.fleet.judge import judge
from monitor.planning.intervals import Intervals
from monitor.planning.planner import Planner
from monitor.polling.reader import MetricReader
from tests.fake_cloudwatch import fake_credentials
from tests.registries import METRIC_SERVICES
from tests.telemetries import Telemetries

WARM_UP, MEASURED = 30, 60  # minutes
CALLS_PER_SECOND = 10_000.0  # no call waits for its turn
INTERVALS = {"all metrics each minute": Intervals(1, 1, 1), "as planned by default": Intervals(1, 15, 5)}
STAGES = (  # a part of the path of a function's file, and the stage; the first match holds
    ("monitor/planning/", "planning, with what aggregates prove"),
    ("monitor/polling/codec", "encoding requests and decoding responses"),
    ("monitor/polling/", "choosing what is due, requests, points to the fleet"),
    ("monitor/fleet/", "writing to the fleet's columns"),
    ("/numpy/", "writing to the fleet's columns"),
    ("monitor/", "rate limits, retries, metrics and billing of calls"),
    ("botocore/", "botocore: parameters, signature, hooks"),
    ("/prometheus_client/", "rate limits, retries, metrics and billing of calls"),
    ("/aiohttp/", "aiohttp"),
    ("/yarl/", "aiohttp"),
    ("/asyncio/", "event loop and sockets"),
    ("/selectors.py", "event loop and sockets"),
)


def stage_of(path: str) -> str:
    """Return the stage of the functions in a file."""
    return next((stage for part, stage in STAGES if part in path), "Python's other libraries")


def seconds_by_stage(profile: cProfile.Profile) -> Mapping[str, float]:
    """Return the seconds of each stage; functions in C belong to the function that calls them."""
    seconds = defaultdict[str, float](float)
    for entry in profile.getstats():
        if isinstance(entry.code, CodeType):
            in_c = (call.inlinetime for call in entry.calls or () if not isinstance(call.code, CodeType))
            seconds[stage_of(entry.code.co_filename)] += entry.inlinetime + sum(in_c)
    return seconds


@asynccontextmanager
async def cloudwatch(streams: int, first: int) -> AsyncIterator[str]:
    """Run CloudWatch in a process of its own; yield its URL."""
    arguments = sys.executable, "-m", "bench.polling", "--serve", str(streams), str(first)
    process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


async def serve(streams: int, first: int) -> None:
    """Serve streams from a first minute on, and print the URL."""
    minutes = HISTORY + 2 * (WARM_UP + 2 * MEASURED)
    async with FakeAws(Streams(streams, first, minutes)).serving() as url:
        print(url, flush=True)
        await asyncio.Event().wait()


class Polls:
    """Polls of some streams, minute after minute."""

    def __init__(self, streams: Streams, intervals: Intervals, url: str) -> None:
        self.fleet = PlannedStreams(streams, intervals).fleet
        self._now = streams.first + HISTORY
        cell = Cell(
            fake_credentials(), ACCOUNT, REGION, Telemetries().aws, {"cloudwatch": CALLS_PER_SECOND}, url
        )
        self.cell, planner = cell, Planner(self.fleet, intervals)
        self._reader = MetricReader(cell, self.fleet, METRIC_SERVICES, planner=planner)
        self._reader.points_per_second = 1e9  # no call waits for the processing of points
        self._exposition = Exposition(self.fleet)
        self.cpu_seconds = defaultdict[str, float](float)

    async def read(self, minutes: int) -> None:
        """Read some minutes, and add up the CPU time of each part."""
        for _ in range(minutes):
            start = time.process_time()
            if failures := await self._reader.read(self._now):
                raise SystemExit(failures[0].message)
            polled = time.process_time()
            judge(self.fleet, self._now)
            judged = time.process_time()
            await self._exposition.publish({})
            ends = {"polling": (start, polled), "a judgement": (polled, judged)}
            ends["rendering /metrics"] = judged, time.process_time()
            for part, (begin, end) in ends.items():
                self.cpu_seconds[part] += end - begin
            self._now += 1

    async def profile(self, minutes: int) -> cProfile.Profile:
        """Profile the polls of some minutes, by the time of the process."""
        profile = cProfile.Profile(time.process_time)
        for _ in range(minutes):
            profile.enable()
            await self._reader.read(self._now)
            profile.disable()
            judge(self.fleet, self._now)
            self._now += 1
        return profile


async def measure(metrics: int) -> None:
    """Print the CPU time of a minute, and the shares of its stages."""
    count = metrics // len(METRICS)
    minutes = WARM_UP + 2 * MEASURED
    first = int(time.time() // 60) - HISTORY - minutes - 10
    streams = Streams(count, first, HISTORY + minutes + 10)
    async with cloudwatch(count, first) as url:
        for label, intervals in INTERVALS.items():
            polls = Polls(streams, intervals, url)
            await polls.read(WARM_UP)
            polls.cpu_seconds.clear()
            await polls.read(MEASURED)
            parts = (
                f"{part} {seconds / MEASURED * 1e3:.1f} ms" for part, seconds in polls.cpu_seconds.items()
            )
            print(f"{label}, {count * len(METRICS):,} metrics, CPU of a minute: {', '.join(parts)}")
            seconds = seconds_by_stage(await polls.profile(MEASURED))
            for stage, spent in sorted(seconds.items(), key=lambda item: -item[1]):
                print(f"  {spent / sum(seconds.values()):6.1%} {stage}")
            await polls.cell.clients.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("metrics", type=int, nargs="?", default=10_000)
    parser.add_argument("--serve", type=int, nargs=2, metavar=("STREAMS", "FIRST"), help="be CloudWatch")
    arguments = parser.parse_args()
    asyncio.run(serve(*arguments.serve) if arguments.serve else measure(arguments.metrics))


if __name__ == "__main__":
    main()
