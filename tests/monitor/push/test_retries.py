"""The receiver's response decides whether a request is retried or dropped."""

from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from tests.monitor.notifiers.loopback import http_server
from tests.monitor.push.push_process import PushProcess, push_config


@pytest.fixture
def process(tmp_path: Path) -> PushProcess:
    return PushProcess(tmp_path)


@pytest.mark.parametrize(
    ("protocol", "status", "is_retried"),
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
async def test_the_status_decides_whether_a_request_is_retried_or_dropped(
    process: PushProcess, protocol: str, status: int, is_retried: bool
) -> None:
    async with (
        http_server(web.Response(status=status), web.Response()) as server,
        process.pushing(push_config(server.url, type=protocol)) as push,
    ):
        process.write_usage_minutes_ago(5)
        push.enqueue_new_samples()
        sent, dropped = "samples_sent_total", "samples_dropped_total"
        reason = {"reason": f"http_{status}"}
        # The minute that was written has four samples.
        await process.wait_until(lambda: process.metric(sent) + process.metric(dropped, **reason) == 4)
        sent_count, request_count = (4, 2) if is_retried else (0, 1)
        assert (process.metric(sent), len(server.requests)) == (sent_count, request_count)
        assert process.metric("requests_failed_total", **reason) == 1
        if is_retried:
            assert server.requests[0][2] == server.requests[1][2]
        process.write_usage_minutes_ago(4)
        push.enqueue_new_samples()
        await process.wait_until(lambda: process.metric(sent) >= 4)
        assert process.metric("samples_queued") == 0


async def test_samples_of_remote_write_v2_count_as_sent_only_if_a_response_header_says_so(
    process: PushProcess, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"x-prometheus-remote-write-samples-written": "4"}
    async with (
        http_server(web.Response(status=204), web.Response(status=204, headers=headers)) as server,
        process.pushing(push_config(server.url, version=2)) as push,
    ):
        process.write_usage_minutes_ago(5)
        push.enqueue_new_samples()
        await process.wait_until(partial(process.has_dropped, 4, "nothing_written"))
        process.write_usage_minutes_ago(4)
        push.enqueue_new_samples()
        await process.wait_until(lambda: process.metric("samples_sent_total") == 4)
        assert "set `version: 1`" in caplog.text


async def test_a_receiver_without_remote_write_2_causes_a_log_line_with_the_remedy(
    process: PushProcess, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        http_server(*[web.Response(status=415)] * 2, web.Response()) as server,
        process.pushing(push_config(server.url, version=2)) as push,
    ):
        for count, age in enumerate((5, 4), 1):
            process.write_usage_minutes_ago(age)
            push.enqueue_new_samples()
            await process.wait_until(partial(process.has_dropped, 4 * count, "http_415"))
        assert caplog.text.count("set `version: 1`") == 1, "one line for all drops with the same reason"


async def test_backoff_grows_and_honours_retry_after(process: PushProcess) -> None:
    busy, busy_for_90_s = web.Response(status=503), web.Response(status=429, headers={"Retry-After": "90"})
    async with (
        http_server(*[busy] * 9, busy_for_90_s, web.Response()) as server,
        process.pushing(push_config(server.url)) as push,
    ):
        process.write_usage_minutes_ago(5)
        push.enqueue_new_samples()
        await process.wait_until(lambda: process.metric("samples_sent_total") == 4)
        assert process.sleeps == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 90]
        assert len(server.requests) == 11
