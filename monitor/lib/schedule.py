"""Runs loops on a fixed schedule: the runs neither drift nor overlap, and a failed run ends no loop."""

import asyncio
import logging
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from heapq import heappop, heappush
from typing import Final, NamedTuple

from monitor.lib.telemetry import ProcessTelemetry

log = logging.getLogger(__name__)

MIN_RUN_TIMEOUT: Final = 600.0  # seconds

Work = Callable[[], Awaitable[None]]


class LoopClock(NamedTuple):
    """The clock of a loop. now: returns epoch seconds. sleep: waits for a number of seconds."""

    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


SYSTEM_CLOCK: Final = LoopClock(time.time, asyncio.sleep)


class Tick(NamedTuple):
    """A tick. number: counted since the epoch. wait: seconds until the tick. missed: ticks skipped before."""

    number: float
    wait: float = 0.0
    missed: int = 0


class Schedule(NamedTuple):
    """Ticks at a fixed interval.

    name: its hash is the offset of the ticks within the interval, so that cells do not all call AWS at the
    same time, and ticks stay at their times after a restart. interval: seconds. phase: a text that is hashed
    instead of the name, so that several schedules tick at the same time.
    """

    name: str
    interval: float
    clock: LoopClock = SYSTEM_CLOCK
    phase: str = ""

    @property
    def run_timeout(self) -> float:
        """Seconds after which one run is cancelled: ten intervals, at least ten minutes."""
        return max(10 * self.interval, MIN_RUN_TIMEOUT)

    def first_tick(self) -> Tick:
        """Return the tick of the present interval, for work that begins at once."""
        return Tick(self._present_number())

    def tick_after(self, last: Tick) -> Tick:
        """Return the next tick, once the work of `last` is done.

        Work that takes longer than the interval skips ticks; skipped ticks are not repeated.
        """
        number = max(last.number, self._present_number()) + 1
        seconds_left = number * self.interval + self._offset - self.clock.now()
        wait = min(seconds_left, self.interval)  # the clock may be set back
        return Tick(number, wait, max(int(number - last.number) - 1, 0))

    @property
    def _offset(self) -> float:
        return zlib.crc32((self.phase or self.name).encode()) / 2**32 * self.interval

    def _present_number(self) -> float:
        """Return the number of the last tick up to now."""
        return (self.clock.now() - self._offset) // self.interval

    def ticks(self) -> "Ticks":
        """Return an iterator of the ticks; the first tick is at once."""
        return Ticks(self)


class Ticks(AsyncIterator[int]):
    """The ticks of a schedule. Each item is the number of ticks that were missed since the last item.

    It is no generator: a generator that a cancelled loop leaves behind is closed by a task, some time later.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._last: Tick | None = None

    async def __anext__(self) -> int:
        """Wait for the next tick."""
        if self._last is None:
            self._last = self._schedule.first_tick()
            return 0
        self._last = self._schedule.tick_after(self._last)
        await self._schedule.clock.sleep(self._last.wait)
        return self._last.missed


async def run_guarded(
    loop: str,
    name: str,
    work: Work,
    telemetry: ProcessTelemetry,
    timeout: float = MIN_RUN_TIMEOUT,  # noqa: ASYNC109
) -> bool:
    """Run `work` once, count it in the metrics of the loop named `loop`, and return whether it succeeded.

    Work that raises, or takes longer than `timeout` seconds and is cancelled, is logged with its traceback
    and counted as failed.
    """
    succeeded = True
    traced = telemetry.tracer.span(loop, {"headroom.schedule": name})
    with telemetry.tick_durations.labels(loop).time(), traced as span:
        try:
            async with asyncio.timeout(timeout):
                await work()
        except Exception as error:
            succeeded = False
            span.fail(type(error).__name__)
            telemetry.tick_failures.labels(loop).inc()
            log.exception("%s: the loop %s failed", name, loop)
    telemetry.ticks.labels(loop).inc()
    return succeeded


async def repeat(loop: str, schedule: Schedule, work: Work, telemetry: ProcessTelemetry) -> None:
    """Call `run_guarded` at every tick of a schedule. Ends only when cancelled."""
    async for missed in schedule.ticks():
        telemetry.missed_ticks.labels(loop).inc(missed)
        await run_guarded(loop, schedule.name, work, telemetry, schedule.run_timeout)


async def repeat_all(
    loop: str,
    works: Iterable[tuple[Schedule, Work]],
    telemetry: ProcessTelemetry,
    admit: Callable[[], Awaitable[None]],
) -> None:
    """Run each work at the ticks of its schedule, as `repeat` does, but all from one task, until cancelled.

    Between two runs, a work takes the memory of its next tick only; with `repeat`, it would take a task.
    admit: awaited before the first run of each work, so that it sets the pace of the first runs.
    """
    schedules_and_works, clock = tuple(works), asyncio.get_running_loop().time
    due: list[tuple[float, int, Tick]] = []  # a heap of times, indices of works and ticks
    due_changed = asyncio.Event()

    async def run(index: int, tick: Tick) -> None:
        schedule, work = schedules_and_works[index]
        telemetry.missed_ticks.labels(loop).inc(tick.missed)
        await run_guarded(loop, schedule.name, work, telemetry, schedule.run_timeout)
        next_tick = schedule.tick_after(tick)
        heappush(due, (clock() + next_tick.wait, index, next_tick))
        due_changed.set()

    async with asyncio.TaskGroup() as runs:
        for index, (schedule, _) in enumerate(schedules_and_works):
            await admit()
            runs.create_task(run(index, schedule.first_tick()))
        while True:
            due_changed.clear()
            while due and due[0][0] <= clock():
                runs.create_task(run(*heappop(due)[1:]))
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due[0][0] if due else None):
                    await due_changed.wait()
