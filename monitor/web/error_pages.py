"""The errors of pages, shown as pages: a sentence about the error, and a link to the overview."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from monitor.http.errors import reason_of
from monitor.web.header import theme_of
from monitor.web.templating import PAGE_HEADERS, render

TITLES = {
    401: "Log in",
    403: "Forbidden",
    404: "Not found",
    413: "Request too large",
    422: "Invalid request",
    503: "Unavailable",
}
INVALID = 422

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route whose errors are shown as pages."""

    def get_route_handler(self) -> Handler:
        """Return the route's handler, which returns errors as pages."""
        handle = super().get_route_handler()

        async def handle_errors(request: Request) -> Response:
            try:
                return await handle(request)
            except HTTPException as error:
                return error_page(request, error.status_code, str(error.detail))
            except RequestValidationError as error:
                text = "; ".join(f"{problem['loc'][1]}: {reason_of(problem)}" for problem in error.errors())
                return error_page(request, INVALID, text)

        return handle_errors


def error_page(request: Request, status: int, sentence: str) -> HTMLResponse:
    """Return the page of an error. sentence: what went wrong, without a full stop."""
    title = TITLES.get(status, "Error")
    body = render("error.html", title=title, sentence=sentence, current_path="", theme=theme_of(request))
    return HTMLResponse(body, status, {**PAGE_HEADERS, "Cache-Control": "no-store"})
