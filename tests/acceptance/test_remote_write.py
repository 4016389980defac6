"""A real Prometheus is pushed to: what PromQL answers is what the fleet holds."""

import asyncio
import shutil
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from collectors.base import total
from monitor.fleet import Fleet, Series
from monitor.outbound import Outbound
from monitor.push.config import PushConfig
from monitor.push.push import Push
from monitor.rings import WINDOW
from rules.band import Zone
from tests.monitor.fleets import add, key, refused, traffic
from tests.monitor.push.pushes import use
from tests.monitor.test_app import free_port
from tests.processes import PATIENCE, eventually, get, running

Minutes = dict[tuple[str, int], float]  # resource and minute

IN_ORDER = "scrape_configs: []\n"
OUT_OF_ORDER = IN_ORDER + "storage: {tsdb: {out_of_order_time_window: 1h}}\n"


class Tsdb:
    """A Prometheus that keeps its address and its data when it is killed."""

    def __init__(self, folder: Path, config: str) -> None:
        self.folder, self.address = folder, f"127.0.0.1:{free_port()}"
        folder.mkdir()
        (folder / "prometheus.yml").write_text(config)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Process]:
        program = shutil.which("prometheus")
        assert program, "install the Debian package `prometheus`, or run `make acceptance`"
        flags = (
            f"--config.file={self.folder}/prometheus.yml",
            f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address={self.address}",
            "--web.enable-remote-write-receiver",
        )
        async with running(program, *flags) as process:
            await eventually(partial(get, f"http://{self.address}/-/ready"))
            yield process

    async def holds(self, family: str, now: int) -> Minutes:
        """All it has of a family in the window before the end of the minute `now`."""
        query = f"headroom_{family}[{WINDOW + 60}m]"
        answer = await get(f"http://{self.address}/api/v1/query", query=query, time=str(now * 60 + 59))
        assert answer
        found: Minutes = {}
        for series in answer.json()["data"]["result"]:
            for at, value in series["values"]:
                assert at % 60 == 0
                found[series["metric"]["resource"], int(at // 60)] = float(value)
        return found


class World:
    """A fleet whose every minute is written down: usage of some streams, refusals of one of them."""

    def __init__(self) -> None:
        self.fleet, self.now = Fleet(), int(time.time() // 60) - 20
        self.used: Minutes = {}
        self.refused: Minutes = {}
        self.streams = {name: self._stream(name) for name in ("clicks", "orders", 'odd "name"')}

    def _stream(self, name: str) -> Series:
        named = key(name)
        used, turned_away = traffic.of(StreamName=named.id), refused.of(StreamName=named.id)
        seen: dict[str, Any] = {
            "usage": total(used),
            "refused": total(turned_away) if name == "clicks" else None,
        }
        return add(self.fleet, named, **seen)

    def live(self, minutes: int) -> None:
        """Let minutes go by; orders has none in each seventh."""
        if not self.refused:  # no refusals were told, which means that there were none
            earlier = range(self.now + minutes - WINDOW, self.now)
            self.refused = {("clicks", minute): 0.0 for minute in earlier}
        for minute in range(self.now, self.now + minutes):
            for number, name in enumerate(self.streams):
                if name != "orders" or minute % 7:
                    self.tell(name, minute, (minute * 37 % 1100 + number) / 3)
            turned_away = float(minute % 11 == 0)
            use(self.fleet, self.streams["clicks"], {minute: turned_away}, of_refusals=True)
            self.refused["clicks", minute] = turned_away
        self.now += minutes

    def tell(self, name: str, minute: int, value: float) -> None:
        use(self.fleet, self.streams[name], {minute: value})
        self.used[name, minute] = value

    def zone(self, place: tuple[str, int]) -> int:
        ratio = self.used[place] / 1000
        if self.refused.get(place, 0) > 0:
            return Zone.SATURATED
        return Zone.CRITICAL if ratio >= 0.9 else (ratio >= 0.4) + (ratio > 0.7) - 1

    def wanted(self) -> dict[str, Minutes]:
        """What a receiver should hold, by family."""
        return {
            "usage": self.used,
            "limit": dict.fromkeys(self.used, 1000.0),
            "utilization_ratio": {place: value / 1000 for place, value in self.used.items()},
            "saturation": self.refused,
            "zone": {place: self.zone(place) for place in self.used},
        }


class Pushing:
    """One process that pushes; `registry` tells how it fares."""

    def __init__(self, world: World, tsdb: Tsdb, folder: Path, out_of_order: bool = False) -> None:
        self.world, self.journal, self.registry = world, folder / "headroom.db", CollectorRegistry()
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
    async def running(self) -> AsyncIterator[Push]:
        async with (
            Outbound() as client,
            Push.opened(self.journal, self.world.fleet, client, self.registry) as push,
        ):
            push.configure([self.config])
            task = asyncio.create_task(push.run())
            try:
                yield push
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def told(self, name: str, **labels: str) -> float:
        named = {"receiver": "prometheus"} | labels
        return self.registry.get_sample_value(f"headroom_push_{name}", named) or 0.0


async def agree(world: World, tsdb: Tsdb) -> None:
    """Wait until the receiver holds exactly what the fleet does, as exactly as the fleet does."""
    wanted = {family: pytest.approx(minutes, rel=1e-6) for family, minutes in world.wanted().items()}
    deadline = time.monotonic() + PATIENCE
    while (held := {family: await tsdb.holds(family, world.now) for family in wanted}) != wanted:
        assert time.monotonic() < deadline, {family: held[family] == wanted[family] for family in wanted}
        await asyncio.sleep(0.2)


async def test_three_hours_of_history_then_every_minute_and_nothing_lost_when_the_receiver_dies(
    tmp_path: Path,
) -> None:
    world, tsdb = World(), Tsdb(tmp_path / "tsdb", IN_ORDER)
    world.now -= WINDOW - 20
    world.live(WINDOW - 20)
    pushing = Pushing(world, tsdb, tmp_path)
    async with pushing.running() as push:
        async with tsdb.running() as process:
            push.judged()
            await agree(world, tsdb)
            world.live(3)
            push.judged()
            await agree(world, tsdb)
            process.kill()
            await process.wait()
        for _ in range(3):
            world.live(2)
            push.judged()
        await eventually(partial(failed, pushing))
        async with tsdb.running():
            await agree(world, tsdb)
            world.live(1)
            push.judged()
            await agree(world, tsdb)
    assert pushing.told("samples_dropped_total", reason="http_400") == 0


async def failed(pushing: Pushing) -> bool | None:
    return pushing.told("requests_failed_total", reason="connection") > 1 or None


async def test_a_restart_sends_what_waited_and_nothing_twice(tmp_path: Path) -> None:
    world, tsdb = World(), Tsdb(tmp_path / "tsdb", IN_ORDER)
    world.live(5)
    first = Pushing(world, tsdb, tmp_path)
    async with first.running() as push:
        push.judged()
        await eventually(partial(failed, first))
    world.live(4)
    second = Pushing(world, tsdb, tmp_path)
    async with tsdb.running(), second.running() as push:
        push.judged()
        await agree(world, tsdb)
        assert second.told("samples_dropped_total", reason="http_400") == 0
        assert second.told("samples_sent_total") == sum(map(len, world.wanted().values()))


async def test_late_points_are_taken_where_out_of_order_is(tmp_path: Path) -> None:
    world, tsdb = World(), Tsdb(tmp_path / "tsdb", OUT_OF_ORDER)
    world.now -= WINDOW - 20
    world.live(WINDOW - 20)
    pushing = Pushing(world, tsdb, tmp_path, out_of_order=True)
    async with tsdb.running(), pushing.running() as push:
        push.judged()
        await agree(world, tsdb)
        missing = [world.now - ago for ago in range(1, 20) if not (world.now - ago) % 7]
        for minute in missing:
            world.tell("orders", minute, 600)
        world.live(2)
        push.judged()
        await agree(world, tsdb)
        assert len(missing) > 1
        world.tell("clicks", world.now - 4, 1.0)
        world.live(1)
        push.judged()
        await agree(world, tsdb)
        assert pushing.told("samples_dropped_total", reason="http_400") == 0
