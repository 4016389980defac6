"""How many cells start at the same time.

Each takes 2 MiB and 150 calls while it starts. Hundreds at once would take a gigabyte, which Python does not
return to the system, and all would be judged late.
"""

import asyncio
from contextlib import suppress

MAX_STARTING_CELLS = 16
CELL_START_TIMEOUT = 10.0  # seconds that the start of one cell may delay those of others


class CellStarts:
    """Lets a few cells start at a time, in the order in which they ask."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(MAX_STARTING_CELLS)

    async def wait_for_turn(self) -> None:
        """Wait until a cell may start; `end_with` is then to be run beside it."""
        await self._free.acquire()

    async def end_with(self, started: asyncio.Event) -> None:
        """Let another cell start as soon as this one has, or takes longer than CELL_START_TIMEOUT."""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(CELL_START_TIMEOUT):
                    await started.wait()
        finally:
            self._free.release()
