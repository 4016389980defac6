"""The HTTP server's application: /metrics, the JSON API, probes and the pages."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from monitor import answers, api_pages
from monitor import api_models as models
from monitor.alerting.alerting import Alerting
from monitor.api_alerts import alerts_router
from monitor.api_errors import BoundedBodies, OwnSite, answer_errors, error
from monitor.config_errors import ConfigError
from monitor.exposition import Exposition
from monitor.fleet import Fleet
from monitor.query import BadCursor, by_id
from monitor.query import Query as SeriesQuery
from monitor.scrape import scrape
from monitor.status import Told
from monitor.stream.firehose import PATH as FIREHOSE
from monitor.telemetry import VERSION, Telemetry
from monitor.web.router import web_router
from monitor.web.shell import HEADERS
from rules.limits import catalogue

Responses = dict[int | str, dict[str, Any]]

ERRORS: Responses = {status: {"model": models.Error} for status in (401, 403, 422, 500)}
METRICS: Responses = {200: {"content": {"text/plain": {}, "application/openmetrics-text": {}}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the application tells of.

    told: how the monitor fares, now. alerting: what remembers and tells of alerts.
    reload: reads the configuration again; raises ConfigError when the new
    one is refused. stopping: set when the server is to stop.
    """

    fleet: Fleet
    exposition: Exposition
    telemetry: Telemetry
    told: Callable[[], Told]
    reload: Callable[[], Awaitable[None]]
    alerting: Alerting
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def create_app(state: State) -> FastAPI:
    """The application; it holds no state of its own and starts nothing."""
    app = FastAPI(
        title="Headroom",
        version=VERSION,
        description="Which AWS resources run into a limit. Read-only but for the reload.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=ERRORS,
    )
    answer_errors(app)
    routers = _docs(app), web_router(state), _metrics(state), _series(state), _facts(state), _probes(state)
    for router in (*routers, alerts_router(state.alerting, state.fleet)):
        app.include_router(router)
    app.add_middleware(BoundedBodies, but=(FIREHOSE,))
    app.add_middleware(OwnSite)
    return app


def _docs(app: FastAPI) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def operations() -> HTMLResponse:
        return HTMLResponse(api_pages.operations(app.openapi()), headers=HEADERS)

    return router


def _metrics(state: State) -> APIRouter:
    router = APIRouter()

    @router.get("/metrics", response_class=Response, responses=METRICS)
    async def metrics(request: Request) -> Response:
        """All families, in Prometheus' text format 0.0.4 or OpenMetrics 1.0, as the Accept header prefers."""
        return await scrape(request, state.exposition.body, state.telemetry.registry)

    return router


def _series(state: State) -> APIRouter:
    router = APIRouter(prefix="/api/v1")

    @router.get("/series", response_model=models.Page)
    async def series(query: Annotated[SeriesQuery, Query()]) -> Response:
        """The series as last judged, the most urgent first, page by page."""
        try:
            page = await asyncio.to_thread(answers.page, state.exposition.snapshot, query)
        except BadCursor:
            return error(422, "cursor: expected `next` of an answer with the same sort and order")
        return Response(page, media_type="application/json")

    @router.get("/series/{id}", responses={404: {"model": models.Error}})
    async def one_series(id: str) -> models.Detail:
        """One series: its last three hours, its limit and where it was read, caveats and remedy."""
        snapshot, fleet = state.exposition.snapshot, state.fleet
        found = by_id(snapshot, id)
        if found is None or found.key not in fleet.series:
            raise HTTPException(404, f"no series has the id {id}")
        return answers.detail(snapshot, fleet, fleet.series[found.key])

    return router


def _facts(state: State) -> APIRouter:
    router = APIRouter(prefix="/api/v1")

    @router.get("/catalogue")
    async def signals() -> models.Catalogue:
        """Every signal of every service: its limit, why it matters, how it is seen, what to do."""
        return models.Catalogue(services=list(catalogue().values()))

    @router.get("/status", response_model=models.Status)
    async def status() -> Response:
        """How each cell and collector fares, what cannot be observed and the command that enables it."""
        answer = await asyncio.to_thread(answers.status, state.told(), state.exposition.snapshot)
        return Response(answer, media_type="application/json")

    return router


def _probes(state: State) -> APIRouter:
    router = APIRouter(prefix="/-")

    @router.get("/healthy")
    async def healthy() -> models.Healthy:
        """Whether the process answers."""
        return models.Healthy()

    @router.get("/ready", response_model=models.Ready, responses={503: {"model": models.Error}})
    async def ready() -> models.Ready | JSONResponse:
        """Whether every cell that can be reached was read once, and judged."""
        told = state.told()
        if trouble := state.alerting.journal.trouble:
            return error(503, trouble)
        if told.waited_for:
            return error(503, f"not read yet: {', '.join(told.waited_for)}")
        return models.Ready() if told.ready else error(503, "all is read, and judged in a moment")

    @router.post("/reload", responses={413: {"model": models.Error}})
    async def reload(request: Request) -> models.Reloaded:
        """Read the configuration again; one that is wrong is refused (422) and the old one stays in force."""
        if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
            raise HTTPException(413, "expected no body")
        try:
            await state.reload()
        except ConfigError as refused:
            raise HTTPException(422, "; ".join(refused.problems)) from None
        return models.Reloaded()

    return router
