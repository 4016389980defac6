"""Long work in the event loop, done so that nobody has to wait for the end of it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from time import perf_counter
from typing import TypeVar

Item = TypeVar("Item")

BREATH = 0.01  # seconds at work before other tasks get their turn
BATCH = 128  # items that are looked at together for about as long


async def unhurried(items: Iterable[Item]) -> AsyncIterator[Item]:
    """The items, with a turn for all other tasks every few milliseconds, and after the last one."""
    begun = perf_counter()
    for item in items:
        yield item
        if perf_counter() - begun > BREATH:
            await asyncio.sleep(0)
            begun = perf_counter()
    await asyncio.sleep(0)


def batches(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    """All that there is now, a few hundred at a time."""
    rest = iter(tuple(items))
    while batch := tuple(islice(rest, BATCH)):
        yield batch
