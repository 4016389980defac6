"""Rendering and serving /metrics with 100,000 series. `python bench/exposition.py`

Rendering is compared with prometheus_client, which renders the same families. Then a second process scrapes a
server on loopback, while a third process measures the latency of other requests to the server.
"""

import asyncio
import http.client
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bench.judge import NOW, fleet_of
from monitor.api.app_state import EventTiming
from monitor.exposition.exposition import Exposition
from monitor.exposition.scraped_parts import ScrapedParts
from monitor.exposition.selection import Selection
from monitor.fleet.fleet import Fleet
from monitor.fleet.judge import judge
from tests.monitor.fleet_server import Server

SERIES = 100_000
ROUNDS = 8  # scrapes of plain text, and scrapes of compressed text
GZIP_HEADERS = {"Accept-Encoding": "gzip"}
PLAIN_HEADERS = {"Accept-Encoding": "identity"}


def write_minute(fleet: Fleet, minute: int, rows: slice = slice(None)) -> None:
    """Write a minute of traffic for the metrics in `rows`, and judge."""
    row_numbers = np.arange(fleet.rings.size, dtype=np.int32)[rows]
    values = np.random.default_rng(minute).uniform(0, 7e7, row_numbers.size).astype(np.float32)
    fleet.rings.write(row_numbers, np.full(row_numbers.size, minute, np.int32), values)
    judge(fleet, NOW)


async def cpu_seconds(work: Callable[[], Awaitable[None]]) -> float:
    """Return the seconds of CPU time that a coroutine takes."""
    start = time.process_time()
    await work()
    return time.process_time() - start


class ParsedCollector(Collector):
    """The families of an exposition, parsed for prometheus_client."""

    def __init__(self, exposition: Exposition) -> None:
        self.families = [
            _family(name, samples)
            for name, samples in parse_samples(exposition).items()
            if not name.startswith("#")
        ]

    def collect(self) -> Iterator[Metric]:
        return iter(self.families)


def parse_samples(exposition: Exposition) -> dict[str, list[tuple[list[str], float]]]:
    """Return the samples of an exposition by family. A sample is the values of its labels, and its value."""
    families: dict[str, list[tuple[list[str], float]]] = {}
    for line in b"".join(exposition.body.plain(b"")[1]).decode().splitlines():
        name, _, rest = line.partition("{")
        if rest:
            labels, _, value = rest.rpartition("} ")
            families.setdefault(name, []).append((labels.split('"')[1::2], float(value)))
    return families


