"""Push to a real Prometheus: PromQL returns the same values that the fleet holds."""

import asyncio
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from collectors.base import total
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.ring_columns import WINDOW
from monitor.outbound.client import OutboundClient
from monitor.push.service import PushService
from monitor.push.settings import PushConfig
from rules.band import Zone
from tests.acceptance.prometheus_server import run_prometheus
from tests.background import background
from tests.monitor.fleet.fleets import add, key, throttled_metric, traffic
from tests.monitor.push.pushed_fleets import mark_polled, write_usage
from tests.monitor.serve_process import free_port
from tests.processes import PROCESS_TIMEOUT, eventually, get

Values = dict[tuple[str, int], float]  # by resource and minute

IN_ORDER = "scrape_configs: []\n"
OUT_OF_ORDER = IN_ORDER + "storage: {tsdb: {out_of_order_time_window: 1h}}\n"


class Tsdb:
    """A Prometheus that has the same address and data after a restart."""

    def __init__(self, folder: Path, config: str) -> None:
        self.folder, self.address = folder, f"127.0.0.1:{free_port()}"
        folder.mkdir()
        (folder / "prometheus.yml").write_text(config)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Process]:
        flag = "--web.enable-remote-write-receiver"
        async with run_prometheus(self.folder, self.address, flag) as process:
            yield process

    async def read_family(self, family: str, now: int) -> Values:
        """Return the values of a family up to the minute `now`, for an hour more than the window."""
        query = f"headroom_{family}[{WINDOW + 60}m]"
        answer = await get(f"http://{self.address}/api/v1/query", query=query, time=str(now * 60 + 59))
        assert answer
        found: Values = {}
        for series in answer.json()["data"]["result"]:
            for at, value in series["values"]:
                assert at % 60 == 0
                found[series["metric"]["resource"], int(at // 60)] = float(value)
        return found


class RecordedFleet:
    """A fleet, and the values that were written to it: usage of three streams, throttled calls of one stream.

    now: the next minute to write.
    """

    def __init__(self) -> None:
        self.fleet, self.now = Fleet(), int(time.time() // 60) - 20
        self.usage: Values = {}
        self.throttled: Values = {}
        self.streams = {name: self._stream(name) for name in ("clicks", "orders", 'odd "name"')}

    def _stream(self, name: str) -> Series:
        stream = key(name)
        usage, throttled = traffic.of(StreamName=stream.id), throttled_metric.of(StreamName=stream.id)
        formulas: dict[str, Any] = {
            "usage": total(usage),
            "throttled": total(throttled) if name == "clicks" else None,
        }
        return add(self.fleet, stream, **formulas)

    def advance(self, minutes: int) -> None:
        """Write values for some minutes; `orders` has no value in every seventh minute."""
        if not self.throttled:  # without data, throttled calls count as zero
            earlier = range(self.now + minutes - WINDOW, self.now)
            self.throttled = {("clicks", minute): 0.0 for minute in earlier}
        for minute in range(self.now, self.now + minutes):
            for number, name in enumerate(self.streams):
                if name != "orders" or minute % 7:
                    self.write(name, minute, (minute * 37 % 1100 + number) / 3)
            throttled = float(minute % 11 == 0)
            write_usage(self.fleet, self.streams["clicks"], {minute: throttled}, of_throttling=True)
            self.throttled["clicks", minute] = throttled
        self.now += minutes
        for stream in self.streams.values():
            mark_polled(self.fleet, stream, self.now - 1)

    def write(self, name: str, minute: int, value: float) -> None:
        write_usage(self.fleet, self.streams[name], {minute: value})
        self.usage[name, minute] = value

    def zone(self, sample: tuple[str, int]) -> int:
        """Return the zone of a written sample, computed from its usage and throttled demand."""
        ratio = self.usage[sample] / 1000
        if self.throttled.get(sample, 0) > 0:
            return Zone.SATURATED
        if ratio >= 0.9:
            return Zone.NEAR
        return Zone.ABOVE if ratio > 0.7 else Zone.WITHIN if ratio >= 0.4 else Zone.BELOW

    def expected_values(self) -> dict[str, Values]:
        """Return the values that the receiver should hold, by family."""
        return {
            "usage": self.usage,
            "limit": dict.fromkeys(self.usage, 1000.0),
            "utilization_ratio": {sample: value / 1000 for sample, value in self.usage.items()},
            "saturation": self.throttled,
            "zone": {sample: self.zone(sample) for sample in self.usage},
        }


class Pusher:
    """A push service with its own queue and metrics registry, which pushes a recorded fleet to Prometheus."""

    def __init__(self, recorded: RecordedFleet, tsdb: Tsdb, folder: Path, out_of_order: bool = False) -> None:
        self.recorded, self.journal, self.registry = recorded, folder / "headroom.db", CollectorRegistry()
        self.config = PushConfig.model_validate(
            {
                "name": "prometheus",
                "url": f"http://{tsdb.address}/api/v1/write",
                "out_of_order": out_of_order,
                "allow_insecure": True,
                "allow_private": True,
            }
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[PushService]:
        async with (
            OutboundClient() as client,
            PushService.opened(self.journal, self.recorded.fleet, client, self.registry) as push,
        ):
            push.configure([self.config])
            async with background(push.run()):
                yield push

    def metric(self, name: str, **labels: str) -> float:
        labels = {"receiver": "prometheus"} | labels
        return self.registry.get_sample_value(f"headroom_push_{name}", labels) or 0.0


async def wait_until_equal(recorded: RecordedFleet, tsdb: Tsdb) -> None:
    """Wait until the receiver holds the values of the fleet, to the precision of float32."""
    expected = {
        family: pytest.approx(values, rel=1e-6) for family, values in recorded.expected_values().items()
    }
    deadline = time.monotonic() + PROCESS_TIMEOUT
    while True:
        held = {family: await tsdb.read_family(family, recorded.now) for family in expected}
        if held == expected:
            return
        assert time.monotonic() < deadline, {family: held[family] == expected[family] for family in expected}
        await asyncio.sleep(0.2)


async def test_history_and_new_minutes_are_pushed_without_loss_when_the_receiver_is_killed(
    tmp_path: Path,
) -> None:
    recorded, tsdb = RecordedFleet(), Tsdb(tmp_path / "tsdb", IN_ORDER)
    recorded.now -= WINDOW - 20
    recorded.advance(WINDOW - 20)
    pusher = Pusher(recorded, tsdb, tmp_path)
    async with pusher.running() as push:
        async with tsdb.running() as process:
            push.enqueue_new_samples()
            await wait_until_equal(recorded, tsdb)
            recorded.advance(3)
            push.enqueue_new_samples()
            await wait_until_equal(recorded, tsdb)
            process.kill()
            await process.wait()
        for _ in range(3):
            recorded.advance(2)
            push.enqueue_new_samples()
        await eventually(partial(has_failed, pusher))
        async with tsdb.running():
            await wait_until_equal(recorded, tsdb)
            recorded.advance(1)
            push.enqueue_new_samples()
            await wait_until_equal(recorded, tsdb)
    assert pusher.metric("samples_dropped_total", reason="http_400") == 0


async def has_failed(pusher: Pusher) -> bool | None:
    """Return True once several requests to the receiver have failed; None before, for `eventually`."""
    return pusher.metric("requests_failed_total", reason="connection") > 1 or None


async def test_a_restart_sends_the_queued_samples_once(tmp_path: Path) -> None:
    recorded, tsdb = RecordedFleet(), Tsdb(tmp_path / "tsdb", IN_ORDER)
    recorded.advance(5)
    first = Pusher(recorded, tsdb, tmp_path)
    async with first.running() as push:
        push.enqueue_new_samples()
        await eventually(partial(has_failed, first))
    recorded.advance(4)
    second = Pusher(recorded, tsdb, tmp_path)
    async with tsdb.running(), second.running() as push:
        push.enqueue_new_samples()
        await wait_until_equal(recorded, tsdb)
        assert second.metric("samples_dropped_total", reason="http_400") == 0
        assert second.metric("samples_sent_total") == sum(map(len, recorded.expected_values().values()))


async def test_late_points_are_pushed_to_a_receiver_that_accepts_out_of_order_samples(tmp_path: Path) -> None:
    recorded, tsdb = RecordedFleet(), Tsdb(tmp_path / "tsdb", OUT_OF_ORDER)
    recorded.now -= WINDOW - 20
    recorded.advance(WINDOW - 20)
    pusher = Pusher(recorded, tsdb, tmp_path, out_of_order=True)
    async with tsdb.running(), pusher.running() as push:
        push.enqueue_new_samples()
        await wait_until_equal(recorded, tsdb)
        missing_minutes = [minute for minute in range(recorded.now - 19, recorded.now) if not minute % 7]
        for minute in missing_minutes:
            recorded.write("orders", minute, 600)
        recorded.advance(2)
        push.enqueue_new_samples()
        await wait_until_equal(recorded, tsdb)
        assert len(missing_minutes) > 1
        recorded.write("clicks", recorded.now - 4, 1.0)
        recorded.advance(1)
        push.enqueue_new_samples()
        await wait_until_equal(recorded, tsdb)
        assert pusher.metric("samples_dropped_total", reason="http_400") == 0
