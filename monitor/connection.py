"""A client's connection, which must not take forever: uvicorn waits without end for a request and its reader.

The protocol is named here, so that it does not depend on what else is installed beside uvicorn.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD: Final = 20.0  # seconds until a request's head is there, from when nothing else is answered
BODY: Final = 90.0  # seconds until its body is there, too; who reads it may be less patient
ANSWER: Final = 60.0  # seconds in which the client has to take something of what was written
LARGEST_HEAD: Final = 128 * 1024  # bytes; Firehose may send 70 KB, most of them as common attributes


class Connection(H11Protocol):
    """HTTP/1.1, cut off when the client is too slow."""

    _due: float | None = None  # seconds that what is waited for may take; None while the client waits for us
    _timer: asyncio.TimerHandle | None = None
    _left = 0  # bytes of an answer that the client had not taken when time was up last

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._begin(None)

    def _wait(self) -> None:
        """Whatever comes, time runs on until something else is waited for."""
        due = self._awaited()
        if due != self._due:
            self._begin(due)

    def _awaited(self) -> float | None:
        if self.flow.write_paused:
            return ANSWER
        if self.cycle is None or self.cycle.response_complete:
            return HEAD
        return BODY if self.cycle.more_body else None

    def _begin(self, due: float | None) -> None:
        self._due = due
        if self._timer:
            self._timer.cancel()
        self._timer = self.loop.call_later(due, self._late) if due is not None else None

    def _late(self) -> None:
        left = self.transport.get_write_buffer_size()
        if left == self._left:
            self.transport.abort()
        else:  # an answer takes its time, but is taken
            self._left = left
            self._begin(self._due)
