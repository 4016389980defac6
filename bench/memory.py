"""Memory of 100,000 series with three hours of points, judged and rendered. `python bench/memory.py`"""

import asyncio
import resource
import sys
from pathlib import Path

import numpy as np

import monitor.cli  # noqa: F401  what a real process has loaded
from bench.judge import NOW, refused, traffic
from collectors.base import Observed, per_second
from monitor.config import Config
from monitor.exposition import Exposition
from monitor.fleet import Fleet, Key, Ruling
from monitor.judge import judge
from monitor.plan import BATCH
from monitor.rings import WINDOW
from monitor.selector import Labels
from rules.limits import Limit, Source

SERIES = 100_000
MIB = 2**20
STATUS = Path("/proc/self/status")


def register(fleet: Fleet, config: Config) -> None:
    """Streams as an inventory registers them: names are each one's own, and so are ten different limits."""
    rulings: dict[object, Ruling] = {}
    for n in range(SERIES):
        name = f"stream-{n:07d}"
        observed = Observed(
            signal="stream_write_bytes",
            resource=name,
            usage=per_second(traffic.of(StreamName=name)),
            refused=per_second(refused.of(StreamName=name)),
        )
        key = Key("123456789012", "eu-west-1", "kinesis", "stream_write_bytes", name)
        ruling = Ruling(limit=Limit(1e6 + n % 10, Source.API, 0.0), band=config.band_of(Labels(*key)))
        fleet.put(key, observed, rulings.setdefault(ruling.content, ruling), NOW)


def fill(fleet: Fleet) -> None:
    """A point of every metric in every minute of the window, written as polls do."""
    minutes = np.arange(NOW - 2 - WINDOW, NOW - 2, dtype=np.int32)
    numbers = np.random.default_rng(1)
    for start in range(0, fleet.rings.size, BATCH):
        rows = np.arange(start, min(start + BATCH, fleet.rings.size), dtype=np.int32)
        values = numbers.uniform(0, 7e7, rows.size * WINDOW).astype(np.float32)
        fleet.rings.write(rows.repeat(WINDOW), np.tile(minutes, rows.size), values)
    judge(fleet, NOW)


async def publish(fleet: Fleet, exposition: Exposition) -> None:
    """Twice, as the second time replaces what the first one made."""
    await exposition.publish({})
    fleet.usage[: fleet.size] *= 0.5
    fleet.minute[: fleet.size] += 1
    await exposition.publish({})


def resident() -> float:
    """MiB resident now; the most until now where the system does not tell."""
    if not STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
            MIB if sys.platform == "darwin" else 1024
        )
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def tell(what: str) -> None:
    print(f"{resident():6.0f} MiB resident: {what}")


def main() -> None:
    tell("with everything imported")
    fleet = Fleet()
    register(fleet, Config())
    tell(f"{SERIES:,} series registered, {fleet.rings.size:,} metrics")
    fill(fleet)
    used = fleet.rings.size * fleet.rings.values.itemsize * WINDOW / MIB
    tell(f"three hours of points, {used:.0f} MiB of them the rings' values")
    exposition = Exposition(fleet)
    asyncio.run(publish(fleet, exposition))
    kept = sum(len(piece.deflated) for piece in exposition.body.pieces) / MIB
    tell(f"judged and rendered twice, the text {kept:.1f} MiB as it is kept")


if __name__ == "__main__":
    main()
