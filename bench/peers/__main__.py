"""Headroom against other monitors over the same CloudWatch: `YACE=/path/to/yace make bench-peers`.

All monitors but Telegraf run at the same time over Kinesis streams in a fake AWS on loopback, whose points
are late and revised as CloudWatch's are. The monitors read the same metrics once a minute, and are scraped
every 15 seconds. Headroom runs twice: with its default intervals, and with every metric read each minute. The
environment names the other monitors: YACE the program of yet-another-cloudwatch-exporter, CLOUDWATCH_EXPORTER
the jar of cloudwatch_exporter with its dependencies, TELEGRAF the program of Telegraf. Telegraf is compared
afterwards: it and Headroom's endpoint receive the same metric stream.

The comparison runs in real time, by default 25 minutes. The first 14 minutes are not measured, because
Headroom describes only 120 new streams a minute.
"""

import argparse
import asyncio
import os
import platform
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.peers.monitors import monitors
from bench.peers.run import MIB, Run
from bench.peers.streaming import compare
from bench.peers.streams import HISTORY, METRICS, Kind, Streams


async def measure(runs: Sequence[Run], warm_up: float, seconds: float) -> None:
    """Run all monitors at the same time, and set `begin` and `end` of each run.

    warm_up: seconds before the measured window. seconds: the length of the window.
    """
    async with AsyncExitStack() as stack:
        pids = []
        for run in runs:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            pids.append(await stack.enter_async_context(run.running(folder)))
        await asyncio.sleep(warm_up)
        for run, pid in zip(runs, pids, strict=True):
            run.begin = run.consumption(pid)
        await asyncio.sleep(seconds)
        for run, pid in zip(runs, pids, strict=True):
            run.end = run.consumption(pid)


def row(run: Run) -> str:
    """Return the line of a run in the table whose head is HEAD."""
    above = run.streams.is_above
    p50, p99 = run.delays(np.ones(above.shape, np.bool_))
    above50, above99 = run.delays(above)
    requested = run.metrics / (run.end.at - run.begin.at) * 60
    per_thousand = run.cpu_per_minute / requested * 1000 if requested else float("nan")
    return (
        f"{run.monitor.name:24}{len(METRICS) * len(run.streams.names):8,}"
        f"{run.cpu_per_minute:9.3f}{per_thousand:9.3f}"
        f"{run.end.resident / MIB:7.0f}{run.calls_per_minute:8.1f}{requested:9,.0f}{run.monthly_dollars:9.2f}"
        f"{p50:7.0f}{p99:6.0f}{above50:7.0f}{above99:6.0f}"
    )


def detections(run: Run) -> str:
    """Return the line of a run in the table of events: by kind, their number and the delays of detection."""
    kinds = (run.detection(kind) for kind in Kind)
    figures = "".join(f"{number:10}{median:8.0f}{p99:6.0f}" for number, median, p99 in kinds)
    return f"{run.monitor.name:24}{len(METRICS) * len(run.streams.names):8,}{figures}"


HEAD = (
    f"{'':24}{'metrics':>8}{'CPU s':>9}{'CPU s':>9}{'MiB':>7}{'calls':>8}{'requested':>10}{'$ a':>8}"
    f"{'delay':>7}{'p99':>6}{'above':>7}{'p99':>6}\n"
    f"{'':32}{'a minute':>9}{'/ 1,000':>9}{'':7}{'a minute':>9}{'a minute':>9}{'month':>8}"
)


def ratios(name: str, ours: Sequence[Run], theirs: Sequence[Run]) -> list[str]:
    """Return lines with the ratios of what Headroom uses to what another monitor uses, by number of metrics.

    name: of the other monitor. ours, theirs: the runs of Headroom and of that monitor, by number of metrics.
    """
    lines = []
    for own, other in zip(ours, theirs, strict=True):
        count = len(METRICS) * len(own.streams.names)
        lines.append(
            f"{own.monitor.name} / {name}, {count:,} metrics: "
            f"CPU {own.cpu_per_minute / other.cpu_per_minute:.2f}, "
            f"resident {own.end.resident / other.end.resident:.2f}, "
            f"calls {own.calls_per_minute / other.calls_per_minute:.2f}, "
            f"metrics requested and dollars {own.metrics / other.metrics:.2f}"
        )
    if len(ours) > 1:
        own_increase, other_increase = (
            runs[-1].cpu_per_minute - runs[0].cpu_per_minute for runs in (ours, theirs)
        )
        thousands = len(METRICS) * (len(ours[-1].streams.names) - len(ours[0].streams.names)) / 1000
        lines.append(
            f"{ours[0].monitor.name} / {name}, CPU of each further 1,000 metrics a minute: "
            f"{own_increase / thousands:.3f} s / {other_increase / thousands:.3f} s = "
            f"{own_increase / other_increase:.2f}"
        )
    return lines


def report(runs: Sequence[Run]) -> None:
    """Print the figures of all runs, and the ratios of Headroom's figures to those of the other monitors."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    machine = f"{os.cpu_count()} cores, {cpu.partition(': ')[2]}, {platform.release()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}")
    print(f"load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}\n{HEAD}")
    for run in runs:
        print(row(run))
    print(f"{'events in the window; delay, s':32}" + "".join(f"{kind:>18}{'p99':>6}" for kind in Kind))
    for run in runs:
        print(detections(run))
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        by_name.setdefault(run.monitor.name, []).append(run)
    own = [name for name in by_name if name.startswith("Headroom")]
    for other in by_name.keys() - {*own}:
        for name in own:
            print(*ratios(other, by_name[name], by_name[other]), sep="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--metrics", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--warm-up", type=float, default=14, help="minutes")
    parser.add_argument("--minutes", type=float, default=10, help="of the window that is measured")
    arguments = parser.parse_args()
    compared = monitors()
    for name in ("YACE", "CLOUDWATCH_EXPORTER", "TELEGRAF"):
        if not os.environ.get(name):
            print(f"{name} is not set; to compare with this monitor, set it to the path of its program")
    minutes = int(HISTORY + arguments.warm_up + arguments.minutes + 2)
    first_minute = int(time.time() // 60) - HISTORY
    streams_by_size = [
        Streams(metrics // len(METRICS), first_minute, minutes) for metrics in arguments.metrics
    ]
    runs = [Run(monitor, streams) for monitor in compared for streams in streams_by_size]
    asyncio.run(measure(runs, arguments.warm_up * 60, arguments.minutes * 60))
    report(runs)
    if binary := os.environ.get("TELEGRAF"):
        compare(binary)


if __name__ == "__main__":
    main()
