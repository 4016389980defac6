"""Lets cells start one after the other: the next one as soon as the event loop is free.

A cell makes some 130 calls and takes 2 MiB while it starts. Hundreds of starts at once would take a gigabyte,
which Python does not return to the system. They would also block the event loop, which delays the judgement
of all cells. A start waits for a free event loop and not for the end of another start, so that a cell to
which AWS responds late delays no other cell.
"""

import asyncio

MAX_CELL_WAIT = 1.0  # seconds between two starts, however busy the event loop is
MAX_LAG = 0.01  # seconds that a timer may be late while the event loop counts as free
LAG_INTERVAL = 0.02  # seconds for which the timer sleeps when its lateness is measured


class CellStarts:
    """Lets cells start one after the other, in the order in which they ask."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def wait_for_turn(self) -> None:
        """Wait until a cell may start."""
        async with self._turn:
            clock = asyncio.get_running_loop().time
            deadline, lag = clock() + MAX_CELL_WAIT, MAX_LAG
            while lag >= MAX_LAG and clock() < deadline:
                before = clock()
                await asyncio.sleep(LAG_INTERVAL)
                lag = clock() - before - LAG_INTERVAL
