"""Pushing over a real server: what is retried, what is dropped, and what survives a restart."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from monitor.fleet import Fleet
from monitor.outbound import Outbound
from monitor.push.config import PushConfig
from monitor.push.push import Push, beside
from monitor.push.queue import Queue
from monitor.push.store import Store
from monitor.push.target import DISK_WAIT, Surroundings
from monitor.push.telemetry import PushTelemetry
from tests.monitor.fleets import NOW
from tests.monitor.notifiers.loopback import Server, serving, silent, speaking
from tests.monitor.push.pushes import stream, use
from tests.monitor.push.schemas import written

Sleep = Callable[[float], Awaitable[None]]


class Waits(list[float]):
    """A sleep that takes no time, and remembers how long it should have taken."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        await asyncio.sleep(0)


class World:
    """A fleet of one stream, and a process that pushes it."""

    def __init__(self, folder: Path) -> None:
        self.fleet, self.path = Fleet(), folder / "headroom.db"
        self.series = stream(self.fleet, refused=None)
        self.waits = Waits()
        self.registry = CollectorRegistry()

    @asynccontextmanager
    async def pushing(self, *configs: PushConfig) -> AsyncIterator[Push]:
        queue, self.registry = Queue(Store(beside(self.path), lambda: 1000.0)), CollectorRegistry()
        async with Outbound() as client:
            around = Surroundings(
                self.fleet,
                queue,
                client,
                PushTelemetry(self.registry),
                now=lambda: 1060.0,
                random=lambda: 1.0,
                sleep=self.waits,
            )
            push = Push(around)
            push.configure(configs)
            running = asyncio.create_task(push.run())
            try:
                yield push
            finally:
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running
                await queue.close()

    def use(self, *agos: int) -> None:
        use(self.fleet, self.series, {NOW - ago: ago for ago in agos})

    def told(self, name: str, receiver: str = "tsdb", **labels: str) -> float:
        return self.registry.get_sample_value(f"headroom_push_{name}", {"receiver": receiver} | labels) or 0.0

    def queued(self, samples: int) -> bool:
        return self.told("samples_queued") == samples

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not is_so():
                await asyncio.sleep(0.01)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def config(url: str, **fields: Any) -> PushConfig:
    return PushConfig.model_validate(
        {"name": "tsdb", "url": url, "allow_insecure": True, "allow_private": True, "timeout": 5} | fields
    )


def minutes(server: Server) -> list[int]:
    """The minutes before NOW of the usage that a server was sent, request by request."""
    return [
        NOW - ms // 60_000
        for _, _, body in server.requests
        for labels, ms, _ in written(body)
        if ("__name__", "headroom_usage") in labels
    ]


async def test_what_was_judged_gets_there(world: World) -> None:
    async with serving() as server, world.pushing(config(f"{server.url}/write?a=b")) as push:
        world.use(5, 4)
        push.judged()
        await world.until(lambda: world.told("samples_sent_total") == 8)
        ((path, headers, _),) = server.requests
        assert path == "/write?a=b"
        assert headers["content-type"] == "application/x-protobuf"
        assert headers["content-encoding"] == "snappy"
        assert headers["x-prometheus-remote-write-version"] == "0.1.0"
        assert headers["user-agent"].startswith("headroom/")
        assert minutes(server) == [5, 4]
        assert world.told("samples_queued") == 0
        assert world.told("sample_timestamp_seconds") == (NOW - 4) * 60
        world.use(3)
        push.judged()
        await world.until(lambda: world.told("samples_sent_total") == 12)
        assert minutes(server) == [5, 4, 3]


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"bearer_token": "abc"}, {"authorization": "Bearer abc"}),
        ({"username": "me", "password": "pass"}, {"authorization": "Basic bWU6cGFzcw=="}),
        ({"headers": [{"name": "X-Scope-OrgID", "value": "ops"}]}, {"x-scope-orgid": "ops"}),
        (
            {"version": 2},
            {
                "content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
                "x-prometheus-remote-write-version": "2.0.0",
            },
        ),
        ({"type": "otlp"}, {"content-type": "application/x-protobuf", "content-encoding": "gzip"}),
    ],
)
async def test_headers(world: World, fields: dict[str, Any], wanted: dict[str, str]) -> None:
    async with serving() as server, world.pushing(config(server.url, **fields)) as push:
        world.use(5)
        push.judged()
        await world.until(lambda: bool(server.requests))
        assert server.requests[0][1].items() >= wanted.items()


