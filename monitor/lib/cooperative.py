"""Iterates over many items on the event loop, and lets other tasks run meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from time import perf_counter
from typing import TypeVar

Item = TypeVar("Item")

YIELD_EVERY = 0.01  # seconds of work, after which other tasks may run
BATCH_SIZE = 128  # items; processing them takes about YIELD_EVERY


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
