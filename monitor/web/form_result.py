"""The result of a form, shown on the next page, with a form that undoes it.

All clients share the cached pages, so the result travels in a cookie of the client that sent the form. The
cookie holds only numbers and an id; the words are made from the stored acknowledgements and silences.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from fastapi import Request, Response

from monitor.access.form_tokens import FormTokenStore
from monitor.alerting.records import Acknowledgement, Silence
from monitor.alerting.service import MICROSECONDS_PER_SECOND, Alerting, is_same_time
from monitor.alerting.silence_matches import matches_of
from monitor.fleet.fleet import Fleet
from monitor.web.alert_names import alert_name
from monitor.web.error_pages import Handler, PageRoute
from monitor.web.templating import render

RESULT_COOKIE = "headroom_form_result"
COOKIE_AGE = 30  # seconds in which the next page must be requested
RESULT_STATE = "form_result"  # attribute of a request's state: the rendered result of a form
COOKIE_TEXT = re.compile(r"([a-z]{1,16})\.(\d{1,6})\.(\d{1,17})\.(\d{1,6})\.(\d{1,6})\.([0-9a-f]{0,16})")


class FormAction(StrEnum):
    """The act of a form."""

    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    UNDONE = "undone"
    COMMENTED = "commented"
    ENDED = "ended"
    SENT = "sent"


@dataclass(frozen=True, slots=True)
class FormResult:
    """The result of a form.

    count: the number of alerts, silences or dead letters that the form acted on.
    at: the time of the acknowledgements or silences that the form made, in microseconds since the epoch.
    not_firing: the number of alerts that fire no longer.
    acknowledged_before: the number of alerts that were acknowledged already, and still are;
        first_acknowledged_before: the id of the first of these.
    """

    action: FormAction
    count: int = 0
    at: int = 0
    not_firing: int = 0
    acknowledged_before: int = 0
    first_acknowledged_before: str = ""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the result that a cookie holds; None for any other text."""
        found = COOKIE_TEXT.fullmatch(text)
        if found is None or found[1] not in [*FormAction]:
            return None
        count, at, not_firing, acknowledged_before = (int(number) for number in found.groups()[1:5])
        return cls(FormAction(found[1]), count, at, not_firing, acknowledged_before, found[6])

    def __str__(self) -> str:
        before = f"{self.acknowledged_before}.{self.first_acknowledged_before}"
        return f"{self.action}.{self.count}.{self.at}.{self.not_firing}.{before}"

    @property
    def undo_path(self) -> str:
        """The address of the form that undoes the result; empty where nothing can be undone."""
        paths = {FormAction.ACKNOWLEDGED: "/acknowledgements/undo", FormAction.SILENCED: "/silences/undo"}
        return paths.get(self.action, "") if self.count else ""

    def set_cookie(self, response: Response) -> None:
        """Set the cookie that makes the next page show the result."""
        response.set_cookie(RESULT_COOKIE, str(self), max_age=COOKIE_AGE, httponly=True, samesite="strict")


def micros(seconds: float) -> int:
    """Return a time in microseconds."""
    return round(seconds * MICROSECONDS_PER_SECOND)


@dataclass(frozen=True, slots=True)
class FormResultText:
    """The content of the text about a result.

    names: the names of the acknowledged alerts. earlier: the earlier acknowledgement of an alert, if any;
    earlier_name: the name of that alert. notes: further sentences.
    """

    result: FormResult
    names: Sequence[str] = ()
    earlier: Acknowledgement | None = None
    earlier_name: str = ""
    silence: Silence | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ResultPresenter:
    """Puts the result of a form into the next page."""

    alerting: Alerting
    fleet: Fleet
    tokens: FormTokenStore

    def route_class(self) -> type[PageRoute]:
        """Return the class of routes whose pages show results."""
        render_fragment = self.render_fragment

        class FormResultRoute(PageRoute):
            """A route whose page shows the result of the preceding form."""

            def get_route_handler(self) -> Handler:
                """Return a handler that puts the result into the request's state, for `CachedPage`."""
                handle = super().get_route_handler()

                async def handle_with_result(request: Request) -> Response:
                    cookie = request.cookies.get(RESULT_COOKIE, "") if request.method == "GET" else ""
                    if result := FormResult.parse(cookie):
                        setattr(request.state, RESULT_STATE, await render_fragment(result, request))
                    return await handle(request)

                return handle_with_result

        return FormResultRoute

    async def render_fragment(self, result: FormResult, request: Request) -> bytes:
        """Render the result of a form."""
        query = f"?{request.url.query}" if request.url.query else ""
        text, token = await self._text(result), self.tokens.token()
        return render(
            "form_result.html", text=text, result=result, form_token=token, back=request.url.path + query
        )

    async def _text(self, result: FormResult) -> FormResultText:
        engine, at = self.alerting.engine, result.at / MICROSECONDS_PER_SECOND
        acknowledgements = engine.silences.acknowledgements
        if result.action in (FormAction.ACKNOWLEDGED, FormAction.UNDONE):
            names = [
                self._name(acknowledgement.alert)
                for acknowledgement in acknowledgements.values()
                if is_same_time(acknowledgement.at, at)
            ]
            return FormResultText(
                result,
                names,
                acknowledgements.get(result.first_acknowledged_before),
                self._name(result.first_acknowledged_before),
            )
        if result.action is FormAction.SILENCED:
            stored = [silence for silence in engine.silences.stored if is_same_time(silence.starts, at)]
            matched = await matches_of(engine, self.fleet, stored)
            notes = [matches.unmatched_reason for _, matches in matched if matches.unmatched_reason]
            return FormResultText(result, silence=stored[0] if stored else None, notes=notes)
        return FormResultText(result)

    def _name(self, alert_id: str) -> str:
        notice = self.alerting.engine.alerts.get(alert_id)
        return alert_name(notice, self.alerting.engine.registry) if notice else ""
