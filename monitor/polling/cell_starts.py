"""Lets cells start one after the other: the next one as soon as the event loop is free.

A cell makes some 130 calls and takes 2 MiB while it starts. Hundreds at once would take a gigabyte, which
Python does not return to the system, block the event loop, and be judged late, all of them. What is waited
for is the event loop and not the end of a start, so that a cell that AWS keeps waiting delays no other.
"""

import asyncio

MAX_CELL_WAIT = 1.0  # seconds between two starts, however busy the event loop is
MAX_LAG = 0.01  # seconds that a timer may be late while the event loop counts as free
LAG_INTERVAL = 0.02  # seconds of the timer


class CellStarts:
    """Lets cells start one after the other, in the order in which they ask."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def wait_for_turn(self) -> None:
        """Wait until a cell may start."""
        async with self._turn:
            clock = asyncio.get_running_loop().time
            latest, lag = clock() + MAX_CELL_WAIT, MAX_LAG
            while lag >= MAX_LAG and clock() < latest:
                before = clock()
                await asyncio.sleep(LAG_INTERVAL)
                lag = clock() - before - LAG_INTERVAL
