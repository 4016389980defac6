"""Pages rendered once a judgement and shared by all who look at them."""

import asyncio
import gzip
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from hashlib import sha256

from fastapi import Request, Response

from monitor.negotiation import accepts_gzip
from monitor.web.shell import HEADERS

MOST = 64  # pages kept at once
OLDEST = 15  # seconds that a page is kept, if no judgement comes meanwhile
LEVEL = 1
NOT_MODIFIED = 304

Make = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Made:
    """A page and its tag, plain and compressed."""

    body: bytes
    gzipped: bytes
    tag: str

    @classmethod
    def of(cls, body: bytes) -> "Made":
        return cls(body, gzip.compress(body, LEVEL, mtime=0), f'W/"{sha256(body).hexdigest()[:20]}"')

    def answer(self, request: Request) -> Response:
        """The page in the encoding that the request prefers; nothing, where the client has it already."""
        headers = {**HEADERS, "ETag": self.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == self.tag:
            return Response(status_code=NOT_MODIFIED, headers=headers)
        if accepts_gzip(request.headers.get("accept-encoding", "")):
            headers["Content-Encoding"] = "gzip"
        body = self.gzipped if "Content-Encoding" in headers else self.body
        return Response(body, headers=headers, media_type="text/html")


class Kept:
    """The newest pages by address. stamp: what they depend on; a change of it empties them all."""

    def __init__(self, stamp: Callable[[], Hashable]) -> None:
        self._stamp = stamp
        self._of: Hashable = None
        self._tasks: OrderedDict[str, asyncio.Task[Made]] = OrderedDict()

    async def get(self, address: str, make: Make) -> Made:
        """The page of an address, made at the first call; whoever asks meanwhile waits for the same."""
        stamp = self._stamp(), int(time.time() // OLDEST)
        if stamp != self._of:
            self._of = stamp
            self._tasks.clear()
        task = self._tasks.get(address)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._tasks[address] = asyncio.create_task(self._make(make), name=f"page {address[:80]}")
        self._tasks.move_to_end(address)
        while len(self._tasks) > MOST:
            self._tasks.popitem(last=False)
        return await asyncio.shield(task)

    async def _make(self, make: Make) -> Made:
        return await asyncio.to_thread(Made.of, await make())
