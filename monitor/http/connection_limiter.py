"""Limits the open connections of a server, and the bytes of their unfinished heads.

Idle connections are closed to admit new ones. Each connection takes a file descriptor; calls to AWS, calls to
receivers and the journal need file descriptors, too.
"""

import logging
import resource
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from itertools import islice
from math import inf
from typing import Final

import prometheus_client

log = logging.getLogger(__name__)

MAX_FILES: Final = 65_536  # the highest limit of open files that is requested
MAX_CONNECTIONS: Final = 4096  # each takes some 20 KiB of memory
FILES_PER_CONNECTION: Final = 2  # half of the files are left for everything else
MIN_CONNECTIONS: Final = 16
MAX_HEAD_BYTES: Final = 32 * 1024**2  # of all unfinished heads together; most heads arrive as a whole
MIN_AGE: Final = 1.0  # seconds; connections that entered their state more recently are closed last
MAX_CANDIDATES: Final = 64  # connections of a state that are compared: those that have been in it longest
LOG_INTERVAL: Final = 60.0  # seconds


class ConnectionState(IntEnum):
    """The state of a connection. Connections in lower states are closed first to admit new ones."""

    IDLE = 0  # waits for a request
    READING_HEAD = 1  # waits for the rest of a request's head
    READING_BODY = 2  # waits for the rest of a request's body
    RESPONDING = 3  # the client waits for the response


