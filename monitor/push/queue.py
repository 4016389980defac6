"""Asynchronous access to the store of the push queue, so that its disk cannot block the event loop."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from monitor.push.queue_store import PushBatch, PushQueueError, PushQueueStore, QueuedRequest, QueueSize
from monitor.push.watermarks import WatermarkRows

Params = ParamSpec("Params")
Result = TypeVar("Result")

STORE_TIMEOUT: Final = 30.0  # seconds for one call of the store


class PushQueue:
    """Runs the methods of a PushQueueStore in a dedicated thread.

    Each method raises PushQueueError when the store fails or does not return within `timeout` seconds.
    Cancelling a caller does not cancel its call.
    """

    def __init__(self, store: PushQueueStore, timeout: float = STORE_TIMEOUT) -> None:
        self._store, self._timeout = store, timeout
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="push queue")

    def size(self, receiver: str) -> QueueSize:
        """Return the size of a receiver's queue, without reading the disk."""
        return self._store.sizes.get(receiver, QueueSize())

    async def append(self, receiver: str, batch: PushBatch, max_bytes: int) -> int:
        """See `PushQueueStore.append`."""
        return await self._run(self._store.append, receiver, batch, max_bytes)

    async def first(self, receiver: str) -> QueuedRequest | None:
        """See `PushQueueStore.first`."""
        return await self._run(self._store.first, receiver)

    async def remove(self, receiver: str, queued: QueuedRequest) -> None:
        """See `PushQueueStore.remove`."""
        await self._run(self._store.remove, receiver, queued)

    async def load_watermarks(self, receiver: str) -> WatermarkRows:
        """See `PushQueueStore.load_watermarks`."""
        return await self._run(self._store.load_watermarks, receiver)

    async def retain_receivers(self, receivers: Iterable[str]) -> Mapping[str, int]:
        """See `PushQueueStore.retain_receivers`."""
        return await self._run(self._store.retain_receivers, receivers)

    async def close(self) -> None:
        """Close the store and end the thread. Raises nothing."""
        with suppress(PushQueueError):
            await self._run(self._store.close)
        self._thread.shutdown(wait=False)

    async def _run(
        self, method: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        call = asyncio.get_running_loop().run_in_executor(self._thread, partial(method, *args, **kwargs))
        call.add_done_callback(_retrieve_exception)
        try:
            async with asyncio.timeout(self._timeout):  # `wait_for` of Python 3.11 may swallow a cancellation
                return await asyncio.shield(call)
        except TimeoutError:
            raise PushQueueError(
                f"the queue {self._store.location} does not answer within {self._timeout:g} s"
            ) from None


def _retrieve_exception(call: asyncio.Future[Any]) -> None:
    """Retrieve the exception of a call whose caller was cancelled, so that asyncio does not log it."""
    if not call.cancelled():
        call.exception()
