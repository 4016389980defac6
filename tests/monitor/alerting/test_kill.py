"""A kill at any moment loses no notice, keeps notices in order, and repeats only whole notifications.

A feed, the process of the fixture `feed`, starts processes that deliver notices, and kills them. It reports
the outcome: `killed` is the exit code of the killed process, `before` and `after` are the exit codes of the
processes before it and after it, and `notices` is the number of notices. After random kills, `killed` is the
number of killed processes.
"""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from pathlib import Path

import msgspec
import pytest

from monitor.notifiers.notice import Notification
from tests.monitor.alerting.delivery_processes import (
    ALERT_COUNT,
    LAST_NOTICE,
    POINTS,
    RECEIVERS,
    nth_notice,
)
from tests.processes import ROOT

KILLS = 200  # at random
FEED_TIMEOUT = 120  # seconds


class WebhookServer:
    """An HTTP server that records the notifications it accepts, and answers every tenth request with 503."""

    def __init__(self) -> None:
        self.accepted: dict[str, list[Notification]] = {name: [] for name in RECEIVERS}
        self.request_count = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError):  # killed while sending
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            body = await reader.readexactly(int(head.split("Content-Length: ")[1]))
            notification = msgspec.json.decode(body, type=Notification)
            self.request_count += 1
            if self.request_count % 10 == 0:
                writer.write(b"HTTP/1.1 503 Busy\r\n\r\n")
            else:
                self.accepted[notification.receiver].append(notification)
                writer.write(b"HTTP/1.1 204 OK\r\n\r\n")
            await writer.drain()


@pytest.fixture
async def listener() -> AsyncIterator[tuple[WebhookServer, int]]:
    """Yield a server that receives webhooks, and its port."""
    webhooks = WebhookServer()
    tcp_server = await asyncio.start_server(webhooks.answer, "127.0.0.1", 0)
    yield webhooks, tcp_server.sockets[0].getsockname()[1]
    tcp_server.close()
    await tcp_server.wait_closed()


FeedProcess = subprocess.Popen[str]


@pytest.fixture(scope="module")
def feed() -> Iterator[FeedProcess]:
    """Yield the feed: the process that forks other processes, and kills them."""
    command = [sys.executable, "-m", "tests.monitor.alerting.delivery_processes"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=ROOT, text=True) as process:
        yield process


async def outcome_of(feed: FeedProcess, path: Path, port: int, point_or_kills: str | int) -> dict[str, int]:
    """Let the feed kill a process at a named point, or many processes at random. Return the outcome."""
    assert feed.stdin and feed.stdout
    print(json.dumps([str(path), port, point_or_kills]), file=feed.stdin, flush=True)
    try:
        async with asyncio.timeout(FEED_TIMEOUT):
            outcome: dict[str, int] = json.loads(await asyncio.to_thread(feed.stdout.readline))
    except TimeoutError:
        feed.kill()  # ends the thread that reads a line from its output
        raise
    return outcome


def check_notices(accepted: list[Notification], notice_count: int) -> None:
    """Check that all notices arrived, in order for each alert, and that equal ids have equal contents."""
    by_id: dict[str, Notification] = {}
    for notification in accepted:
        assert by_id.setdefault(notification.id, notification) == notification
    notices = [notice for notification in by_id.values() for notice in notification.notices]
    assert sorted(notice.number for notice in notices) == list(range(1, notice_count + 1))
    assert all(notice == nth_notice(notice.number) for notice in notices)
    notices_with_repeats = [notice for notification in accepted for notice in notification.notices]
    for alert in range(ALERT_COUNT):
        numbers = [notice.number for notice in notices_with_repeats if notice.alert == f"alert-{alert}"]
        assert numbers == sorted(numbers)


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_at_any_point_loses_no_notice_and_repeats_only_equal_notifications(
    point: str, tmp_path: Path, feed: FeedProcess, listener: tuple[WebhookServer, int]
) -> None:
    webhooks, port = listener
    outcome = await outcome_of(feed, tmp_path / "journal.db", port, point)
    assert outcome == {"before": 0, "killed": -signal.SIGKILL, "after": 0, "notices": LAST_NOTICE}
    for accepted in webhooks.accepted.values():
        check_notices(accepted, LAST_NOTICE)
    if point == "after the notification was accepted":
        ids = [notification.id for accepted in webhooks.accepted.values() for notification in accepted]
        assert len(ids) > len(set(ids))


async def test_two_hundred_random_kills_lose_no_notice(
    tmp_path: Path, feed: FeedProcess, listener: tuple[WebhookServer, int]
) -> None:
    webhooks, port = listener
    outcome = await outcome_of(feed, tmp_path / "journal.db", port, KILLS)
    assert (outcome["killed"], outcome["after"]) == (KILLS, 0)
    assert outcome["notices"] > 0
    for accepted in webhooks.accepted.values():
        check_notices(accepted, outcome["notices"])
