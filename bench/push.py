"""Encoding the samples of 100,000 series and pushing them to loopback. `python bench/push.py`

The first batch holds seven minutes of all families and three hours of throttled demand; each later batch
holds one minute, as with metric streams.
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from bench.journal import serve_sink
from bench.judge import NOW, fleet_of
from monitor.fleet.fleet import Fleet
from monitor.fleet.ring_columns import WINDOW
from monitor.outbound.client import OutboundClient
from monitor.push.encodings import ENCODINGS
from monitor.push.label_encoder import LabelEncoder
from monitor.push.pending_samples import PendingSamples
from monitor.push.queue_store import PushRequest
from monitor.push.request_batcher import build_requests
from monitor.push.service import PushService
from monitor.push.settings import PushConfig
from monitor.push.watermarks import WATERMARK_DTYPE, Watermarks
from tests.background import background

SERIES = 100_000
MINUTES = 3  # new minutes, which are pushed one at a time
FAMILIES = 5  # per series: usage, limit, utilization, saturation, zone
RECEIVER = {"receiver": "sink"}


def write_minute(fleet: Fleet, minute: int) -> None:
    """Write a minute of all metrics."""
    rows = np.arange(fleet.rings.size, dtype=np.int32)
    values = np.random.default_rng(minute).uniform(0, 7e7, rows.size).astype(np.float32)
    fleet.rings.write(rows, np.full(rows.size, minute, np.int32), values)
    fleet.rings.mark_read(rows, minute)


def encode(fleet: Fleet, protocol: str) -> None:
    """Print how fast one thread encodes samples, and how long encoding blocks the event loop."""
    watermarks, encoding = Watermarks(np.empty(0, WATERMARK_DTYPE), 0), ENCODINGS[protocol]
    labels, blocked, requests = LabelEncoder(encoding.encode_label), list[float](), list[PushRequest]()
    start = batch_start = time.perf_counter()
    pending = PendingSamples(fleet, watermarks)
    for batch in pending.batches():
        blocked.append(time.perf_counter() - batch_start)
        new_requests, queued = build_requests(batch, encoding, labels)
        requests += new_requests
        batch_start = time.perf_counter()
        pending.mark_queued(batch, queued)
    took = time.perf_counter() - start
    samples = sum(request.sample_count for request in requests)
    size = sum(len(request.body) for request in requests)
    print(f"{protocol:14} {samples / took:9,.0f} samples/s: {samples:,} in {took:.1f} s,", end=" ")
    print(f"{size / samples:.1f} bytes each")
    print(
        f"{'':14} of it in the event loop {sum(blocked):.2f} s, {max(blocked) * 1e3:.0f} ms at most at a time"
    )


async def measure_lag(lags: list[float]) -> None:
    """Append how long the event loop is blocked, in seconds, until cancelled."""
    while True:
        start = time.perf_counter()
        await asyncio.sleep(0.001)
        lags.append(time.perf_counter() - start - 0.001)


@asynccontextmanager
async def pushing(
    fleet: Fleet, port: int, folder: Path
) -> AsyncIterator[tuple[PushService, CollectorRegistry]]:
    """Run a push service whose receiver listens at a port."""
    registry = CollectorRegistry()
    settings = {"name": "sink", "url": f"http://127.0.0.1:{port}/", "queue_megabytes": 4096}
    config = PushConfig.model_validate(settings | {"allow_insecure": True, "allow_private": True})
    async with (
        OutboundClient() as client,
        PushService.opened(folder / "headroom.db", fleet, client, registry) as service,
    ):
        service.configure([config])
        async with background(service.run()):
            yield service, registry


async def push(fleet: Fleet, port: int, folder: Path) -> None:
    """Print how long it takes to push the first samples, and then the samples of each new minute."""
    async with pushing(fleet, port, folder) as (service, registry):
        lags = list[float]()
        watching = asyncio.create_task(measure_lag(lags))
        # Throttled demand is known for the whole window, the other families for seven minutes.
        samples = SERIES * (WINDOW + 7 * (FAMILIES - 1))
        for minute in range(NOW - 2, NOW - 2 + MINUTES + 1):
            lags.clear()
            took = await deliver(service, registry, samples)
            lags.sort()
            longest, p99 = lags[-1] * 1e3, lags[len(lags) * 99 // 100] * 1e3
            print(f"{samples:,} samples arrived after {took:.1f} s;", end=" ")
            print(f"the event loop was blocked {longest:.0f} ms at most, p99 {p99:.0f} ms")
            write_minute(fleet, minute)
            await asyncio.sleep(0.05)  # the blocking `write_minute` is counted before `lags` is cleared
            samples += SERIES * FAMILIES
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def deliver(service: PushService, registry: CollectorRegistry, samples: int) -> float:
    """Push the new samples, and return the seconds until the receiver has `samples` samples in all."""
    start = time.perf_counter()
    service.enqueue_new_samples()
    while (registry.get_sample_value("headroom_push_samples_sent_total", RECEIVER) or 0) < samples:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return time.perf_counter() - start


def main() -> None:
    fleet = fleet_of(SERIES)
    fleet.rings.mark_read(np.arange(fleet.rings.size, dtype=np.int32), NOW - 3)
    gc.freeze()  # so that garbage collections do not traverse 100,000 series
    for protocol in ENCODINGS:
        encode(fleet, protocol)
    ours, theirs = get_context("spawn").Pipe()
    server = get_context("spawn").Process(target=serve_sink, args=(theirs,), daemon=True)
    server.start()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(push(fleet, ours.recv(), Path(folder)))
    server.terminate()


if __name__ == "__main__":
    main()
