"""One shape for every error of the API: {"error": "sentence"}."""

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.text import encodable

NOT_FOUND, NOT_ALLOWED = 404, 405
READING = ("GET", "HEAD", "OPTIONS")
LARGEST = 1024**2  # bytes of a body that is sent to the API


class BoundedBodies:
    """Refuses bodies over a mebibyte, told or not; but not for paths that have bounds of their own."""

    def __init__(self, app: ASGIApp, but: Collection[str] = ()) -> None:
        self._app, self._but = app, but

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LARGEST:
                raise HTTPException(413, "expected a body of at most 1 MiB")
            return message

        own = scope["type"] != "http" or scope["path"] in self._but
        await self._app(scope, receive if own else bounded, send)


class OwnSite:
    """Refuses what a page of another site has a browser do; it may read, as the browser lets it.

    Browsers say by Sec-Fetch-Site, or at least by Origin, whose page it was; other clients say neither.
    https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and scope["method"] not in READING and _foreign(Headers(scope=scope)):
            app = error(403, "a page of another site asked for it: use Headroom's own, or no browser")
        await app(scope, receive, send)


def _foreign(headers: Headers) -> bool:
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    try:
        return origin is not None and urlsplit(origin).netloc != headers.get("host")
    except ValueError:
        return True


def error(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": encodable(sentence)}, status, headers)


def answer_errors(app: FastAPI) -> None:
    """Make every error of `app` the one shape."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)


async def _http(request: Request, raised: Exception) -> JSONResponse:
    if not isinstance(raised, HTTPException):
        raise raised
    return error(raised.status_code, _sentence(request, raised), raised.headers)


def _sentence(request: Request, raised: HTTPException) -> str:
    path = request.url.path
    if raised.status_code == NOT_FOUND and raised.detail == "Not Found":
        return f"nothing is at {path}; / lists what there is"
    if raised.status_code == NOT_ALLOWED:
        allowed = (raised.headers or {}).get("Allow", "another method")
        return f"{path} answers {allowed}, not {request.method}"
    return str(raised.detail)


async def _invalid(request: Request, raised: Exception) -> JSONResponse:
    if not isinstance(raised, RequestValidationError):
        raise raised
    return error(422, "; ".join(f"{_where(one['loc'])}: {one['msg']}" for one in raised.errors()))


def _where(place: tuple[Any, ...]) -> str:
    """Of `(query, name)` and `(body, name, index)` the name; of all of a body, or a place in it, `body`."""
    named = [str(one) for one in place[1:]]
    return named[0] if named and not isinstance(place[1], int) else str(place[0])


async def _unexpected(request: Request, raised: Exception) -> JSONResponse:
    return error(500, "something unexpected went wrong; the log says what")
