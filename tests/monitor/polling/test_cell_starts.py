"""Starts of cells, in an event loop that is free or busy."""

import asyncio

import pytest

from monitor.polling.cell_starts import LAG_INTERVAL, MAX_CELL_WAIT, MAX_LAG, CellStarts
from tests.quick_loop import QuickLoop


async def start_times(cell_count: int) -> list[float]:
    """Return the times at which cells start if all of them ask at once."""
    starts, times, loop = CellStarts(), list[float](), asyncio.get_running_loop()

    async def start() -> None:
        await starts.wait_for_turn()
        times.append(loop.time())

    await asyncio.gather(*(start() for _ in range(cell_count)))
    return times


def start_times_in_loop(cell_count: int, lateness: float) -> list[float]:
    """Return the times at which cells start in an event loop whose timers are late by `lateness` seconds."""

    def late_loop() -> asyncio.AbstractEventLoop:
        quick_loop = QuickLoop()
        quick_loop.lateness = lateness
        return quick_loop

    with asyncio.Runner(loop_factory=late_loop) as runner:
        return runner.run(start_times(cell_count))


def test_cells_start_in_turn_without_waiting_for_the_end_of_another_start() -> None:
    assert start_times_in_loop(3, 0.0) == pytest.approx([LAG_INTERVAL, 2 * LAG_INTERVAL, 3 * LAG_INTERVAL])
    assert start_times_in_loop(3, MAX_LAG / 2)[-1] == pytest.approx(3 * (LAG_INTERVAL + MAX_LAG / 2))


@pytest.mark.parametrize("lateness", [MAX_LAG * 2, 0.3, 5.0])
def test_in_a_busy_loop_a_cell_starts_after_the_longest_wait_and_not_later(lateness: float) -> None:
    first, second = start_times_in_loop(2, lateness)
    timer = LAG_INTERVAL + lateness
    assert MAX_CELL_WAIT <= first <= MAX_CELL_WAIT + timer
    assert MAX_CELL_WAIT <= second - first <= MAX_CELL_WAIT + timer


async def test_a_cell_that_is_stopped_while_it_waits_lets_the_next_one_start() -> None:
    starts = CellStarts()
    stopped_start = asyncio.create_task(starts.wait_for_turn())
    await asyncio.sleep(0)
    stopped_start.cancel()
    async with asyncio.timeout(30):
        await starts.wait_for_turn()
    assert stopped_start.cancelled()
