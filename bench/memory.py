"""Memory of 100,000 series with three hours of points, after a judgement and two expositions.

Run `python bench/memory.py`.
"""

import asyncio
import resource
import sys
from pathlib import Path

import numpy as np

import monitor.cli  # noqa: F401  to load what a real process loads
from bench.judge import NOW, stream_series
from monitor.config.config import Config
from monitor.exposition.exposition import Exposition
from monitor.fleet.fleet import Fleet
from monitor.fleet.judge import judge
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.series_settings import SeriesSettings
from monitor.polling.plan import MAX_METRICS_PER_CALL
from monitor.schema.selector import SelectorLabels
from rules.limits import Limit, LimitSource
from tests.registries import STREAM_WRITE_BYTES

SERIES = 100_000
MIB = 2**20
STATUS = Path("/proc/self/status")


def register(fleet: Fleet, config: Config) -> None:
    """Register streams as an inventory does, each with its own name and one of ten limits."""
    cached: dict[object, SeriesSettings] = {}
    for n in range(SERIES):
        key, observed = stream_series(n)
        settings = SeriesSettings(
            signal=STREAM_WRITE_BYTES,
            limit=Limit(1e6 + n % 10, LimitSource.API, 0.0),
            band=config.band_for(SelectorLabels(**key.labels)),
        )
        fleet.put(key, observed, cached.setdefault(settings.content, settings), NOW)


def fill(fleet: Fleet) -> None:
    """Write a point of every metric in every minute of the window, as polls do; then judge."""
    minutes = np.arange(NOW - 2 - WINDOW, NOW - 2, dtype=np.int32)
    rng = np.random.default_rng(1)
    for start in range(0, fleet.rings.size, MAX_METRICS_PER_CALL):
        rows = np.arange(start, min(start + MAX_METRICS_PER_CALL, fleet.rings.size), dtype=np.int32)
        values = rng.uniform(0, 7e7, rows.size * WINDOW).astype(np.float32)
        fleet.rings.write(rows.repeat(WINDOW), np.tile(minutes, rows.size), values)
    judge(fleet, NOW)


async def publish_twice(fleet: Fleet, exposition: Exposition) -> None:
    """Publish twice; during the second time, the old and the new body are in memory."""
    await exposition.publish({})
    fleet.usage[: fleet.size] *= 0.5
    fleet.minute[: fleet.size] += 1
    await exposition.publish({})


def resident() -> float:
    """Return the resident memory in MiB, or its peak if the system reports only the peak."""
    if not STATUS.exists():
        units_per_mib = MIB if sys.platform == "darwin" else 1024  # ru_maxrss: bytes on macOS, else KiB
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / units_per_mib
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def report(stage: str) -> None:
    print(f"{resident():6.0f} MiB resident: {stage}")


def main() -> None:
    report("with everything imported")
    fleet = Fleet()
    register(fleet, Config())
    report(f"{SERIES:,} series registered, {fleet.rings.size:,} metrics")
    fill(fleet)
    points_mebibytes = fleet.rings.points.allocated_bytes / MIB
    report(f"three hours of points judged, {points_mebibytes:.0f} MiB of it values")
    exposition = Exposition(fleet)
    asyncio.run(publish_twice(fleet, exposition))
    body = sum(len(piece.deflated) for piece in exposition.body.pieces) / MIB
    report(f"after two expositions, {body:.1f} MiB of it the compressed body")


if __name__ == "__main__":
    main()