def _family(name: str, samples: list[tuple[list[str], float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, "Help.", labels=[f"label{n}" for n in range(len(samples[0][0]))])
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


async def render(fleet: Fleet, exposition: Exposition) -> None:
    """Print the CPU time of rendering, and of prometheus_client for the same families."""

    async def publish() -> None:
        await exposition.publish({})

    print(f"first        {await cpu_seconds(publish) * 1e3:8.0f} ms CPU: labels and values")
    write_minute(fleet, NOW - 2)
    all_changed = await cpu_seconds(publish)
    size = exposition.body.size / 1e6
    compressed = sum(len(piece.deflated) for piece in exposition.body.pieces) / 1e6
    print(f"all changed  {all_changed * 1e3:8.0f} ms CPU: {size:.0f} MB, {compressed:.1f} MB compressed")
    write_minute(fleet, NOW - 1, slice(0, 1000))
    print(f"few changed  {await cpu_seconds(publish) * 1e3:8.0f} ms CPU")
    print(f"none changed {await cpu_seconds(publish) * 1e3:8.0f} ms CPU")
    registry = CollectorRegistry()
    collector = ParsedCollector(exposition)
    registry.register(collector)
    start = time.process_time()
    generate_latest(registry)
    client_seconds = time.process_time() - start
    print(
        f"prometheus_client {client_seconds * 1e3:.0f} ms CPU for the same "
        f"{len(collector.families)} families: "
        f"{client_seconds / all_changed:.0f}x"
    )


async def render_parts(fleet: Fleet, exposition: Exposition) -> None:
    """Print the CPU time of scraping the fleet in parts, one for each account."""
    accounts = sorted({group[0] for group in fleet.groups})
    parts = ScrapedParts(exposition)

    async def scrape_all() -> None:
        for account in accounts:
            await parts.body(Selection(account=(account,)))

    print(f"{len(accounts)} parts: first {await cpu_seconds(scrape_all) * 1e3:.0f} ms CPU", end="")
    changes = (("all changed", NOW, slice(None)), ("few changed", NOW + 1, slice(0, 1000)))
    for label, minute, rows in changes:
        write_minute(fleet, minute, rows)
        await exposition.publish({})
        print(f", {label} {await cpu_seconds(scrape_all) * 1e3:.0f} ms", end="")
    print(f", none changed {await cpu_seconds(scrape_all) * 1e3:.1f} ms")


def scrape(port: int, done: Event) -> None:
    """Scrape plain and compressed text in turn, ROUNDS times each, without a pause; then set `done`."""
    for headers in (PLAIN_HEADERS, GZIP_HEADERS) * ROUNDS:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/metrics", headers=headers)
        connection.getresponse().read()
        connection.close()
    done.set()


def ping(port: int, done: Event, label: str) -> None:
    """Request /-/healthy until `done` is set, or for two seconds if the label is `idle`; print latencies."""
    took = list[float]()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    end = time.perf_counter() + 2
    while not took or (not done.is_set() and (label != "idle" or time.perf_counter() < end)):
        start = time.perf_counter()
        connection.request("GET", "/-/healthy")
        connection.getresponse().read()
        took.append(time.perf_counter() - start)
    connection.close()
    took.sort()
    median, p999 = took[len(took) // 2] * 1e3, took[len(took) * 999 // 1000] * 1e3
    print(
        f"{label:>26}: median {median:5.1f} ms, p99.9 {p999:5.1f} ms, max {took[-1] * 1e3:5.1f} ms",
        flush=True,
    )


async def serve(fleet: Fleet) -> None:
    """Serve the exposition of a fleet, and print latencies of requests."""
    with TemporaryDirectory() as folder:
        async with Server.opened(Path(folder), fleet=fleet, event_timing=EventTiming()) as served:
            await served.exposition.publish({})
            await measure_latencies(served.app, fleet, served.exposition)


async def measure_latencies(app: FastAPI, fleet: Fleet, exposition: Exposition) -> None:
    """Print latencies of an idle server, during scrapes, and during scrapes with rendering."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    listener = socket.create_server(("127.0.0.1", 0))
    # asyncio sets TCP_NODELAY only on sockets that it opens.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    serving = asyncio.create_task(server.serve([listener]))
    port = listener.getsockname()[1]
    await measure(port, "idle")
    await measure(port, "scraped")
    rendering = asyncio.create_task(publish_repeatedly(fleet, exposition))
    await measure(port, "scraped while rendering")
    rendering.cancel()
    server.should_exit = True
    await serving


async def publish_repeatedly(fleet: Fleet, exposition: Exposition) -> None:
    """Change and render all series without a pause; a real service renders every 15 s."""
    for minute in range(NOW, NOW + 10_000):
        fleet.usage[: fleet.size] = np.random.default_rng(minute).uniform(0, 1e6, fleet.size)
        fleet.utilization[: fleet.size] = fleet.usage[: fleet.size] / 1e6
        fleet.minute[: fleet.size] = minute
        await exposition.publish({})


async def measure(port: int, label: str) -> None:
    """Measure the latency in another process; also scrape, unless the label is `idle`."""
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
    print(f"{SERIES:,} series")
    await render(fleet, exposition)
    await render_parts(fleet, exposition)
    await serve(fleet)


if __name__ == "__main__":
    asyncio.run(main())
