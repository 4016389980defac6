"""Iterates over many items on the event loop, and lets other tasks run meanwhile."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from time import perf_counter
from typing import TypeVar

Item = TypeVar("Item")

YIELD_INTERVAL = 0.01  # seconds of work, after which other tasks may run
AT_ONCE = 16  # pieces of work in one turn, each of about half a millisecond
BATCH_SIZE = 128  # items; processing them takes about YIELD_INTERVAL


class LoopTurns:
    """Spreads the work of many tasks over turns of the event loop, so that no turn takes long.

    A task calls `wait` before a piece of work. In a turn, up to `at_once` waiting tasks are resumed, and up
    to `at_once` calls of other tasks return without waiting. The remaining tasks follow in the next turns, in
    the order of their calls.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = self._remaining = at_once  # pieces of work that may begin before the next turn
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_begin_scheduled = False  # whether the next turn calls `_begin_turn`

    async def wait(self) -> None:
        """Return when a turn of the event loop has time for another piece of work."""
        loop = asyncio.get_running_loop()
        if self._waiting or not self._remaining:
            waiter = loop.create_future()
            self._waiting.append(waiter)
            await waiter
            return
        self._remaining -= 1
        self._schedule_begin(loop)

    def _schedule_begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._is_begin_scheduled:
            self._is_begin_scheduled = True
            loop.call_soon(self._begin_turn, loop)

    def _begin_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._remaining, self._is_begin_scheduled = self._at_once, False
        while self._waiting and self._remaining:
            if not (waiter := self._waiting.popleft()).done():
                waiter.set_result(None)
                self._remaining -= 1
        if self._remaining < self._at_once:
            self._schedule_begin(loop)


async def cooperative_iter(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Yield the items; let other tasks run every YIELD_INTERVAL seconds, and after the last item."""
    started_at = perf_counter()
    for item in items:
        yield item
        if perf_counter() - started_at > YIELD_INTERVAL:
            await asyncio.sleep(0)
            started_at = perf_counter()
    await asyncio.sleep(0)


def snapshot_batches(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    """Yield the current items in tuples of at most BATCH_SIZE; later changes of `items` have no effect."""
    remaining = iter(tuple(items))
    while batch := tuple(islice(remaining, BATCH_SIZE)):
        yield batch
