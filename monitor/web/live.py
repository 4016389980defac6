"""Live updates: server-sent events, one a judgement, that tell open pages to look again.

An event is a few bytes and carries no state: the page it makes a browser ask for is rendered once a judgement
and shared. There is no queue: a client that reads slowly misses judgements, and one that does not read at all
is dropped. https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from fastapi import APIRouter, HTTPException, Response
from starlette.types import Message, Receive, Scope, Send

from monitor.access.visitor import Visitor, visitor_of

LOOK = 1.0  # seconds between two looks for a new judgement
HEARTBEAT = 15.0  # seconds without an event until a comment keeps the connection, and proxies, awake
PATIENCE = 30.0  # seconds that a client may take to read an event
MOST = 1000  # pages open at once
RETRY = 5000  # milliseconds until a browser connects again
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


def live_router(judged: Callable[[], object], stopping: asyncio.Event) -> APIRouter:
    """The stream of events. judged: gives another object after each judgement. stopping: ends them all."""
    router = APIRouter(include_in_schema=False)
    open_now: set[Events] = set()

    @router.get("/live")
    async def live() -> Response:
        if len(open_now) >= MOST:
            raise HTTPException(503, f"{MOST} pages are open already; this one is not updated by itself")
        return Events(judged, stopping, open_now)

    return router


class Events(Response):
    """One open page. It ends when the client goes, does not read or may not, or the server stops."""

    def __init__(
        self, judged: Callable[[], object], stopping: asyncio.Event, open_now: "set[Events]"
    ) -> None:
        super().__init__()
        self._judged, self._stopping, self._open = judged, stopping, open_now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._open.add(self)
        telling = asyncio.create_task(self._tell(send, visitor_of(scope)), name="live page")
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({telling, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open.discard(self)
            for task in (telling, gone):
                task.cancel()
            await asyncio.gather(telling, gone, return_exceptions=True)

    async def _tell(self, send: Send, visitor: Visitor) -> None:
        seen, sent = self._judged(), time.monotonic()
        await _patiently(send, {"type": "http.response.start", "status": 200, "headers": HEADERS})
        await _patiently(send, _part(f"retry: {RETRY}\n\n"))
        while visitor.admitted and not await self._stops():
            if (now := self._judged()) is not seen:
                seen, sent = now, time.monotonic()
                await _patiently(send, _part("event: judged\ndata: 1\n\n"))
            elif time.monotonic() - sent >= HEARTBEAT:
                sent = time.monotonic()
                await _patiently(send, _part(":\n\n"))
        if not visitor.admitted:
            await _patiently(send, _part("event: ended\ndata: 1\n\n"))
        await _patiently(send, {"type": "http.response.body", "body": b""})

    async def _stops(self) -> bool:
        """Whether the server stops before it is time for another look."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK):
                await self._stopping.wait()
        return self._stopping.is_set()


def _part(text: str) -> Message:
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}


async def _patiently(send: Send, message: Message) -> None:
    async with asyncio.timeout(PATIENCE):
        await send(message)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
