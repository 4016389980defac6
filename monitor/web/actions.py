"""What people do on the pages: acknowledge, mute, end a mute. Forms of our own pages only."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self
from urllib.parse import parse_qs, quote, urlsplit

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse

from monitor.access.visitor import visitor_of
from monitor.alerting.alarm import Alarm
from monitor.alerting.matchers import Matcher, MatcherError
from monitor.alerting.notice import Notice
from monitor.alerting.records import Ack, Silence
from monitor.alerting.silences import Refused
from monitor.web.failures import PageRoute

TOKEN = secrets.token_urlsafe(32)  # of this process: a form from another one is refused
LASTS: Mapping[str, float] = {"1 h": 3600, "4 h": 4 * 3600, "1 day": 86400, "1 week": 7 * 86400}
NAMES = ("account", "region", "service", "signal", "resource")
SEE_OTHER, FORBIDDEN, NOT_FOUND, INVALID = 303, 403, 404, 422
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms as a visitor gets them. named: whether they go by a name already, instead of typing one."""

    offered: bool
    named: bool
    token: ClassVar[str] = TOKEN
    lasts: ClassVar[tuple[str, ...]] = tuple(LASTS)

    @classmethod
    def of(cls, request: Request) -> Self:
        visitor = visitor_of(request.scope)
        return cls(visitor.operates, visitor.name is not None)


def actions_router(alarm: Alarm) -> APIRouter:
    """The targets of the forms; each leads back to the page that it came from."""
    router = APIRouter(include_in_schema=False, route_class=PageRoute)

    @router.post("/alerts/{id}/ack")
    async def acknowledge(id: str, request: Request) -> RedirectResponse:
        form = await guarded(request)
        one = _alert(alarm, id)
        who, why = _who(request, form), form.get("why") or "acknowledged on the page"
        ack = Ack(alert=id, severity=one.severity, who=who, why=why, at=time.time())
        try:
            await alarm.silences.acknowledge(ack)
        except Refused as refused:
            raise HTTPException(INVALID, str(refused)) from None
        return _back(alarm, form)

    @router.post("/alerts/{id}/mute")
    async def mute(id: str, request: Request) -> RedirectResponse:
        form = await guarded(request)
        labels, now = _alert(alarm, id).labels, time.time()
        lasts = LASTS.get(form.get("lasts", ""))
        if lasts is None:
            raise HTTPException(INVALID, f"expected one of {', '.join(LASTS)}")
        matchers = tuple(str(Matcher(name, "=", labels[name])) for name in NAMES if name in labels)
        who, why = _who(request, form), form.get("why") or "muted on the page"
        asked = Silence(id="", matchers=matchers, starts=now, ends=now + lasts, who=who, why=why)
        try:
            await alarm.silences.mute(asked, now)
        except (Refused, MatcherError) as refused:
            raise HTTPException(INVALID, str(refused)) from None
        return _back(alarm, form)

    @router.post("/mutes/{id}/end")
    async def unmute(id: str, request: Request) -> RedirectResponse:
        form = await guarded(request)
        try:
            await alarm.silences.unmute(id)
        except KeyError:
            raise HTTPException(NOT_FOUND, "that mute is over already") from None
        return _back(alarm, form)

    return router


async def guarded(request: Request) -> Mapping[str, str]:
    """The fields of a form of ours. Raises HTTPException when it lacks the token, which only our pages know.

    What a browser says another site sent was refused before (see `api_errors.OwnSite`); not all browsers say.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != FORM:
        raise HTTPException(INVALID, f"expected a form, as {FORM}")
    body = (await request.body()).decode(errors="replace")
    try:
        form = {name: values[0] for name, values in parse_qs(body, max_num_fields=16).items()}
    except ValueError:
        raise HTTPException(INVALID, "expected a form with at most 16 fields") from None
    if not secrets.compare_digest(form.get("token", "").encode(), TOKEN.encode()):
        raise HTTPException(FORBIDDEN, "Headroom was restarted since this page was opened; open it again")
    return form


def _who(request: Request, form: Mapping[str, str]) -> str:
    return visitor_of(request.scope).signed(form.get("who", ""))


def _alert(alarm: Alarm, identity: str) -> Notice:
    one = alarm.standing.get(identity)
    if one is None or not one.firing:
        raise HTTPException(NOT_FOUND, "that alert does not fire any more")
    return one


def _back(alarm: Alarm, form: Mapping[str, str]) -> RedirectResponse:
    alarm.wake.set()
    return RedirectResponse(local(form.get("back", "/")), SEE_OTHER)


def local(address: str) -> str:
    """The path and query of an address here; whatever leads elsewhere becomes the overview."""
    parts = urlsplit(address.replace("\\", "/"))
    path = quote(parts.path, safe="/%")
    if parts.scheme or parts.netloc or not path.startswith("/") or path.startswith("//"):
        return "/"
    return f"{path}?{quote(parts.query, safe='=&%+*,.:')}" if parts.query else path
