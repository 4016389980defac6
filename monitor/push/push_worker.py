"""Pushes to one receiver: queues new samples, and sends them in order."""

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from monitor.fleet.fleet import Fleet
from monitor.outbound.client import OutboundClient
from monitor.outbound.result import DeliveryOutcome, DeliveryResult
from monitor.push.encodings import ENCODINGS
from monitor.push.label_encoder import LabelEncoder
from monitor.push.pending_samples import LATE_MINUTES, PendingSamples, SampleBatch
from monitor.push.queue import PushQueue
from monitor.push.queue_store import PushBatch, PushQueueError, QueuedRequest
from monitor.push.request_batcher import build_requests
from monitor.push.settings import PushConfig
from monitor.push.telemetry import PushTelemetry
from monitor.push.watermarks import Watermarks

log = logging.getLogger(__name__)

MIN_BACKOFF, MAX_BACKOFF = 0.5, 60.0  # seconds between two attempts
MAX_RETRY_AFTER: Final = 3600.0  # seconds; a longer Retry-After of a receiver is cut to this
QUEUE_RETRY_INTERVAL: Final = 15.0  # seconds until the queue on disk is tried again after an error
MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class PushContext:
    """The objects that all workers share.

    now: returns epoch seconds. random: returns a number from 0 to 1. sleep: waits for a number of seconds.
    """

    fleet: Fleet
    queue: PushQueue
    client: OutboundClient
    telemetry: PushTelemetry
    now: Callable[[], float] = time.time
    random: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class PushWorker:
    """Pushes to one receiver while `run` runs. Set `has_new_samples` when the fleet has new samples.

    Queue and watermarks are stored, so a later worker of the same name continues where this one stopped.
    """

    def __init__(self, config: PushConfig, context: PushContext) -> None:
        self.config, self._context = config, context
        self.has_new_samples, self._queue_appended = asyncio.Event(), asyncio.Event()
        self._encoding = ENCODINGS[config.protocol]
        self._labels = LabelEncoder(self._encoding.encode_label)
        self._watermarks: Watermarks | None = None
        self._oldest_request: QueuedRequest | None = None  # the oldest queued request, which is being sent
        self._failed_attempts = 0  # to send the oldest request
        self._logged_reason = ""  # reason of the last logged drop; empty after an accepted request

    @property
    def name(self) -> str:
        """The name of the receiver."""
        return self.config.name

    async def run(self) -> None:
        """Queue and send until cancelled."""
        context = self._context
        context.telemetry.add_receiver(
            self.name,
            queued=lambda: context.queue.size(self.name).sample_count,
            size=lambda: context.queue.size(self.name).bytes,
            lag=lambda: context.now() - self._oldest_request.queued_at if self._oldest_request else 0.0,
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._repeat(self._enqueue_next), name=f"push {self.name}: enqueue")
                tasks.create_task(self._repeat(self._send_next), name=f"push {self.name}: send")
        finally:
            context.telemetry.remove_receiver(self.name)

    async def _repeat(self, step: Callable[[], Awaitable[None]]) -> None:
        logged_error = ""
        while True:
            try:
                await step()
                logged_error = ""
            except Exception as error:
                self._context.telemetry.queue_failures.labels(self.name).inc()
                if not isinstance(error, PushQueueError):
                    log.exception("push %s: unexpected error", self.name)
                elif str(error) != logged_error:
                    log.error("push %s is paused: %s", self.name, error)
                logged_error = str(error)
                await self._context.sleep(QUEUE_RETRY_INTERVAL)

    async def _enqueue_next(self) -> None:
        await self.has_new_samples.wait()
        self.has_new_samples.clear()
        try:
            await self.enqueue_pending()
        except Exception:
            self.has_new_samples.set()
            raise

    async def enqueue_pending(self) -> None:
        """Queue all samples that `PendingSamples` selects, in batches. Raises PushQueueError."""
        if self._watermarks is None:
            saved = await self._context.queue.load_watermarks(self.name)
            self._watermarks = Watermarks(saved, LATE_MINUTES if self.config.out_of_order else 0)
        pending = PendingSamples(self._context.fleet, self._watermarks)
        for batch in pending.batches():
            await self._enqueue(pending, batch, self._watermarks)

    async def _enqueue(self, pending: PendingSamples, batch: SampleBatch, watermarks: Watermarks) -> None:
        requests, queued_through = await asyncio.to_thread(
            build_requests, batch, self._encoding, self._labels
        )
        if not requests:
            return
        rows = watermarks.rows_by_chunk(batch.chunk, queued_through)
        max_bytes = self.config.queue_megabytes * MEGABYTE
        push_batch = PushBatch(self.config.protocol, requests, rows)
        dropped_samples = await self._context.queue.append(self.name, push_batch, max_bytes)
        pending.mark_queued(batch, queued_through)
        self._count_dropped("queue_full", dropped_samples, "its queue is full")
        self._queue_appended.set()

    def _count_dropped(self, reason: str, sample_count: int, explanation: str) -> None:
        """Count dropped samples; log only the first of successive drops for the same reason.

        reason: the label of the exported counter. explanation: the reason in words, for the log.
        """
        if not sample_count:
            return
        self._context.telemetry.dropped.labels(self.name, reason).inc(sample_count)
        if reason != self._logged_reason:
            self._logged_reason = reason
            log.warning(
                "push %s: %d samples dropped, further ones are only counted: %s",
                self.name,
                sample_count,
                explanation,
            )

    async def _send_next(self) -> None:
        self._queue_appended.clear()
        self._oldest_request = await self._context.queue.first(self.name)
        if self._oldest_request is None:
            await self._queue_appended.wait()
        else:
            await self._send(self._oldest_request)

    async def _send(self, queued: QueuedRequest) -> None:
        encoding = ENCODINGS[queued.protocol]
        headers = {**self.config.extra_headers, **encoding.headers}
        url = self.config.url.get_secret_value()
        result = await self._context.client.post(url, queued.request.body, self.config.policy, headers)
        header = encoding.required_header
        if result.outcome is DeliveryOutcome.DELIVERED and header and header not in result.headers:
            result = replace(result, outcome=DeliveryOutcome.REFUSED, reason="nothing_written")
        if result.outcome is not DeliveryOutcome.DELIVERED:
            self._context.telemetry.failed.labels(self.name, result.reason).inc()
            if result.status is None or encoding.is_retryable(result.status):
                await self._back_off(result)
                return
        await self._context.queue.remove(self.name, queued)
        self._record_result(queued, result)

    async def _back_off(self, result: DeliveryResult) -> None:
        """Sleep: exponentially longer after each failure, with jitter, but not less than Retry-After."""
        if not self._failed_attempts:
            log.warning("push %s: request failed, retrying: %s", self.name, result.sentence)
        max_wait = min(MAX_BACKOFF, MIN_BACKOFF * math.exp2(min(self._failed_attempts, 30)))
        self._failed_attempts += 1
        wait = max_wait * (1 + self._context.random()) / 2
        await self._context.sleep(max(wait, min(result.retry_after or 0.0, MAX_RETRY_AFTER)))

    def _record_result(self, queued: QueuedRequest, result: DeliveryResult) -> None:
        """Count the samples of a request that left the queue, as sent or as dropped."""
        telemetry, request = self._context.telemetry, queued.request
        if self._failed_attempts:
            log.warning("push %s: the receiver answers again", self.name)
        self._failed_attempts = 0
        if result.outcome is DeliveryOutcome.DELIVERED:
            self._logged_reason = ""
            telemetry.sent.labels(self.name).inc(request.sample_count)
            telemetry.newest.labels(self.name).set(request.newest_minute * 60)
        else:
            advice = ENCODINGS[queued.protocol].advice.get(result.status or 0)
            explanation = "; ".join(filter(None, (result.sentence, advice)))
            self._count_dropped(result.reason, request.sample_count, explanation)
