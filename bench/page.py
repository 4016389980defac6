"""The overview with 100,000 series, and 200 open pages. `python bench/page.py`

Rendering is measured right after a judgement, when nothing is kept; then a server on loopback is looked at by
200 pages in another process, as browsers do: each listens for events, and asks for the page at every one.
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

from collectors.base import Metric, Observed, per_second
from monitor.alerting.alerting import Alerting
from monitor.api import State, create_app
from monitor.config import Config
from monitor.exposition import Exposition
from monitor.fleet import Fleet, Key, Ruling
from monitor.judge import judge
from monitor.status import Told
from monitor.telemetry import Telemetry
from rules.limits import Band, Limit, Source

SERIES, ACCOUNTS, REGIONS = 100_000, 50, ("eu-west-1", "us-east-1", "eu-central-1", "ap-southeast-2")
ROUNDS = 200
REFUSED = 0.001  # of the series
PAGES, EVERY, LASTS = 200, 15.0, 60.0  # open pages; seconds between judgements; seconds measured
traffic = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
refused = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)


def fleet_of(series: int) -> Fleet:
    """A fleet of streams in many accounts, with three hours of traffic."""
    fleet, now = Fleet(), int(time.time() // 60)
    ruling = Ruling(limit=Limit(1e6, Source.API, 0), band=Band(), stale_after=15)
    for n in range(series):
        name, place = f"stream-{n:07d}", (f"{n % ACCOUNTS:012d}", REGIONS[n % len(REGIONS)])
        usage, refusals = (per_second(metric.of(StreamName=name)) for metric in (traffic, refused))
        observed = Observed(signal="stream_write_bytes", resource=name, usage=usage, refused=refusals)
        fleet.put(Key(*place, "kinesis", "stream_write_bytes", name), observed, ruling, now)
    rows = np.arange(fleet.rings.size, dtype=np.int32)
    for minute in range(now - 180, now - 2):
        random_of = np.random.default_rng(minute)
        values = random_of.uniform(0, 5.7e7, rows.size).astype(np.float32)
        values[1::2] *= random_of.random(rows.size // 2) < REFUSED / 5
        fleet.rings.write(rows, np.full(rows.size, minute, np.int32), values)
    judge(fleet, now)
    return fleet


@asynccontextmanager
async def application(fleet: Fleet) -> AsyncIterator[tuple[FastAPI, Exposition]]:
    async def reload() -> None: ...

    exposition, telemetry = Exposition(fleet), Telemetry()
    with TemporaryDirectory() as folder:
        config = Config(journal=str(Path(folder) / "headroom.db"))
        async with Alerting.opened(config, fleet, telemetry.registry) as alerting:
            state = State(
                fleet=fleet,
                exposition=exposition,
                telemetry=telemetry,
                told=Told,
                reload=reload,
                alerting=alerting,
            )
            await exposition.publish({})
            yield create_app(state), exposition


async def ask(app: FastAPI, query: str = "") -> tuple[float, bytes]:
    """The seconds that the application takes for the overview, and its body."""
    body = bytearray()

    async def receive() -> dict[str, str]:
        return {"type": "http.request"}

    async def send(message: dict[str, bytes]) -> None:
        body.extend(message.get("body", b""))

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": []}
    start = time.perf_counter()
    await app(scope, receive, send)  # type: ignore[arg-type]
    return time.perf_counter() - start, bytes(body)


async def render(app: FastAPI, exposition: Exposition, query: str) -> None:
    fresh, kept, body = [], [], b""
    for _ in range(ROUNDS):
        await exposition.publish({})  # as after a judgement: nothing is kept
        took, body = await ask(app, query)
        fresh.append(took * 1e3)
        kept.append((await ask(app, query))[0] * 1e3)
    size = f"{len(body) / 1e3:.0f} KB, {len(gzip.compress(body, 1)) / 1e3:.0f} KB compressed"
    for label, told in (("just judged", fresh), ("kept", kept)):
        told.sort()
        print(
            f"/{query:<22} {label:<11} median {told[ROUNDS // 2]:5.1f} ms,"
            f" p99 {told[ROUNDS * 99 // 100]:5.1f} ms; {size}"
        )


def look(port: int, fetched: "Synchronized[int]") -> None:
    """200 browsers: each listens, and asks for the page within a second and a half of every event."""
    asyncio.run(_look(port, fetched))


async def _look(port: int, fetched: "Synchronized[int]") -> None:
    async def browser() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /live HTTP/1.1\r\nHost: headroom\r\n\r\n")
        while line := await reader.readline():
            if line.startswith(b"event: judged"):
                await asyncio.sleep(random.random() * 1.5)
                await asyncio.to_thread(_fetch, port)
                fetched.value += 1

    await asyncio.gather(*(browser() for _ in range(PAGES)))


def _fetch(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/", headers={"Accept-Encoding": "gzip"})
    connection.getresponse().read()
    connection.close()


async def judged(exposition: Exposition, lasts: float) -> float:
    """The CPU seconds of this process while it publishes every 15 s, for so long."""
    start, end = time.process_time(), time.monotonic() + lasts
    while time.monotonic() < end:
        await exposition.publish({})
        await asyncio.sleep(EVERY)
    return time.process_time() - start


async def serve(app: FastAPI, exposition: Exposition) -> None:
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    )
    listening = socket.create_server(("127.0.0.1", 0), backlog=PAGES)
    serving = asyncio.create_task(server.serve([listening]))
    alone = await judged(exposition, LASTS)
    spawn = get_context("spawn")
    fetched: Synchronized[int] = spawn.Value("i", 0)
    browsers = spawn.Process(target=look, args=(listening.getsockname()[1], fetched), daemon=True)
    browsers.start()
    await asyncio.sleep(5)  # all are connected
    watched = await judged(exposition, LASTS)
    browsers.terminate()
    print(
        f"{PAGES} open pages: {(watched - alone) / LASTS:.1%} of a core, a judgement every {EVERY:.0f} s,"
        f" {fetched.value} pages fetched in {LASTS:.0f} s (without pages {alone / LASTS:.1%})"
    )
    server.should_exit = True
    await serving


async def main() -> None:
    async with application(fleet_of(SERIES)) as (app, exposition):
        print(f"{SERIES:,} series in {ACCOUNTS} accounts and {len(REGIONS)} regions")
        for query in ("", "region=eu-west-1", "zone=critical", "resource=stream-00001"):
            await render(app, exposition, query)
        await serve(app, exposition)


if __name__ == "__main__":
    asyncio.run(main())
