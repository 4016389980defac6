"""The ASGI middleware that traces requests."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.lib.tracing import Tracer

FIRST_SERVER_ERROR = 500


class TraceMiddleware:
    """Records a span of each request, named after its route. Resources, queries and headers are left out.

    Names of attributes: https://opentelemetry.io/docs/specs/semconv/http/http-spans/
    """

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app, self._tracer = app, tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        with self._tracer.span(method, {"http.request.method": method}, is_request=True) as span:

            async def send_traced(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status = message["status"]
                    span.set_attribute("http.response.status_code", status)
                    if status >= FIRST_SERVER_ERROR:
                        span.fail(str(status))
                await send(message)

            try:
                await self._app(scope, receive, send_traced)
            finally:
                if path := getattr(scope.get("route"), "path", None):
                    span.rename(f"{method} {path}")
                    span.set_attribute("http.route", path)
