"""CPU time and memory of judging the past. `python bench/lookback.py [series] [days]`

Each series has a metric of usage and a metric of refused demand, and each metric has a point a minute.
"""

import resource
import sys
import time
from typing import Final

import numpy as np

from monitor.alerting.lifecycle import batch_minutes
from monitor.fleet.columns import Floats
from monitor.fleet.fleet import Fleet
from monitor.fleet.metric_query import metric_query
from monitor.lookback.replay import Judging, look_back
from monitor.lookback.sample_file import SampleFile
from monitor.lookback.ways import Way
from rules.alert_rules import Rule
from tests.monitor.fleet.fleets import add, key, throttled_metric, traffic

DAY: Final = 24 * 60
START: Final = 29_000_000 // 60 * 60
LIMIT: Final = 1000 * 60  # in the unit of the one-minute sums
AT_ONCE: Final = 4  # series whose points are written at once
THROTTLED_FROM: Final = 0.93  # the utilization from which demand is refused


def main(series: int, days: int) -> None:
    """Print CPU time and memory."""
    fleet, minutes = Fleet(), range(START, START + days * DAY)
    added = [add(fleet, key(f"stream-{number}")) for number in range(series)]
    rows = fleet.metrics(added[0].key.cell)
    begun, before = time.process_time(), memory()
    with SampleFile(np.array(sorted(rows.values()), np.int32), minutes) as file:
        for first in range(0, series, AT_ONCE):
            names = [entry.key.id for entry in added[first : first + AT_ONCE]]
            used, throttled = points(len(names), len(minutes), seed=first)
            for metric, values in ((traffic, used), (throttled_metric, throttled)):
                read = np.array([rows[metric_query(metric.of(StreamName=name))] for name in names], np.int32)
                at = np.tile(np.arange(minutes.start, minutes.stop, dtype=np.int32), read.size)
                file.write(read, (read.repeat(len(minutes)), at, values.ravel()))
        written = time.process_time()
        slots = np.array([entry.slot for entry in added], np.int32)
        judging = Judging([Way.in_force(fleet, "")], lambda _, rule: Rule(rule).severity, batch_minutes(60))
        found = look_back(fleet, file, slots, judging)
    judged = time.process_time()
    print(
        f"{series} series, {days} days of minutes: {written - begun:.1f} s of CPU to store, "
        f"{judged - written:.1f} s to judge and to compare with forecasts; {len(found.episodes)} episodes, "
        f"{len(found.ways[0].notices)} notices; {memory() - before:.0f} MiB at most",
        flush=True,
    )


def points(series: int, minutes: int, seed: int) -> tuple[Floats, Floats]:
    """Return the usage and the refused demand of some series as one-minute sums, [series, minute]."""
    rng = np.random.default_rng(seed)
    day = 0.15 * np.sin(np.arange(minutes) / DAY * 2 * np.pi)
    used = rng.uniform(0.1, 0.75, (series, 1)) + day + 0.05 * rng.random((series, minutes))
    return (used * LIMIT).astype(np.float32), np.where(used > THROTTLED_FROM, 50, 0).astype(np.float32)


def memory() -> float:
    """Return the peak of the resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(*map(int, [*sys.argv[1:3], *("2000", "14")[len(sys.argv) - 1 :]]))
