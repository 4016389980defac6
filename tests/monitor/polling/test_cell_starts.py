"""How many cells start at the same time, and what one that hangs costs the others."""

import asyncio

from monitor.polling.cell_starts import CELL_START_TIMEOUT, MAX_STARTING_CELLS, CellStarts
from tests.quick_loop import run


async def start(starts: CellStarts, begun: list[float], seconds: float | None) -> None:
    """Start a cell that takes so long; None: forever."""
    await starts.wait_for_turn()
    loop, started = asyncio.get_running_loop(), asyncio.Event()
    begun.append(loop.time())
    if seconds is not None:
        loop.call_later(seconds, started.set)
    await starts.end_with(started)


def begins(*seconds: float | None) -> list[float]:
    """When the cells begin that take so long, all of which ask at once."""
    begun: list[float] = []

    async def main() -> None:
        starts = CellStarts()
        await asyncio.gather(*(start(starts, begun, one) for one in seconds))

    run(main())
    return begun


def test_as_many_start_as_may_and_each_end_lets_one_more_start() -> None:
    assert begins(*[1.0] * MAX_STARTING_CELLS) == [0.0] * MAX_STARTING_CELLS
    assert begins(*[1.0] * MAX_STARTING_CELLS, 1.0, 1.0)[MAX_STARTING_CELLS:] == [1.0, 1.0]
    assert begins(0.5, *[1.0] * MAX_STARTING_CELLS, 1.0)[MAX_STARTING_CELLS:] == [0.5, 1.0]


def test_a_cell_that_never_starts_delays_others_by_a_bounded_time() -> None:
    hung = [None] * MAX_STARTING_CELLS
    assert begins(*hung, 1.0)[MAX_STARTING_CELLS:] == [CELL_START_TIMEOUT]
    assert begins(*hung[1:], 1.0, 1.0)[MAX_STARTING_CELLS:] == [1.0]


def test_a_cell_that_is_stopped_while_it_starts_lets_another_start() -> None:
    async def main() -> None:
        starts, begun = CellStarts(), list[float]()
        cells = [asyncio.create_task(start(starts, begun, None)) for _ in range(MAX_STARTING_CELLS)]
        await asyncio.sleep(1)
        cells[0].cancel()
        await asyncio.wait([asyncio.create_task(start(starts, begun, 0.0))])
        assert begun[-1] == 1.0
        for cell in cells:
            cell.cancel()

    run(main())
