"""Splits items into lists of bounded length."""

from collections.abc import AsyncIterator, Iterable
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


async def in_batches(items: Iterable[Item] | AsyncIterator[Item], size: int) -> AsyncIterator[list[Item]]:
    """Yield the items in lists of at most `size`, in their order."""
    if not isinstance(items, AsyncIterator):
        rest = iter(items)
        while batch := list(islice(rest, size)):
            yield batch
        return
    batch = []
    async for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
