"""One shape for every error of the API: {"error": "sentence"}."""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

NOT_FOUND, NOT_ALLOWED = 404, 405


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
