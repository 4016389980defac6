"""Runs coroutines that Ctrl-C ends at once."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from monitor.lib.garbage import resume_collecting
from monitor.lib.logs import silence_repeating_loggers

Result = TypeVar("Result")


def run_interruptible(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine on an event loop of its own. Raises KeyboardInterrupt after SIGINT."""
    with InterruptibleRunner() as runner:
        return runner.run(coroutine)


class InterruptibleRunner:
    """Runs coroutines one after the other on one event loop, which waits in between.

    `asyncio.Runner` alone does not wake a loop that waits for its sockets when another thread receives the
    signal, or the signal comes just before the wait: nothing would end until the next time-out.
    From then on, garbage is collected.
    """

    def __init__(self) -> None:
        silence_repeating_loggers()
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._runner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._runner.__exit__(kind, error, traceback)

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine. Raises KeyboardInterrupt after SIGINT."""
        resume_collecting()
        is_main = threading.current_thread() is threading.main_thread()  # Python handles signals only there
        return self._runner.run(_cancel_on_sigint(coroutine) if is_main else coroutine)


async def _cancel_on_sigint(coroutine: Coroutine[Any, Any, Result]) -> Result:
    task, interrupted = asyncio.ensure_future(coroutine), False

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        task.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        result = await task
    except BaseException as error:  # what was cancelled may end with another error than that
        if interrupted:
            raise KeyboardInterrupt from error
        raise
    finally:
        loop.remove_signal_handler(signal.SIGINT)
    if interrupted:
        raise KeyboardInterrupt
    return result
