"""The error responses of the API, {"error": "sentence"}, and middleware that rejects requests."""

from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.lib.byte_budget import ByteBudget, ByteBudgetExceededError, Reservation
from monitor.lib.text import replace_surrogates

NOT_FOUND, METHOD_NOT_ALLOWED = 404, 405
ErrorPage = Callable[[Request, int, str], Response]  # from a request, the status and a sentence
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
MAX_BODY_BYTES = 1024**2  # in the body of one request
MAX_BYTES_IN_PROGRESS = 32 * 1024**2  # in the bodies of all requests in progress together


class BodyLimitMiddleware:
    """Answers 413 to a body over 1 MiB, and 503 while the bodies in progress take too much memory.

    The bytes of a body are counted as they arrive, whether or not the request has a Content-Length.

    exempt_paths: paths whose handlers limit bodies themselves. max_bytes: the most bytes that the bodies of
    all requests in progress may have together.
    """

    def __init__(
        self, app: ASGIApp, exempt_paths: Collection[str] = (), max_bytes: int = MAX_BYTES_IN_PROGRESS
    ) -> None:
        self._app, self._exempt_paths, self._budget = app, exempt_paths, ByteBudget(max_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._exempt_paths:
            await self._app(scope, receive, send)
            return
        with self._budget.reserve() as reservation:
            await self._app(scope, _with_limits(receive, reservation), send)


def _with_limits(receive: Receive, reservation: Reservation) -> Receive:
    """Return a `receive` that raises HTTPException once the body exceeds a limit."""
    received_bytes = 0

    async def receive_bounded() -> Message:
        nonlocal received_bytes
        message = await receive()
        if body := message.get("body", b""):
            received_bytes += len(body)
            if received_bytes > MAX_BODY_BYTES:
                raise HTTPException(413, "expected a body of at most 1 MiB")
            try:
                reservation.grow_to(received_bytes)
            except ByteBudgetExceededError:
                raise HTTPException(503, "busy with other requests; send it again") from None
        return message

    return receive_bounded


class CsrfMiddleware:
    """Answers 403 to unsafe requests that a page of another site makes a browser send.

    Browsers name the page's site in Sec-Fetch-Site, older browsers in Origin. Clients that are not browsers
    send neither header.
    https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS and _is_cross_site(scope):
            app = error_response(403, "this request comes from a page of another site")
        await app(scope, receive, send)


def _is_cross_site(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    try:
        return origin is not None and urlsplit(origin).netloc != headers.get("host")
    except ValueError:
        return True


def accepts_html(request: Request) -> bool:
    """Return true if the client accepts HTML by name, as browsers do."""
    return "text/html" in request.headers.get("Accept", "")


def error_response(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return an error response. sentence: says what went wrong."""
    return JSONResponse({"error": replace_surrogates(sentence)}, status, headers)


def install_error_handlers(app: FastAPI, error_page: ErrorPage) -> None:
    """Register handlers that turn each exception into an error response.

    error_page: makes the page that a browser gets at an address that does not exist.
    """

    async def handle_http_error(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        sentence = _sentence(request, error)
        if _is_unknown_address(error) and accepts_html(request):
            return error_page(request, error.status_code, replace_surrogates(sentence))
        return error_response(error.status_code, sentence, error.headers)

    app.add_exception_handler(HTTPException, handle_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(Exception, _on_unexpected_error)


def _is_unknown_address(error: HTTPException) -> bool:
    """Return true if no route has the address; false if a route did not find what it was asked for."""
    return error.status_code == NOT_FOUND and error.detail == "Not Found"


def _sentence(request: Request, error: HTTPException) -> str:
    path = request.url.path
    if _is_unknown_address(error):
        return f"{path} does not exist; / has links to all pages"
    if error.status_code == METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "another method")
        return f"{path} allows {allowed}, not {request.method}"
    return str(error.detail)


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    sentences = (f"{_location(problem['loc'])}: {reason_of(problem)}" for problem in error.errors())
    return error_response(422, "; ".join(sentences))


def reason_of(problem: Mapping[str, Any]) -> str:
    """Return why a parameter or a field is invalid. problem: an error of pydantic."""
    if problem["type"] == "extra_forbidden":
        return "unknown field" if problem["loc"][0] == "body" else "unknown parameter"
    return str(problem["msg"])


def _location(path: tuple[Any, ...]) -> str:
    """Return the name of the invalid parameter or field; `body` if the body is invalid as a whole.

    path: the location in pydantic's error, such as `(query, name)` or `(body, name, index)`.
    """
    names = [str(part) for part in path[1:]]
    return names[0] if names and not isinstance(path[1], int) else str(path[0])


async def _on_unexpected_error(request: Request, error: Exception) -> JSONResponse:
    return error_response(500, "internal error; the log has the details")
