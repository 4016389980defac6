"""Runs blocking calls in daemon threads, so that the calls do not delay the exit of the process."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

MAX_THREADS = 4
Result = TypeVar("Result")
QueuedJob = tuple[Future[Any], Callable[[], Any]]


class DaemonThreadPool:
    """A few daemon threads: unlike an executor's threads, they do not delay the exit of the process."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[QueuedJob | None] = SimpleQueue()
        for _ in range(MAX_THREADS):
            Thread(target=self._work, daemon=True).start()

    async def run(self, job: Callable[[], Result]) -> Result:
        """Run a job in a thread; return its result or raise its exception. A queued job can be cancelled."""
        future: Future[Result] = Future()
        self._jobs.put((future, job))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Stop each thread after its current job."""
        for _ in range(MAX_THREADS):
            self._jobs.put(None)

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            future, job = item
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(job())
                except Exception as error:
                    future.set_exception(error)
