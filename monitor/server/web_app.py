"""The ASGI application: /metrics, the JSON API, the probes and the pages."""

from collections.abc import Callable
from functools import cache, partial

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse

from monitor.api.alerts import alerts_router
from monitor.api.app_state import AppState
from monitor.api.cost import cost_router
from monitor.api.coverage import coverage_router
from monitor.api.look_back import look_back_router
from monitor.api.openapi_document import openapi_document, operation_id
from monitor.api.paths import paths_router
from monitor.api.recommendations import recommendations_router
from monitor.api.routes import ERROR_RESPONSES, metrics_router, probes_router, series_router, status_router
from monitor.api.server_address import requested_url
from monitor.api.what_if import what_if_router
from monitor.http.errors import BodyLimitMiddleware, CsrfMiddleware, install_error_handlers
from monitor.lib.version import VERSION
from monitor.stream.firehose import FIREHOSE_PATH
from monitor.web.api_docs import render_operations
from monitor.web.error_pages import error_page
from monitor.web.header import theme_of
from monitor.web.router import web_router
from monitor.web.templating import PAGE_HEADERS

# Routes are tried in this order, and /metrics is requested most often.
ROUTERS = (
    metrics_router,
    web_router,
    series_router,
    status_router,
    coverage_router,
    cost_router,
    recommendations_router,
    look_back_router,
    paths_router,
    what_if_router,
    probes_router,
)


def create_app(state: AppState) -> FastAPI:
    """Return the application, which keeps no state of its own and starts no task."""
    app = FastAPI(
        title="Headroom",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=ERROR_RESPONSES,
        generate_unique_id_function=operation_id,
    )
    app.openapi = cache(partial(openapi_document, app))  # type: ignore[method-assign]
    install_error_handlers(app, error_page)
    for create_router in ROUTERS:
        app.include_router(create_router(state))
    app.include_router(_docs_router(app, lambda: state.alerting.public_url))
    app.include_router(alerts_router(state.alerting, state.fleet))
    app.add_middleware(BodyLimitMiddleware, exempt_paths=(FIREHOSE_PATH,))
    app.add_middleware(CsrfMiddleware)
    return app


def _docs_router(app: FastAPI, public_url: Callable[[], str | None]) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def docs(request: Request) -> HTMLResponse:
        server_url = requested_url(request.url.scheme, request.headers.get("host", ""), public_url())
        body = render_operations(app.openapi(), theme_of(request), server_url)
        return HTMLResponse(body, headers=PAGE_HEADERS)

    return router
