"""Runs loops on a fixed schedule. Runs neither drift nor overlap, and a failed run does not end the loop."""

import asyncio
import logging
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, NamedTuple

from monitor.lib.telemetry import ProcessTelemetry

log = logging.getLogger(__name__)

MIN_RUN_TIMEOUT: Final = 600.0  # seconds


class LoopClock(NamedTuple):
    """The clock of a loop. now: returns epoch seconds. sleep: waits for a number of seconds."""

    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


SYSTEM_CLOCK: Final = LoopClock(time.time, asyncio.sleep)


class Schedule(NamedTuple):
    """Ticks at a fixed interval.

    name: its hash is the offset of the ticks within the interval. So cells do not all call AWS at the same
    time, and ticks stay at the same times after a restart. interval: seconds.
    """

    name: str
    interval: float
    clock: LoopClock = SYSTEM_CLOCK

    @property
    def run_timeout(self) -> float:
        """Seconds after which one run is cancelled: ten intervals, at least ten minutes."""
        return max(10 * self.interval, MIN_RUN_TIMEOUT)

    async def ticks(self) -> AsyncIterator[int]:
        """Yield at once and then at every tick. The value is the number of ticks missed since the last one.

        Work that takes longer than the interval skips ticks; skipped ticks are not repeated.
        """
        interval, (now, sleep) = self.interval, self.clock
        offset = zlib.crc32(self.name.encode()) / 2**32 * interval
        last = (now() - offset) // interval
        yield 0
        while True:
            due = max(last, (now() - offset) // interval) + 1
            await sleep(min(due * interval + offset - now(), interval))  # the clock may be set back
            yield max(int(due - last) - 1, 0)
            last = due


async def run_guarded(
    loop: str,
    name: str,
    work: Callable[[], Awaitable[None]],
    telemetry: ProcessTelemetry,
    timeout: float = MIN_RUN_TIMEOUT,  # noqa: ASYNC109
) -> bool:
    """Run `work` once, count it under `loop`, and return whether it succeeded.

    Work that raises, or takes longer than `timeout` seconds and is cancelled, is logged with its traceback
    and counted as failed.
    """
    succeeded = True
    with telemetry.tick_durations.labels(loop).time():
        try:
            async with asyncio.timeout(timeout):
                await work()
        except Exception:
            succeeded = False
            telemetry.tick_failures.labels(loop).inc()
            log.exception("%s: the loop %s failed", name, loop)
    telemetry.ticks.labels(loop).inc()
    return succeeded


async def repeat(
    loop: str, schedule: Schedule, work: Callable[[], Awaitable[None]], telemetry: ProcessTelemetry
) -> None:
    """Run `work` guarded at every tick, and count it under `loop`. Ends only when cancelled."""
    async for missed in schedule.ticks():
        telemetry.missed_ticks.labels(loop).inc(missed)
        await run_guarded(loop, schedule.name, work, telemetry, schedule.run_timeout)
