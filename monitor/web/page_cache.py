"""Pages, rendered once after each judgement and shared by all clients."""

import asyncio
import gzip
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from hashlib import sha256

from fastapi import Request, Response

from monitor.http.negotiation import accepts_gzip
from monitor.web.form_result import RESULT_COOKIE, RESULT_STATE
from monitor.web.templating import PAGE_HEADERS

MAX_PAGES = 64
MAX_AGE = 15.0  # seconds
GZIP_LEVEL = 1
NOT_MODIFIED = 304
BODY_END = b"</body>"

Renderer = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class CachedPage:
    """A rendered page, plain and compressed, and its entity tag."""

    body: bytes
    gzipped: bytes
    etag: str

    @classmethod
    def from_body(cls, body: bytes) -> "CachedPage":
        """Compress a rendered page and compute its tag. This takes long: call it in a thread."""
        return cls(body, gzip.compress(body, GZIP_LEVEL, mtime=0), f'W/"{sha256(body).hexdigest()[:20]}"')

    def response(self, request: Request) -> Response:
        """Return the page in the encoding that the request prefers, or 304 when the client has the page.

        A client that has just sent a form gets the page with the result of the form, which is not cached.
        """
        if form_result := getattr(request.state, RESULT_STATE, b""):
            return self._with_form_result(form_result)
        headers = {
            **PAGE_HEADERS,
            "ETag": self.etag,
            "Cache-Control": "no-cache",
            "Vary": "Accept-Encoding, Cookie",
        }
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=NOT_MODIFIED, headers=headers)
        if accepts_gzip(request.headers.get("accept-encoding", "")):
            headers["Content-Encoding"] = "gzip"
        body = self.gzipped if "Content-Encoding" in headers else self.body
        return Response(body, headers=headers, media_type="text/html")

    def _with_form_result(self, form_result: bytes) -> Response:
        """Return the page with the result of a form. The client shows it once: its cookie is deleted."""
        body = self.body.replace(BODY_END, form_result + BODY_END)
        headers = {**PAGE_HEADERS, "Cache-Control": "no-store"}
        response = Response(body, headers=headers, media_type="text/html")
        response.delete_cookie(RESULT_COOKIE, httponly=True, samesite="strict")
        return response


class PageCache:
    """The most recently used pages, by address.

    version: returns a value that changes with the data of the pages; a changed value drops all pages.
    max_age: seconds after which all pages are dropped even if the version is the same.
    """

    def __init__(
        self, version: Callable[[], Hashable], *, max_pages: int = MAX_PAGES, max_age: float = MAX_AGE
    ) -> None:
        self._version, self._max_pages, self._max_age = version, max_pages, max_age
        self._cached_version: Hashable = None
        self._tasks: OrderedDict[str, asyncio.Task[CachedPage]] = OrderedDict()

    async def get(self, address: str, render: Renderer) -> CachedPage:
        """Return the page of an address; concurrent calls share one rendering and its exception."""
        version = self._version(), int(time.time() // self._max_age)
        if version != self._cached_version:
            self._cached_version = version
            self._tasks.clear()
        task = self._tasks.get(address)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = asyncio.create_task(self._render(render), name=f"page {address[:80]}")
            self._tasks[address] = task
        self._tasks.move_to_end(address)
        while len(self._tasks) > self._max_pages:
            self._tasks.popitem(last=False)
        return await asyncio.shield(task)

    async def _render(self, render: Renderer) -> CachedPage:
        return await asyncio.to_thread(CachedPage.from_body, await render())
