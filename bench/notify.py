"""Delay from a judgement that starts an alert to its notification. `python bench/notify.py`

The whole service runs as `headroom serve` composes it, over the demo's AWS, with its journal on a real disk.
One stream after the other is throttled. What is measured is the time from the start of the judgement to the
arrival of the notification at a webhook receiver in another process. Then the same is measured with 100,000
other series in the fleet.
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

from collectors.base import Metric, Observed, Resource, per_second
from monitor.app import App
from monitor.config.config import Config
from monitor.demo.aws_process import start_aws
from monitor.demo.environment import isolate_environment
from monitor.fleet.key import Key
from monitor.fleet.series_settings import SeriesSettings
from monitor.schema.types import ConfigContext
from monitor.server.listener import bind_socket
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.registries import REGISTRY, STREAM_WRITE_BYTES

RUNS = 300  # streams that are throttled one after the other; one delay is measured for each
OTHERS = 100_000  # other series, which are not throttled
ARRIVAL_TIMEOUT = 60  # seconds
NAME_PREFIX = "bench-"  # of the names of the throttled streams
ACCOUNT, REGION = "123456789012", "eu-west-1"
traffic = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
throttled = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)


class Sink(BaseHTTPRequestHandler):
    """Accepts everything, and sends (resource, time of arrival) of each alert through `arrivals`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    arrivals: Connection

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        arrived = time.monotonic()  # the same clock in all processes of the system
        self.send_response(204)
        self.end_headers()
        for alert in body["data"]["alerts"]:
            if alert["labels"]["resource"].startswith(NAME_PREFIX):
                self.arrivals.send((alert["labels"]["resource"], arrived))

    def log_message(self, format: str, *args: object) -> None: ...


def serve_sink(arrivals: Connection) -> None:
    """Serve a webhook receiver; send its port through `arrivals`, then what Sink sends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    Sink.arrivals = arrivals
    arrivals.send(server.server_port)
    server.serve_forever()


def add(app: App, name: str) -> int:
    """Add a stream to the watched cell; return the slot of its series."""
    now = int(time.time())
    settings = SeriesSettings(
        signal=STREAM_WRITE_BYTES, limit=Limit(1000.0, LimitSource.API, now), band=Band()
    )
    key = Key(ACCOUNT, REGION, "kinesis", "stream_write_bytes", name)
    observed = Observed(
        signal=key.signal,
        resource=Resource("stream", (name,)),
        usage=per_second(traffic.of(StreamName=name)),
        throttled=per_second(throttled.of(StreamName=name)),
    )
    return app.fleet.put(key, observed, settings, now // 60).slot


def write_minute(app: App, slots: list[int], throttled_rate: float) -> None:
    """Write the last minute of some series: usage at half of the limit, and throttled demand.

    throttled_rate: throttled calls per second.
    """
    for formulas, value in ((app.fleet.usages, 500.0), (app.fleet.throttled, throttled_rate)):
        numbers = [formula.rows[0] for slot in slots if (formula := formulas.get(slot))]
        rows, minute = np.array(numbers, np.int32), int(time.time()) // 60 - 1
        minutes = np.full(rows.size, minute, np.int32)
        app.fleet.rings.write(rows, minutes, np.full(rows.size, value * 60, np.float32))
        app.fleet.rings.mark_read(rows, minute)


async def arrival(arrivals: Connection, name: str) -> float:
    """Return the time at which the alert of a stream arrived at the receiver."""
    while True:
        if not await asyncio.to_thread(arrivals.poll, ARRIVAL_TIMEOUT):
            raise TimeoutError(f"no notification about {name}")
        stream, arrived = arrivals.recv()
        if stream == name:
            return float(arrived)


async def measure(app: App, arrivals: Connection, label: str, first: int) -> None:
    """Throttle RUNS new streams one after the other, and print the delays of their notifications.

    A delay begins with the judgement that sees the throttled sample, and ends with the arrival. first: the
    number in the name of the first stream; the others have the following numbers.
    """
    delays = []
    for n in range(first, first + RUNS):
        slot = add(app, f"{NAME_PREFIX}{n}")
        write_minute(app, [slot], 60.0)
        start = time.monotonic()
        judging = asyncio.create_task(app.judge())
        delays.append(await arrival(arrivals, f"{NAME_PREFIX}{n}") - start)
        await judging
    delays.sort()
    p50, p99 = delays[RUNS // 2], delays[int(RUNS * 0.99)]
    print(f"{label}: {p50 * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms, of {RUNS} runs", flush=True)


def configuration(folder: str, aws_url: str, receiver_port: int) -> Config:
    """Return a configuration that watches Kinesis in one region, and has one receiver."""
    receiver = {
        "name": "local",
        "type": "webhook",
        "url": f"http://127.0.0.1:{receiver_port}/",
        "allow_insecure": True,
        "allow_private": True,
    }
    settings = {
        "services": ["kinesis"],
        "regions": [REGION],
        "endpoint_url": aws_url,
        "interval": 3600,
        "journal": f"{folder}/headroom.db",
        "receivers": [receiver],
        "route": {"group_wait": 0},
    }
    return Config.model_validate(settings, context=ConfigContext())


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[App]:
    """Run the service; yield it as soon as it has judged."""
    stop = asyncio.Event()
    async with App.opened(config, REGISTRY, lambda: config) as app:
        work = asyncio.create_task(app.run(bind_socket("127.0.0.1", 0), stop))
        judged = asyncio.create_task(app.judged.wait())
        await asyncio.wait([work, judged], return_when="FIRST_COMPLETED")  # `work` ends first if it fails
        judged.cancel()
        try:
            yield app
        finally:
            stop.set()
            await work


async def main(arrivals: Connection) -> None:
    isolate_environment(os.environ)
    logging.disable(logging.WARNING)
    receiver_port = arrivals.recv()
    with tempfile.TemporaryDirectory() as folder:
        async with start_aws() as aws, running(configuration(folder, aws.url, receiver_port)) as app:
            await measure(app, arrivals, f"time to notification with {len(app.fleet)} series", 0)
            write_minute(app, [add(app, f"other-{n}") for n in range(OTHERS)], 0.0)
            await app.judge()
            await measure(app, arrivals, f"with {OTHERS:,} other series", RUNS)


if __name__ == "__main__":
    spawn = get_context("spawn")
    arrivals, sink_end = spawn.Pipe()
    server = spawn.Process(target=serve_sink, args=(sink_end,), daemon=True)
    server.start()
    asyncio.run(main(arrivals))
    server.terminate()
