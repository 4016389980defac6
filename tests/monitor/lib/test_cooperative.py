"""Long work lets others have their turn."""

import asyncio
from contextlib import suppress

from monitor.lib.cooperative import BATCH_SIZE, cooperative_iter, snapshot_batches


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
