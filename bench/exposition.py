"""Rendering and serving /metrics with 100,000 series. `python bench/exposition.py`

Rendering is held against prometheus_client for the same text; then a server on loopback is scraped from
another process, while a third one measures how long another request takes.
"""

import asyncio
import http.client
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from tempfile import TemporaryDirectory

import numpy as np
import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bench.judge import NOW, fleet_of
from monitor.alerting.alerting import Alerting
from monitor.api import State, create_app
from monitor.config import Config
from monitor.exposition import FAMILIES, Exposition
from monitor.fleet import Fleet
from monitor.judge import judge
from monitor.status import Told
from monitor.telemetry import Telemetry

SERIES = 100_000
ROUNDS = 8  # scrapes of each kind
GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}


def move(fleet: Fleet, minute: int, rows: slice = slice(None)) -> None:
    """Another minute of traffic, for some of the metrics."""
    chosen = np.arange(fleet.rings.size, dtype=np.int32)[rows]
    values = np.random.default_rng(minute).uniform(0, 7e7, chosen.size).astype(np.float32)
    fleet.rings.write(chosen, np.full(chosen.size, minute, np.int32), values)
    judge(fleet, NOW)


async def cpu(work: Callable[[], Awaitable[None]]) -> float:
    start = time.process_time()
    await work()
    return time.process_time() - start


class Same(Collector):
    """The same families for prometheus_client."""

    def __init__(self, exposition: Exposition) -> None:
        self.families = [
            _family(name, samples) for name, samples in parsed(exposition).items() if not name.startswith("#")
        ]

    def collect(self) -> Iterator[Metric]:
        return iter(self.families)


def parsed(exposition: Exposition) -> dict[str, list[tuple[list[str], float]]]:
    found: dict[str, list[tuple[list[str], float]]] = {}
    for line in b"".join(exposition.body.plain(b"")[1]).decode().splitlines():
        name, _, rest = line.partition("{")
        if rest:
            labels, _, value = rest.rpartition("} ")
            found.setdefault(name, []).append((labels.split('"')[1::2], float(value)))
    return found


def _family(name: str, samples: list[tuple[list[str], float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, "Help.", labels=[f"label{n}" for n in range(len(samples[0][0]))])
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


async def render(fleet: Fleet, exposition: Exposition) -> None:
    async def publish() -> None:
        await exposition.publish({})

    print(f"first        {await cpu(publish) * 1e3:8.0f} ms CPU: labels and all")
    move(fleet, NOW - 2)
    every = await cpu(publish)
    size = exposition.body.size / 1e6
    kept = sum(len(piece.deflated) for piece in exposition.body.pieces) / 1e6
    print(f"all changed  {every * 1e3:8.0f} ms CPU: {size:.0f} MB of text, kept as {kept:.1f} MB")
    move(fleet, NOW - 1, slice(0, 1000))
    print(f"few changed  {await cpu(publish) * 1e3:8.0f} ms CPU")
    print(f"none changed {await cpu(publish) * 1e3:8.0f} ms CPU")
    registry = CollectorRegistry()
    registry.register(Same(exposition))
    start = time.process_time()
    generate_latest(registry)
    theirs = time.process_time() - start
    print(f"prometheus_client {theirs * 1e3:.0f} ms CPU for the same: {theirs / every:.0f}x")


def scrape(port: int, done: Event) -> None:
    """Scrape again and again, both ways, without a pause."""
    for headers in (PLAIN, GZIP) * ROUNDS:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/metrics", headers=headers)
        connection.getresponse().read()
        connection.close()
    done.set()


def ping(port: int, done: Event, label: str) -> None:
    """Ask for something small until `done`, or for two seconds, and print how long the answers took."""
    took = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    end = time.perf_counter() + 2
    while not done.is_set() and (label != "idle" or time.perf_counter() < end):
        start = time.perf_counter()
        connection.request("GET", "/-/healthy")
        connection.getresponse().read()
        took.append(time.perf_counter() - start)
    connection.close()
    took.sort()
    middle, late = took[len(took) // 2] * 1e3, took[len(took) * 999 // 1000] * 1e3
    print(
        f"{label:>26}: median {middle:5.1f} ms, 99.9 % {late:5.1f} ms, most {took[-1] * 1e3:5.1f} ms",
        flush=True,
    )


async def serve(fleet: Fleet, exposition: Exposition) -> None:
    async def reload() -> None: ...

    telemetry = Telemetry()
    with TemporaryDirectory() as folder:
        config = Config(journal=f"{folder}/headroom.db")
        async with Alerting.opened(config, fleet, telemetry.registry) as alerting:
            state = State(
                fleet=fleet,
                exposition=exposition,
                telemetry=telemetry,
                told=Told,
                reload=reload,
                alerting=alerting,
            )
            await ask(state, fleet, exposition)


async def ask(state: State, fleet: Fleet, exposition: Exposition) -> None:
    """How long something small takes, beside nothing, scrapes, and scrapes with rendering."""
    server = uvicorn.Server(uvicorn.Config(create_app(state), log_level="warning", lifespan="off"))
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio leaves it to those it opens
    serving = asyncio.create_task(server.serve([listening]))
    port = listening.getsockname()[1]
    await measure(port, "idle")
    await measure(port, "scraped")
    rendering = asyncio.create_task(publish_on(fleet, exposition))
    await measure(port, "scraped while rendering")
    rendering.cancel()
    server.should_exit = True
    await serving


async def publish_on(fleet: Fleet, exposition: Exposition) -> None:
    """Far more often than every 15 s: all series change, and are rendered, without a pause."""
    for minute in range(NOW, NOW + 10_000):
        fleet.usage[: fleet.size] = np.random.default_rng(minute).uniform(0, 1e6, fleet.size)
        fleet.utilization[: fleet.size] = fleet.usage[: fleet.size] / 1e6
        fleet.minute[: fleet.size] = minute
        await exposition.publish({})


async def measure(port: int, label: str) -> None:
    spawn = get_context("spawn")
    done = spawn.Event()
    workers = [spawn.Process(target=ping, args=(port, done, label))]
    if label != "idle":
        workers.append(spawn.Process(target=scrape, args=(port, done)))
    for worker in workers:
        worker.start()
    for worker in workers:
        await asyncio.to_thread(worker.join, 120)


async def main() -> None:
    fleet = fleet_of(SERIES)
    judge(fleet, NOW)
    exposition = Exposition(fleet)
    print(f"{SERIES:,} series, {len(FAMILIES) - 2} families")
    await render(fleet, exposition)
    await serve(fleet, exposition)


if __name__ == "__main__":
    asyncio.run(main())
