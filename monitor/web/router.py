"""The pages' addresses, and what each of them is made of."""

import asyncio
import time
from collections.abc import Callable, Hashable
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response

from monitor.query import by_id
from monitor.web import cost, overview, unseen
from monitor.web.actions import Forms, actions_router
from monitor.web.alarms import firing
from monitor.web.detail import detail
from monitor.web.failures import PageRoute
from monitor.web.filters import Filters
from monitor.web.kept import Kept
from monitor.web.live import live_router
from monitor.web.shell import assets, render

if TYPE_CHECKING:
    from monitor.api import State

ALERTS_SHOWN = 6  # on the overview
HISTORY = 100
CELLS_SHOWN = 200
PENDING_SHOWN = 100
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


def web_router(state: "State") -> APIRouter:
    """The pages, their assets, their forms' targets and their live updates."""
    router = APIRouter(include_in_schema=False, route_class=PageRoute)
    _pages(router, cache(partial(Site, state)))

    @router.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in assets():
            raise HTTPException(404, f"there is no {name} here")
        body, media_type = assets()[name]
        return Response(body, media_type=media_type, headers=FOREVER)

    router.include_router(actions_router(state.alerting.alarm))
    router.include_router(live_router(lambda: state.exposition.snapshot, state.stopping))
    return router


def _pages(router: APIRouter, site_with: "Callable[[Forms], Site]") -> None:
    plain = {"/cost": Site.cost, "/blind": Site.blind, "/status": Site.status, "/alerts": Site.alerts}

    @router.get("/")
    async def overview(request: Request, filters: Annotated[Filters, Query()]) -> Response:
        site = site_with(Forms.of(request))
        made = await site.kept.get(filters.url(page=filters.page), partial(site.overview, filters))
        return made.answer(request)

    @router.get("/series/{id}")
    async def series(id: str, request: Request) -> Response:
        site = site_with(Forms.of(request))
        return (await site.kept.get(f"/series/{id[:64]}", partial(site.series, id))).answer(request)

    @router.get("/cost")
    @router.get("/blind")
    @router.get("/status")
    @router.get("/alerts")
    async def page(request: Request) -> Response:
        site, path = site_with(Forms.of(request)), request.url.path
        return (await site.kept.get(path, partial(plain[path], site))).answer(request)


class Site:
    """What the pages with some forms are made of, each by a method that renders it."""

    def __init__(self, state: "State", forms: Forms) -> None:
        self._state, self._alarm, self._forms = state, state.alerting.alarm, forms
        self._seen, self._judgements = state.exposition.snapshot, 0
        self.kept = Kept(self._stamp)

    def _stamp(self) -> Hashable:
        """Another one after each judgement, and whenever somebody says something of alerts."""
        if self._seen is not self._state.exposition.snapshot:
            self._seen, self._judgements = self._state.exposition.snapshot, self._judgements + 1
        silences = self._alarm.silences
        return self._judgements, *silences.acks.values(), *silences.mutes

    async def _rendered(self, template: str, here: str, **facts: Any) -> bytes:
        snapshot = self._state.exposition.snapshot
        newest = int(snapshot.minute.max(initial=-1))
        common = {
            "here": here,
            "newest": newest * 60 if newest >= 0 else None,
            "waiting": self._state.told().waited_for,
            "names": snapshot.names,
            "forms": self._forms,
        }
        return await asyncio.to_thread(render, template, **common, **facts)

    async def overview(self, filters: Filters) -> bytes:
        snapshot, told, fleet = self._state.exposition.snapshot, self._state.told(), self._state.fleet
        chosen = await asyncio.to_thread(overview.choose, snapshot, filters, told)
        lines = overview.lines(snapshot, fleet, chosen.places, _minute())
        return await self._rendered(
            "overview.html",
            "/",
            address=filters.url(page=filters.page),
            filters=filters,
            chosen=chosen,
            lines=lines,
            rows=overview.ROWS,
            firing=[
                one for one in await firing(self._alarm) if filters.fit(one.notice.labels, one.notice.zone)
            ],
            alerts_shown=ALERTS_SHOWN,
            troubles=unseen.troubles(told),
        )

    async def series(self, identity: str) -> bytes:
        snapshot, fleet = self._state.exposition.snapshot, self._state.fleet
        found = by_id(snapshot, identity)
        if found is None or found.key not in fleet.series:
            raise HTTPException(404, "that series is not watched: the resource is gone, or was never here")
        history = await self._state.alerting.journal.history(identity, HISTORY)
        facts = detail(snapshot, fleet, found, _minute(), history)
        links = self._alarm.writer.config.links.of(found.key)
        mine = [one for one in await firing(self._alarm) if one.notice.alert == identity]
        return await self._rendered(
            "series.html", "", address=f"/series/{identity}", firing=mine, links=links, **facts
        )

    async def cost(self) -> bytes:
        interval = self._alarm.writer.config.interval
        reads, told = cost.Reads.of(self._state.fleet), cost.measured(self._state.telemetry)
        services, cells = await asyncio.to_thread(cost.bills, reads, told, interval)
        facts = {
            "services": services,
            "cells": cells,
            "total": sum(told.values(), cost.Measured()),
        }
        return await self._rendered("cost.html", "/cost", interval=interval, shown=CELLS_SHOWN, **facts)

    async def blind(self) -> bytes:
        snapshot, troubles = self._state.exposition.snapshot, unseen.troubles(self._state.told())
        causes = await asyncio.to_thread(unseen.causes, snapshot)
        return await self._rendered(
            "blind.html", "/blind", causes=causes, troubles=troubles, shown=CELLS_SHOWN
        )

    async def status(self) -> bytes:
        told, journal = self._state.told(), self._state.alerting.journal
        cells = sorted(told.cells, key=lambda one: (not one.poll.failures, one.name, one.region))
        facts = {"told": told, "cells": cells, "trouble": journal.trouble, "shown": CELLS_SHOWN}
        return await self._rendered("status.html", "/status", series=len(self._state.fleet), **facts)

    async def alerts(self) -> bytes:
        snapshot, alerting = self._state.exposition.snapshot, self._state.alerting
        waiting = [one.place for one in snapshot.alerts if one.state == 1][:PENDING_SHOWN]
        return await self._rendered(
            "alerts.html",
            "/alerts",
            address="/alerts",
            firing=await firing(self._alarm),
            pending=overview.lines(snapshot, self._state.fleet, waiting, _minute()),
            mutes=self._alarm.silences.mutes,
            deliveries=alerting.delivery.standings(),
            unreachable=alerting.reach.unreachable,
            history=await alerting.journal.history(None, HISTORY),
        )


def _minute() -> int:
    return int(time.time() // 60)
