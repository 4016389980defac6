"""Long work lets others have their turn."""

import asyncio
from contextlib import suppress
from itertools import count, pairwise

from monitor.lib.cooperative import BATCH_SIZE, LoopTurns, cooperative_iter, snapshot_batches


def test_batches_are_all_there_is_in_order() -> None:
    made = list(snapshot_batches(iter(range(2 * BATCH_SIZE + 1))))
    assert [len(one) for one in made] == [BATCH_SIZE, BATCH_SIZE, 1]
    assert [item for one in made for item in one] == list(range(2 * BATCH_SIZE + 1))
    assert list(snapshot_batches([])) == []


async def test_others_get_their_turn_however_short_each_piece_of_the_work_is() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for batch in snapshot_batches(range(3 * BATCH_SIZE)):
        before = turns
        assert [item async for item in cooperative_iter(batch)] == list(batch)
        assert turns > before
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_what_many_do_at_once_is_spread_over_turns_of_the_loop() -> None:
    now, done, by_turn = 0.0, list[int](), list[int]()
    turns = LoopTurns(share=0.01, clock=lambda: now)

    async def work(number: int) -> None:
        nonlocal now
        for _ in range(2):
            await turns.wait()
            now += 0.004
            done.append(number)
            await asyncio.sleep(0)

    async def observe() -> None:
        while len(done) < 20:
            by_turn.append(len(done))
            await asyncio.sleep(0)

    await asyncio.gather(observe(), *map(work, range(10)))
    assert done == [*range(10), *range(10)], "who came first goes first"
    assert max(after - before for before, after in pairwise(by_turn)) == 3, "who begins within the share"


async def test_one_that_is_cancelled_while_it_waits_holds_up_nobody() -> None:
    turns = LoopTurns(share=0.5, clock=map(float, count()).__next__)  # one works in each turn
    first, second, third = (asyncio.create_task(turns.wait()) for _ in range(3))
    await asyncio.sleep(0)
    assert first.done()
    second.cancel()
    async with asyncio.timeout(30):
        await third
    assert second.cancelled()
