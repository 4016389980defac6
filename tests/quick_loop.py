"""An event loop for tests of schedules: its clock jumps to the next timer instead of waiting for it."""

import asyncio
from collections.abc import Coroutine
from selectors import DefaultSelector, SelectorKey
from typing import Any


class JumpingSelector(DefaultSelector):
    """A selector whose clock jumps over the time that it is to wait."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """What is ready now; without a timeout, as soon as something is."""
        self.now += max(timeout or 0.0, 0.0)
        return super().select(None if timeout is None else 0.0)


class QuickLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        self._clock = JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in such a loop."""
    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        return runner.run(main)