def raise_file_limit() -> None:
    """Raise this process's soft limit of open files to its hard limit, at most to MAX_FILES."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    raised = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < raised:
        with suppress(ValueError, OSError):  # some systems reject values that their hard limit allows
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))


def default_max_connections() -> int:
    """Return how many connections a server may hold, given the limit of open files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = MAX_FILES if soft == resource.RLIM_INFINITY else soft
    return max(min(files // FILES_PER_CONNECTION, MAX_CONNECTIONS), MIN_CONNECTIONS)


class ConnectionSlot:
    """The entry of one connection in a limiter.

    close: closes the connection at once; its file descriptor is free a moment later. state_since: when the
    connection entered its state, by the limiter's clock. head_bytes: the size of its unfinished head.
    """

    def __init__(
        self, limiter: "ConnectionLimiter", address: str, close: Callable[[], None], since: float
    ) -> None:
        self.address, self.close, self.state_since = address, close, since
        self.state, self.head_bytes = ConnectionState.IDLE, 0
        self._limiter = limiter

    def close_by(self, close: Callable[[], None]) -> None:
        """Have `close` close the connection from now on."""
        self.close = close

    def set_state(self, state: ConnectionState) -> None:
        """Record that the connection enters a state now."""
        self._limiter.set_state(self, state)

    def set_head_bytes(self, size: int) -> None:
        """Record how many bytes of an unfinished head the connection holds; this may close connections."""
        self._limiter.set_head_bytes(self, size)

    def release(self) -> None:
        """Remove the connection from its limiter; further calls do nothing."""
        self._limiter.remove(self)


class ConnectionLimiter:
    """The open connections of a server, at most max_connections.

    When max_connections is reached, a connection is closed for each new connection. Connections that have
    been in their state for MIN_AGE come first, then those in the lowest state, then those from the address
    with the most connections, then the connection that has been in its state longest. A connection in the
    state RESPONDING is closed only for another address, and only if its own address has more than half of
    max_connections. If no connection may be closed, the new connection is refused.

    When unfinished heads take more than max_head_bytes, connections in the state READING_HEAD are closed.
    """

    def __init__(
        self,
        registry: prometheus_client.CollectorRegistry | None = None,
        max_connections: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        max_head_bytes: int = MAX_HEAD_BYTES,
    ) -> None:
        self.head_bytes, self._max_head_bytes = 0, max_head_bytes
        self.max_connections = default_max_connections() if max_connections is None else max_connections
        self._slots: dict[ConnectionState, OrderedDict[ConnectionSlot, None]] = {
            state: OrderedDict() for state in ConnectionState
        }
        self._counts = Counter[str]()  # open connections by address
        self._clock, self._logged_at, self._unlogged_count = clock, -LOG_INTERVAL, 0
        self._refused = prometheus_client.Counter(
            "headroom_http_connections_refused",
            "Connections closed to admit new ones, idle ones first (idle), refused at the limit (full) or "
            "for lack of a file descriptor (files), or closed as unfinished heads took much memory (heads).",
            ["reason"],
            registry=registry,
        )
        for reason in ("idle", "full", "files", "heads"):
            self._refused.labels(reason)
        open_connections = prometheus_client.Gauge(
            "headroom_http_connections", "Open HTTP connections.", registry=registry
        )
        open_connections.set_function(lambda: float(len(self)))

    def __len__(self) -> int:
        return self._counts.total()

    def admit(self, address: str, close: Callable[[], None]) -> ConnectionSlot | None:
        """Return a slot for a new connection from an address; None when it is refused."""
        if len(self) >= self.max_connections and not self.evict(address):
            self.count_refusal("full")
            return None
        slot = ConnectionSlot(self, address, close, self._clock())
        self._counts[address] += 1
        self._slots[slot.state][slot] = None
        return slot

    def evict(self, address: str = "") -> bool:
        """Close one connection for a new one from an address; return whether one could be closed."""
        slot = self._eviction_candidate(address)
        if slot is None:
            return False
        self.remove(slot)
        slot.close()
        self.count_refusal("idle")
        return True

    def set_state(self, slot: ConnectionSlot, state: ConnectionState) -> None:
        """Record that a connection enters a state now."""
        if slot in self._slots[slot.state]:
            del self._slots[slot.state][slot]
            self._slots[state][slot] = None
        slot.state, slot.state_since = state, self._clock()

    def set_head_bytes(self, slot: ConnectionSlot, size: int) -> None:
        """Record the size of an unfinished head; close connections while all heads together are too large."""
        if slot in self._slots[slot.state]:
            self.head_bytes += size - slot.head_bytes
            slot.head_bytes = size
        while self.head_bytes > self._max_head_bytes and (candidate := self._head_candidate()):
            self.remove(candidate)
            candidate.close()
            self.count_refusal("heads")

    def _head_candidate(self) -> ConnectionSlot | None:
        """Return the connection to close when heads are too large; None if no head is unfinished."""
        oldest = islice(self._slots[ConnectionState.READING_HEAD], MAX_CANDIDATES)
        return max(oldest, key=lambda slot: (self._counts[slot.address], slot.head_bytes), default=None)

    def remove(self, slot: ConnectionSlot) -> None:
        """Remove a connection; do nothing if it was removed before."""
        if slot in self._slots[slot.state]:
            self.head_bytes -= slot.head_bytes
            del self._slots[slot.state][slot]
            self._counts[slot.address] -= 1
            if not self._counts[slot.address]:
                del self._counts[slot.address]

    def count_refusal(self, reason: str) -> None:
        """Count a closed or refused connection, and log the number at most once per LOG_INTERVAL."""
        self._refused.labels(reason).inc()
        self._unlogged_count += 1
        now = self._clock()
        if now - self._logged_at >= LOG_INTERVAL:
            log.warning(
                "HTTP connections closed or refused: %d (open: %d, limit: %d)",
                self._unlogged_count,
                len(self),
                self.max_connections,
            )
            self._logged_at, self._unlogged_count = now, 0

    def _eviction_candidate(self, address: str) -> ConnectionSlot | None:
        """Return the connection to close so that `address` can connect; None if none may be closed."""
        for latest_since in (self._clock() - MIN_AGE, inf):  # recent changes of state come last
            for state, slots in self._slots.items():
                oldest = (slot for slot in islice(slots, MAX_CANDIDATES) if slot.state_since <= latest_since)
                slot = max(oldest, key=lambda slot: self._counts[slot.address], default=None)
                if slot and (
                    state is not ConnectionState.RESPONDING or self._may_close_for(slot.address, address)
                ):
                    return slot
        return None

    def _may_close_for(self, holder: str, newcomer: str) -> bool:
        """Return whether the address `holder` has so many connections that one is closed for `newcomer`."""
        return holder != newcomer and 2 * self._counts[holder] > self.max_connections
