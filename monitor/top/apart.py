"""What blocks, in threads beside the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

THREADS = 4
Answer = TypeVar("Answer")
Job = tuple[Future[Any], Callable[[], Any]]


class Apart:
    """A few daemon threads. Those of an executor keep a process from ending until their server answers."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        for _ in range(THREADS):
            Thread(target=self._work, daemon=True).start()

    async def run(self, job: Callable[[], Answer]) -> Answer:
        """What the job returns or raises. A job whose waiter is cancelled before its turn is left out."""
        done: Future[Answer] = Future()
        self._jobs.put((done, job))
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """Have each thread end after the job that it is at."""
        for _ in range(THREADS):
            self._jobs.put(None)

    def _work(self) -> None:
        while (taken := self._jobs.get()) is not None:
            done, job = taken
            if done.set_running_or_notify_cancel():
                try:
                    done.set_result(job())
                except Exception as error:
                    done.set_exception(error)
