"""The service that pushes the samples of all series to all receivers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry

from monitor.fleet.fleet import Fleet
from monitor.outbound.client import OutboundClient
from monitor.push.push_worker import PushContext, PushWorker
from monitor.push.queue import PushQueue
from monitor.push.queue_store import PushQueueError
from monitor.push.settings import PushConfig
from monitor.push.sqlite_queue import SqliteQueueStore
from monitor.push.telemetry import PushTelemetry

log = logging.getLogger(__name__)


def queue_path(journal: Path) -> Path:
    """Return the path of the push queue, beside the journal."""
    return journal.with_stem(journal.stem + "-push")


class PushService:
    """Pushes to the receivers given to `configure`. Call `enqueue_new_samples` after each judgement."""

    def __init__(self, context: PushContext) -> None:
        self._context = context
        self._workers: list[PushWorker] = []
        self._has_new_workers = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, journal: Path, fleet: Fleet, client: OutboundClient, registry: CollectorRegistry
    ) -> AsyncIterator["PushService"]:
        """Open a service whose queue is an SQLite file beside the journal, created on first use.

        The caller must hold the lock of the journal, which also protects the queue from other processes.
        """
        queue = PushQueue(SqliteQueueStore(queue_path(journal)))
        try:
            yield cls(PushContext(fleet, queue, client, PushTelemetry(registry)))
        finally:
            await queue.close()

    def configure(self, configs: Iterable[PushConfig]) -> None:
        """Replace all receivers. The queues of receivers that are no longer configured are dropped."""
        self._workers = [PushWorker(config, self._context) for config in configs]
        self._has_new_workers.set()

    def enqueue_new_samples(self) -> None:
        """Tell the workers that the fleet has new samples. Returns at once."""
        for worker in self._workers:
            worker.has_new_samples.set()

    async def run(self) -> None:
        """Queue and send until cancelled. Samples that are still queued are sent after the next start."""
        while True:
            self._has_new_workers.clear()
            async with asyncio.TaskGroup() as loops:
                tasks = [loops.create_task(worker.run()) for worker in self._workers]
                tasks.append(loops.create_task(self._drop_unconfigured()))
                await self._has_new_workers.wait()
                for task in tasks:
                    task.cancel()

    async def _drop_unconfigured(self) -> None:
        """Drop the queues of receivers that are no longer configured."""
        try:
            dropped = await self._context.queue.retain_receivers([worker.name for worker in self._workers])
        except PushQueueError:  # the workers log it; the next start tries again
            return
        for name, samples in dropped.items():
            log.warning("push %s is no longer configured: %d samples dropped", name, samples)
            self._context.telemetry.dropped.labels(name, "no_such_receiver").inc(samples)
