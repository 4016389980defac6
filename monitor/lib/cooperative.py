"""Iterates over many items on the event loop, and lets other tasks run meanwhile."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import islice
from time import perf_counter
from typing import TypeVar

Item = TypeVar("Item")

YIELD_EVERY = 0.01  # seconds of work, after which other tasks may run
BATCH_SIZE = 128  # items; processing them takes about YIELD_EVERY


class LoopTurns:
    """Spreads the work of many tasks over turns of the event loop, so that none of its turns takes long.

    A task waits before a piece of work. The tasks of one turn go on until they have worked for `share`
    seconds together; the others do so in the next turns, in the order in which they came.
    """

    def __init__(self, share: float = YIELD_EVERY, clock: Callable[[], float] = perf_counter) -> None:
        self._share, self._clock = share, clock
        self._ends_at: float | None = None  # None: nobody has worked in this turn
        self._waiting: OrderedDict[object, None] = OrderedDict()

    async def wait(self) -> None:
        """Return when this turn has time for another piece of work."""
        if not self._waiting and self._has_time():
            return
        ticket = object()
        self._waiting[ticket] = None
        try:
            while not (next(iter(self._waiting)) is ticket and self._has_time()):  # noqa: ASYNC110
                await asyncio.sleep(0)
        finally:
            del self._waiting[ticket]

    def _has_time(self) -> bool:
        now = self._clock()
        if self._ends_at is None:
            self._ends_at = now + self._share
            asyncio.get_running_loop().call_soon(self._begin)
        return now < self._ends_at

    def _begin(self) -> None:
        self._ends_at = None


async def cooperative_iter(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Yield the items; let other tasks run every YIELD_EVERY seconds, and after the last one."""
    started_at = perf_counter()
    for item in items:
        yield item
        if perf_counter() - started_at > YIELD_EVERY:
            await asyncio.sleep(0)
            started_at = perf_counter()
    await asyncio.sleep(0)


def snapshot_batches(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    """Yield the current items in tuples of at most BATCH_SIZE; later changes of `items` have no effect."""
    rest = iter(tuple(items))
    while batch := tuple(islice(rest, BATCH_SIZE)):
        yield batch
