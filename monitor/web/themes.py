"""The switch of colours: the server reads the theme from a cookie, so no page flashes in other colours."""

from urllib.parse import urlsplit

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse

from monitor.web.actions import SEE_OTHER, local_path
from monitor.web.error_pages import PageRoute
from monitor.web.header import THEME_COOKIE, THEMES

COOKIE_AGE = 365 * 86400  # seconds
MAX_REFERER_LENGTH = 8192  # characters


def themes_router() -> APIRouter:
    """Return the route that stores the chosen theme and redirects to the page that the request came from."""
    router = APIRouter(include_in_schema=False, route_class=PageRoute)

    @router.get("/colours/{theme}")
    async def colours(theme: str, request: Request) -> RedirectResponse:
        if theme not in THEMES:
            raise HTTPException(404, f"expected one of {', '.join(THEMES)}")
        response = RedirectResponse(_page_of(request), SEE_OTHER, {"Cache-Control": "no-store"})
        response.set_cookie(THEME_COOKIE, theme, COOKIE_AGE, samesite="lax")
        return response

    return router


def _page_of(request: Request) -> str:
    """Return the page of this server that a request comes from; "/" if its Referer is no such page."""
    came_from = urlsplit(request.headers.get("referer", "")[:MAX_REFERER_LENGTH])
    if came_from.netloc != request.headers.get("host") or came_from.path.startswith("/colours/"):
        return "/"
    return local_path(came_from._replace(scheme="", netloc="").geturl())
