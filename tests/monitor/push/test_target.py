"""Pushing over a real server: what gets there, and what survives a restart."""

import asyncio
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from monitor.push.push import beside
from monitor.push.target import DISK_WAIT
from tests.monitor.fleets import NOW
from tests.monitor.notifiers.loopback import serving, silent, speaking
from tests.monitor.push.worlds import World, config, minutes


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


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
        await world.until(lambda: world.told("samples_sent_total") == 16 and not world.told("lag_seconds"))
        assert minutes(server) == [9, 8, 7, 6]


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
