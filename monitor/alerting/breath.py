"""Long work in the event loop, done so that nobody has to wait for the end of it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from time import perf_counter
from typing import TypeVar

Item = TypeVar("Item")

BREATH = 0.01  # seconds at work before other tasks get their turn


async def unhurried(items: Iterable[Item]) -> AsyncIterator[Item]:
    """The items, with a turn for all other tasks every few milliseconds."""
    begun = perf_counter()
    for item in items:
        yield item
        if perf_counter() - begun > BREATH:
            await asyncio.sleep(0)
            begun = perf_counter()
