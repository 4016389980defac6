"""Alerting when 10,000 of 100,000 series come near their limits at once. `python bench/alarm.py`

The journal is on a real disk, the receiver accepts everything at once and the clock is simulated. Each figure
is therefore the cost of Headroom's own work: its duration, and the longest time it blocks the event loop.
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
from monitor.alerting.delivery import Delivery
from monitor.alerting.engine import AlertEngine
from monitor.alerting.journal import Journal
from monitor.alerting.sender import DeliveryTarget
from monitor.alerting.telemetry import DeliveryTelemetry
from monitor.aws.status import MonitorStatus
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.fleet.formulas import Formulas
from monitor.fleet.judge import judge
from monitor.fleet.key import Key
from monitor.fleet.series_settings import SeriesSettings
from monitor.notifiers.notice import Notification
from monitor.outbound.result import DeliveryResult, delivered_result
from monitor.schema.types import ConfigContext
from rules.arrays import Ints
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.registries import REGISTRY, STREAM_WRITE_BYTES

SERIES, NEAR_SERIES = 100_000, 10_000  # all series, and those that come near their limits
NOW = 30_000_000  # minutes
PENDING_FOR = 5
SETTINGS = SeriesSettings(
    signal=STREAM_WRITE_BYTES,
    limit=Limit(1000.0, LimitSource.API, NOW * 60),
    band=Band(),
    pending_for=PENDING_FOR,
)
ACCOUNTS, REGIONS = 50, ("eu-west-1", "us-east-1")
LAG_INTERVAL = 0.001  # seconds between two measurements of how long the event loop is blocked
AFTER_GROUP_WAIT = 31  # seconds: one more than the default `group_wait`
AFTER_A_MINUTE = 61  # seconds, after which an Alertmanager is notified again
WEBHOOK = {"type": "webhook", "url": "https://example.org"}
ALERTMANAGER = {"type": "alertmanager", "urls": ["https://example.org"]}


def fleet_of(size: int) -> Fleet:
    """Return a fleet of `size` streams, without samples."""
    fleet = Fleet()
    for n in range(size):
        usage = per_second(Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName=f"stream-{n}"))
        throttled = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)
        key = Key(f"{n % ACCOUNTS:012}", REGIONS[n % 2], "kinesis", "stream_write_bytes", f"stream-{n}")
        observed = Observed(
            signal=key.signal,
            resource=key.subject,
            usage=usage,
            throttled=per_second(throttled.of(StreamName=f"stream-{n}")),
        )
        fleet.put(key, observed, SETTINGS, NOW)
    return fleet


def first_rows(formulas: Formulas) -> Ints:
    """Return, by slot, the row of the first metric of the series' formula."""
    rows = np.zeros(SERIES, np.int32)
    for block in formulas:
        rows[block.slots] = block.rows[0]
    return rows


def write_minute(fleet: Fleet, minute: int, near_count: int) -> None:
    """Write a minute in which `near_count` series are near their limits, and all others within the band."""
    values = np.full(SERIES, 500.0 * 60, np.float32)
    values[:near_count] = 950.0 * 60
    usage_rows, throttled_rows = first_rows(fleet.usages), first_rows(fleet.throttled)
    fleet.rings.write(usage_rows, np.full(SERIES, minute, np.int32), values)
    fleet.rings.mark_read(usage_rows, minute)
    fleet.rings.mark_read(throttled_rows, minute)
    fleet.confirmed[: fleet.size] = minute


