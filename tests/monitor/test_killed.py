"""`headroom serve`, killed at random moments: no alert is lost, and none is notified twice as new."""

import asyncio
import random
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.monitor.notifiers.loopback import Server, http_server
from tests.monitor.serve_process import free_port
from tests.processes import PROCESS_TIMEOUT, eventually, get, headroom

KILLS = 8
# The statuses of the receiver's first answers: many processes are killed between two attempts of a delivery.
UNAVAILABLE = (503, 200) * 30
SERVICES = ("apigateway", "autoscaling", "kinesis", "lambda", "s3", "sqs")
MAX_DELAYS = {"started": 1.5, "answers": 1.0, "notified": 0.2}  # seconds from an event to the kill
CONFIG = """
services: [{services}]
regions: [eu-west-1]
judge_interval: 1
journal: {folder}/headroom.db
receivers:
  - {{name: hook, type: webhook, url: "{hook}", allow_insecure: true, allow_private: true}}
route: {{group_wait: 0, group_interval: 0, severities: [info, warning, critical]}}
"""


@dataclass
class Installation:
    """A configuration, a journal and a receiver that successive processes use.

    hook: the receiver. unnotified: the firing alerts whose last notification has another severity or zone.
    """

    folder: Path
    hook: Server
    environ: Mapping[str, str]
    random: random.Random
    address: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    unnotified: list[dict[str, Any]] | None = None

    def serve_command(self, services: list[str]) -> tuple[str, ...]:
        """Return a command that monitors only some services: alerts of the other services end."""
        config = self.folder / "headroom.yaml"
        config.write_text(CONFIG.format(services=", ".join(services), folder=self.folder, hook=self.hook.url))
        return "serve", "--config", str(config), "--listen", self.address

    async def ask(self, path: str, **parameters: str) -> Any:
        """Return the JSON at a path of the API, None while no process answers."""
        answer = await get(f"http://{self.address}{path}", **parameters)
        return answer.json() if answer else None

    async def run_and_kill(self) -> None:
        """Run a process and kill it at a random time after its start, its first answer or a notification."""
        services = self.random.sample(SERVICES, self.random.randint(1, len(SERVICES)))
        event = self.random.choice(list(MAX_DELAYS))
        delay = self.random.uniform(0, MAX_DELAYS[event])
        print(f"{', '.join(services)}: killed {delay:.3f} s after it {event}", flush=True)
        requests_before = len(self.hook.requests)
        async with headroom(*self.serve_command(services), environ=self.environ) as process:
            if event == "answers":
                await eventually(partial(self.ask, "/-/healthy"))
            elif event == "notified":
                await eventually(partial(self.has_notified, requests_before))
            await asyncio.sleep(delay)
            process.send_signal(signal.SIGKILL)
            assert await process.wait() == -signal.SIGKILL

    async def has_notified(self, requests_before: int) -> bool | None:
        """Return True once the process has sent a notification, or has judged everything.

        requests_before: the number of requests that the receiver had got before the process started.
        """
        return True if await self.all_read() or len(self.hook.requests) > requests_before else None

    async def all_read(self) -> bool:
        """Return whether everything was read and judged."""
        ready = await self.ask("/-/ready")
        return bool(ready) and not ready["pending"]

    async def all_notified(self) -> bool | None:
        """Return True once the last notification of each firing alert has its present severity and zone."""
        if not await self.all_read():
            return None
        alerts = (await self.ask("/api/v1/alerts"))["items"]
        firing = [alert for alert in alerts if alert["state"] == "firing" and not alert["inhibited_by"]]
        last = {alert["id"]: alert for _, alerts in accepted_notifications(self.hook) for alert in alerts}
        self.unnotified = [
            alert for alert in firing if state_of(last.get(alert["id"], {})) != state_of(alert)
        ]
        return True if firing and not self.unnotified else None


def state_of(alert: Mapping[str, Any]) -> list[Any]:
    """Return severity and zone of an alert in a notification or in the API; nothing once resolved."""
    return [alert.get(name) for name in ("severity", "zone")] if alert.get("status") != "resolved" else []


Notifications = list[tuple[str, list[dict[str, Any]]]]


def received_notifications(server: Server) -> Notifications:
    """Return the received notifications in order: the id and the alerts of each."""
    ids = [headers["webhook-id"] for _, headers, _ in server.requests]
    return [(id_, body["data"]["alerts"]) for id_, body in zip(ids, server.bodies, strict=True)]


def accepted_notifications(server: Server) -> Notifications:
    """Return the notifications that the receiver accepted."""
    answers = chain(UNAVAILABLE, repeat(200))
    return [
        notification
        for notification, status in zip(received_notifications(server), answers, strict=False)
        if status == 200
    ]


def check_ids(server: Server) -> None:
    """Check that notifications with one id have equal bytes, and that each notice has only one such id."""
    bodies: dict[str, bytes] = {}
    notification_of_notice: dict[int, str] = {}
    for (notification_id, alerts), (_, _, body) in zip(
        received_notifications(server), server.requests, strict=True
    ):
        assert bodies.setdefault(notification_id, body) == body
        for alert in alerts:
            assert notification_of_notice.setdefault(alert["number"], notification_id) == notification_id


def check_order(server: Server) -> None:
    """Check that the notices of each alert are in order: firing, updates, resolved, then firing again."""
    last: dict[str, dict[str, Any]] = {}
    for alert in chain.from_iterable(alerts for _, alerts in accepted_notifications(server)):
        previous = last.get(alert["id"])
        if previous and alert["number"] == previous["number"]:
            continue  # the same notice, sent again
        assert previous is None or alert["number"] > previous["number"], (previous, alert)
        begins = previous is None or previous["status"] == "resolved"
        assert (alert["kind"] == "firing") == begins, (previous, alert)
        last[alert["id"]] = alert


async def check_second_process(installation: Installation, holder: int) -> None:
    """Check that a second process with the same journal ends, and names the holder of the journal."""
    serve = (*installation.serve_command(list(SERVICES))[:-1], f"127.0.0.1:{free_port()}")
    async with headroom(*serve, environ=installation.environ) as second:
        async with asyncio.timeout(PROCESS_TIMEOUT):
            _, errors = await second.communicate()
    assert second.returncode == 2
    assert f"headroom.db is held by process {holder} on " in errors.decode()
    assert "Traceback" not in errors.decode()


async def test_kills_at_any_moment_lose_no_alert_and_notify_none_twice_as_new(
    tmp_path: Path, aws_environ: dict[str, str]
) -> None:
    await kill_and_check(tmp_path, aws_environ, KILLS)


async def kill_and_check(folder: Path, environ: Mapping[str, str], times: int) -> None:
    """Kill processes this many times, then check all notifications."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    generator = random.Random(seed)
    unavailable = [web.Response(status=status) for status in UNAVAILABLE]
    async with http_server(*unavailable, web.Response()) as hook:
        installation = Installation(folder, hook, environ, generator)
        for _ in range(times):
            await installation.run_and_kill()
        async with headroom(*installation.serve_command(list(SERVICES)), environ=environ) as process:
            with suppress(TimeoutError):
                await eventually(installation.all_notified)
            assert installation.unnotified == []
            await check_second_process(installation, process.pid)
            history = (await installation.ask("/api/v1/alerts/history", limit="1000"))["items"]
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                assert await process.wait() == 0
    check_ids(hook)
    check_order(hook)
    numbers = {alert["number"] for _, alerts in received_notifications(hook) for alert in alerts}
    assert numbers <= {notice["number"] for notice in history}  # every sent notice is in the journal
