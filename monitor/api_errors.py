"""One shape for every error of the API: {"error": "sentence"}."""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOT_FOUND, NOT_ALLOWED = 404, 405
LARGEST = 1024**2  # bytes of a body that is sent to the API


class BoundedBodies:
    """Refuses bodies over a mebibyte, whether their length is told or not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LARGEST:
                raise HTTPException(413, "expected a body of at most 1 MiB")
            return message

        await self._app(scope, bounded if scope["type"] == "http" else receive, send)


def error(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": sentence}, status, headers)


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
    problems = (f"{one['loc'][1]}: {one['msg']}" for one in raised.errors())  # loc: (query, its name, ...)
    return error(422, "; ".join(problems))


async def _unexpected(request: Request, raised: Exception) -> JSONResponse:
    return error(500, "something unexpected went wrong; the log says what")
