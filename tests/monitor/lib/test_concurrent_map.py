"""Calls of a function for many items at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from monitor.lib.concurrent_map import concurrent_map


async def double(item: int) -> int:
    return 2 * item


async def count_up(count: int) -> AsyncIterator[int]:
    for n in range(count):
        yield n


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
async def test_the_function_is_called_once_for_every_item(limit: int) -> None:
    for items in (range(7), count_up(7)):
        assert sorted([result async for result in concurrent_map(double, items, limit)]) == [*range(0, 14, 2)]
    assert [result async for result in concurrent_map(double, (), limit)] == []


async def test_a_call_that_does_not_return_delays_no_other_call() -> None:
    may_return = asyncio.Event()

    async def call(item: int) -> int:
        if item == 0:
            await may_return.wait()
        return item

    results = []
    async for result in concurrent_map(call, range(30), 3):
        results.append(result)
        if len(results) == 29:
            may_return.set()
    assert results == [*range(1, 30), 0]


async def test_a_wait_for_the_next_item_delays_no_result() -> None:
    first_returned = asyncio.Event()

    async def items() -> AsyncIterator[int]:
        yield 1
        await first_returned.wait()
        yield 2

    async for result in concurrent_map(double, items(), 8):
        if result == 2:
            first_returned.set()


async def test_the_limit_bounds_running_calls_and_taken_items() -> None:
    taken_count = running = most_running = 0
    is_limit_reached = asyncio.Event()

    async def items() -> AsyncIterator[int]:
        nonlocal taken_count
        for taken_count in range(1, 21):  # the items are numbered from 1
            yield taken_count

    async def call(item: int) -> int:
        nonlocal running, most_running
        running += 1
        most_running = max(most_running, running)
        if running == 4:
            is_limit_reached.set()
        await is_limit_reached.wait()
        assert taken_count <= item + 4
        running -= 1
        return item

    assert len([result async for result in concurrent_map(call, items(), 4)]) == 20
    assert (most_running, running) == (4, 0)


@pytest.mark.parametrize("fails", ["a call", "the items", "the reader"])
async def test_running_calls_are_cancelled_at_the_first_error(fails: str) -> None:
    cancelled_items = []

    async def call(item: int) -> int:
        if item == 0:
            if fails == "a call":
                raise LookupError
            return item
        try:
            return await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled_items.append(item)
            raise

    async def items() -> AsyncIterator[int]:
        for item in (1, 2, 0):
            yield item
        if fails == "the items":
            raise LookupError

    with pytest.raises(LookupError):
        async with aclosing(concurrent_map(call, items(), 8)) as results:
            async for _ in results:
                if fails == "the reader":
                    raise LookupError
    assert sorted(cancelled_items) == [1, 2]
