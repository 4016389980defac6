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
    source, listed = (items, iter(())) if isinstance(items, AsyncIterator) else (None, iter(items))
    calls: dict[asyncio.Future[Result], None] = {}  # in the order of their starts
    taking: set[asyncio.Future[list[Item]]] = set()  # the waiting call of `_take`, if there is one
    try:
        while True:
            taken = [*islice(listed, limit - len(calls))]
            if source and not (calls or taking):  # waiting here delays no result, and takes no task
                taken = await _take(source)
                source = source if taken else None
            calls.update((asyncio.ensure_future(call(item)), None) for item in taken)
            if source and not taking and len(calls) < limit:
                taking.add(asyncio.ensure_future(_take(source)))
            if not (calls or taking):
                return
            pending: set[asyncio.Future[Any]] = {*calls, *taking}
            done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for result in [call_future for call_future in calls if call_future in done]:
                del calls[result]
                yield result.result()
            for waited in taking & done:
                taking.remove(waited)
                source = source if waited.result() else None
                calls.update((asyncio.ensure_future(call(item)), None) for item in waited.result())
    finally:
        running: list[asyncio.Future[Any]] = [*calls, *taking]
        for future in running:
            future.cancel()
        if running:
            await asyncio.gather(*running, return_exceptions=True)


async def _take(source: AsyncIterator[Item]) -> list[Item]:
    """Return a list with the next item; an empty list at the end."""
    async for item in source:
        return [item]
    return []
