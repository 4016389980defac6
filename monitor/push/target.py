"""One receiver of samples: what is new is queued for it, and sent in order."""

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from monitor.fleet import Fleet
from monitor.notifiers.answer import Answer, Outcome
from monitor.outbound import Outbound
from monitor.push.batches import batches
from monitor.push.config import PushConfig
from monitor.push.encodings import ENCODINGS
from monitor.push.gather import LATE, Gathering, Portion
from monitor.push.labels import Labels
from monitor.push.progress import Progress
from monitor.push.queue import Queue, QueueError
from monitor.push.store import Held, Queued, Store
from monitor.push.telemetry import PushTelemetry

log = logging.getLogger(__name__)

LEAST_WAIT, MOST_WAIT = 0.5, 60.0  # seconds between two attempts
MOST_ASKED: Final = 3600.0  # seconds that a receiver can make us wait
DISK_WAIT: Final = 15.0  # seconds until a disk that failed is tried again
MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all receivers share. now: epoch seconds. random: 0 to 1. sleep: for seconds."""

    fleet: Fleet
    queue: Queue
    client: Outbound
    telemetry: PushTelemetry
    now: Callable[[], float] = time.time
    random: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Target:
    """Set `news` after a judgement. Run it until cancelled: another one then goes on where it stood."""

    def __init__(self, config: PushConfig, around: Surroundings) -> None:
        self.config, self._around = config, around
        self.news, self._ready = asyncio.Event(), asyncio.Event()
        self._encoding = ENCODINGS[config.protocol]
        self._labels = Labels(self._encoding.label)
        self._progress: Progress | None = None
        self._waiting: Queued | None = None  # the oldest, which is being sent
        self._failures = 0  # attempts since one was answered for good
        self._loss = ""  # why samples were given up last, since one was accepted

    @property
    def name(self) -> str:
        return self.config.name

    async def run(self) -> None:
        around = self._around
        around.telemetry.watch(
            self.name,
            queued=lambda: self._held().samples,
            size=lambda: self._held().bytes,
            lag=lambda: around.now() - self._waiting.at if self._waiting else 0.0,
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._repeat(self._queue_next), name=f"push {self.name}: queue")
                tasks.create_task(self._repeat(self._send_next), name=f"push {self.name}: send")
        finally:
            around.telemetry.forget(self.name)

    def _held(self) -> Held:
        return self._around.queue.store.held.get(self.name, Held())

    async def _repeat(self, turn: Callable[[], Awaitable[None]]) -> None:
        trouble = ""
        while True:
            try:
                await turn()
                trouble = ""
            except Exception as error:
                self._around.telemetry.disk_failures.labels(self.name).inc()
                if not isinstance(error, QueueError):
                    log.exception("push %s: a turn failed", self.name)
                elif str(error) != trouble:
                    log.error("push %s waits: %s", self.name, error)
                trouble = str(error)
                await self._around.sleep(DISK_WAIT)

    async def _queue_next(self) -> None:
        await self.news.wait()
        self.news.clear()
        try:
            await self.gather()
        except Exception:
            self.news.set()
            raise

    async def gather(self) -> None:
        """Queue what the fleet has that has not been queued; with many series, in many steps."""
        if self._progress is None:
            kept = await self._around.queue.ask(Store.progress, self.name)
            self._progress = Progress(kept, LATE if self.config.out_of_order else 0)
        gathering = Gathering(self._around.fleet, self._progress)
        for portion in gathering.portions():
            await self._queue(gathering, portion, self._progress)

    async def _queue(self, gathering: Gathering, portion: Portion, progress: Progress) -> None:
        made, queued = await asyncio.to_thread(batches, portion, self._encoding, self._labels)
        if not made:
            return
        saved = progress.saved(portion.chunk, queued)
        most = self.config.queue_megabytes * MEGABYTE
        dropped = await self._around.queue.ask(Store.put, self.name, self.config.protocol, made, saved, most)
        gathering.settle(portion, queued)
        self._drop("queue_full", dropped, "its queue is full")
        self._ready.set()

    def _drop(self, reason: str, samples: int, why: str) -> None:
        """Count samples that are given up. Thousands of requests may follow: they are logged once."""
        if not samples:
            return
        self._around.telemetry.dropped.labels(self.name, reason).inc(samples)
        if reason != self._loss:
            self._loss = reason
            log.warning("push %s: %d samples dropped, further ones are counted: %s", self.name, samples, why)

    async def _send_next(self) -> None:
        self._ready.clear()
        self._waiting = await self._around.queue.ask(Store.first, self.name)
        if self._waiting is None:
            await self._ready.wait()
        else:
            await self._send(self._waiting)

    async def _send(self, queued: Queued) -> None:
        encoding = ENCODINGS[queued.protocol]
        headers = {**self.config.own_headers, **encoding.headers}
        url = self.config.url.get_secret_value()
        answer = await self._around.client.post(url, queued.batch.body, self.config.policy, headers)
        if answer.outcome is Outcome.DELIVERED and encoding.proof and encoding.proof not in answer.headers:
            answer = replace(answer, outcome=Outcome.REFUSED, reason="nothing_written")
        if answer.outcome is not Outcome.DELIVERED:
            self._around.telemetry.failed.labels(self.name, answer.reason).inc()
            if answer.status is None or encoding.passing(answer.status):
                await self._back_off(answer)
                return
        await self._around.queue.ask(Store.remove, self.name, queued)
        self._settle(queued, answer)

    async def _back_off(self, answer: Answer) -> None:
        """Exponential, with jitter; not before the receiver wants to be asked again."""
        if not self._failures:
            log.warning("push %s: not accepted, to be tried again: %s", self.name, answer.sentence)
        most = min(MOST_WAIT, LEAST_WAIT * math.exp2(min(self._failures, 30)))
        self._failures += 1
        wait = most * (1 + self._around.random()) / 2
        await self._around.sleep(max(wait, min(answer.retry_after or 0.0, MOST_ASKED)))

    def _settle(self, queued: Queued, answer: Answer) -> None:
        telemetry, batch = self._around.telemetry, queued.batch
        if self._failures:
            log.warning("push %s: the receiver is back", self.name)
        self._failures = 0
        if answer.outcome is Outcome.DELIVERED:
            self._loss = ""
            telemetry.sent.labels(self.name).inc(batch.samples)
            telemetry.newest.labels(self.name).set(batch.newest * 60)
        else:
            advice = ENCODINGS[queued.protocol].advice.get(answer.status or 0)
            self._drop(answer.reason, batch.samples, "; ".join(filter(None, (answer.sentence, advice))))
