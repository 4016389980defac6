"""A queue whose entries run one at a time; fair to clients, and to the user names that each client tries."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from monitor.lib.errors import HeadroomError

MAX_WAITING: Final = 64  # requests in total
MAX_WAITING_PER_NAME: Final = 4  # requests of one client with one user name

Waiter = asyncio.Future[None]


class QueueFullError(HeadroomError):
    """Too many requests wait; the client may try again in a few seconds."""


class FairQueue:
    """Serves clients in turn, and the names of each client in turn.

    When the queue is full, the client with the most waiting requests loses its newest request.
    """

    def __init__(self) -> None:
        # By client, then by user name; the next to be served is first.
        self._waiting: OrderedDict[str, OrderedDict[bytes, deque[Waiter]]] = OrderedDict()
        self._counts = Counter[str]()  # waiting requests by client
        self._is_busy = False

    @asynccontextmanager
    async def turn(self, client: str, name: bytes) -> AsyncIterator[None]:
        """Wait until no other work runs, then block other work until the context exits.

        Raises QueueFullError.
        """
        if self._is_busy:
            await self._wait(client, name)
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = False
            self._wake_next()

    async def _wait(self, client: str, name: bytes) -> None:
        waiter = self._enqueue(client, name)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and not waiter.exception():
                self._is_busy = False  # this request was cancelled when it had the turn
                self._wake_next()
            else:
                self._remove(client, name, waiter)
            raise

    def _enqueue(self, client: str, name: bytes) -> Waiter:
        waiters = self._waiting.get(client, OrderedDict()).get(name, deque())
        if len(waiters) >= MAX_WAITING_PER_NAME:
            raise QueueFullError
        if self._counts.total() >= MAX_WAITING and not self._evict_for(client):
            raise QueueFullError
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, OrderedDict()).setdefault(name, deque()).append(waiter)
        self._counts[client] += 1
        return waiter

    def _evict_for(self, client: str) -> bool:
        """Evict a request of the busiest client, if `client` with its new request still has fewer requests.

        Return whether a request was evicted.
        """
        busiest_client, count = self._counts.most_common(1)[0]
        if count <= self._counts[client] + 1:
            return False
        name, waiters = max(self._waiting[busiest_client].items(), key=lambda item: len(item[1]))
        waiter = waiters[-1]
        self._remove(busiest_client, name, waiter)
        waiter.set_exception(QueueFullError())
        return True

    def _remove(self, client: str, name: bytes, waiter: Waiter) -> None:
        waiters_by_name = self._waiting.get(client, OrderedDict())
        if waiter not in waiters_by_name.get(name, ()):
            return
        waiters_by_name[name].remove(waiter)
        self._counts[client] -= 1
        if not waiters_by_name[name]:
            del waiters_by_name[name]
        if not waiters_by_name:
            del self._waiting[client], self._counts[client]

    def _wake_next(self) -> None:
        """Give the turn to the next name of the next client, and put both at the end of their queues."""
        if not self._waiting:
            return
        client, waiters_by_name = next(iter(self._waiting.items()))
        name, waiters = next(iter(waiters_by_name.items()))
        waiter = waiters[0]
        self._waiting.move_to_end(client)
        waiters_by_name.move_to_end(name)
        self._remove(client, name, waiter)
        self._is_busy = True
        waiter.set_result(None)
