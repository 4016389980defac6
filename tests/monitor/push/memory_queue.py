"""A push queue in memory: an implementation of PushQueueStore for tests."""

from collections.abc import Iterable, Mapping
from itertools import count

import numpy as np

from monitor.push.queue_store import PushBatch, PushQueueStore, QueuedRequest, QueueSize
from monitor.push.watermarks import DEPARTED_CHUNK, WATERMARK_DTYPE, WatermarkRows, merge_rows

QUEUED_AT = 7.0  # epoch seconds


class MemoryQueueStore:
    """Stores requests and watermarks by receiver. queued_at: the time in all requests, in epoch seconds."""

    location = "in memory"

    def __init__(self, queued_at: float = QUEUED_AT) -> None:
        self._queued_at, self._ids = queued_at, count()
        self._requests: dict[str, list[QueuedRequest]] = {}
        self._watermarks: dict[str, dict[int, WatermarkRows]] = {}

    @property
    def sizes(self) -> Mapping[str, QueueSize]:
        return {receiver: size_of(requests) for receiver, requests in self._requests.items()}

    def append(self, receiver: str, batch: PushBatch, max_bytes: int) -> int:
        queued = self._requests.setdefault(receiver, [])
        queued += [
            QueuedRequest(next(self._ids), batch.protocol, self._queued_at, request)
            for request in batch.requests
        ]
        self._watermarks.setdefault(receiver, {}).update(batch.watermarks)
        dropped = 0
        while len(queued) > 1 and size_of(queued).bytes > max_bytes:  # the first may be in flight
            dropped += queued.pop(1).request.sample_count
        return dropped

    def first(self, receiver: str) -> QueuedRequest | None:
        return next(iter(self._requests.get(receiver, ())), None)

    def remove(self, receiver: str, queued: QueuedRequest) -> None:
        self._requests[receiver] = [
            request for request in self._requests[receiver] if request.id != queued.id
        ]

    def load_watermarks(self, receiver: str) -> WatermarkRows:
        chunks = self._watermarks.get(receiver, {}).values()
        merged = merge_rows(np.concatenate([np.empty(0, WATERMARK_DTYPE), *chunks]))
        self._watermarks[receiver] = {DEPARTED_CHUNK: merged}
        return merged

    def retain_receivers(self, receivers: Iterable[str]) -> Mapping[str, int]:
        deleted = (self._requests.keys() | self._watermarks.keys()) - set(receivers)
        for receiver in deleted:
            self._watermarks.pop(receiver, None)
        return {receiver: size_of(self._requests.pop(receiver, [])).sample_count for receiver in deleted}

    def close(self) -> None:
        """Nothing to release."""


def size_of(queued: Iterable[QueuedRequest]) -> QueueSize:
    requests = [entry.request for entry in queued]
    samples = sum(request.sample_count for request in requests)
    return QueueSize(samples, sum(len(request.body) for request in requests))


_: type[PushQueueStore] = MemoryQueueStore
