"""CPU time and memory of judging the past. `python bench/lookback.py [series] [days]`

Each series has a metric of usage and a metric of throttled demand, and each metric has a point a minute.
"""

import resource
import sys
import time
from typing import Final

import numpy as np

from monitor.alerting.lifecycle import batch_minutes
from monitor.fleet.fleet import Fleet
from monitor.fleet.metric_query import metric_query
from monitor.lookback.replay import Judging, look_back
from monitor.lookback.sample_file import SampleFile
from monitor.lookback.ways import Way
from rules.alert_rules import Rule
from rules.arrays import Floats
from tests.monitor.fleet.fleets import add, key, throttled_metric, traffic

DAY: Final = 24 * 60  # minutes
START: Final = 29_000_000 // 60 * 60  # the minute at which the points begin: a full hour
LIMIT: Final = 1000 * 60  # in the unit of the one-minute sums
SERIES_PER_WRITE: Final = 4
THROTTLED_FROM: Final = 0.93  # the utilization from which demand is throttled


def main(series: int, days: int) -> None:
    """Print the CPU time and the memory of storing and judging the points of a fleet."""
    fleet, minutes = Fleet(), range(START, START + days * DAY)
    added = [add(fleet, key(f"stream-{number}")) for number in range(series)]
    rows = fleet.metrics(added[0].key.cell)
    start, peak_before = time.process_time(), peak_memory()
    with SampleFile(np.array(sorted(rows.values()), np.int32), minutes) as file:
        for first in range(0, series, SERIES_PER_WRITE):
            names = [entry.key.id for entry in added[first : first + SERIES_PER_WRITE]]
            used, throttled = points(len(names), len(minutes), seed=first)
            for metric, values in ((traffic, used), (throttled_metric, throttled)):
                rows_of_metric = np.array(
                    [rows[metric_query(metric.of(StreamName=name))] for name in names], np.int32
                )
                point_minutes = np.tile(
                    np.arange(minutes.start, minutes.stop, dtype=np.int32), rows_of_metric.size
                )
                point_rows = rows_of_metric.repeat(len(minutes))
                file.write(rows_of_metric, (point_rows, point_minutes, values.ravel()))
        stored = time.process_time()
        slots = np.array([entry.slot for entry in added], np.int32)
        judging = Judging([Way.in_force(fleet, "")], lambda _, rule: Rule(rule).severity, batch_minutes(60))
        result = look_back(fleet, file, slots, judging)
    judged = time.process_time()
    print(
        f"{series} series, {days} days of minutes: {stored - start:.1f} s of CPU to store, "
        f"{judged - stored:.1f} s to judge and to compare with forecasts; {len(result.episodes)} episodes, "
        f"{len(result.ways[0].notices)} notices; {peak_memory() - peak_before:.0f} MiB at most",
        flush=True,
    )


def points(series: int, minutes: int, seed: int) -> tuple[Floats, Floats]:
    """Return the usage and the throttled demand of some series as one-minute sums, [series, minute]."""
    rng = np.random.default_rng(seed)
    day = 0.15 * np.sin(np.arange(minutes) / DAY * 2 * np.pi)
    used = rng.uniform(0.1, 0.75, (series, 1)) + day + 0.05 * rng.random((series, minutes))
    return (used * LIMIT).astype(np.float32), np.where(used > THROTTLED_FROM, 50, 0).astype(np.float32)


def peak_memory() -> float:
    """Return the peak of the resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    arguments, default = sys.argv[1:], ["2000", "14"]
    main(*map(int, arguments + default[len(arguments) :]))
