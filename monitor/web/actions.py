"""The forms of the pages: acknowledge an alert, silence it, end a silence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self
from urllib.parse import parse_qs, quote, urlsplit

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse

from monitor.access.form_tokens import FormTokenStore
from monitor.access.principal import principal_of
from monitor.alerting.engine import NotFiringError
from monitor.alerting.matchers import Matcher, MatcherError
from monitor.alerting.service import Alerting
from monitor.schema.annotations import InvalidInputError
from monitor.web.error_pages import PageRoute
from monitor.web.header import AUTOMATIC, theme_of

DURATIONS: Mapping[str, float] = {"1 h": 3600, "4 h": 4 * 3600, "1 day": 86400, "1 week": 7 * 86400}
MATCHER_LABELS = ("account", "region", "service", "signal", "resource", "resource_id")
SEE_OTHER, FORBIDDEN, NOT_FOUND, INVALID = 303, 403, 404, 422
NOT_FIRING = "this alert is no longer firing"
FORM_MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_FIELDS = 16


@dataclass(frozen=True, slots=True)
class FormOptions:
    """The forms that a client gets.

    enabled: false for a client that may not operate, which gets no forms. has_name: true if authentication
    gives the client's name; otherwise the forms have a field for it. theme: the colours of its pages.
    """

    enabled: bool
    has_name: bool
    theme: str = AUTOMATIC
    durations: ClassVar[tuple[str, ...]] = tuple(DURATIONS)

    @classmethod
    def from_request(cls, request: Request) -> Self:
        """Return the options for who sent a request."""
        principal = principal_of(request.scope)
        return cls(principal.can_operate, principal.name is not None, theme_of(request))


def actions_router(alerting: Alerting, tokens: FormTokenStore) -> APIRouter:
    """Return the routes of the forms; each redirects back to the page of the form."""
    router = APIRouter(include_in_schema=False, route_class=PageRoute)

    @router.post("/alerts/{id}/ack")
    async def acknowledge(id: str, request: Request) -> RedirectResponse:
        form = await read_form(request, tokens)
        author, comment = form_author(request, form), form.get("comment") or "acknowledged on the page"
        try:
            await alerting.acknowledge(id, author=author, comment=comment)
        except NotFiringError:
            raise HTTPException(NOT_FOUND, NOT_FIRING) from None
        except InvalidInputError as error:
            raise HTTPException(INVALID, str(error)) from None
        return _redirect_back(form)

    @router.post("/alerts/{id}/silence")
    async def silence(id: str, request: Request) -> RedirectResponse:
        form = await read_form(request, tokens)
        try:
            labels = alerting.engine.firing_alert(id).labels
        except NotFiringError:
            raise HTTPException(NOT_FOUND, NOT_FIRING) from None
        duration = DURATIONS.get(form.get("duration", ""))
        if duration is None:
            raise HTTPException(INVALID, f"expected one of {', '.join(DURATIONS)}")
        matchers = [str(Matcher(name, "=", labels[name])) for name in MATCHER_LABELS if name in labels]
        author, comment = form_author(request, form), form.get("comment") or "silenced on the page"
        try:
            await alerting.silence(matchers, author=author, comment=comment, duration=duration)
        except (InvalidInputError, MatcherError) as error:
            raise HTTPException(INVALID, str(error)) from None
        return _redirect_back(form)

    @router.post("/silences/{id}/end")
    async def end_silence(id: str, request: Request) -> RedirectResponse:
        form = await read_form(request, tokens)
        try:
            await alerting.end_silence(id)
        except KeyError:
            raise HTTPException(NOT_FOUND, "this silence has expired") from None
        return _redirect_back(form)

    return router


async def read_form(request: Request, tokens: FormTokenStore) -> Mapping[str, str]:
    """Return the fields of a form. Raises HTTPException when it is not one of our own pages'.

    Requests that a browser marks as another site's were refused before (`CsrfMiddleware`); the token covers
    browsers that mark nothing.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != FORM_MEDIA_TYPE:
        raise HTTPException(INVALID, f"expected a form of type {FORM_MEDIA_TYPE}")
    body = (await request.body()).decode(errors="replace")
    try:
        form = {name: values[0] for name, values in parse_qs(body, max_num_fields=MAX_FIELDS).items()}
    except ValueError:
        raise HTTPException(INVALID, f"expected a form with at most {MAX_FIELDS} fields") from None
    if not tokens.is_valid(form.get("token", "")):
        raise HTTPException(
            FORBIDDEN, "this page was opened before Headroom restarted: reload it and try again"
        )
    return form


def form_author(request: Request, form: Mapping[str, str]) -> str:
    """Return the author to record: the authenticated name, and the one that was typed."""
    return principal_of(request.scope).author_name(form.get("author", ""))


def _redirect_back(form: Mapping[str, str]) -> RedirectResponse:
    return RedirectResponse(local_path(form.get("back", "/")), SEE_OTHER)


def local_path(address: str) -> str:
    """Return the path and query of an address of this server; "/" for any other address."""
    parts = urlsplit(address.replace("\\", "/"))
    path = quote(parts.path, safe="/%")
    if parts.scheme or parts.netloc or not path.startswith("/") or path.startswith("//"):
        return "/"
    return f"{path}?{quote(parts.query, safe='=&%+*,.:')}" if parts.query else path
