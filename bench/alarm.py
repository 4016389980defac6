"""10,000 series that turn critical in one judgement, in a fleet of 100,000. `python bench/alarm.py`

A real disk, a receiver that takes everything at once, and a clock of ours: what is measured is what Headroom
does itself, and for how long at a time nothing else gets its turn.
"""

import asyncio
import gc
import logging
import tempfile
import time
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from collectors.base import Metric, Observed, per_second
from monitor.alerting.alarm import Alarm
from monitor.alerting.delivery import Delivery, Receiver
from monitor.alerting.delivery_telemetry import DeliveryTelemetry
from monitor.alerting.journal import Journal
from monitor.alerting.notice import Notification
from monitor.config import Config
from monitor.config_types import Sources
from monitor.fleet import Fleet, Key, Ruling
from monitor.judge import judge
from monitor.notifiers.answer import Answer, delivered
from monitor.status import Told
from rules.limits import Band, Limit, Source

SERIES, CRITICAL = 100_000, 10_000
NOW = 30_000_000  # minutes
HOLD = 5
RULING = Ruling(limit=Limit(1000.0, Source.API, NOW * 60), band=Band(), hold=HOLD)
REGIONS = ("eu-west-1", "us-east-1")
LOOK = 0.001  # seconds between two looks at how late the loop is


def fleet_of(size: int) -> Fleet:
    fleet = Fleet()
    for n in range(size):
        usage = per_second(Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName=f"stream-{n}"))
        refused = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)
        key = Key(f"{n % 50:012}", REGIONS[n % 2], "kinesis", "stream_write_bytes", f"stream-{n}")
        observed = Observed(
            signal=key.signal,
            resource=key.resource,
            usage=usage,
            refused=per_second(refused.of(StreamName=f"stream-{n}")),
        )
        fleet.put(key, observed, RULING, NOW)
    return fleet


def read(fleet: Fleet, minute: int, critical: int) -> None:
    """A minute in which so many series are critical, and the others within their band."""
    values = np.full(SERIES, 500.0 * 60, np.float32)
    values[:critical] = 950 * 60
    rows = np.array([formula.rows[0] for n in range(SERIES) if (formula := fleet.usages.get(n))], np.int32)
    refused = np.array(
        [formula.rows[0] for n in range(SERIES) if (formula := fleet.refusals.get(n))], np.int32
    )
    fleet.rings.write(rows, np.full(SERIES, minute, np.int32), values)
    fleet.rings.mark_read(rows, minute)
    fleet.rings.mark_read(refused, minute)
    fleet.confirmed[: fleet.size] = minute


class Lag:
    """For how long at most the loop did nothing else, in seconds."""

    def __init__(self) -> None:
        self.most = 0.0

    async def watch(self) -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(LOOK)
            self.most = max(self.most, time.perf_counter() - begun - LOOK)


async def timed(label: str, work: Awaitable[object]) -> None:
    lag = Lag()
    watching = asyncio.create_task(lag.watch())
    await asyncio.sleep(10 * LOOK)
    begun = time.perf_counter()
    await work
    took = time.perf_counter() - begun
    await asyncio.sleep(10 * LOOK)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    print(f"{label:>44}: {took:6.2f} s, nothing else for {lag.most * 1e3:4.0f} ms at most", flush=True)


class World:
    """An alarm over a fleet, as a process would have it."""

    def __init__(self, journal: Journal, fleet: Fleet, keepalive: bool) -> None:
        self.seconds, self.fleet, self.journal = NOW * 60.0, fleet, journal
        kind = {"type": "alertmanager", "urls": ["https://example.org"]} if keepalive else WEBHOOK
        config = Config.model_validate({"receivers": [{"name": "local", **kind}]}, context=Sources())
        self.delivery = Delivery(journal, DeliveryTelemetry(CollectorRegistry()), now=self.clock)
        self.delivery.configure([Receiver(name="local", send=self.take, per_alert=keepalive)])
        self.alarm = Alarm(fleet, journal, self.delivery, config, now=self.clock)

    def clock(self) -> float:
        return self.seconds

    async def take(self, notification: Notification) -> Answer:
        return delivered("taken")

    async def turn(self) -> None:
        await self.alarm.turn(Told(), {})

    async def minute(self, minute: int, critical: int) -> None:
        read(self.fleet, minute, critical)
        self.seconds = minute * 60.0
        judge(self.fleet, minute)

    async def deliver(self) -> None:
        sender = self.delivery.senders["local"]
        while len(sender.outbox) and (sender.outbox.next() or 0) <= self.seconds:
            await sender.round()


WEBHOOK = {"type": "webhook", "url": "https://example.org"}


async def measure(folder: Path, fleet: Fleet, keepalive: bool) -> None:
    print("an Alertmanager, told again every minute" if keepalive else "a webhook")
    journal = await Journal.open(folder / "journal.db")
    world = World(journal, fleet, keepalive)
    begun = unread(fleet)
    await world.minute(begun, 0)
    await timed("first turn", world.turn())
    gc.collect()
    gc.freeze()  # as `monitor.app` does
    for n in range(1, HOLD + 1):
        await world.minute(begun + n, CRITICAL)
        await timed(f"{CRITICAL:,} are pending", world.turn())
    await world.minute(begun + HOLD + 1, CRITICAL)
    await timed(f"{CRITICAL:,} fire, all journalled", world.turn())
    world.seconds += 31
    await timed("and are told after group_wait", world.turn())
    await timed("and delivered", world.deliver())
    await timed("a turn in which nothing changes", world.turn())
    await world.minute(begun + HOLD + 2, CRITICAL + 1)
    await timed("a minute is read, and one more is pending", world.turn())
    world.seconds += 61
    await timed("a minute later", world.turn())
    await world.deliver()
    begun_at = time.perf_counter()
    active = world.alarm.active()
    print(f"{'what is exported':>44}: {time.perf_counter() - begun_at:6.2f} s for {len(active):,}")
    await journal.close()
    journal = await Journal.open(folder / "journal.db")
    world = World(journal, fleet, keepalive)
    await world.minute(begun + HOLD + 4, CRITICAL)
    await timed("a restart: the first turn", world.turn())
    for n in range(5, 12):
        await world.minute(begun + HOLD + n, 0)
        await timed("all are clear", world.turn())
    await world.deliver()
    await journal.close()


def unread(fleet: Fleet) -> int:
    """A minute later than all that was read."""
    return max(NOW, int(fleet.rings.read[: fleet.rings.size].max()) + 60)


async def main() -> None:
    logging.disable(logging.WARNING)
    fleet = fleet_of(SERIES)
    for keepalive in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            await measure(Path(folder), fleet, keepalive)


if __name__ == "__main__":
    asyncio.run(main())
