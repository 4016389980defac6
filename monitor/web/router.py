"""The routes of the pages, and the variables of each template."""

import asyncio
import time
from collections.abc import Callable, Hashable
from functools import cache, partial
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from monitor.alerting.firing_alerts import firing_alerts
from monitor.api.app_state import AppState
from monitor.api.cost import read_costs
from monitor.api.paths import find_path
from monitor.api.recommendations import read_recommendations
from monitor.cost.bills import mean_interval
from monitor.cost.telemetry import MeasuredCost
from monitor.coverage.verdicts import CoverageState
from monitor.fleet.pruned import pruned_counts
from monitor.fleet.ring_columns import PRUNED_INTERVAL
from monitor.lib.anchors import runbook_path
from monitor.sizing.totals import SizingTotals
from monitor.web.actions import FormOptions, actions_router
from monitor.web.alert_names import alert_name
from monitor.web.alert_rows import AlertTab
from monitor.web.alerts_page import AlertsPage
from monitor.web.blind_spots import MAX_EXAMPLES, failure_groups, unobservable_variables
from monitor.web.chart_data import DEFAULT_RANGE, RANGES, ChartRange
from monitor.web.coverage_page import (
    CHANGEABLE,
    MAX_UNREAD,
    MEANINGS,
    QUOTAS_PER_PAGE,
    SERVICES_PER_PAGE,
    STATES,
    CoverageParameters,
    CoverageView,
    coverage_page,
    series_url,
)
from monitor.web.form_result import ResultPresenter
from monitor.web.header import PageHeader, header_of
from monitor.web.list_view import WINDOW_ROWS, ListParameters, ListView
from monitor.web.no_data import no_data_reasons
from monitor.web.overview import OverviewSource, whole_heatmap
from monitor.web.page_cache import PageCache
from monitor.web.paths_page import path_cards, path_page, path_url
from monitor.web.runbooks_page import FILE_SUFFIX, runbook_list, runbook_variables
from monitor.web.series_page_source import SeriesPageSource
from monitor.web.series_rows import series_rows
from monitor.web.server_events import events_router
from monitor.web.templating import PAGE_HEADERS, assets, render
from monitor.web.themes import themes_router
from monitor.web.what_if_page import WHAT_IF_PATH, WhatIfPageQuery, answer_variables, question_variables
from monitor.what_if.query import WhatIfQuery
from monitor.what_if.question import QuestionError
from rules.right_size import Advice

MAX_ALERTS_ON_OVERVIEW = 6
MAX_CELLS = MAX_BILLS = MAX_BLIND_SPOTS = 200
MAX_REASONS = 50  # reasons why the flow of a request path is unknown
MAX_EPISODES, MAX_NOTICES = 60, 4  # on the page of the look-back: episodes, and notices of each episode
MAX_ID_LENGTH = 64  # characters of an id or a name in the address of a cached page
RendererFor = Callable[[FormOptions], "PageRenderer"]
ASSET_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}


def web_router(state: AppState) -> APIRouter:
    """Return the routes of the pages, their assets, their forms and their live updates."""
    presenter = ResultPresenter(state.alerting, state.fleet, state.form_tokens)
    router = APIRouter(include_in_schema=False, route_class=presenter.route_class())
    renderer_for = cache(partial(PageRenderer, state))
    _add_pages(router, renderer_for)
    _add_named_pages(router, renderer_for)
    _add_what_if_page(router, renderer_for)
    _add_runbook_pages(router, renderer_for)
    _add_alert_pages(router, renderer_for)

    @router.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in assets():
            raise HTTPException(404, f"{name} does not exist")
        body, media_type = assets()[name]
        return Response(body, media_type=media_type, headers=ASSET_HEADERS)

    router.include_router(themes_router())
    router.include_router(actions_router(state.alerting, state.form_tokens))
    router.include_router(
        events_router(lambda: state.exposition.snapshot, state.stopping, state.event_timing)
    )
    return router


def _add_named_pages(router: APIRouter, renderer_for: RendererFor) -> None:
    """Add the pages of one series and of one request path."""

    @router.get("/series/{id}")
    async def series(id: str, request: Request, range: str = DEFAULT_RANGE.name) -> Response:
        path, chart_range = f"/series/{quote(id[:MAX_ID_LENGTH], safe='')}", RANGES.get(range)
        if chart_range is None:
            return RedirectResponse(path, 307)
        renderer = renderer_for(FormOptions.from_request(request))
        page = await renderer.cache.get(f"{path}?range={range}", partial(renderer.series, id, chart_range))
        return page.response(request)

    @router.get("/paths/{name}")
    async def path(name: str, request: Request) -> Response:
        renderer = renderer_for(FormOptions.from_request(request))
        page = await renderer.cache.get(path_url(name[:MAX_ID_LENGTH]), partial(renderer.paths, name))
        return page.response(request)


