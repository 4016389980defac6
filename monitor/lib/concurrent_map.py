"""Calls a function for many items at once, in bounded number."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def concurrent_map(
    call: Callable[[Item], Awaitable[Result]], items: Iterable[Item] | AsyncIterator[Item], limit: int
) -> AsyncGenerator[Result, None]:
    """Yield the results of `call` for all items, each as soon as it is there.

    At most `limit` calls run at once. An item is taken only when its call can start, and waiting for the next
    item delays no result. The first error of a call or of `items` ends it, as does closing the iterator: the
    calls that still run are then cancelled.
    """
    source = items if isinstance(items, AsyncIterator) else _each(items)
    calls: set[asyncio.Future[Result]] = set()
    taking: set[asyncio.Future[list[Item]]] = set()  # the one call of `_take` that waits, if any does
    exhausted = False
    try:
        while True:
            if not (exhausted or taking) and len(calls) < limit:
                taking.add(asyncio.ensure_future(_take(source)))
            if not (calls or taking):
                return
            pending: set[asyncio.Future[Any]] = {*calls, *taking}
            done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for result in calls & done:
                calls.remove(result)
                yield result.result()
            for taken in taking & done:
                taking.remove(taken)
                exhausted = not taken.result()
                calls.update(asyncio.ensure_future(call(item)) for item in taken.result())
    finally:
        running: list[asyncio.Future[Any]] = [*calls, *taking]
        for future in running:
            future.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _take(source: AsyncIterator[Item]) -> list[Item]:
    """Return a list of the next item; an empty one at the end."""
    async for item in source:
        return [item]
    return []


async def _each(items: Iterable[Item]) -> AsyncIterator[Item]:
    for item in items:
        yield item
