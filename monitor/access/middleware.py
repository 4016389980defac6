"""The ASGI middleware that authenticates requests; only allowed requests reach the application."""

from fastapi import Request, Response
from prometheus_client import Counter
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.access.authenticator import Authenticator
from monitor.access.credentials import AccessDeniedError
from monitor.access.principal import SCOPE_KEY
from monitor.http.errors import ErrorPage, accepts_html, error_response

UNAUTHORIZED, TOO_MANY_REQUESTS = 401, 429
RETRY_AFTER = "5"  # seconds


class AuthMiddleware:
    """Passes on requests that are allowed, with their principal in the scope (see `principal_of`).

    failures: counts denied requests by reason. error_page: builds the response for browsers.
    """

    def __init__(
        self, app: ASGIApp, authenticator: Authenticator, failures: Counter, error_page: ErrorPage
    ) -> None:
        self._app, self._authenticator = app, authenticator
        self._failures, self._error_page = failures, error_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app, scope["scheme"] = self._app, self._authenticator.scheme(scope)
        required = self._authenticator.required_role(scope["method"], scope["path"])
        if required is not None:
            try:
                scope[SCOPE_KEY] = await self._authenticator.authenticate(scope, required)
            except AccessDeniedError as denied:
                self._failures.labels(denied.reason).inc()
                app = self._response(denied, Request(scope))
        await app(scope, receive, send)

    def _response(self, denied: AccessDeniedError, request: Request) -> Response:
        """Return a page for browsers, JSON for other clients."""
        response: Response = (
            self._error_page(request, denied.status, str(denied))
            if accepts_html(request)
            else error_response(denied.status, str(denied))
        )
        response.headers["Cache-Control"] = "no-store"
        if denied.status == UNAUTHORIZED:
            for challenge in self._authenticator.challenges:
                response.headers.append("WWW-Authenticate", challenge)
        if denied.status == TOO_MANY_REQUESTS:
            response.headers["Retry-After"] = RETRY_AFTER
        return response
