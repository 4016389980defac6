"""Durations for which Headroom blocks its event loop, from its start on. `python bench/turns.py 100000`

The argument is the number of series. The fleet is filled as inventories and polls fill it, without AWS. For
each stage, the bench prints how long the stage took, and how long it blocked the event loop, in CPU time of
the loop's thread. A task that wakes each millisecond measures the blocked time; its maximum and its 99.9th
percentile are printed.
"""

import argparse
import asyncio
import logging
import os
import tempfile
import time
from collections.abc import Awaitable
from contextlib import suppress

import numpy as np

from bench.judge import stream_series
from bench.memory import resident
from monitor.app import App
from monitor.config.config import Config
from monitor.demo.environment import isolate_environment
from monitor.fleet.fleet import Fleet
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.series_settings import SeriesSettings
from monitor.forecast.history import UsageHistory
from monitor.forecast.history_block import BLOCK_SIZE
from monitor.planning.intervals import Intervals
from monitor.planning.planner import Planner
from monitor.polling.plan import MAX_METRICS_PER_CALL
from rules.forecast import BINS
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.registries import REGISTRY, STREAM_WRITE_BYTES

LAG_INTERVAL = 0.001  # seconds between two measurements of how long the event loop is blocked


class Lag:
    """Measures how long the event loop is blocked. lags: seconds of CPU time of the loop's thread."""

    def __init__(self) -> None:
        self.lags = list[float]()

    async def watch(self) -> None:
        while True:
            start = time.thread_time()
            await asyncio.sleep(LAG_INTERVAL)
            self.lags.append(time.thread_time() - start)


async def timed(label: str, work: Awaitable[object]) -> None:
    """Await work; print how long it takes, its CPU time, and for how long it blocks the event loop."""
    lag = Lag()
    watching = asyncio.create_task(lag.watch())
    await asyncio.sleep(10 * LAG_INTERVAL)
    lag.lags.clear()
    start, start_cpu = time.perf_counter(), time.process_time()
    await work
    took, used_cpu = time.perf_counter() - start, time.process_time() - start_cpu
    await asyncio.sleep(10 * LAG_INTERVAL)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    lags = sorted(lag.lags)
    print(
        f"{label:>24}: {took:6.2f} s, {used_cpu:6.2f} s of CPU; blocked for {lags[-1] * 1e3:4.0f} ms at most,"
        f" p99.9 {lags[len(lags) * 999 // 1000] * 1e3:4.0f} ms; {resident():6.0f} MiB",
        flush=True,
    )


def register(fleet: Fleet, series: int, minute: int) -> None:
    """Register `series` streams, with ten different limits."""
    limits = [Limit(1e6 + n, LimitSource.API, 0.0) for n in range(10)]
    settings = [SeriesSettings(signal=STREAM_WRITE_BYTES, limit=limit, band=Band()) for limit in limits]
    for n in range(series):
        fleet.put(*stream_series(n), settings[n % 10], minute)


async def write(fleet: Fleet, minutes: range) -> None:
    """Write a point of each metric in each of `minutes`, as polls write them."""
    rng = np.random.default_rng(minutes.start)
    every_minute = np.arange(minutes.start, minutes.stop, dtype=np.int32)
    for start in range(0, fleet.rings.size, MAX_METRICS_PER_CALL):
        rows = np.arange(start, min(start + MAX_METRICS_PER_CALL, fleet.rings.size), dtype=np.int32)
        values = rng.uniform(0, 2e7, rows.size * every_minute.size).astype(np.float32)
        values[np.repeat(rows % 2 == 1, every_minute.size)] = 0  # throttled demand
        fleet.rings.write(
            rows.repeat(every_minute.size), np.tile(every_minute, rows.size), values, mark_read_follows=True
        )
        fleet.rings.mark_read(rows, minutes.stop - 1)
        await asyncio.sleep(0)
    fleet.confirmed[: fleet.size] = minutes.stop


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("series", type=int, nargs="?", default=100_000)
    series, minute = parser.parse_args().series, int(time.time() // 60)
    logging.disable(logging.WARNING)
    isolate_environment(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        config = Config.model_validate({"regions": ["eu-west-1"], "journal": f"{folder}/headroom.db"})
        async with App.opened(config, REGISTRY, lambda: config) as app:
            await measure(app, series, minute)


async def measure(app: App, series: int, minute: int) -> None:
    """Print how long each stage takes, and how long it blocks the event loop."""
    fleet = app.fleet
    register(fleet, series, minute)
    print(f"{series:,} series, {fleet.rings.size:,} metrics; {resident():.0f} MiB")
    await timed("three hours of points", write(fleet, range(minute - WINDOW, minute - 1)))
    planner = Planner(fleet, Intervals(1, 15, 5), app.alerting.engine.active_slots)
    await timed("first judgement", app.judge())
    await timed("first plan", planner.update(minute))
    await timed("nothing has changed", app.judge())
    for n in range(2):
        await write(fleet, range(minute - 1 + n, minute + n))
        await timed("a new minute of all series", app.judge())
        await timed("planned again", planner.update(minute + 5 * n + 5))
    await timed("recorded, forecast", app.forecaster.forecast_all())
    fill_history(app.forecaster.recorder.history)
    await timed("recorded, forecast", app.forecaster.forecast_all())


def fill_history(history: UsageHistory) -> None:
    """Fill the history with a fortnight of random usage."""
    rng = np.random.default_rng(1)
    for block in history.blocks:
        usage = rng.uniform(0, 4e5, (BINS, BLOCK_SIZE)).astype(np.float32)
        block.put(np.arange(BLOCK_SIZE), block.last_bin - BINS + 1, usage)


if __name__ == "__main__":
    asyncio.run(main())
