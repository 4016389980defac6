"""An event loop for tests of schedules: its clock jumps to the next timer instead of waiting for it."""

import asyncio
from collections.abc import Coroutine
from selectors import DefaultSelector, SelectorKey
from typing import Any


class JumpingSelector(DefaultSelector):
    """A selector whose clock jumps over the time that it is to wait.

    lateness: seconds that each wait takes longer, as where much is to be done in between.
    """

    now = lateness = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """Return what is ready now; without a timeout, as soon as something is."""
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


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in such a loop."""
    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        return runner.run(main)
