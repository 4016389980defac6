"""The routes of /metrics, the series, the catalogue, the status and the probes."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from collectors.registry import Registry
from monitor.api import models, presenters
from monitor.api.app_state import AppState
from monitor.exposition.scrape import scrape
from monitor.exposition.scraped_parts import ScrapedParts, TooManySeriesError
from monitor.exposition.selection import Selection
from monitor.fleet.query import CursorError, series_by_id
from monitor.fleet.query import Query as SeriesQuery
from monitor.http.errors import error_response
from monitor.lib.text import replace_surrogates, short_line
from monitor.schema.problems import ConfigError
from rules.problem_text import suggestion
from rules.signals import OWN_SERVICE

SeriesIdParameter = Annotated[str, Path(description="The id of the series, as /api/v1/series lists it.")]
OpenApiResponses = dict[int | str, dict[str, Any]]

# The errors of every operation, by a reference to their model: FastAPI would build a validator for each.
ERROR_SCHEMA = {"$ref": f"#/components/schemas/{models.ErrorModel.__name__}"}
ERROR_RESPONSES: OpenApiResponses = {
    status.value: {"description": status.phrase, "content": {"application/json": {"schema": ERROR_SCHEMA}}}
    for status in map(HTTPStatus, (401, 403, 422, 429, 500))
}
METRICS_RESPONSES: OpenApiResponses = {
    200: {"content": {"text/plain": {}, "application/openmetrics-text": {}}}
}


def metrics_router(state: AppState) -> APIRouter:
    """Return the route of /metrics."""
    router = APIRouter(tags=["Metrics"])
    parts = ScrapedParts(state.exposition)

    @router.get("/metrics", response_class=Response, responses=METRICS_RESPONSES, summary="Scrape metrics")
    async def scrape_metrics(request: Request, selection: Annotated[Selection, Query()]) -> Response:
        """Metrics in the Prometheus text format 0.0.4 or in OpenMetrics 1.0, by the Accept header.

        The response has all metrics, or the metrics of selected accounts, regions and services. A selection
        of too many series is answered with the status 422.
        """
        if problem := _unknown_service_problem(selection, state.registry):
            return error_response(422, problem)
        own_registry = state.telemetry.registry if selection.has_own_families else None
        try:
            body = await parts.body(selection)
        except TooManySeriesError as error:
            return error_response(422, str(error))
        return await scrape(request, body, own_registry)

    return router


def _unknown_service_problem(selection: Selection, registry: Registry) -> str:
    """Return a sentence about the first selected service that does not exist; empty if all exist."""
    service_names = (*registry.service_names, OWN_SERVICE)
    unknown = next((name for name in selection.service if name not in service_names), None)
    if unknown is None:
        return ""
    hint = suggestion(unknown, service_names)
    return f"service: expected the name of a service, found {short_line(unknown)}{hint}"


def series_router(state: AppState) -> APIRouter:
    """Return the routes of the series."""
    router = APIRouter(prefix="/api/v1", tags=["Series"])

    @router.get("/series", response_model=models.SeriesPageModel, summary="List series")
    async def list_series(query: Annotated[SeriesQuery, Query()]) -> Response:
        """The series as judged last, in pages; by default the most urgent first."""
        try:
            page = await asyncio.to_thread(presenters.series_page_json, state.exposition.snapshot, query)
        except CursorError:
            return error_response(422, "cursor: expected `next` of a response with the same sort and order")
        return Response(page, media_type="application/json")

    @router.get("/series/{id}", responses={404: {"model": models.ErrorModel}}, summary="Get a series")
    async def get_series(id: SeriesIdParameter) -> models.SeriesDetailModel:
        """One series with its last three hours, its limits and their source, caveats and remedy."""
        snapshot, fleet = state.exposition.snapshot, state.fleet
        snapshot_series = series_by_id(snapshot, id)
        if snapshot_series is None or snapshot_series.key not in fleet.series:
            raise HTTPException(404, f"no series has the id {id}")
        return presenters.series_detail(snapshot, fleet, fleet.series[snapshot_series.key])

    return router


def status_router(state: AppState) -> APIRouter:
    """Return the routes of the catalogue and of the status."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/catalogue", summary="List signals", tags=["Series"])
    async def list_signals() -> models.CatalogueModel:
        """All signals of all services: limit, why it matters, how it is measured, caveats and remedy."""
        services = state.registry.services.values()
        items = [signal for service in services for signal in service.signals.values()]
        return models.CatalogueModel(
            items=items,
            total=len(items),
            services=[models.CatalogueServiceModel.model_validate(service) for service in services],
            off=state.monitor_status().signals_off,
        )

    @router.get("/status", response_model=models.StatusModel, summary="Get the status", tags=["Coverage"])
    async def get_status() -> Response:
        """The last reads of each account, region and service, their failures, and unobservable series."""
        content = await asyncio.to_thread(
            presenters.status_json, state.monitor_status(), state.exposition.snapshot
        )
        return Response(content, media_type="application/json")

    return router


def probes_router(state: AppState) -> APIRouter:
    """Return the routes of the probes and of the reload."""
    router = APIRouter(prefix="/-", tags=["Operation"])

    @router.get("/healthy", summary="Liveness probe")
    async def check_health() -> models.HealthyModel:
        """The status is 200 while the process responds."""
        return models.HealthyModel()

    @router.get(
        "/ready",
        response_model=models.ReadyModel,
        responses={503: {"model": models.ErrorModel}},
        summary="Readiness probe",
    )
    async def check_readiness() -> models.ReadyModel | JSONResponse:
        """The status is 200, with the pending reads, once something was read and judged; before that, 503."""
        status = state.monitor_status()
        if reason := state.alerting.journal.failure or status.not_ready_reason:
            return error_response(503, reason)
        return models.ReadyModel(pending=[*map(replace_surrogates, status.pending)])

    @router.post("/reload", responses={413: {"model": models.ErrorModel}}, summary="Reload the configuration")
    async def reload_configuration(request: Request) -> models.ReloadedModel:
        """Read the configuration again. If it is invalid (422), the old configuration stays in force."""
        if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
            raise HTTPException(413, "expected no body")
        try:
            await state.reload()
        except ConfigError as error:
            raise HTTPException(422, "; ".join(error.problems)) from None
        return models.ReloadedModel()

    return router
