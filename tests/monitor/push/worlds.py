"""A process that pushes one stream to servers on loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from monitor.fleet import Fleet
from monitor.outbound import Outbound
from monitor.push.config import PushConfig
from monitor.push.push import Push, beside
from monitor.push.queue import Queue
from monitor.push.store import Store
from monitor.push.target import Surroundings
from monitor.push.telemetry import PushTelemetry
from tests.monitor.fleets import NOW
from tests.monitor.notifiers.loopback import Server
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

    def lost(self, samples: int, reason: str) -> bool:
        return self.told("samples_dropped_total", reason=reason) == samples

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not is_so():
                await asyncio.sleep(0.01)


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
