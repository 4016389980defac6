"""Long work on the event loop lets other tasks run."""

import asyncio
from collections.abc import Generator
from contextlib import suppress
from itertools import pairwise
from typing import Any

from monitor.lib.cooperative import BATCH_SIZE, LoopTurns, cooperative_iter, snapshot_batches


def test_batches_contain_all_items_in_order() -> None:
    batches = list(snapshot_batches(iter(range(2 * BATCH_SIZE + 1))))
    assert [len(batch) for batch in batches] == [BATCH_SIZE, BATCH_SIZE, 1]
    assert [item for batch in batches for item in batch] == list(range(2 * BATCH_SIZE + 1))
    assert list(snapshot_batches([])) == []


async def test_other_tasks_run_between_many_short_items() -> None:
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(count_turns())
    for batch in snapshot_batches(range(3 * BATCH_SIZE)):
        earlier_turns = turns
        assert [item async for item in cooperative_iter(batch)] == list(batch)
        assert turns > earlier_turns
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_work_of_many_tasks_is_spread_over_turns_of_the_event_loop() -> None:
    turns, done_numbers, done_counts = LoopTurns(at_once=3), list[int](), list[int]()

    async def work(number: int) -> None:
        await turns.wait()
        done_numbers.append(number)

    async def observe() -> None:
        while len(done_numbers) < 100:
            done_counts.append(len(done_numbers))
            await asyncio.sleep(0)

    await asyncio.gather(observe(), *map(work, range(100)))
    assert done_numbers == [*range(100)], "tasks go on in the order of their calls"
    assert max(later - earlier for earlier, later in pairwise(done_counts)) <= 6


async def test_a_waiting_task_is_resumed_only_when_its_turn_comes() -> None:
    turns, resumed = LoopTurns(at_once=1), list[int]()

    class ObservedWait:
        def __init__(self, number: int) -> None:
            self.waiting = turns.wait().__await__()
            self.number = number

        def __await__(self) -> Generator[Any, None, None]:
            for future in self.waiting:
                yield future
                resumed.append(self.number)

    async def wait(number: int) -> None:
        await ObservedWait(number)

    await asyncio.gather(*map(wait, range(50)))
    assert resumed == [*range(1, 50)], "each task that waited was resumed once"


async def test_a_cancelled_waiting_task_delays_no_other_task() -> None:
    turns = LoopTurns(at_once=1)
    first, second, third = (asyncio.create_task(turns.wait()) for _ in range(3))
    await asyncio.sleep(0)
    assert first.done()
    second.cancel()
    async with asyncio.timeout(30):
        await third
    assert second.cancelled()
