"""From a point's arrival to its series' zone in the API. `python bench/arrival.py`

The whole service with 100,000 series, in a process of its own; 10,000 other points come each second.
No account lets it in, so that nothing is polled.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

import orjson

from bench.stream import KEY, Body, Client
from collectors.base import Metric, Observed, per_second
from monitor.app import App, bound
from monitor.config import Config
from monitor.demo.run import of_its_own
from monitor.fleet import Fleet, Key, Ruling
from monitor.stream.config import VARIABLE
from rules.limits import Band, Limit, Source
from tests.monitor.stream.bodies import NOW, Update, lines

SERIES, ACCOUNTS, POINTS = 100_000, 50, 10_000
LIMIT = 1000.0  # bytes/s
USAGE = {"within": 0.5, "critical": 0.95}  # utilization
LOOK = 0.02  # seconds between two looks at the API
LATE = 30.0  # seconds after which it is given up


def key(n: int) -> Key:
    return Key(f"{n % ACCOUNTS:012}", "eu-west-1", "kinesis", "stream_write_bytes", f"stream-{n}")


def fill(fleet: Fleet, minute: int) -> None:
    ruling = Ruling(limit=Limit(LIMIT, Source.API, minute * 60), band=Band())
    for n in range(SERIES):
        one = key(n)
        metric = Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName=one.resource)
        seen = Observed(signal=one.signal, resource=one.resource, usage=per_second(metric))
        fleet.put(one, seen, ruling, minute)


def serve(ready: Connection, minute: int) -> None:
    """The service; tells its port."""
    of_its_own(os.environ)
    os.environ[VARIABLE] = KEY
    listening = bound("127.0.0.1", 0)
    with tempfile.TemporaryDirectory() as folder:
        config = Config.model_validate(
            {
                "endpoint_url": "http://127.0.0.1:9",
                "regions": ["eu-west-1"],
                "journal": f"{folder}/headroom.db",
            }
        )
        app = App(config, lambda: config)
        fill(app.fleet, minute)
        ready.send(listening.getsockname()[1])
        asyncio.run(app.run(listening, asyncio.Event()))


def update(n: int, minute: int, utilization: float) -> Update:
    """A minute of a series."""
    one = key(n)
    used, ago = LIMIT * 60 * utilization, NOW // 60 - minute
    dimensions = (("StreamName", one.resource),)
    return Update(dimensions=dimensions, ago=ago, sum=used, account=one.account, region=one.region)


async def connect(port: int) -> Client:
    return Client(*await asyncio.open_connection("127.0.0.1", port))


@asynccontextmanager
async def others(port: int, minute: int) -> AsyncIterator[None]:
    """Points of all series but the last, some thousands each second."""
    parts = [range(start, min(start + POINTS, SERIES - 1)) for start in range(0, SERIES, POINTS)]
    bodies = [Body([lines(update(n, minute, 0.3) for n in part)]) for part in parts]

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


async def arrivals(port: int, minute: int, times: int) -> list[float]:
    """Seconds from the moment that a point is sent until the API tells of the zone it means, ascending."""
    sender, reader = await connect(port), await connect(port)
    page = f"/api/v1/series?resource={key(SERIES - 1).resource}"
    async with asyncio.timeout(60):
        while b'"ready":true' not in await reader.get("/api/v1/status"):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.5)
    (found,) = orjson.loads(await reader.get(page))["items"]
    took = []
    async with others(port, minute):
        for turn in range(times):
            zone = ("within", "critical")[turn % 2]
            body = Body([lines([update(SERIES - 1, minute, USAGE[zone])])])
            await asyncio.sleep(random.uniform(0, 1))  # whenever it comes
            start = time.perf_counter()
            await sender.post(body)
            while orjson.loads(await reader.get(f"/api/v1/series/{found['id']}"))["zone"] != zone:
                assert time.perf_counter() - start < LATE
                await asyncio.sleep(LOOK)
            took.append(time.perf_counter() - start)
    return sorted(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=100)
    times, minute = parser.parse_args().times, int(time.time() // 60)
    ours, theirs = get_context("spawn").Pipe()
    server = get_context("spawn").Process(target=serve, args=(theirs, minute), daemon=True)
    server.start()
    took = asyncio.run(arrivals(ours.recv(), minute, times))
    server.terminate()
    server.join()
    p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
    print(
        f"from arrival to zone in the API, {SERIES:,} series: {p50:.2f} s, p99 {p99:.2f} s of {times} times"
    )


if __name__ == "__main__":
    main()
