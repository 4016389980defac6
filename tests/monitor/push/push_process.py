"""A push service with a fleet of one stream, which pushes to servers on loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from monitor.fleet.fleet import Fleet
from monitor.outbound.client import OutboundClient
from monitor.push.push_worker import PushContext
from monitor.push.queue import PushQueue
from monitor.push.queue_store import PushQueueStore
from monitor.push.service import PushService, queue_path
from monitor.push.settings import PushConfig
from monitor.push.sqlite_queue import SqliteQueueStore
from monitor.push.telemetry import PushTelemetry
from tests.background import background
from tests.monitor.fleet.fleets import NOW
from tests.monitor.notifiers.loopback import Server
from tests.monitor.push.pushed_fleets import add_stream, write_usage
from tests.monitor.push.schemas import parse_remote_write

QUEUED_AT = 1000.0  # epoch seconds

Sleep = Callable[[float], Awaitable[None]]


class RecordedSleeps(list[float]):
    """A sleep that returns at once; the list has the seconds that each call should have taken."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        await asyncio.sleep(0)


class PushProcess:
    """A fleet of one stream, and a service that pushes it. A second call of `pushing` restarts the service.

    store: the queue's store; by default a file.
    """

    def __init__(self, folder: Path, store: PushQueueStore | None = None) -> None:
        self.fleet, self.path = Fleet(), folder / "headroom.db"
        self.store = store or SqliteQueueStore(queue_path(self.path), lambda: QUEUED_AT)
        self.series = add_stream(self.fleet, throttled=None)
        self.sleeps = RecordedSleeps()
        self.registry = CollectorRegistry()

    @asynccontextmanager
    async def pushing(self, *configs: PushConfig) -> AsyncIterator[PushService]:
        """Run a push service with these receivers."""
        queue, self.registry = PushQueue(self.store), CollectorRegistry()
        async with OutboundClient() as client:
            context = PushContext(
                self.fleet,
                queue,
                client,
                PushTelemetry(self.registry),
                now=lambda: QUEUED_AT + 60,
                random=lambda: 1.0,
                sleep=self.sleeps,
            )
            push = PushService(context)
            push.configure(configs)
            try:
                async with background(push.run()):
                    yield push
            finally:
                await queue.close()

    def write_usage_minutes_ago(self, *ages: int) -> None:
        """Write a usage for each age, in the minute `NOW - age`. The usage equals the age, in minutes."""
        write_usage(self.fleet, self.series, {NOW - age: age for age in ages})

    def metric(self, name: str, receiver: str = "tsdb", **labels: str) -> float:
        """Return the value of `headroom_push_<name>`; 0 while it is not exported."""
        return self.registry.get_sample_value(f"headroom_push_{name}", {"receiver": receiver} | labels) or 0.0

    def has_queued(self, samples: int) -> bool:
        return self.metric("samples_queued") == samples

    def has_dropped(self, samples: int, reason: str) -> bool:
        return self.metric("samples_dropped_total", reason=reason) == samples

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.01)


def push_config(url: str, **fields: Any) -> PushConfig:
    return PushConfig.model_validate(
        {"name": "tsdb", "url": url, "allow_insecure": True, "allow_private": True, "timeout": 5} | fields
    )


def sent_ages(server: Server) -> list[int]:
    """Return the age of each usage sample that a server received, in order: its minutes before NOW."""
    return [
        NOW - ms // 60_000
        for _, _, body in server.requests
        for labels, ms, _ in parse_remote_write(body)
        if ("__name__", "headroom_usage") in labels
    ]
