"""An event loop that measures each of its turns: for how long it held up everything that waited for it.

Nothing wakes for the measurement: the selector reads the clock when it is entered and left.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from selectors import DefaultSelector, SelectorKey
from typing import Any, TypeVar

Result = TypeVar("Result")


class TimedSelector(DefaultSelector):
    """A selector that measures each turn, the time between two waits.

    observe: called with the seconds of each turn; None: not called. A turn begins when what the loop waited
    for has arrived, or should have: a wait that ends later than its timeout, because another thread kept the
    interpreter, belongs to the turn. How long an event of a socket had been there before the wait returned
    cannot be told.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__()
        self._clock = clock
        self._turn_began = clock()
        self.observe: Callable[[float], None] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """End a turn, wait as usual, and begin another turn."""
        entered = self._clock()
        if self.observe is not None:
            self.observe(entered - self._turn_began)
        events = super().select(timeout)
        left = self._clock()
        self._turn_began = left if timeout is None else min(left, entered + max(timeout, 0.0))
        return events


class TimedEventLoop(asyncio.SelectorEventLoop):
    """An event loop whose turns are measured. turns: the selector that measures them."""

    def __init__(self, turns: TimedSelector | None = None) -> None:
        self.turns = turns or TimedSelector()
        super().__init__(self.turns)


def observe_turns(observe: Callable[[float], None]) -> None:
    """Pass the seconds of each turn of the running event loop to `observe`, if it is a TimedEventLoop."""
    if isinstance(loop := asyncio.get_running_loop(), TimedEventLoop):
        loop.turns.observe = observe


def run_timed(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine as `asyncio.run` does, in a TimedEventLoop."""
    with asyncio.Runner(loop_factory=TimedEventLoop) as runner:
        return runner.run(main)
