"""CPU time of receiving a metric stream's JSON: Headroom's endpoint against Telegraf's."""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, Popen
from tempfile import TemporaryDirectory

from bench.peers.run import MIB, process_use
from bench.stream import ACCESS_KEY, POINTS, Body, Client, bodies, serve
from monitor.stream.firehose import FIREHOSE_PATH
from tests.monitor.serve_process import free_port

BODIES = 20  # of POINTS points each
START_TIMEOUT = 60.0  # seconds until a receiver listens
FLUSH_SECONDS = 12.0  # after the last body, in which Telegraf passes the points to its output
TELEGRAF = """
[agent]
  metric_buffer_limit = 1000000
[[inputs.cloudwatch_metric_streams]]
  service_address = "127.0.0.1:{port}"
  paths = ["{path}"]
  access_key = "{key}"
[[outputs.prometheus_client]]
  listen = "127.0.0.1:{metrics_port}"
"""


@contextmanager
def telegraf(binary: str) -> Iterator[tuple[int, int]]:
    """Run Telegraf; yield its port and the id of its process."""
    port = free_port()
    with TemporaryDirectory() as folder:
        config = Path(folder) / "telegraf.conf"
        config.write_text(
            TELEGRAF.format(port=port, path=FIREHOSE_PATH, key=ACCESS_KEY, metrics_port=free_port())
        )
        with Popen([binary, "--config", str(config)], stdout=DEVNULL, stderr=DEVNULL) as process:
            try:
                yield port, process.pid
            finally:
                process.kill()


@contextmanager
def headroom() -> Iterator[tuple[int, int]]:
    """Run Headroom's endpoint; yield its port and the id of its process."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    server = spawn.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        assert server.pid is not None
        yield ours.recv(), server.pid
    finally:
        server.terminate()
        server.join()


async def connected(port: int) -> Client:
    """Return a client, as soon as the receiver listens."""
    async with asyncio.timeout(START_TIMEOUT):
        while True:
            try:
                return Client(*await asyncio.open_connection("127.0.0.1", port))
            except ConnectionRefusedError:
                await asyncio.sleep(0.2)


async def measure(port: int, pid: int, body: Body) -> tuple[float, float]:
    """Return the CPU seconds that a receiver uses for a million points, and its resident memory in MiB."""
    client = await connected(port)
    await client.post(body)  # not measured: all metrics are new in the first body only
    before, _ = process_use(pid)
    for _ in range(BODIES):
        await client.post(body)
    await asyncio.sleep(FLUSH_SECONDS)
    after, resident = process_use(pid)
    return (after - before) / (BODIES * POINTS) * 1e6, resident / MIB


def compare(binary: str) -> None:
    """Measure Headroom, then Telegraf, and print the ratio. binary: the path of Telegraf's program."""
    body, cpu_seconds = bodies()["JSON"], []
    for name, receiver in (("Headroom", headroom()), ("Telegraf", telegraf(binary))):
        start = time.monotonic()
        with receiver as (port, pid):
            cpu, resident = asyncio.run(measure(port, pid, body))
        cpu_seconds.append(cpu)
        took = time.monotonic() - start
        print(f"{name}: {cpu:.2f} s of CPU for 1,000,000 points, {resident:.0f} MiB, after {took:.0f} s")
    print(f"Headroom / Telegraf, CPU of streamed points: {cpu_seconds[0] / cpu_seconds[1]:.2f}")
