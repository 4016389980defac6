"""The way into the application: who is not let in gets an answer here, and nobody inside hears of it."""

from fastapi import Response
from prometheus_client import Counter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.access.access import Access
from monitor.access.claims import Refused
from monitor.access.visitor import KEY
from monitor.api_errors import error
from monitor.web.failures import failure_page

UNAUTHORIZED, BUSY = 401, 503
PAUSE = "5"  # seconds until one who comes at a busy time is asked to try again


class Gate:
    """Lets in who may, and tells the application who it is (see `visitor_of`). failures: by reason."""

    def __init__(self, app: ASGIApp, access: Access, failures: Counter) -> None:
        self._app, self._access, self._failures = app, access, failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        needed = self._access.needed(scope["method"], scope["path"])
        if needed is not None:
            try:
                scope[KEY] = await self._access.visitor(scope, needed)
            except Refused as refused:
                self._failures.labels(refused.reason).inc()
                app = self._answer(refused, Headers(scope=scope).get("accept", ""))
        await app(scope, receive, send)

    def _answer(self, refused: Refused, accept: str) -> Response:
        """A page for people, the one shape of errors for programs."""
        said = failure_page if "text/html" in accept else error
        answer: Response = said(refused.status, str(refused))
        answer.headers["Cache-Control"] = "no-store"
        if refused.status == UNAUTHORIZED:
            for challenge in self._access.challenges:
                answer.headers.append("WWW-Authenticate", challenge)
        if refused.status == BUSY:
            answer.headers["Retry-After"] = PAUSE
        return answer
