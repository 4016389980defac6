"""Storing 10,000 alert transitions of one judgement and delivering them. `python bench/journal.py`

The journal is on a real disk and the receiver is an HTTP server in another process. Every transition has a
group of its own, so that each makes a notification.
"""

import asyncio
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import msgspec
from prometheus_client import CollectorRegistry

from monitor.alerting.delivery import Delivery
from monitor.alerting.journal import Journal
from monitor.alerting.records import PendingNotice
from monitor.alerting.sender import DeliveryTarget
from monitor.alerting.telemetry import DeliveryTelemetry
from monitor.notifiers.notice import Notice, NoticeKind, Notification, NotificationReason, Severity
from monitor.outbound.result import DeliveryResult, result_of_status
from tests.background import background

TRANSITIONS = 10_000
SINGLE_TRANSITIONS = 200  # these are committed and delivered one by one


def pending_notice(number: int) -> PendingNotice:
    """Return a notice of typical size, in a group of its own."""
    labels = {
        "account": "123456789012",
        "region": "eu-west-1",
        "service": "kinesis",
        "signal": "kinesis.stream_write_bytes",
        "resource": f"stream-{number}",
    }
    notice = Notice(
        alert=f"alert-{number}",
        number=number,
        kind=NoticeKind.FIRING,
        severity=Severity.WARNING,
        zone="near",
        summary=f"Kinesis stream stream-{number} (prod, eu-west-1) writes 3.6 MB/s of 4 MB/s (91 %).",
        labels=labels,
        at=time.time(),
        since=time.time(),
        usage=3.6e6,
        limit=4e6,
        unit="bytes/s",
        source="DescribeStreamSummary",
        utilization=0.91,
        remedy=("Add shards.", "Spread the partition keys."),
        docs="https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html",
    )
    return PendingNotice(
        receiver="local", group=labels, due=0, notice=notice, reason=NotificationReason.FIRST
    )


class Sink(BaseHTTPRequestHandler):
    """A webhook receiver that accepts everything."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


def serve_sink(ready: Connection) -> None:
    """Serve a webhook receiver; send its port through `ready`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    ready.send(server.server_port)
    server.serve_forever()


async def commit(delivery: Delivery, rows: list[PendingNotice]) -> None:
    """Commit transitions with their states, as one evaluation does."""
    states = {row.notice.alert: b'["firing",1790000000,1790000000]' for row in rows}
    await delivery.commit(states, [row.notice for row in rows], rows)


async def measure(directory: Path, port: int) -> None:
    """Print how long the journal takes to store all transitions, and how long their delivery takes.

    port: the receiver's port.
    """
    journal = await Journal.open(directory / "journal.db")
    delivery = Delivery(journal, DeliveryTelemetry(CollectorRegistry()))
    arrived: asyncio.Queue[float] = asyncio.Queue()
    async with aiohttp.ClientSession() as client:

        async def send(notification: Notification) -> DeliveryResult:
            body = msgspec.json.encode(notification)
            async with client.post(f"http://127.0.0.1:{port}/", data=body) as response:
                arrived.put_nowait(time.perf_counter())
                return result_of_status("sink", response.status)

        delivery.configure([DeliveryTarget(name="local", send=send)])
        rows = [pending_notice(number) for number in range(TRANSITIONS)]
        start = time.perf_counter()
        await commit(delivery, rows)
        print(f"{TRANSITIONS} transitions stored in {time.perf_counter() - start:.2f} s")
        async with background(delivery.run()):
            start = time.perf_counter()
            took = [await arrived.get() for _ in range(TRANSITIONS)][-1] - start
            print(f"{TRANSITIONS} notifications delivered in {took:.1f} s: {TRANSITIONS / took:.0f}/s")
            await measure_single(delivery, arrived)
    await journal.close()


async def measure_single(delivery: Delivery, arrived: asyncio.Queue[float]) -> None:
    """Print how long single notifications take from commit to arrival."""
    took = []
    for number in range(SINGLE_TRANSITIONS):
        start = time.perf_counter()
        await commit(delivery, [pending_notice(TRANSITIONS + number)])
        took.append(await arrived.get() - start)
    took.sort()
    print(
        f"one notification is delivered after {took[len(took) // 2] * 1e3:.0f} ms, "
        f"p99 {took[len(took) * 99 // 100] * 1e3:.0f} ms"
    )


def main() -> None:
    ours, theirs = get_context("spawn").Pipe()
    server = get_context("spawn").Process(target=serve_sink, args=(theirs,), daemon=True)
    server.start()
    port = ours.recv()
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(measure(Path(directory), port))
    server.terminate()


if __name__ == "__main__":
    main()
