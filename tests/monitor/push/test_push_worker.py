"""Pushing to a real server: the requests that arrive, and the samples that survive a restart."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from monitor.push.push_worker import QUEUE_RETRY_INTERVAL
from monitor.push.service import queue_path
from tests.monitor.fleet.fleets import NOW
from tests.monitor.notifiers.loopback import http_server, never_responds, tcp_server
from tests.monitor.push.memory_queue import MemoryQueueStore
from tests.monitor.push.push_process import QUEUED_AT, PushProcess, push_config, sent_ages

SAMPLES = 4  # in each minute of the only series: usage, limit, utilization and zone


@pytest.fixture(params=["sqlite", "memory"])
def process(request: pytest.FixtureRequest, tmp_path: Path) -> PushProcess:
    return PushProcess(tmp_path, MemoryQueueStore(QUEUED_AT) if request.param == "memory" else None)


async def test_new_samples_reach_the_receiver(process: PushProcess) -> None:
    async with http_server() as server, process.pushing(push_config(f"{server.url}/write?a=b")) as push:
        process.write_usage_minutes_ago(5, 4)
        push.enqueue_new_samples()
        await process.wait_until(lambda: process.metric("samples_sent_total") == 2 * SAMPLES)
        ((path, headers, _),) = server.requests
        assert path == "/write?a=b"
        assert headers["content-type"] == "application/x-protobuf"
        assert headers["content-encoding"] == "snappy"
        assert headers["x-prometheus-remote-write-version"] == "0.1.0"
        assert headers["user-agent"].startswith("headroom/")
        assert sent_ages(server) == [5, 4]
        assert process.metric("samples_queued") == 0
        assert process.metric("sample_timestamp_seconds") == (NOW - 4) * 60
        process.write_usage_minutes_ago(3)
        push.enqueue_new_samples()
        await process.wait_until(lambda: process.metric("samples_sent_total") == 3 * SAMPLES)
        assert sent_ages(server) == [5, 4, 3]


@pytest.mark.parametrize(
    ("fields", "expected"),
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
async def test_the_configuration_sets_request_headers(
    process: PushProcess, fields: dict[str, Any], expected: dict[str, str]
) -> None:
    async with http_server() as server, process.pushing(push_config(server.url, **fields)) as push:
        process.write_usage_minutes_ago(5)
        push.enqueue_new_samples()
        await process.wait_until(lambda: bool(server.requests))
        assert server.requests[0][1].items() >= expected.items()


async def test_samples_for_an_unavailable_receiver_are_queued_and_sent_later(process: PushProcess) -> None:
    async with (
        tcp_server(never_responds) as port,
        process.pushing(push_config(f"http://127.0.0.1:{port}", timeout=1)) as push,
    ):
        for count, age in enumerate((9, 8, 7), 1):
            process.write_usage_minutes_ago(age)
            push.enqueue_new_samples()
            await process.wait_until(partial(process.has_queued, count * SAMPLES))
        await process.wait_until(lambda: process.metric("requests_failed_total", reason="timeout") > 0)
        assert process.metric("lag_seconds") == 60
        assert process.metric("queue_bytes") > 0
    async with http_server() as server, process.pushing(push_config(server.url)) as push:
        process.write_usage_minutes_ago(6)
        push.enqueue_new_samples()
        await process.wait_until(
            lambda: process.metric("samples_sent_total") == 4 * SAMPLES and not process.metric("lag_seconds")
        )
        assert sent_ages(server) == [9, 8, 7, 6]


async def test_a_request_to_a_forbidden_address_waits_for_another_configuration(
    process: PushProcess,
) -> None:
    async with http_server() as server, process.pushing(push_config(server.url, allow_private=False)) as push:
        process.write_usage_minutes_ago(5)
        push.enqueue_new_samples()
        await process.wait_until(
            lambda: process.metric("requests_failed_total", reason="private_address") > 0
        )
        assert process.metric("samples_queued") == SAMPLES
        push.configure([push_config(server.url)])
        await process.wait_until(lambda: process.metric("samples_sent_total") == SAMPLES)


async def test_queued_requests_keep_their_protocol(process: PushProcess) -> None:
    unreachable = push_config("http://127.0.0.1:9")
    async with process.pushing(unreachable) as push:
        process.write_usage_minutes_ago(5)
        push.enqueue_new_samples()
        await process.wait_until(lambda: process.metric("samples_queued") == SAMPLES)
    async with http_server() as server, process.pushing(push_config(server.url, type="otlp")) as push:
        process.write_usage_minutes_ago(4)
        push.enqueue_new_samples()
        await process.wait_until(lambda: process.metric("samples_sent_total") == 2 * SAMPLES)
        assert [headers["content-encoding"] for _, headers, _ in server.requests] == ["snappy", "gzip"]


async def test_the_queue_of_a_receiver_that_is_no_longer_configured_is_dropped(process: PushProcess) -> None:
    async with process.pushing(push_config("http://127.0.0.1:9")) as push:
        process.write_usage_minutes_ago(5)
        push.enqueue_new_samples()
        await process.wait_until(lambda: process.metric("samples_queued") == SAMPLES)
        push.configure([])
        await process.wait_until(
            lambda: process.metric("samples_dropped_total", reason="no_such_receiver") == SAMPLES
        )
    assert process.metric("samples_queued") == 0


async def test_receivers_do_not_wait_for_each_other(process: PushProcess) -> None:
    async with (
        tcp_server(never_responds) as port,
        http_server() as server,
        process.pushing(
            push_config(f"http://127.0.0.1:{port}"), push_config(server.url, name="other")
        ) as push,
    ):
        process.write_usage_minutes_ago(5)
        push.enqueue_new_samples()
        await process.wait_until(lambda: process.metric("samples_sent_total", "other") == SAMPLES)
        assert process.metric("samples_queued") == SAMPLES


async def test_a_queue_that_cannot_be_written_is_retried_and_no_sample_is_missing(tmp_path: Path) -> None:
    process = PushProcess(tmp_path)
    queue_path(process.path).mkdir()
    async with http_server() as server, process.pushing(push_config(server.url)) as push:
        process.write_usage_minutes_ago(5, 4)
        push.enqueue_new_samples()
        await process.wait_until(lambda: process.metric("queue_failures_total") >= 2)
        assert set(process.sleeps) == {QUEUE_RETRY_INTERVAL}
        queue_path(process.path).rmdir()
        await process.wait_until(lambda: process.metric("samples_sent_total") == 2 * SAMPLES)
        assert sent_ages(server) == [5, 4]


async def test_without_receivers_no_queue_file_is_created(tmp_path: Path) -> None:
    process = PushProcess(tmp_path)
    async with process.pushing() as push:
        process.write_usage_minutes_ago(5)
        push.enqueue_new_samples()
        await asyncio.sleep(0)
    assert list(process.path.parent.iterdir()) == []


async def test_a_request_without_a_response_is_sent_again_after_a_restart(process: PushProcess) -> None:
    """The receiver may have the samples already, and then ignores them; none is lost."""
    async with (
        tcp_server(never_responds) as port,
        process.pushing(push_config(f"http://127.0.0.1:{port}")) as push,
    ):
        process.write_usage_minutes_ago(5)
        push.enqueue_new_samples()
        await process.wait_until(lambda: process.metric("samples_queued") == SAMPLES)
    async with http_server() as server, process.pushing(push_config(server.url)):
        await process.wait_until(lambda: process.metric("samples_sent_total") == SAMPLES)
        assert sent_ages(server) == [5]