def _add_pages(router: APIRouter, renderer_for: RendererFor) -> None:
    """Add the pages whose URLs have no variable part, except those of what-if, alerts and runbooks."""
    renderers = {
        "/cost": PageRenderer.cost,
        "/paths": PageRenderer.paths,
        "/blind": PageRenderer.blind_spots,
        "/status": PageRenderer.status,
        "/map": PageRenderer.map,
    }

    @router.get("/")
    async def overview(request: Request, parameters: Annotated[ListParameters, Query()]) -> Response:
        view = parameters.view
        if not parameters.is_canonical:
            return RedirectResponse(view.url(), 307)
        renderer = renderer_for(FormOptions.from_request(request))
        page = await renderer.cache.get(view.url(), partial(renderer.overview, view))
        return page.response(request)

    @router.get("/coverage")
    async def coverage(request: Request, parameters: Annotated[CoverageParameters, Query()]) -> Response:
        view = parameters.view
        if not parameters.is_canonical:
            return RedirectResponse(view.url(page=view.page), 307)
        renderer = renderer_for(FormOptions.from_request(request))
        page = await renderer.cache.get(view.url(), partial(renderer.coverage, view))
        return page.response(request)

    @router.get("/look-back")
    async def look_back(request: Request, days: Annotated[int, Query(ge=1, le=14)] = 14) -> Response:
        renderer = renderer_for(FormOptions.from_request(request))
        page = await renderer.cache.get(f"/look-back?days={days}", partial(renderer.look_back, days))
        return page.response(request)

    @router.get("/cost")
    @router.get("/paths")
    @router.get("/blind")
    @router.get("/status")
    @router.get("/map")
    async def page(request: Request) -> Response:
        renderer, path = renderer_for(FormOptions.from_request(request)), request.url.path
        return (await renderer.cache.get(path, partial(renderers[path], renderer))).response(request)


def _add_what_if_page(router: APIRouter, renderer_for: RendererFor) -> None:
    @router.get("/what-if")
    async def what_if(request: Request, query: Annotated[WhatIfPageQuery, Query()]) -> Response:
        if query.slider is not None:
            return RedirectResponse(query.canonical.url(WHAT_IF_PATH), 307)
        renderer, asked_query = renderer_for(FormOptions.from_request(request)), query.or_default
        try:
            page = await renderer.cache.get(
                asked_query.url(WHAT_IF_PATH), partial(renderer.what_if, asked_query)
            )
        except QuestionError as error:
            return HTMLResponse(await renderer.what_if_error(asked_query, str(error)), 422, PAGE_HEADERS)
        return page.response(request)


def _add_alert_pages(router: APIRouter, renderer_for: RendererFor) -> None:
    @router.get("/alerts")
    @router.get("/alerts/{name}")
    async def alerts(
        request: Request, name: str = "", alert: Annotated[str | None, Query(max_length=MAX_ID_LENGTH)] = None
    ) -> Response:
        if name not in [*AlertTab] or request.url.path.endswith("/"):
            raise HTTPException(404, f"the page of alerts has no tab {name[:MAX_ID_LENGTH]}")
        renderer, tab = renderer_for(FormOptions.from_request(request)), AlertTab(name)
        alert_id = alert if tab is AlertTab.HISTORY else None
        address = f"{tab.path}?alert={alert_id or ''}"
        return (await renderer.cache.get(address, partial(renderer.alerts, tab, alert_id))).response(request)


def _add_runbook_pages(router: APIRouter, renderer_for: RendererFor) -> None:
    @router.get("/runbooks")
    async def runbooks(request: Request) -> Response:
        renderer = renderer_for(FormOptions.from_request(request))
        return (await renderer.cache.get("/runbooks", renderer.runbooks)).response(request)

    @router.get("/runbooks/{name}")
    async def runbook(name: str, request: Request) -> Response:
        if name.endswith(FILE_SUFFIX):
            return RedirectResponse(runbook_path(quote(name.removesuffix(FILE_SUFFIX), safe="")), 308)
        renderer = renderer_for(FormOptions.from_request(request))
        page = await renderer.cache.get(runbook_path(name[:MAX_ID_LENGTH]), partial(renderer.runbook, name))
        return page.response(request)


