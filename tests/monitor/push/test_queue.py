"""The push queue on a slow disk: no caller waits forever, and no call is lost."""

import asyncio
from threading import Event

import pytest

from monitor.push.queue import PushQueue
from monitor.push.queue_store import PushBatch, PushQueueError, QueuedRequest
from tests.monitor.push.memory_queue import MemoryQueueStore
from tests.monitor.push.test_queue_store import MAX_BYTES, PROTOCOL, push_request

BATCH = PushBatch(PROTOCOL, [push_request(3)], {})


class StuckStore(MemoryQueueStore):
    """A store whose `first` does not return before `released` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.released = Event()

    def first(self, receiver: str) -> QueuedRequest | None:
        self.released.wait()
        return super().first(receiver)


async def test_a_call_that_takes_longer_than_the_timeout_fails() -> None:
    store = StuckStore()
    queue = PushQueue(store, timeout=0.05)
    with pytest.raises(PushQueueError, match=r"the queue in memory does not answer within 0\.05 s"):
        await queue.first("tsdb")
    store.released.set()
    await queue.append("tsdb", BATCH, MAX_BYTES)
    assert queue.size("tsdb").sample_count == 3
    await queue.close()


async def test_cancelling_a_caller_does_not_stop_its_call() -> None:
    store = StuckStore()
    queue = PushQueue(store)
    cancelled_read = asyncio.create_task(queue.first("tsdb"))
    cancelled_append = asyncio.create_task(queue.append("tsdb", BATCH, MAX_BYTES))
    await asyncio.sleep(0)
    cancelled_read.cancel()
    cancelled_append.cancel()
    assert all(
        isinstance(outcome, asyncio.CancelledError)
        for outcome in await asyncio.gather(cancelled_read, cancelled_append, return_exceptions=True)
    )
    store.released.set()
    await queue.load_watermarks("other")  # returns after the calls of the cancelled callers
    assert queue.size("tsdb").sample_count == 3
    await queue.close()
