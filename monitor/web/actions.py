"""The forms of the pages: acknowledge and silence alerts, undo both, and send dead letters again."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Self
from urllib.parse import parse_qs, quote, urlsplit

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse

from monitor.access.form_tokens import FormTokenStore
from monitor.access.principal import principal_of
from monitor.alerting.matchers import Matcher, MatcherError
from monitor.alerting.records import Acknowledgement
from monitor.alerting.service import MICROSECONDS_PER_SECOND, Alerting, is_same_time
from monitor.notifiers.notice import Notice
from monitor.schema.annotations import InvalidInputError
from monitor.web.error_pages import PageRoute
from monitor.web.form_result import FormAction, FormResult, micros
from monitor.web.header import AUTOMATIC, theme_of

DURATIONS: Mapping[str, float] = {"1 h": 3600, "4 h": 4 * 3600, "1 day": 86400, "1 week": 7 * 86400}
MATCHER_LABELS = ("account", "region", "service", "signal", "resource", "resource_id", "cause")
SEE_OTHER, FORBIDDEN, NOT_FOUND, INVALID = 303, 403, 404, 422
FORM_MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_ALERTS = 200  # alerts in one form
MAX_FIELDS = MAX_ALERTS + 16
MAX_TIME_DIGITS = 17  # of microseconds since the epoch, enough for 3,000 years
PAGE_AUTHOR = "page"  # the author of an action on a page if authentication gives no name
# The comments of actions whose forms have no comment.
ACKNOWLEDGED_COMMENT, SILENCED_COMMENT = "acknowledged on the page", "silenced on the page"


@dataclass(frozen=True, slots=True)
class FormOptions:
    """The options of the forms on the pages of a client.

    enabled: true if the pages have forms (see `Principal.sees_forms`). theme: the colours of the pages.
    """

    enabled: bool
    theme: str = AUTOMATIC
    durations: ClassVar[tuple[str, ...]] = tuple(DURATIONS)

    @classmethod
    def from_request(cls, request: Request) -> Self:
        """Return the options for the client that sent a request."""
        return cls(principal_of(request.scope).sees_forms, theme_of(request))


@dataclass(frozen=True, slots=True)
class Form:
    """A form of our own pages that a client sent. fields: the values of each field, in order."""

    fields: Mapping[str, list[str]]
    author: str

    def get(self, name: str) -> str:
        """Return the first value of a field; empty if the field has none."""
        return self.fields.get(name, [""])[0]

    @property
    def alerts(self) -> list[str]:
        """The ids of the selected alerts."""
        return self.fields.get("alert", [])[:MAX_ALERTS]

    @property
    def at(self) -> float:
        """The time of the actions to undo, in epoch seconds. Raises HTTPException if it is invalid."""
        text = self.get("at")
        if not (text.isascii() and text.isdigit() and len(text) <= MAX_TIME_DIGITS):
            raise HTTPException(INVALID, "expected `at`, a time in microseconds")
        return int(text) / MICROSECONDS_PER_SECOND

    @property
    def duration(self) -> float:
        """The duration in seconds. Raises HTTPException for a duration that the pages do not offer."""
        duration = DURATIONS.get(self.get("duration"))
        if duration is None:
            raise HTTPException(INVALID, f"expected one of {', '.join(DURATIONS)}")
        return duration

    def comment(self, default: str) -> str:
        """Return the comment, or the default if the form has none."""
        return self.get("comment").strip() or default

    def redirect(self, result: FormResult) -> RedirectResponse:
        """Return a redirect to the page of the form, which then shows the result."""
        response = RedirectResponse(local_path(self.get("back") or "/"), SEE_OTHER)
        result.set_cookie(response)
        return response


def actions_router(alerting: Alerting, tokens: FormTokenStore) -> APIRouter:
    """Return the routes of the forms; each redirects back to the page of the form."""
    router = APIRouter(include_in_schema=False, route_class=PageRoute)
    acknowledge_forms, silence_forms = AcknowledgeForms(alerting, tokens), SilenceForms(alerting, tokens)
    for path, action in (
        ("/alerts/acknowledge", acknowledge_forms.acknowledge_selected),
        ("/alerts/{id}/ack", acknowledge_forms.acknowledge),
        ("/alerts/{id}/comment", acknowledge_forms.comment),
        ("/alerts/{id}/unack", acknowledge_forms.unacknowledge),
        ("/acknowledgements/undo", acknowledge_forms.undo),
        ("/alerts/silence", silence_forms.silence_selected),
        ("/alerts/{id}/silence", silence_forms.silence),
        ("/silences", silence_forms.add),
        ("/silences/undo", silence_forms.undo),
        ("/silences/{id}/end", silence_forms.end),
    ):
        router.add_api_route(path, action, methods=["POST"])

    @router.post("/receivers/{name}/replay")
    async def replay(name: str, request: Request) -> RedirectResponse:
        form = await read_form(request, tokens)
        if name not in alerting.delivery.senders:
            raise HTTPException(NOT_FOUND, f"no receiver is called {name}")
        return form.redirect(FormResult(FormAction.SENT, await alerting.delivery.replay(name)))

    return router


@dataclass(frozen=True, slots=True)
class AcknowledgeForms:
    """The forms that make acknowledgements of alerts, change their comments, and end them."""

    alerting: Alerting
    tokens: FormTokenStore

    async def acknowledge_selected(self, request: Request) -> RedirectResponse:
        """Acknowledge the selected alerts."""
        form = await read_form(request, self.tokens)
        return await self._acknowledge(form, form.alerts)

    async def acknowledge(self, id: str, request: Request) -> RedirectResponse:
        """Acknowledge only the alert with this id, even if other alerts are selected."""
        return await self._acknowledge(await read_form(request, self.tokens), [id])

    async def _acknowledge(self, form: Form, alerts: list[str]) -> RedirectResponse:
        with _errors_as_pages():
            result = await self.alerting.acknowledge_new(
                alerts, author=form.author, comment=form.comment(ACKNOWLEDGED_COMMENT)
            )
        earlier_alerts = [acknowledgement.alert for acknowledgement in result.earlier]
        return form.redirect(
            FormResult(
                FormAction.ACKNOWLEDGED,
                count=len(result.stored),
                at=micros(result.at),
                not_firing=result.not_firing_count,
                acknowledged_before=len(earlier_alerts),
                first_acknowledged_before="".join(earlier_alerts[:1]),
            )
        )

    async def comment(self, id: str, request: Request) -> RedirectResponse:
        """Replace the comment of the acknowledgement of an alert."""
        form = await read_form(request, self.tokens)
        try:
            with _errors_as_pages():
                await self.alerting.comment(id, author=form.author, comment=form.get("comment"))
        except KeyError:
            raise HTTPException(NOT_FOUND, "this alert is not acknowledged") from None
        return form.redirect(FormResult(FormAction.COMMENTED, 1))

    async def unacknowledge(self, id: str, request: Request) -> RedirectResponse:
        """End the acknowledgement of an alert, whoever made it."""
        form = await read_form(request, self.tokens)
        try:
            ended = [await self.alerting.unacknowledge(id)]
        except KeyError:
            ended = []
        return form.redirect(self._undo_result(ended))

    async def undo(self, request: Request) -> RedirectResponse:
        """End the acknowledgements that one form made."""
        form = await read_form(request, self.tokens)
        return form.redirect(self._undo_result(await self.alerting.undo_acknowledgements(form.at)))

    def _undo_result(self, ended: Sequence[Acknowledgement]) -> FormResult:
        """Return the result of ending acknowledgements, which may restore earlier ones of the same alerts."""
        acknowledgements = self.alerting.engine.silences.acknowledgements
        restored_alerts = [ack.alert for ack in ended if ack.alert in acknowledgements]
        return FormResult(
            FormAction.UNDONE,
            count=len(ended),
            acknowledged_before=len(restored_alerts),
            first_acknowledged_before="".join(restored_alerts[:1]),
        )


@dataclass(frozen=True, slots=True)
class SilenceForms:
    """The forms that add and end silences."""

    alerting: Alerting
    tokens: FormTokenStore

    async def silence_selected(self, request: Request) -> RedirectResponse:
        """Add a separate silence for each selected alert."""
        form = await read_form(request, self.tokens)
        return await self._silence(form, form.alerts)

    async def silence(self, id: str, request: Request) -> RedirectResponse:
        """Silence only the alert with this id, even if other alerts are selected."""
        return await self._silence(await read_form(request, self.tokens), [id])

    async def _silence(self, form: Form, alerts: list[str]) -> RedirectResponse:
        last_notices, requested = self.alerting.engine.alerts, dict.fromkeys(alerts)
        firing = [notice for id in requested if (notice := last_notices.get(id)) and notice.firing]
        return await self._add(form, [matchers_of(notice) for notice in firing], len(requested) - len(firing))

    async def add(self, request: Request) -> RedirectResponse:
        """Add a silence with the matchers of the form, one on each line."""
        form = await read_form(request, self.tokens)
        return await self._add(form, [[*filter(str.strip, form.get("matchers").splitlines())]], 0)

    async def _add(self, form: Form, matcher_lists: list[list[str]], not_firing: int) -> RedirectResponse:
        """Add a silence for each list of matchers. not_firing: how many selected alerts no longer fire."""
        now, duration = self.alerting.now(), form.duration
        texts = {"author": form.author, "comment": form.comment(SILENCED_COMMENT)}
        with _errors_as_pages():
            for matchers in matcher_lists:
                await self.alerting.silence(matchers, duration=duration, starts=now, **texts)
        return form.redirect(FormResult(FormAction.SILENCED, len(matcher_lists), micros(now), not_firing))

    async def undo(self, request: Request) -> RedirectResponse:
        """End the silences that one form added."""
        form = await read_form(request, self.tokens)
        at, stored = form.at, self.alerting.engine.silences.stored
        added_ids = [silence.id for silence in stored if is_same_time(silence.starts, at)]
        for id in added_ids:
            await self.alerting.end_silence(id)
        return form.redirect(FormResult(FormAction.UNDONE, len(added_ids)))

    async def end(self, id: str, request: Request) -> RedirectResponse:
        """End a silence now."""
        form = await read_form(request, self.tokens)
        try:
            await self.alerting.end_silence(id)
        except KeyError:
            raise HTTPException(NOT_FOUND, "this silence has expired") from None
        return form.redirect(FormResult(FormAction.ENDED, 1))


@contextmanager
def _errors_as_pages() -> Iterator[None]:
    """Convert the errors of invalid texts and matchers to HTTP errors, which are shown as pages."""
    try:
        yield
    except (InvalidInputError, MatcherError) as error:
        raise HTTPException(INVALID, str(error)) from None


def matchers_of(notice: Notice) -> list[str]:
    """Return matchers that match this alert and no other, whatever its severity becomes."""
    return [str(Matcher(name, "=", notice.labels[name])) for name in MATCHER_LABELS if name in notice.labels]


async def read_form(request: Request, tokens: FormTokenStore) -> Form:
    """Return the form of a request. Raises HTTPException if the form is not from one of our own pages.

    `CsrfMiddleware` already refuses requests that a browser marks as sent by another site; the token protects
    users of browsers that do not mark requests.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != FORM_MEDIA_TYPE:
        raise HTTPException(INVALID, f"expected a form of type {FORM_MEDIA_TYPE}")
    body = (await request.body()).decode(errors="replace")
    try:
        fields = parse_qs(body, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise HTTPException(INVALID, f"expected a form with at most {MAX_FIELDS} fields") from None
    form = Form(fields, principal_of(request.scope).author_name("") or PAGE_AUTHOR)
    if not tokens.is_valid(form.get("token")):
        raise HTTPException(
            FORBIDDEN, "this page was opened before Headroom restarted: reload it and try again"
        )
    return form


def local_path(address: str) -> str:
    """Return the path and query of an address of this server; "/" for any other address."""
    parts = urlsplit(address.replace("\\", "/"))
    path = quote(parts.path, safe="/%")
    if parts.scheme or parts.netloc or not path.startswith("/") or path.startswith("//"):
        return "/"
    return f"{path}?{quote(parts.query, safe='=&%+*,.:')}" if parts.query else path
