"""Delay between a streamed point and the zone in the API that results from it. `python bench/arrival.py`

The whole service runs with 100,000 series in another process. The measured points are of one series; each
second, the service also receives 10,000 points of the other series. All accounts are inaccessible, so that
nothing is polled.
"""

import argparse
import asyncio
import os
import random
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

import orjson

from bench.stream import ACCESS_KEY, Body, Client
from collectors.base import Metric, Observed, per_second
from monitor.app import App
from monitor.config.config import Config
from monitor.demo.environment import isolate_environment
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.series_settings import SeriesSettings
from monitor.server.listener import bind_socket
from monitor.stream.settings import ACCESS_KEYS_VARIABLE
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.monitor.stream.bodies import NOW, Update, lines
from tests.registries import REGISTRY, STREAM_WRITE_BYTES

SERIES, ACCOUNTS, POINTS_PER_SECOND = 100_000, 50, 10_000
LIMIT = 1000.0  # bytes/s
UTILIZATION_BY_ZONE = {"within": 0.5, "near": 0.95}
POLL_INTERVAL = 0.02  # seconds between two requests to the API
ARRIVAL_TIMEOUT = 30.0  # seconds
READY_TIMEOUT = 60.0  # seconds


def key(n: int) -> Key:
    return Key(f"{n % ACCOUNTS:012}", "eu-west-1", "kinesis", "stream_write_bytes", f"stream-{n}")


def fill(fleet: Fleet, minute: int) -> None:
    """Register SERIES series, without samples."""
    settings = SeriesSettings(
        signal=STREAM_WRITE_BYTES, limit=Limit(LIMIT, LimitSource.API, minute * 60), band=Band()
    )
    for n in range(SERIES):
        series_key = key(n)
        metric = Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName=series_key.resource)
        observed = Observed(signal=series_key.signal, resource=series_key.subject, usage=per_second(metric))
        fleet.put(series_key, observed, settings, minute)


def serve(ready: Connection, minute: int) -> None:
    """Run the service; send its port through `ready`."""
    isolate_environment(os.environ)
    os.environ[ACCESS_KEYS_VARIABLE] = ACCESS_KEY
    listener = bind_socket("127.0.0.1", 0)
    with tempfile.TemporaryDirectory() as folder:
        config = Config.model_validate(
            {
                "endpoint_url": "http://127.0.0.1:9",  # nothing listens there
                "regions": ["eu-west-1"],
                "journal": f"{folder}/headroom.db",
            }
        )
        asyncio.run(run(config, listener, ready, minute))


async def run(config: Config, listener: socket.socket, ready: Connection, minute: int) -> None:
    """Run the service with all series until killed; send its port through `ready`."""
    async with App.opened(config, REGISTRY, lambda: config) as app:
        fill(app.fleet, minute)
        ready.send(listener.getsockname()[1])
        await app.run(listener, asyncio.Event())


def update(n: int, minute: int, utilization: float) -> Update:
    """Return the update of a series for one minute."""
    series_key = key(n)
    return Update(
        dimensions=(("StreamName", series_key.resource),),
        minutes_ago=NOW // 60 - minute,
        sum=LIMIT * 60 * utilization,
        account=series_key.account,
        region=series_key.region,
    )


async def connect(port: int) -> Client:
    return Client(*await asyncio.open_connection("127.0.0.1", port))


@asynccontextmanager
async def background_points(port: int, minute: int) -> AsyncIterator[None]:
    """Send POINTS_PER_SECOND points each second, of all series except the last one, which is measured."""
    batches = [
        range(start, min(start + POINTS_PER_SECOND, SERIES - 1))
        for start in range(0, SERIES, POINTS_PER_SECOND)
    ]
    bodies = [Body([lines(update(n, minute, 0.3) for n in batch)]) for batch in batches]

    async def send() -> None:
        client = await connect(port)
        while True:
            for body in bodies:
                await client.post(body)
                await asyncio.sleep(1)

    sending = asyncio.create_task(send())
    yield
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def arrival_times(port: int, minute: int, runs: int) -> list[float]:
    """Return the seconds from sending a point until the API shows its zone, in ascending order."""
    sender, reader = await connect(port), await connect(port)
    url = f"/api/v1/series?resource={key(SERIES - 1).resource}"
    seconds = []
    async with background_points(port, minute):  # without samples, the service does not become ready
        async with asyncio.timeout(READY_TIMEOUT):
            while b'"ready":true' not in await reader.get("/api/v1/status"):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.5)
        (series,) = orjson.loads(await reader.get(url))["items"]
        for number in range(runs):
            zone = ("within", "near")[number % 2]  # each point changes the zone
            body = Body([lines([update(SERIES - 1, minute, UTILIZATION_BY_ZONE[zone])])])
            await asyncio.sleep(random.uniform(0, 1))  # at a random time between two judgements
            start = time.perf_counter()
            await sender.post(body)
            while orjson.loads(await reader.get(f"/api/v1/series/{series['id']}"))["zone"] != zone:
                assert time.perf_counter() - start < ARRIVAL_TIMEOUT
                await asyncio.sleep(POLL_INTERVAL)
            seconds.append(time.perf_counter() - start)
    return sorted(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=100)
    runs, minute = parser.parse_args().runs, int(time.time() // 60)
    ours, theirs = get_context("spawn").Pipe()
    server = get_context("spawn").Process(target=serve, args=(theirs, minute), daemon=True)
    server.start()
    took = asyncio.run(arrival_times(ours.recv(), minute, runs))
    server.terminate()
    server.join()
    p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
    print(
        f"from arrival to zone in the API, {SERIES:,} series: median {p50:.2f} s, p99 {p99:.2f} s "
        f"of {runs} runs"
    )


if __name__ == "__main__":
    main()
