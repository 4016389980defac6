"""From a judgement that finds an alert to a receiver on loopback. `python bench/notify.py`

A whole Headroom, composed as `headroom serve` composes it, over the demo's AWS: its loops, its server and its
journal on a real disk. One stream after the other is refused something; what is measured is the time from the
beginning of the judgement that finds it to the arrival at a real HTTP server in another process. Then the
same with 100,000 quiet series beside it.
"""

import asyncio
import json
import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection

import numpy as np

from collectors.base import Metric, Observed, per_second
from monitor.app import App, Telling, bound
from monitor.config import Config
from monitor.config_types import Sources
from monitor.demo.run import of_its_own, own_aws
from monitor.fleet import Key, Ruling
from rules.limits import Band, Limit, Source

RUNS, QUIET = 300, 100_000
PATIENCE = 60  # seconds
NAME = "bench-"  # what the streams are called that are refused something
ACCOUNT, REGION = "123456789012", "eu-west-1"
traffic = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
refused = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)


class Sink(BaseHTTPRequestHandler):
    """Accepts everything, and tells when which stream's alert arrived."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    told: Connection

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        arrived = time.monotonic()  # of the system, so that other processes have the same
        self.send_response(204)
        self.end_headers()
        for alert in body["data"]["alerts"]:
            if alert["labels"]["resource"].startswith(NAME):
                self.told.send((alert["labels"]["resource"], arrived))

    def log_message(self, format: str, *args: object) -> None: ...


def sink(told: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    Sink.told = told
    told.send(server.server_port)
    server.serve_forever()


class Composed(App):
    """An App that shows what it tells with."""

    telling: Telling

    async def judge(self, telling: Telling) -> None:
        self.telling = telling
        await super().judge(telling)


def add(app: App, name: str) -> int:
    """A stream of the cell that is watched; the place of its series."""
    now = int(time.time())
    ruling = Ruling(limit=Limit(1000.0, Source.API, now), band=Band())
    key = Key(ACCOUNT, REGION, "kinesis", "stream_write_bytes", name)
    observed = Observed(
        signal=key.signal,
        resource=name,
        usage=per_second(traffic.of(StreamName=name)),
        refused=per_second(refused.of(StreamName=name)),
    )
    return app.fleet.put(key, observed, ruling, now // 60).place


def read(app: App, places: list[int], lost: float) -> None:
    """The last minute of some series: half of what they may use, and so much refused."""
    for formulas, value in ((app.fleet.usages, 500.0), (app.fleet.refusals, lost)):
        found = [formula.rows[0] for place in places if (formula := formulas.get(place))]
        rows, minute = np.array(found, np.int32), int(time.time()) // 60 - 1
        minutes = np.full(rows.size, minute, np.int32)
        app.fleet.rings.write(rows, minutes, np.full(rows.size, value * 60, np.float32))
        app.fleet.rings.mark_read(rows, minute)


async def told(arrivals: Connection, name: str) -> float:
    """When the alert of a stream arrived."""
    while True:
        if not await asyncio.to_thread(arrivals.poll, PATIENCE):
            raise TimeoutError(f"{name} was not told")
        found, arrived = arrivals.recv()
        if found == name:
            return float(arrived)


async def measure(app: Composed, arrivals: Connection, label: str, first: int) -> None:
    took = []
    for n in range(first, first + RUNS):
        place = add(app, f"{NAME}{n}")
        read(app, [place], 60.0)
        begun = time.monotonic()
        judging = asyncio.create_task(app.judge(app.telling))
        took.append(await told(arrivals, f"{NAME}{n}") - begun)
        await judging
    took.sort()
    half, most = took[RUNS // 2], took[int(RUNS * 0.99)]
    print(f"{label}: {half * 1e3:.0f} ms, p99 {most * 1e3:.0f} ms, of {RUNS} runs", flush=True)


def configuration(folder: str, url: str, hook: int) -> Config:
    receiver = {
        "name": "local",
        "type": "webhook",
        "url": f"http://127.0.0.1:{hook}/",
        "allow_insecure": True,
        "allow_private": True,
    }
    given = {
        "services": ["kinesis"],
        "regions": [REGION],
        "endpoint_url": url,
        "interval": 3600,
        "journal": f"{folder}/headroom.db",
        "receivers": [receiver],
        "route": {"group_wait": 0},
    }
    return Config.model_validate(given, context=Sources())


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Composed]:
    app, stop = Composed(config, lambda: config), asyncio.Event()
    work = asyncio.create_task(app.run(bound("127.0.0.1", 0), stop))
    await asyncio.wait(
        [work, judged := asyncio.create_task(app.judged.wait())], return_when="FIRST_COMPLETED"
    )
    judged.cancel()
    try:
        yield app
    finally:
        stop.set()
        await work


async def main(arrivals: Connection) -> None:
    of_its_own(os.environ)
    logging.disable(logging.WARNING)
    hook = arrivals.recv()
    with tempfile.TemporaryDirectory() as folder:
        async with own_aws() as url, running(configuration(folder, url, hook)) as app:
            await measure(app, arrivals, f"a notification is there after, among {len(app.fleet)} series", 0)
            read(app, [add(app, f"quiet-{n}") for n in range(QUIET)], 0.0)
            await app.judge(app.telling)
            await measure(app, arrivals, f"the same beside {QUIET:,} quiet series", RUNS)


if __name__ == "__main__":
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    server = spawn.Process(target=sink, args=(theirs,), daemon=True)
    server.start()
    asyncio.run(main(ours))
    server.terminate()
