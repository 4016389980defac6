"""Steady turns of a loop: never drifting, never overlapping, never ended by a turn that fails."""

import asyncio
import logging
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

from monitor.telemetry import Telemetry

log = logging.getLogger(__name__)


async def ticks(name: str, interval: float) -> AsyncIterator[int]:
    """Yield at once, then at each tick, how many ticks were missed since the one before.

    A name has its own offset within the interval (seconds), the same after a restart, so that many cells do
    not call AWS at one moment. Work longer than the interval skips ticks; it never catches up in a burst.
    """
    offset = zlib.crc32(name.encode()) / 2**32 * interval
    last = (time.time() - offset) // interval
    yield 0
    while True:
        due = max(last, (time.time() - offset) // interval) + 1
        await asyncio.sleep(min(due * interval + offset - time.time(), interval))  # the clock may be set back
        yield max(int(due - last) - 1, 0)
        last = due


async def repeat(
    loop: str, name: str, interval: float, turn: Callable[[], Awaitable[None]], told: Telemetry
) -> None:
    """Run `turn` at every tick of `name`, and count it under `loop`. Ends only when cancelled.

    A turn that raises is logged with its traceback and counted; so is one that is still at work after ten
    intervals (and at least ten minutes), which is cancelled.
    """
    patience = max(10 * interval, 600)
    async for missed in ticks(name, interval):
        told.missed.labels(loop).inc(missed)
        with told.durations.labels(loop).time():
            try:
                async with asyncio.timeout(patience):
                    await turn()
            except Exception:
                told.failures.labels(loop).inc()
                log.exception("%s: a turn of the %s loop failed", name, loop)
        told.ticks.labels(loop).inc()
