"""Errors of the pages, as pages: what went wrong, in words, and the way back."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from monitor.web.shell import HEADERS, render

TITLES = {
    401: "Log in",
    403: "Refused",
    404: "Not here",
    413: "Too long",
    422: "Not understood",
    503: "Too busy",
}
INVALID = 422

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route whose errors are pages."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except HTTPException as error:
                return failure_page(error.status_code, str(error.detail))
            except RequestValidationError as error:
                wrong = "; ".join(f"{one['loc'][1]}: {one['msg']}" for one in error.errors())
                return failure_page(INVALID, wrong)

        return told


def failure_page(status: int, sentence: str) -> HTMLResponse:
    """A page that says what went wrong."""
    title = TITLES.get(status, "Not done")
    body = render("error.html", title=title, sentence=sentence, here="")
    return HTMLResponse(body, status, {**HEADERS, "Cache-Control": "no-store"})
