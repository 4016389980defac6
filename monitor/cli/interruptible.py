"""Runs a coroutine that Ctrl-C ends at once."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def run_interruptible(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine on an event loop of its own. Raises KeyboardInterrupt after SIGINT.

    `asyncio.run` alone does not wake a loop that waits for its sockets when another thread receives the
    signal, or the signal comes just before the wait: nothing would end until the next time-out.
    """
    is_main = threading.current_thread() is threading.main_thread()  # Python handles signals only there
    return asyncio.run(_cancel_on_sigint(coroutine) if is_main else coroutine)


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
