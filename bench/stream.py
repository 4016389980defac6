"""CPU and memory of a metric stream: gzip bodies of 10,000 points into the fleet. `python bench/stream.py`

CPU time is measured in this process; then points per second, memory and latency are measured over HTTP on
loopback, with the server in another process. `--seconds 600` shows whether memory grows.
"""

import argparse
import asyncio
import base64
import json
import multiprocessing
import time
import zlib
from itertools import count, cycle
from multiprocessing.connection import Connection

import uvicorn
from fastapi import FastAPI

from bench.memory import resident
from collectors.base import Metric, Observed, Usage, total
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.series_settings import SeriesSettings
from monitor.http import connection
from monitor.server.listener import bind_socket
from monitor.stream.firehose import FIREHOSE_PATH, PROTOCOL_VERSION, firehose_router
from monitor.stream.firehose_access import FirehoseAccess
from monitor.stream.ingest import FirehoseRequest, Ingest, IngestOptions
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.monitor.stream.bodies import NOW, Update, lines, message
from tests.registries import DECLARED, STREAM_WRITE_BYTES
from tests.telemetries import Telemetries

POINTS, RECORDS = 10_000, 20  # in each body
POINTS_PER_MESSAGE = 25  # of OTLP
CELLS = [(f"{n:012d}", region) for n in range(40) for region in ("eu-west-1", "us-east-1")]
ACCESS_KEY = "bench"
REQUEST_NUMBERS = count()
HEADERS = (
    f"POST {FIREHOSE_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    "Content-Encoding: gzip\r\n"
    f"X-Amz-Firehose-Protocol-Version: {PROTOCOL_VERSION}\r\nX-Amz-Firehose-Access-Key: {ACCESS_KEY}\r\n"
    "X-Amz-Firehose-Request-Id: %s\r\nContent-Length: %d\r\n\r\n"
)


