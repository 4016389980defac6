"""The push queue in front of a slow disk: nobody waits for good, and nothing that began is lost."""

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


async def test_a_disk_that_does_not_answer_is_an_error_until_it_does() -> None:
    store = StuckStore()
    queue = PushQueue(store, timeout=0.05)
    with pytest.raises(PushQueueError, match=r"the queue in memory does not answer within 0\.05 s"):
        await queue.first("tsdb")
    store.released.set()
    await queue.append("tsdb", BATCH, MAX_BYTES)
    assert queue.size("tsdb").samples == 3
    await queue.close()


async def test_a_caller_that_is_cancelled_stops_nothing() -> None:
    store = StuckStore()
    queue = PushQueue(store)
    reading = asyncio.create_task(queue.first("tsdb"))
    appending = asyncio.create_task(queue.append("tsdb", BATCH, MAX_BYTES))
    await asyncio.sleep(0)
    reading.cancel()
    appending.cancel()
    assert all(
        isinstance(one, asyncio.CancelledError)
        for one in await asyncio.gather(reading, appending, return_exceptions=True)
    )
    store.released.set()
    assert await queue.load_watermarks("other") is not None  # runs after those before it
    assert queue.size("tsdb").samples == 3
    await queue.close()
