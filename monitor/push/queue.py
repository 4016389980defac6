"""The store of samples for those who must not wait for a disk: one thread does all the work on it."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Concatenate, Final, ParamSpec, TypeVar

from monitor.push.store import Store

Given = ParamSpec("Given")
Result = TypeVar("Result")

PATIENCE: Final = 30  # seconds that the disk gets for one job


class QueueError(Exception):
    """The queue cannot be used at the moment; the text is the sentence that says why."""


class Queue:
    """Has the thread do what a `Store` can."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="push queue")

    async def ask(
        self, job: Callable[Concatenate[Store, Given], Result], *given: Given.args, **named: Given.kwargs
    ) -> Result:
        """The answer of a method of the store. Who is cancelled does not stop the job. Raises QueueError."""
        work = partial(job, self.store, *given, **named)
        doing = asyncio.get_running_loop().run_in_executor(self._thread, work)
        doing.add_done_callback(lambda one: one.cancelled() or one.exception())  # nobody may be waiting
        try:
            async with asyncio.timeout(PATIENCE):  # `wait_for` of Python 3.11 may swallow a cancellation
                return await asyncio.shield(doing)
        except TimeoutError:
            raise QueueError(f"the queue {self.store.path} does not answer within {PATIENCE} s") from None
        except (sqlite3.Error, OSError, ValueError) as error:
            raise QueueError(f"the queue {self.store.path} cannot be used: {error}") from error

    async def close(self) -> None:
        """Close the file, and end the thread."""
        with suppress(QueueError):
            await self.ask(Store.close)
        self._thread.shutdown(wait=False)
