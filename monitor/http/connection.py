"""Closes connections of clients that are too slow; uvicorn would wait forever."""

import asyncio
import time
from email.utils import formatdate
from functools import lru_cache
from typing import Final

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

from monitor.http.connection_limiter import ConnectionSlot, ConnectionState

MAX_HEAD_SIZE: Final = 128 * 1024  # bytes; Firehose may send 70 KB, mostly common attributes


@lru_cache(maxsize=2)
def default_headers(now: int, config: Config) -> list[tuple[bytes, bytes]]:
    """Return the headers that every response has. now: epoch seconds.

    uvicorn itself would update the date by a timer, even without requests.
    """
    return [(b"date", formatdate(now, usegmt=True).encode()), *config.encoded_headers]


class HttpConnection(H11Protocol):
    """An HTTP/1.1 connection with timeouts, in seconds; a subclass may set other timeouts.

    head_timeout: the time until the client has sent the head of a request. It begins when the client
    connects; for a later request, with the request's first byte. If a response was sent before the client had
    sent the whole body, it also bounds the time until the rest has arrived. idle_timeout: the time from a
    response until the next request begins. It is longer than a minute because load balancers and Prometheus,
    which scrapes once a minute, reuse connections; otherwise they would open and encrypt a new connection
    each time. Idle connections are closed when new connections need their place.
    body_timeout: the time until the client has sent the body; the handler may have a shorter timeout.
    write_timeout: the time until the client has read a part of the buffered response. slot: the connection's
    entry in the server's limiter, if any.

    uvicorn's "auto" would choose the parser by the installed packages; this class is always based on h11.
    """

    head_timeout: float = 20.0
    idle_timeout: float = 125.0
    body_timeout: float = 90.0
    write_timeout: float = 60.0
    slot: ConnectionSlot | None = None
    _timeout: float | None = None  # the seconds of the running timer
    _timer: asyncio.TimerHandle | None = None
    _has_input = False  # true once a part of the next request has arrived
    _unread_bytes = 0  # in the write buffer when the timer last expired

    def occupy(self, slot: ConnectionSlot) -> None:
        """Keep the connection's slot up to date, and release it when the connection is lost."""
        self.slot = slot

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for a request."""
        super().connection_made(transport)
        self.timeout_keep_alive = self.idle_timeout  # type: ignore[assignment]
        self._update_timeout()

    def data_received(self, data: bytes) -> None:
        """Handle data of the client."""
        self._has_input = True
        self.server_state.default_headers = default_headers(int(time.time()), self.config)
        super().data_received(data)
        self._update_timeout()

    def send_400_response(self, msg: str) -> None:
        """Reject data that is not HTTP. A request in progress ends as if its client had disconnected."""
        cycle = self.cycle
        if cycle and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.abort()
                return
        super().send_400_response(msg)

    def on_response_complete(self) -> None:
        """Start waiting for the next request."""
        self._has_input = bool(self.conn.trailing_data[0])
        super().on_response_complete()
        self._update_timeout()

    def pause_writing(self) -> None:
        """Start waiting for the client to read."""
        super().pause_writing()
        self._update_timeout()

    def resume_writing(self) -> None:
        """Stop waiting for the client to read."""
        super().resume_writing()
        self._update_timeout()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer and release the slot."""
        super().connection_lost(exc)
        self._start_timer(None)
        if self.slot:
            self.slot.release()

    def _update_timeout(self) -> None:
        """Restart the timer if another timeout applies now, and update the slot.

        Received data does not extend a timeout.
        """
        timeout = self._applicable_timeout()
        if timeout != self._timeout:
            self._start_timer(timeout)
        if not self.slot:
            return
        if self.slot.state is not (state := self._state()):
            self.slot.set_state(state)
        reads_head = state is ConnectionState.READING_HEAD
        if reads_head or self.slot.head_bytes:
            self.slot.set_head_bytes(len(self.conn.trailing_data[0]) if reads_head else 0)

    def _state(self) -> ConnectionState:
        if self.cycle is None or self.cycle.response_complete:
            return ConnectionState.READING_HEAD if self._has_input else ConnectionState.IDLE
        return ConnectionState.READING_BODY if self.cycle.more_body else ConnectionState.RESPONDING

    def _applicable_timeout(self) -> float | None:
        """Return the timeout that applies now; None while the client waits for the response, or is idle."""
        if self.flow.write_paused:
            return self.write_timeout
        if self.cycle is None:
            return self.head_timeout
        if self.cycle.response_complete:
            is_idle = not (self._has_input or self.cycle.more_body)  # uvicorn closes idle connections
            return None if is_idle else self.head_timeout
        return self.body_timeout if self.cycle.more_body else None

    def _start_timer(self, timeout: float | None) -> None:
        self._timeout = timeout
        if self._timer:
            self._timer.cancel()
        self._timer = self.loop.call_later(timeout, self._expire) if timeout is not None else None

    def _expire(self) -> None:
        """Close the connection, unless the client has read some of the response since the last expiry."""
        unread_bytes = self.transport.get_write_buffer_size()
        if unread_bytes == self._unread_bytes:
            self.transport.abort()
        else:
            self._unread_bytes = unread_bytes
            self._start_timer(self._timeout)
