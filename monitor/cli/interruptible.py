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
    """Runs coroutines one after the other on one event loop.

    `asyncio.Runner` alone does not wake a waiting loop if another thread receives the signal, or if the
    signal comes just before the wait: the coroutine would only end at the next time-out. The first run also
    resumes Python's garbage collection, which is off at the start of the process.
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
        # Python handles signals only in the main thread.
        is_main_thread = threading.current_thread() is threading.main_thread()
        return self._runner.run(_cancel_on_sigint(coroutine) if is_main_thread else coroutine)


async def _cancel_on_sigint(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that SIGINT cancels. Raises KeyboardInterrupt after SIGINT."""
    task, interrupted = asyncio.ensure_future(coroutine), False

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        task.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        result = await task
    except BaseException as error:  # a cancelled coroutine may raise an error of its own
        if interrupted:
            raise KeyboardInterrupt from error
        raise
    finally:
        loop.remove_signal_handler(signal.SIGINT)
    if interrupted:
        raise KeyboardInterrupt
    return result
