"""Calls a function for many items, with a bounded number of calls at once."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from itertools import islice
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def concurrent_map(
    call: Callable[[Item], Awaitable[Result]], items: Iterable[Item] | AsyncIterator[Item], limit: int
) -> AsyncGenerator[Result, None]:
    """Yield the results of `call` for all items, each as soon as its call returns.

    At most `limit` calls run at once. An item is taken only when its call can start, and waiting for the next
    item delays no result. The first error of a call or of `items` ends the iteration, and so does closing the
    iterator; calls that still run are then cancelled.
    """
    # One of these two has the items, and the other is None or empty.
    async_items, listed_items = (items, iter(())) if isinstance(items, AsyncIterator) else (None, iter(items))
    calls: dict[asyncio.Future[Result], None] = {}  # in the order of their starts
    takes: set[asyncio.Future[list[Item]]] = set()  # at most one pending call of `_take`
    try:
        while True:
            new_items = [*islice(listed_items, limit - len(calls))]
            if async_items and not (
                calls or takes
            ):  # no call runs: waiting here delays no result, and saves a task
                new_items = await _take(async_items)
                async_items = async_items if new_items else None
            calls.update((asyncio.ensure_future(call(item)), None) for item in new_items)
            if async_items and not takes and len(calls) < limit:
                takes.add(asyncio.ensure_future(_take(async_items)))
            if not (calls or takes):
                return
            pending: set[asyncio.Future[Any]] = {*calls, *takes}
            done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for call_future in [future for future in calls if future in done]:
                del calls[call_future]
                yield call_future.result()
            for take in takes & done:
                takes.remove(take)
                async_items = async_items if take.result() else None
                calls.update((asyncio.ensure_future(call(item)), None) for item in take.result())
    finally:
        running: list[asyncio.Future[Any]] = [*calls, *takes]
        for future in running:
            future.cancel()
        if running:
            await asyncio.gather(*running, return_exceptions=True)


async def _take(async_items: AsyncIterator[Item]) -> list[Item]:
    """Return a list with the next item; an empty list if there is none."""
    async for item in async_items:
        return [item]
    return []