class Lag:
    """Measures how long the event loop is blocked. longest: the longest time, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(LAG_INTERVAL)
            self.longest = max(self.longest, time.perf_counter() - start - LAG_INTERVAL)


async def timed(label: str, work: Awaitable[object]) -> None:
    """Await work; print how long it takes, and the longest time for which it blocks the event loop."""
    lag = Lag()
    watching = asyncio.create_task(lag.watch())
    await asyncio.sleep(10 * LAG_INTERVAL)
    start = time.perf_counter()
    await work
    took = time.perf_counter() - start
    await asyncio.sleep(10 * LAG_INTERVAL)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    print(
        f"{label:>44}: {took:6.2f} s, event loop blocked for {lag.longest * 1e3:4.0f} ms at most", flush=True
    )


class Harness:
    """An alert engine over a fleet, with its journal and one receiver, composed as in `monitor.app`.

    epoch_seconds: the simulated time. is_alertmanager: the receiver is an Alertmanager, instead of a webhook.
    """

    def __init__(self, journal: Journal, fleet: Fleet, is_alertmanager: bool) -> None:
        self.epoch_seconds, self.fleet, self.journal = NOW * 60.0, fleet, journal
        settings = ALERTMANAGER if is_alertmanager else WEBHOOK
        config = Config.model_validate(
            {"receivers": [{"name": "local", **settings}]}, context=ConfigContext()
        )
        self.delivery = Delivery(journal, DeliveryTelemetry(CollectorRegistry()), now=self.clock)
        self.delivery.configure([DeliveryTarget(name="local", send=self.accept, per_alert=is_alertmanager)])
        self.engine = AlertEngine(
            fleet, journal, self.delivery, config.alerting_settings(REGISTRY), now=self.clock
        )

    def clock(self) -> float:
        return self.epoch_seconds

    async def accept(self, notification: Notification) -> DeliveryResult:
        return delivered_result("accepted")

    async def process(self) -> None:
        await self.engine.process(MonitorStatus(), {})

    async def judge_minute(self, minute: int, near_count: int) -> None:
        write_minute(self.fleet, minute, near_count)
        self.epoch_seconds = minute * 60.0
        judge(self.fleet, minute)

    async def deliver(self) -> None:
        sender = self.delivery.senders["local"]
        while len(sender.outbox) and (sender.outbox.next_due() or 0) <= self.epoch_seconds:
            await sender.send_due()


async def measure(folder: Path, fleet: Fleet, is_alertmanager: bool) -> None:
    """Print the cost of the alert engine's passes, and of notifications.

    is_alertmanager: the receiver is an Alertmanager, which is notified of each alert again every minute.
    """
    print("an Alertmanager, notified again every minute" if is_alertmanager else "a webhook")
    journal = await Journal.open(folder / "journal.db")
    harness = Harness(journal, fleet, is_alertmanager)
    first_minute = minute_after_all_read(fleet)
    await harness.judge_minute(first_minute, 0)
    await timed("first pass", harness.process())
    gc.collect()
    gc.freeze()  # as `monitor.app` does
    for n in range(1, PENDING_FOR + 1):
        await harness.judge_minute(first_minute + n, NEAR_SERIES)
        await timed(f"{NEAR_SERIES:,} are pending", harness.process())
    await harness.judge_minute(first_minute + PENDING_FOR + 1, NEAR_SERIES)
    await timed(f"{NEAR_SERIES:,} fire and are stored", harness.process())
    harness.epoch_seconds += AFTER_GROUP_WAIT
    await timed("notified after group_wait", harness.process())
    await timed("delivered", harness.deliver())
    await timed("a pass without changes", harness.process())
    await harness.judge_minute(first_minute + PENDING_FOR + 2, NEAR_SERIES + 1)
    await timed("a new minute; one more is pending", harness.process())
    harness.epoch_seconds += AFTER_A_MINUTE
    await timed("a minute later", harness.process())
    await harness.deliver()
    start = time.perf_counter()
    active = harness.engine.active_alerts()
    print(f"{'exported alerts listed':>44}: {time.perf_counter() - start:6.2f} s for {len(active):,}")
    await journal.close()
    journal = await Journal.open(folder / "journal.db")
    harness = Harness(journal, fleet, is_alertmanager)
    await harness.judge_minute(first_minute + PENDING_FOR + 4, NEAR_SERIES)
    await timed("first pass after a restart", harness.process())
    for n in range(5, 12):  # longer than alerts keep firing
        await harness.judge_minute(first_minute + PENDING_FOR + n, 0)
        await timed("all are within the band", harness.process())
    await harness.deliver()
    await journal.close()


def minute_after_all_read(fleet: Fleet) -> int:
    """Return the minute one hour after the last minute that was read; NOW if nothing was read."""
    return max(NOW, int(fleet.rings.read_through[: fleet.rings.size].max()) + 60)


async def main() -> None:
    logging.disable(logging.WARNING)
    fleet = fleet_of(SERIES)
    for is_alertmanager in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            await measure(Path(folder), fleet, is_alertmanager)


if __name__ == "__main__":
    asyncio.run(main())
