"""From samples to requests, and to a receiver on loopback, with 100,000 series. `python bench/push.py`

The first look takes seven minutes of everything, and three hours without refusals; the next ones a minute
each, as streams bring them.
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from bench.journal import sink
from bench.judge import NOW, fleet_of
from monitor.fleet import Fleet
from monitor.outbound import Outbound
from monitor.push.batches import Batch, batches
from monitor.push.config import PushConfig
from monitor.push.encodings import ENCODINGS
from monitor.push.gather import Gathering
from monitor.push.labels import Labels
from monitor.push.progress import KEPT, Progress
from monitor.push.push import Push
from monitor.rings import WINDOW

SERIES = 100_000
MINUTES = 3  # that come one at a time
FAMILIES = 5  # of a series: usage, limit, utilization, saturation, zone
RECEIVER = {"receiver": "sink"}


def move(fleet: Fleet, minute: int) -> None:
    """Another minute of all metrics."""
    rows = np.arange(fleet.rings.size, dtype=np.int32)
    values = np.random.default_rng(minute).uniform(0, 7e7, rows.size).astype(np.float32)
    fleet.rings.write(rows, np.full(rows.size, minute, np.int32), values)


def encode(fleet: Fleet, protocol: str) -> None:
    """One thread's work, and what of it the event loop has to wait for."""
    progress, encoding = Progress(np.empty(0, KEPT), 0), ENCODINGS[protocol]
    labels, turns, made = Labels(encoding.label), list[float](), list[Batch]()
    start = began = time.perf_counter()
    gathering = Gathering(fleet, progress)
    for portion in gathering.portions():
        turns.append(time.perf_counter() - start)
        more, queued = batches(portion, encoding, labels)
        made += more
        start = time.perf_counter()
        gathering.settle(portion, queued)
    took = time.perf_counter() - began
    samples, size = sum(one.samples for one in made), sum(len(one.body) for one in made)
    print(f"{protocol:14} {samples / took:9,.0f} samples/s: {samples:,} in {took:.1f} s,", end=" ")
    print(f"{size / samples:.1f} bytes each")
    print(f"{'':14} of it in the event loop {sum(turns):.2f} s, {max(turns) * 1e3:.0f} ms at most at a time")


async def stalls(worst: list[float]) -> None:
    """How long the event loop was busy with something else."""
    while True:
        start = time.perf_counter()
        await asyncio.sleep(0.001)
        worst.append(time.perf_counter() - start - 0.001)


@asynccontextmanager
async def pushing(fleet: Fleet, port: int, folder: Path) -> AsyncIterator[tuple[Push, CollectorRegistry]]:
    registry = CollectorRegistry()
    given = {"name": "sink", "url": f"http://127.0.0.1:{port}/", "queue_megabytes": 4096}
    config = PushConfig.model_validate(given | {"allow_insecure": True, "allow_private": True})
    async with Outbound() as client, Push.opened(folder / "headroom.db", fleet, client, registry) as one:
        one.configure([config])
        running = asyncio.create_task(one.run())
        yield one, registry
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def push(fleet: Fleet, port: int, folder: Path) -> None:
    async with pushing(fleet, port, folder) as (one, registry):
        worst = list[float]()
        watching = asyncio.create_task(stalls(worst))
        samples = SERIES * (WINDOW + 7 * (FAMILIES - 1))  # refusals are told of the whole window
        for minute in range(NOW - 2, NOW - 2 + MINUTES + 1):
            worst.clear()
            took = await delivered(one, registry, samples)
            worst.sort()
            most, usual = worst[-1] * 1e3, worst[len(worst) * 99 // 100] * 1e3
            print(f"{samples:,} samples are there after {took:.1f} s;", end=" ")
            print(f"the event loop stalled {most:.0f} ms at most, {usual:.0f} ms in 99 %")
            move(fleet, minute)
            await asyncio.sleep(0.05)  # which is no stall of ours
            samples += SERIES * FAMILIES
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def delivered(one: Push, registry: CollectorRegistry, samples: int) -> float:
    """Seconds until the receiver has had so many samples."""
    start = time.perf_counter()
    one.judged()
    while (registry.get_sample_value("headroom_push_samples_sent_total", RECEIVER) or 0) < samples:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return time.perf_counter() - start


def main() -> None:
    fleet = fleet_of(SERIES)
    gc.freeze()  # a hundred thousand series are not to be looked through again and again
    for protocol in ENCODINGS:
        encode(fleet, protocol)
    ours, theirs = get_context("spawn").Pipe()
    server = get_context("spawn").Process(target=sink, args=(theirs,), daemon=True)
    server.start()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(push(fleet, ours.recv(), Path(folder)))
    server.terminate()


if __name__ == "__main__":
    main()