def updates() -> list[Update]:
    """Return one update of each of POINTS metrics, ordered by cell; each is in one of three minutes."""
    names = [metric for metric in DECLARED.statistics if metric[0] != "AWS/EC2"][:20]
    return [
        Update(
            metric=names[n % len(names)][1],
            namespace=names[n % len(names)][0],
            dimensions=(("Name", f"resource-{n:05d}"),),
            minutes_ago=1 + n % 3,
            account=account,
            region=region,
            unit="Count",
            sum=4321.098765 + n,
            max=1234.567891,
            min=0.123456,
            count=50,
        )
        for cell, (account, region) in enumerate(CELLS)
        for n in range(cell * POINTS // len(CELLS), (cell + 1) * POINTS // len(CELLS))
    ]


def fleet_of(streamed: list[Update]) -> Fleet:
    """Return a fleet with a series for each update."""
    fleet, settings = (
        Fleet(),
        SeriesSettings(signal=STREAM_WRITE_BYTES, limit=Limit(1e6, LimitSource.API, NOW), band=Band()),
    )
    for n, update in enumerate(streamed):
        (statistic, *_) = DECLARED.statistics[update.namespace, update.metric]
        usage: Usage = total(Metric(update.namespace, update.metric, statistic, dimensions=update.dimensions))
        key = Key(update.account, update.region, "kinesis", "stream_write_bytes", f"resource-{n}")
        observed = Observed(signal=key.signal, resource=key.subject, usage=usage)
        fleet.put(key, observed, settings, NOW // 60)
    return fleet


class Body:
    """A gzip body whose points are compressed only once, however often it is sent.

    `next` returns a new request id, and the body with this id.
    """

    def __init__(self, records: list[bytes]) -> None:
        data = [{"data": base64.b64encode(record).decode()} for record in records]
        head = json.dumps({"timestamp": NOW * 1000, "records": data})[:-1].encode()
        self._deflate = zlib.compressobj(6, zlib.DEFLATED, 31)
        self._head = self._deflate.compress(head) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def next(self) -> tuple[str, bytes]:
        request, end = f"request-{next(REQUEST_NUMBERS)}", self._deflate.copy()
        tail = end.compress(f',"requestId":"{request}"}}'.encode()) + end.flush()
        return request, self._head + tail


def bodies() -> dict[str, Body]:
    """Return the bodies by the names of their formats."""
    points = updates()
    batches = [points[start : start + POINTS_PER_MESSAGE] for start in range(0, POINTS, POINTS_PER_MESSAGE)]
    messages_per_record = len(batches) // RECORDS

    def records(is_0_7: bool) -> list[bytes]:
        messages = [message(batch, is_0_7) for batch in batches]
        return [
            b"".join(messages[start : start + messages_per_record])
            for start in range(0, len(messages), messages_per_record)
        ]

    points_per_record = POINTS // RECORDS
    return {
        "JSON": Body(
            [
                lines(points[start : start + points_per_record])
                for start in range(0, POINTS, points_per_record)
            ]
        ),
        "OTLP 1.0": Body(records(is_0_7=False)),
        "OTLP 0.7": Body(records(is_0_7=True)),
    }


def ingest_of(fleet: Fleet) -> Ingest:
    return Ingest(fleet, lambda: DECLARED, Telemetries().stream, options=IngestOptions(clock=lambda: NOW))


async def measure_in_process(name: str, body: Body, rounds: int = 31) -> None:
    """Print the CPU time of decoding a body and writing its points to the fleet."""
    ingest, took = ingest_of(fleet_of(updates())), []
    for _ in range(rounds):
        request, content = body.next()
        start = time.process_time()
        await ingest.ingest(FirehoseRequest(request, "", content, True))
        took.append(time.process_time() - start)
    ingest.close()
    first, median = took[0], sorted(took)[rounds // 2]
    print(
        f"{name}, decode to fleet, of one core: {POINTS / median:,.0f} points/s "
        f"({median * 1e3:.1f} ms a body; {first * 1e3:.0f} ms when every name is new)"
    )


def serve(ready: Connection) -> None:
    """Serve Firehose's endpoint, and this process's memory at /resident; send the port through `ready`."""
    app, ingest = FastAPI(), ingest_of(fleet_of(updates()))
    app.include_router(firehose_router(ingest, lambda: FirehoseAccess((ACCESS_KEY,))))

    @app.get("/resident")
    async def memory() -> float:
        return resident()

    listener = bind_socket("127.0.0.1", 0)
    ready.send(listener.getsockname()[1])
    config = uvicorn.Config(
        app, http=connection.HttpConnection, lifespan="off", log_config=None, access_log=False
    )
    asyncio.run(uvicorn.Server(config).serve([listener]))


class Client:
    """An HTTP client with one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def post(self, body: Body) -> float:
        """Post a body; return the seconds until the response, which must be 200."""
        request, content = body.next()
        start = time.perf_counter()
        self._writer.write((HEADERS % (request, len(content))).encode() + content)
        await self._read_response()
        return time.perf_counter() - start

    async def get(self, path: str) -> bytes:
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return await self._read_response()

    async def _read_response(self) -> bytes:
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = next(part for part in head.lower().split(b"\r\n") if part.startswith(b"content-length:"))
        return await self._reader.readexactly(int(length.split(b":")[1]))


async def full_load(port: int, body: Body, seconds: float) -> float:
    """Return the points per second that two clients deliver when they send without a pause."""
    clients = [Client(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(2)]
    start = time.perf_counter()

    async def send(client: Client) -> int:
        for sent in count(1):
            await client.post(body)
            if time.perf_counter() - start > seconds:
                return sent
        raise AssertionError

    sent = await asyncio.gather(*map(send, clients))
    return sum(sent) * POINTS / (time.perf_counter() - start)


async def half_load(port: int, body: Body, rate: float, seconds: float) -> list[float]:
    """Send bodies at half of `rate`, at least one; return the latencies in seconds, in ascending order.

    rate: points per second.
    """
    pause = 2 * POINTS / rate
    clients = [Client(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(4)]
    tasks = list[asyncio.Task[float]]()
    start = time.perf_counter()
    for n, client in zip(range(max(1, int(seconds / pause))), cycle(clients), strict=False):
        await asyncio.sleep(max(0.0, start + n * pause - time.perf_counter()))
        if n >= len(clients):
            await tasks[n - len(clients)]  # one request at a time on each connection
        tasks.append(asyncio.create_task(client.post(body)))
    return sorted(await asyncio.gather(*tasks))


async def memory_of(port: int) -> float:
    """Return the resident memory of the server, in MiB."""
    return float(await Client(*await asyncio.open_connection("127.0.0.1", port)).get("/resident"))


async def measure_over_http(port: int, name: str, body: Body, seconds: float) -> None:
    """Print the throughput over HTTP, the growth of memory, and latencies at half the load."""
    await full_load(port, body, 2)
    before = await memory_of(port)
    rate = await full_load(port, body, seconds)
    growth = await memory_of(port) - before
    took = await half_load(port, body, rate, min(seconds, 20))
    print(
        f"{name}, over HTTP: {rate:,.0f} points/s for {seconds:.0f} s, memory grew by {growth:.1f} MiB to "
        f"{before + growth:.0f}; at half that load p99 {took[int(len(took) * 0.99)] * 1e3:.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10, help="of full load over HTTP, per format")
    seconds = parser.parse_args().seconds
    by_format = bodies()
    for name, body in by_format.items():
        asyncio.run(measure_in_process(name, body))
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    server = spawn.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    port = ours.recv()
    for name in ("JSON", "OTLP 1.0"):
        asyncio.run(measure_over_http(port, name, by_format[name], seconds))
    server.terminate()
    server.join()


if __name__ == "__main__":
    main()
