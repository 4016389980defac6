"""Judging 100,000 and 1,000,000 series: numpy columns against a plain loop. `python bench/judge.py`"""

import time

import numpy as np

from collectors.base import Metric, Observed, Resource, per_second
from monitor.fleet.fleet import Fleet
from monitor.fleet.judge import judge
from monitor.fleet.key import Key
from monitor.fleet.series_settings import SeriesSettings
from rules.band import Zone
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.registries import STREAM_WRITE_BYTES

NOW = 30_000_000  # minutes
SERIES_PER_ACCOUNT = 20_000
LIMIT = 1e6  # bytes per second
traffic = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
throttled = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)


def account_of(number: int) -> str:
    """Return the account of a stream. Each account has SERIES_PER_ACCOUNT streams."""
    return f"{number // SERIES_PER_ACCOUNT:012}"


def stream_series(number: int) -> tuple[Key, Observed]:
    """Return the key of a stream's series, and the series as a scan observes it."""
    name = f"stream-{number:07d}"
    observed = Observed(
        signal="stream_write_bytes",
        resource=Resource("stream", (name,)),
        usage=per_second(traffic.of(StreamName=name)),
        throttled=per_second(throttled.of(StreamName=name)),
    )
    return Key(account_of(number), "eu-west-1", "kinesis", "stream_write_bytes", name), observed


def fleet_of(series: int) -> Fleet:
    """Return a fleet of streams, each with seven minutes of traffic and throttled calls."""
    fleet = Fleet()
    settings = SeriesSettings(
        signal=STREAM_WRITE_BYTES, limit=Limit(LIMIT, LimitSource.API, 0), band=Band(), stale_after=15
    )
    for n in range(series):
        fleet.put(*stream_series(n), settings, NOW)
    rows = np.arange(fleet.rings.size, dtype=np.int32)
    for minute in range(NOW - 9, NOW - 2):
        values = np.random.default_rng(minute).uniform(0, 7e7, rows.size).astype(np.float32)
        fleet.rings.write(rows, np.full(rows.size, minute, np.int32), values)
    return fleet


def judge_by_loop(samples: list[tuple[float, float]], band: Band) -> list[int]:
    """Return the numbers of the zones of series, by a plain loop.

    samples: for each series, the sums of traffic and throttled calls.
    """
    zones = list[int]()
    for traffic_sum, throttled_sum in samples:
        utilization = traffic_sum / 60 / LIMIT
        if throttled_sum > 0:
            zones.append(Zone.SATURATED)
        elif utilization >= band.near:
            zones.append(Zone.NEAR)
        else:
            zones.append(int(utilization > band.high) - int(utilization < band.low))
    return zones


def main() -> None:
    for series in (100_000, 1_000_000):
        fleet = fleet_of(series)
        durations = []
        for _ in range(9):
            start = time.perf_counter()
            judge(fleet, NOW)
            durations.append(time.perf_counter() - start)
        samples = [(traffic_sum, 0.0) for traffic_sum in np.linspace(0, 7e7, series).tolist()]
        start = time.perf_counter()
        judge_by_loop(samples, Band())
        loop_took = time.perf_counter() - start
        columns_took = sorted(durations)[len(durations) // 2]
        print(
            f"judge {series:>9,} series: {columns_took * 1e3:6.1f} ms; "
            f"a loop over them takes {loop_took / columns_took:.0f}x"
        )


if __name__ == "__main__":
    main()
