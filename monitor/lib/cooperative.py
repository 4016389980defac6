"""Iterates over many items on the event loop, and lets other tasks run meanwhile."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from time import perf_counter
from typing import TypeVar

Item = TypeVar("Item")

YIELD_EVERY = 0.01  # seconds of work, after which other tasks may run
AT_ONCE = 16  # pieces of work of about half a millisecond
BATCH_SIZE = 128  # items; processing them takes about YIELD_EVERY


class LoopTurns:
    """Spreads the work of many tasks over turns of the event loop, so that no turn takes long.

    A task calls `wait` before a piece of work. A turn resumes up to `at_once` waiting tasks, and as many
    tasks may go on without waiting. The other tasks follow in the next turns, in the order of their calls.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = self._free = at_once
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_counting = False  # whether the next turn begins with `_begin`

    async def wait(self) -> None:
        """Return when a turn of the event loop has time for another piece of work."""
        loop = asyncio.get_running_loop()
        if self._waiting or not self._free:
            turn = loop.create_future()
            self._waiting.append(turn)
            await turn
            return
        self._free -= 1
        self._count(loop)

    def _count(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._is_counting:
            self._is_counting = True
            loop.call_soon(self._begin, loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._free, self._is_counting = self._at_once, False
        while self._waiting and self._free:
            if not (turn := self._waiting.popleft()).done():
                turn.set_result(None)
                self._free -= 1
        if self._free < self._at_once:
            self._count(loop)


async def cooperative_iter(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Yield the items; let other tasks run every YIELD_EVERY seconds, and after the last item."""
    started_at = perf_counter()
    for item in items:
        yield item
        if perf_counter() - started_at > YIELD_EVERY:
            await asyncio.sleep(0)
            started_at = perf_counter()
    await asyncio.sleep(0)


def snapshot_batches(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    """Yield the current items in tuples of at most BATCH_SIZE; later changes of `items` have no effect."""
    remaining = iter(tuple(items))
    while batch := tuple(islice(remaining, BATCH_SIZE)):
        yield batch
