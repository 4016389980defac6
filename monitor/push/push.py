"""Pushing as one thing to open, configure and run: every minute of every series to all receivers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry

from monitor.fleet import Fleet
from monitor.outbound import Outbound
from monitor.push.config import PushConfig
from monitor.push.queue import Queue, QueueError
from monitor.push.store import Store
from monitor.push.target import Surroundings, Target
from monitor.push.telemetry import PushTelemetry

log = logging.getLogger(__name__)


def beside(journal: Path) -> Path:
    """The file that samples are queued in, beside the journal."""
    return journal.with_stem(journal.stem + "-push")


class Push:
    """Give it receivers with `configure`, run it, and call `judged` after each judgement."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._targets: list[Target] = []
        self._changed = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, journal: Path, fleet: Fleet, client: Outbound, registry: CollectorRegistry
    ) -> AsyncIterator["Push"]:
        """The file is made once there is a receiver. It is the journal's owner's: nobody else may use it."""
        queue = Queue(Store(beside(journal)))
        try:
            yield cls(Surroundings(fleet, queue, client, PushTelemetry(registry)))
        finally:
            await queue.close()

    def configure(self, configs: Iterable[PushConfig]) -> None:
        """Take these receivers into use, in place of those before; what waits for others is dropped."""
        self._targets = [Target(config, self._around) for config in configs]
        self._changed.set()

    def judged(self) -> None:
        """The fleet has been judged, after a full read: queue what is new. It costs nothing here."""
        for target in self._targets:
            target.news.set()

    async def run(self) -> None:
        """Queue and send until cancelled. What is queued then is sent after the next start."""
        while True:
            self._changed.clear()
            async with asyncio.TaskGroup() as loops:
                tasks = [loops.create_task(one.run()) for one in self._targets]
                tasks.append(loops.create_task(self._forget_others()))
                await self._changed.wait()
                for task in tasks:
                    task.cancel()

    async def _forget_others(self) -> None:
        """Drop what is queued for receivers that are no longer configured."""
        names = [target.name for target in self._targets]
        if not names and not self._around.queue.store.path.exists():
            return
        try:
            lost = await self._around.queue.ask(Store.keep, names)
        except QueueError:  # said by those who queue; at the next start
            return
        for name, samples in lost.items():
            log.warning("push %s is no longer configured: %d samples dropped", name, samples)
            self._around.telemetry.dropped.labels(name, "no_such_receiver").inc(samples)