@pytest.mark.parametrize(
    ("protocol", "status", "passes"),
    [
        *(
            (protocol, status, True)
            for protocol in ("remote_write", "otlp")
            for status in (429, 502, 503, 504)
        ),
        *(
            (protocol, status, False)
            for protocol in ("remote_write", "otlp")
            for status in (400, 404, 408, 307)
        ),
        ("remote_write", 500, True),
        ("otlp", 500, False),
    ],
)
async def test_what_is_tried_again_and_what_is_dropped(
    world: World, protocol: str, status: int, passes: bool
) -> None:
    async with (
        serving(web.Response(status=status), web.Response()) as server,
        world.pushing(config(server.url, type=protocol)) as push,
    ):
        world.use(5)
        push.judged()
        kept, lost = "samples_sent_total", "samples_dropped_total"
        reason = {"reason": f"http_{status}"}
        await world.until(lambda: world.told(kept) + world.told(lost, **reason) == 4)
        assert (world.told(kept), len(server.requests)) == ((4, 2) if passes else (0, 1))
        assert world.told("requests_failed_total", **reason) == 1
        if passes:
            assert server.requests[0][2] == server.requests[1][2]
        world.use(4)
        push.judged()
        await world.until(lambda: world.told(kept) >= 4)
        assert world.told("samples_queued") == 0


async def test_waits_grow_and_heed_the_receiver(world: World) -> None:
    busy, asked = web.Response(status=503), web.Response(status=429, headers={"Retry-After": "90"})
    async with (
        serving(*[busy] * 9, asked, web.Response()) as server,
        world.pushing(config(server.url)) as push,
    ):
        world.use(5)
        push.judged()
        await world.until(lambda: world.told("samples_sent_total") == 4)
        assert world.waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 90]
        assert len(server.requests) == 11


async def test_a_receiver_that_is_away_holds_up_nothing_and_loses_nothing(world: World) -> None:
    async with speaking(silent) as port, world.pushing(config(f"http://127.0.0.1:{port}", timeout=1)) as push:
        for count, ago in enumerate((9, 8, 7), 1):
            world.use(ago)
            push.judged()
            await world.until(partial(world.queued, count * 4))
        await world.until(lambda: world.told("requests_failed_total", reason="timeout") > 0)
        assert world.told("lag_seconds") == 60
        assert world.told("queue_bytes") > 0
    async with serving() as server, world.pushing(config(server.url)) as push:
        world.use(6)
        push.judged()
        await world.until(lambda: world.told("samples_sent_total") == 16)
        assert minutes(server) == [9, 8, 7, 6]
        assert world.told("lag_seconds") == 0


async def test_what_the_configuration_forbids_waits_for_another_one(world: World) -> None:
    async with serving() as server, world.pushing(config(server.url, allow_private=False)) as push:
        world.use(5)
        push.judged()
        await world.until(lambda: world.told("requests_failed_total", reason="private_address") > 0)
        assert world.told("samples_queued") == 4
        push.configure([config(server.url)])
        await world.until(lambda: world.told("samples_sent_total") == 4)


async def test_what_waits_keeps_its_protocol(world: World) -> None:
    gone = config("http://127.0.0.1:9")
    async with world.pushing(gone) as push:
        world.use(5)
        push.judged()
        await world.until(lambda: world.told("samples_queued") == 4)
    async with serving() as server, world.pushing(config(server.url, type="otlp")) as push:
        world.use(4)
        push.judged()
        await world.until(lambda: world.told("samples_sent_total") == 8)
        assert [headers["content-encoding"] for _, headers, _ in server.requests] == ["snappy", "gzip"]


async def test_what_waits_for_a_receiver_that_is_no_longer_configured_is_dropped(world: World) -> None:
    async with world.pushing(config("http://127.0.0.1:9")) as push:
        world.use(5)
        push.judged()
        await world.until(lambda: world.told("samples_queued") == 4)
        push.configure([])
        await world.until(lambda: world.told("samples_dropped_total", reason="no_such_receiver") == 4)
    assert world.told("samples_queued") == 0


async def test_receivers_do_not_wait_for_each_other(world: World) -> None:
    async with (
        speaking(silent) as port,
        serving() as server,
        world.pushing(config(f"http://127.0.0.1:{port}"), config(server.url, name="other")) as push,
    ):
        world.use(5)
        push.judged()
        await world.until(lambda: world.told("samples_sent_total", "other") == 4)
        assert world.told("samples_queued") == 4


async def test_a_disk_that_fails_is_tried_again_and_nothing_is_missing(world: World) -> None:
    beside(world.path).mkdir()
    async with serving() as server, world.pushing(config(server.url)) as push:
        world.use(5, 4)
        push.judged()
        await world.until(lambda: world.told("queue_failures_total") >= 2)
        assert set(world.waits) == {DISK_WAIT}
        beside(world.path).rmdir()
        await world.until(lambda: world.told("samples_sent_total") == 8)
        assert minutes(server) == [5, 4]


async def test_without_receivers_there_is_no_file(world: World) -> None:
    async with world.pushing() as push:
        world.use(5)
        push.judged()
        await asyncio.sleep(0)
    assert list(world.path.parent.iterdir()) == []


async def test_a_crash_between_delivery_and_its_note_repeats_a_request(world: World) -> None:
    """So that nothing is lost; a receiver takes the same samples twice as one."""
    async with speaking(silent) as port, world.pushing(config(f"http://127.0.0.1:{port}")) as push:
        world.use(5)
        push.judged()
        await world.until(lambda: world.told("samples_queued") == 4)
    async with serving() as server, world.pushing(config(server.url)):
        await world.until(lambda: world.told("samples_sent_total") == 4)
        assert Counter(minutes(server)) == {5: 1}
