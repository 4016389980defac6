"""An event loop for tests of schedules: its clock jumps to the next timer instead of waiting for it."""

import asyncio
from collections.abc import Coroutine
from selectors import DefaultSelector, SelectorKey
from typing import Any, Final

from monitor.lib.schedule import LoopClock
from monitor.polling.timings import PollingTimings


class JumpingSelector(DefaultSelector):
    """A selector whose clock jumps ahead instead of waiting.

    lateness: seconds by which each wait is longer than requested, as in a busy event loop.
    """

    now = lateness = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """Return what is ready now; without a timeout, wait until something is ready."""
        if timeout and timeout > 0.0:
            self.now += timeout + self.lateness
        return super().select(None if timeout is None else 0.0)


class QuickLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        self._clock = JumpingSelector()
        super().__init__(self._clock)

    @property
    def lateness(self) -> float:
        """Seconds by which timers are late."""
        return self._clock.lateness

    @lateness.setter
    def lateness(self, seconds: float) -> None:
        self._clock.lateness = seconds

    def time(self) -> float:
        return self._clock.now


# A wall clock would start schedules anywhere in an interval, so that each test run would tick at other times.
QUICK_TIMINGS: Final = PollingTimings(
    clock=LoopClock(lambda: asyncio.get_running_loop().time(), asyncio.sleep)
)


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a QuickLoop."""
    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        return runner.run(main)