class PageRenderer:
    """Renders and caches the pages for clients that get the same forms."""

    def __init__(self, state: AppState, forms: FormOptions) -> None:
        self._state, self._engine, self._forms = state, state.alerting.engine, forms
        self._registry, self._overview = state.registry, OverviewSource(state.search_index)
        self._last_snapshot, self._judgements = state.exposition.snapshot, 0
        self._cached_header: tuple[Hashable, PageHeader] | None = None
        self.cache = PageCache(self._version)

    def _version(self) -> Hashable:
        """Return a value that changes with each judgement, silence, acknowledgement and delivery."""
        if self._last_snapshot is not self._state.exposition.snapshot:
            self._last_snapshot, self._judgements = self._state.exposition.snapshot, self._judgements + 1
        silences = self._engine.silences
        progress = self._state.alerting.delivery.progress
        return self._judgements, progress, *silences.acknowledgements.values(), *silences.stored

    async def _render(self, template: str, current_path: str, **variables: Any) -> bytes:
        snapshot = self._state.exposition.snapshot
        newest = int(snapshot.minute.max(initial=-1))
        common = {
            "current_path": current_path,
            "theme": self._forms.theme,
            "header": self._header(),
            "newest": newest * 60 if newest >= 0 else None,
            "pending_reads": self._state.monitor_status().pending,
            "names": snapshot.account_names,
            "forms": self._forms,
            "service_title": self._registry.title,
            "alert_name": partial(alert_name, registry=self._registry),
            "form_token": self._state.form_tokens.token(),
        }
        return await asyncio.to_thread(render, template, **common, **variables)

    def _header(self) -> PageHeader:
        """Return the header's content, counted once for each version of the pages."""
        version = self._version()
        if self._cached_header is None or self._cached_header[0] != version:
            exposition = self._state.exposition
            firing = sum(alert.firing for alert in self._engine.alerts.values())
            self._cached_header = version, header_of(exposition.snapshot, exposition.published_at, firing)
        return self._cached_header[1]

    async def overview(self, view: ListView) -> bytes:
        """Render the overview."""
        snapshot, status = self._state.exposition.snapshot, self._state.monitor_status()
        content = await asyncio.to_thread(self._overview.content, snapshot, view, status, _minute())
        rows = series_rows(snapshot, self._state.fleet, content.listing.slots, _minute())
        alerts = await firing_alerts(self._engine)
        return await self._render(
            "overview.html",
            "/",
            view=view,
            content=content,
            rows=rows,
            window=WINDOW_ROWS,
            firing=alerts[:MAX_ALERTS_ON_OVERVIEW],
            firing_total=len(alerts),
            failure_groups=failure_groups(status, self._registry),
            no_data_reasons=no_data_reasons(status, self._registry),
            max_reasons=MAX_ALERTS_ON_OVERVIEW,
            nothing="the first reading is under way" if status.pending else "nothing is watched",
        )

    async def map(self) -> bytes:
        """Render the map of all accounts and regions."""
        snapshot, status = self._state.exposition.snapshot, self._state.monitor_status()
        return await self._render(
            "map.html", "", heatmap=await asyncio.to_thread(whole_heatmap, snapshot, status)
        )

    async def series(self, identity: str, chart_range: ChartRange) -> bytes:
        """Render the page of one series. Raises HTTPException (404) for a series that is not in the fleet."""
        variables = await SeriesPageSource(self._state).variables(identity, chart_range, _minute())
        return await self._render("series.html", "", address=f"/series/{identity}", **variables)

    async def coverage(self, view: CoverageView) -> bytes:
        """Render the page of the coverage of quotas."""
        content = await asyncio.to_thread(coverage_page, self._state.coverage(), view)
        return await self._render(
            "coverage.html",
            "/coverage",
            view=view,
            content=content,
            states=STATES,
            meanings=MEANINGS,
            changeable=CHANGEABLE,
            CoverageState=CoverageState,
            series_url=series_url,
            quotas_per_page=QUOTAS_PER_PAGE,
            services_per_page=SERVICES_PER_PAGE,
            max_unread=MAX_UNREAD,
        )

    async def what_if(self, query: WhatIfQuery) -> bytes:
        """Render the page of what-if. Raises QuestionError where the question cannot be answered."""
        answer = await self._state.what_if.answer(query)
        variables = await asyncio.to_thread(answer_variables, answer)
        return await self._render(
            "what_if.html", WHAT_IF_PATH, error="", **variables, **self._question(query)
        )

    async def what_if_error(self, query: WhatIfQuery, sentence: str) -> bytes:
        """Render the page of what-if with the reason why a question cannot be answered."""
        return await self._render(
            "what_if.html", WHAT_IF_PATH, error=sentence, answer=None, **self._question(query)
        )

    def _question(self, query: WhatIfQuery) -> dict[str, Any]:
        path_names = [path.name for path in self._state.paths().items]
        return question_variables(query, self._state.exposition.snapshot, path_names)

    async def cost(self) -> bytes:
        """Render the page of CloudWatch's cost."""
        costs = await read_costs(self._state)
        recommendations = await read_recommendations(self._state)
        changes = [
            recommendation
            for recommendation in recommendations
            if recommendation.advice in (Advice.RAISE, Advice.LOWER)
        ]
        return await self._render(
            "cost.html",
            "/cost",
            costs=costs,
            services=costs.services,
            cells=costs.cells,
            total=sum((bill.measured for bill in costs.cells if bill.is_in_dollars), MeasuredCost()),
            interval=mean_interval(bill.projected for bill in costs.cells),
            saved=sum(stream.saved_dollars for stream in costs.streams),
            sizing=SizingTotals.of(recommendations),
            changes=changes,
            prices=self._state.cost.prices.table,
            partitions=sorted({self._state.cost.prices.partition_of(bill.labels[0]) for bill in costs.cells}),
            max_rows=MAX_BILLS,
            check_interval=PRUNED_INTERVAL * 60,
            pruned=[*pruned_counts(self._state.fleet).items()][:MAX_BILLS],
        )

    async def paths(self, name: str | None = None) -> bytes:
        """Render the page of request paths, with the named path or the first.

        Raises HTTPException (404) for an unknown path.
        """
        snapshot, paths = self._state.exposition.snapshot, self._state.paths()
        shown = find_path(paths, name) if name is not None else next(iter(paths.items), None)
        content = await asyncio.to_thread(path_page, shown, snapshot) if shown else {"path": None}
        return await self._render(
            "paths.html",
            "/paths",
            cards=path_cards(paths.items),
            total=len(paths.items),
            configured=paths.configured_count,
            max_reasons=MAX_REASONS,
            **content,
        )

    async def look_back(self, days: int) -> bytes:
        """Render the page of the episodes of the last days."""
        found, limit = await self._state.look_back(days), self._state.exposition.snapshot.limit
        return await self._render(
            "look_back.html",
            "/look-back",
            found=found,
            days=days,
            peaks=[
                episode.peak(float(limit[episode.series.slot])) for episode in found.episodes[:MAX_EPISODES]
            ],
            max_rows=MAX_EPISODES,
            max_notices=MAX_NOTICES,
        )

    async def blind_spots(self) -> bytes:
        """Render the page of blind spots."""
        snapshot, status = self._state.exposition.snapshot, self._state.monitor_status()
        return await self._render(
            "blind.html",
            "/blind",
            **await asyncio.to_thread(unobservable_variables, snapshot),
            failure_groups=failure_groups(status, self._registry),
            signals_off=status.signals_off,
            has_series=len(snapshot.series) > 0,
            max_groups=MAX_BLIND_SPOTS,
            max_examples=MAX_EXAMPLES,
        )

    async def runbooks(self) -> bytes:
        """Render the list of runbooks."""
        variables = await asyncio.to_thread(runbook_list, self._registry)
        return await self._render("runbooks.html", "", **variables)

    async def runbook(self, name: str) -> bytes:
        """Render a runbook. Raises HTTPException (404) for an unknown name."""
        variables = await asyncio.to_thread(runbook_variables, self._registry, name)
        return await self._render("runbook.html", "", **variables)

    async def status(self) -> bytes:
        """Render the page of Headroom's own status."""
        status, journal = self._state.monitor_status(), self._state.alerting.journal
        return await self._render(
            "status.html",
            "/status",
            status=status,
            cells=sorted(status.cells, key=lambda cell: (not cell.poll.failures, cell.name, cell.region)),
            problem=journal.failure or status.not_ready_reason,
            max_cells=MAX_CELLS,
            series_total=len(self._state.fleet),
            journal=journal,
        )

    async def alerts(self, tab: AlertTab, alert: str | None = None) -> bytes:
        """Render a tab of the page of alerts. alert: the id of the alert whose history is shown, if any."""
        snapshot = self._state.exposition.snapshot
        page = AlertsPage(self._state.alerting, self._state.fleet, snapshot)
        variables = await page.variables(tab, alert)
        address = tab.path + (f"?alert={quote(alert, safe='')}" if alert else "")
        return await self._render("alerts.html", "/alerts", address=address, **variables)


def _minute() -> int:
    """Return the current minute, since the epoch."""
    return int(time.time() // 60)
