"""Live updates: server-sent events that make open pages fetch their content after each judgement.

An event carries no data: a page is rendered once and shared by all browsers that fetch it. Events are not
queued: a client that reads slowly misses judgements, and a client that does not read is disconnected.
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from fastapi import APIRouter, HTTPException, Response
from starlette.types import Message, Receive, Scope, Send

from monitor.access.principal import Principal, principal_of
from monitor.api.app_state import EventTiming

MAX_STREAMS = 1000
RETRY_MS = 5000  # milliseconds after which a browser connects again
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


def events_router(judgement: Callable[[], object], stopping: asyncio.Event, timing: EventTiming) -> APIRouter:
    """Return the route of the event streams.

    judgement: returns another object after each judgement. stopping: ends all streams when it is set.
    """
    router = APIRouter(include_in_schema=False)
    open_streams: set[EventStream] = set()

    @router.get("/live")
    async def live() -> Response:
        if len(open_streams) >= MAX_STREAMS:
            raise HTTPException(
                503, f"{MAX_STREAMS} pages are open already; this page does not update itself"
            )
        return EventStream(judgement, stopping, open_streams, timing)

    return router


class EventStream(Response):
    """The stream of one open page.

    The stream ends when the client disconnects, does not read or loses its access, or the server stops.
    """

    def __init__(
        self,
        judgement: Callable[[], object],
        stopping: asyncio.Event,
        open_streams: "set[EventStream]",
        timing: EventTiming,
    ) -> None:
        super().__init__()
        self._judgement, self._stopping, self._open = judgement, stopping, open_streams
        self._timing = timing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the stream ends."""
        self._open.add(self)
        events = asyncio.create_task(self._send_events(send, principal_of(scope)), name="live page")
        disconnect = asyncio.create_task(_wait_for_disconnect(receive))
        try:
            await asyncio.wait({events, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open.discard(self)
            for task in (events, disconnect):
                task.cancel()
            await asyncio.gather(events, disconnect, return_exceptions=True)

    async def _send_events(self, send: Send, principal: Principal) -> None:
        last, sent_at = self._judgement(), time.monotonic()
        await self._send(send, {"type": "http.response.start", "status": 200, "headers": HEADERS})
        await self._send(send, _chunk(f"retry: {RETRY_MS}\n\n"))
        while principal.is_valid and not await self._wait_for_stop():
            if (current := self._judgement()) is not last:
                last, sent_at = current, time.monotonic()
                await self._send(send, _chunk("event: judged\ndata: 1\n\n"))
            elif time.monotonic() - sent_at >= self._timing.heartbeat_interval:
                sent_at = time.monotonic()
                await self._send(send, _chunk(":\n\n"))
        if not principal.is_valid:
            await self._send(send, _chunk("event: ended\ndata: 1\n\n"))
        await self._send(send, {"type": "http.response.body", "body": b""})

    async def _wait_for_stop(self) -> bool:
        """Wait for the check interval or until the server stops; return whether it stops."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timing.check_interval):
                await self._stopping.wait()
        return self._stopping.is_set()

    async def _send(self, send: Send, message: Message) -> None:
        """Send a message. Raises TimeoutError when the client does not read."""
        async with asyncio.timeout(self._timing.send_timeout):
            await send(message)


def _chunk(text: str) -> Message:
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
