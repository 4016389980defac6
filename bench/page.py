"""Rendering the overview with 100,000 series, and serving 200 open pages. `python bench/page.py`

Rendering is measured right after a judgement, when nothing is cached, and again from the cache. Then 200
browsers are simulated in another process: each listens for events and requests the page after every event.
"""

import asyncio
import gzip
import http.client
import random
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import uvicorn
from fastapi import FastAPI

from collectors.base import Metric, Observed, Resource, per_second
from monitor.api.app_state import EventTiming
from monitor.exposition.exposition import Exposition
from monitor.fleet.fleet import Fleet
from monitor.fleet.judge import judge
from monitor.fleet.key import Key
from monitor.fleet.ring_columns import RECENT_MINUTES
from monitor.fleet.series_settings import SeriesSettings
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.monitor.fleet_server import Server
from tests.registries import STREAM_WRITE_BYTES

SERIES, ACCOUNTS, REGIONS = 100_000, 50, ("eu-west-1", "us-east-1", "eu-central-1", "ap-southeast-2")
ROUNDS = 200  # measured requests of each query
SATURATED_SHARE = 0.001  # of the series
OPEN_PAGES = 200
JUDGE_INTERVAL, MEASURED_SECONDS = 15.0, 60.0  # seconds
traffic = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
throttled = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)


def fleet_of(series: int) -> Fleet:
    """Return a fleet of streams in many accounts, with three hours of traffic."""
    fleet, now = Fleet(), int(time.time() // 60)
    settings = SeriesSettings(
        signal=STREAM_WRITE_BYTES, limit=Limit(1e6, LimitSource.API, 0), band=Band(), stale_after=15
    )
    for n in range(series):
        name, cell = f"stream-{n:07d}", (f"{n % ACCOUNTS:012d}", REGIONS[n % len(REGIONS)])
        usage, throttled_rate = (per_second(metric.of(StreamName=name)) for metric in (traffic, throttled))
        key = Key(*cell, "kinesis", "stream_write_bytes", Resource("stream", (name,)))
        observed = Observed(signal=key.signal, resource=key.subject, usage=usage, throttled=throttled_rate)
        fleet.put(key, observed, settings, now)
    rows = np.arange(fleet.rings.size, dtype=np.int32)
    for minute in range(now - 180, now - 2):
        rng = np.random.default_rng(minute)
        values = rng.uniform(0, 5.7e7, rows.size).astype(np.float32)
        # Every other row is throttled demand, which is 0 in most minutes. A series is saturated if
        # that demand is above 0 in any of RECENT_MINUTES.
        values[1::2] *= rng.random(rows.size // 2) < SATURATED_SHARE / RECENT_MINUTES
        fleet.rings.write(rows, np.full(rows.size, minute, np.int32), values)
    judge(fleet, now)
    return fleet


@asynccontextmanager
async def application(fleet: Fleet) -> AsyncIterator[tuple[FastAPI, Exposition]]:
    """Yield the ASGI application of a fleet, and its exposition."""
    with TemporaryDirectory() as folder:
        async with Server.opened(Path(folder), fleet=fleet, event_timing=EventTiming()) as served:
            await served.exposition.publish({})
            yield served.app, served.exposition


async def request_overview(app: FastAPI, query: str = "") -> tuple[float, float, bytes]:
    """Request the overview; return the elapsed seconds, the seconds of CPU time, and the body."""
    body = bytearray()

    async def receive() -> dict[str, str]:
        return {"type": "http.request"}

    async def send(message: dict[str, bytes]) -> None:
        body.extend(message.get("body", b""))

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": []}
    start, start_cpu = time.perf_counter(), time.process_time()
    await app(scope, receive, send)  # type: ignore[arg-type]
    return time.perf_counter() - start, time.process_time() - start_cpu, bytes(body)


async def render(app: FastAPI, exposition: Exposition, query: str) -> None:
    """Print how long a response with the overview takes right after a judgement, and from the cache."""
    times: dict[str, list[float]] = {"just judged": [], "just judged, CPU": [], "cached": []}
    body = b""
    for _ in range(ROUNDS):
        await exposition.publish({})  # discards the cache, as a judgement does
        took, cpu, body = await request_overview(app, query)
        cached, _, _ = await request_overview(app, query)
        for measured, seconds in zip(times.values(), (took, cpu, cached), strict=True):
            measured.append(seconds * 1e3)
    size = f"{len(body) / 1e3:.0f} KB, {len(gzip.compress(body, 1)) / 1e3:.0f} KB compressed"
    for label, measured in times.items():
        measured.sort()
        print(
            f"/{query:<22} {label:<16} median {measured[ROUNDS // 2]:5.1f} ms,"
            f" p99 {measured[ROUNDS * 99 // 100]:5.1f} ms; {size}"
        )


def simulate_browsers(port: int, fetched: "Synchronized[int]") -> None:
    """Simulate OPEN_PAGES browsers: each listens for events, and requests the page within 1.5 s of an event.

    fetched: the number of pages that were fetched so far.
    """
    asyncio.run(_simulate_browsers(port, fetched))


async def _simulate_browsers(port: int, fetched: "Synchronized[int]") -> None:
    async def browser() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /live HTTP/1.1\r\nHost: headroom\r\n\r\n")
        while line := await reader.readline():
            if line.startswith(b"event: judged"):
                await asyncio.sleep(random.random() * 1.5)
                await asyncio.to_thread(_fetch, port)
                fetched.value += 1

    await asyncio.gather(*(browser() for _ in range(OPEN_PAGES)))


def _fetch(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/", headers={"Accept-Encoding": "gzip"})
    connection.getresponse().read()
    connection.close()


async def publish_for(exposition: Exposition, seconds: float) -> float:
    """Publish every JUDGE_INTERVAL for some seconds; return the CPU time of this process in seconds."""
    start, end = time.process_time(), time.monotonic() + seconds
    while time.monotonic() < end:
        await exposition.publish({})
        await asyncio.sleep(JUDGE_INTERVAL)
    return time.process_time() - start


async def serve(app: FastAPI, exposition: Exposition) -> None:
    """Print the CPU time of a server without pages, and with OPEN_PAGES."""
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=OPEN_PAGES)
    serving = asyncio.create_task(server.serve([listener]))
    idle_cpu = await publish_for(exposition, MEASURED_SECONDS)
    spawn = get_context("spawn")
    fetched: Synchronized[int] = spawn.Value("i", 0)
    browsers = spawn.Process(target=simulate_browsers, args=(listener.getsockname()[1], fetched), daemon=True)
    browsers.start()
    await asyncio.sleep(5)  # until all are connected
    loaded_cpu = await publish_for(exposition, MEASURED_SECONDS)
    browsers.terminate()
    print(
        f"{OPEN_PAGES} open pages, a judgement every {JUDGE_INTERVAL:.0f} s:"
        f" {(loaded_cpu - idle_cpu) / MEASURED_SECONDS:.1%} of a core,"
        f" {fetched.value} pages fetched in {MEASURED_SECONDS:.0f} s"
        f" (without pages {idle_cpu / MEASURED_SECONDS:.1%})"
    )
    server.should_exit = True
    await serving


async def main() -> None:
    async with application(fleet_of(SERIES)) as (app, exposition):
        print(f"{SERIES:,} series in {ACCOUNTS} accounts and {len(REGIONS)} regions")
        for query in ("", "q=region:eu-west-1", "q=zone:near", "q=stream-00001"):
            await render(app, exposition, query)
        await serve(app, exposition)


if __name__ == "__main__":
    asyncio.run(main())
