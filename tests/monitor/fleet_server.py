"""The HTTP application over a fleet that tests fill."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from collectors.service_quotas.known_quotas import KnownQuotas
from monitor.alerting.journal_file import Connect, connect
from monitor.alerting.service import Alerting
from monitor.api.app_state import AppState, EventTiming
from monitor.aws.run_status import RunStatus
from monitor.aws.status import CellStatus, MonitorStatus
from monitor.config.config import Config
from monitor.cost.bills import MetricUse
from monitor.coverage.quota_coverage import Coverage
from monitor.coverage.unwatched_cost import PollIntervals
from monitor.exposition.exposition import Exposition
from monitor.fleet.fan import Fan
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey
from monitor.fleet.outlook import Outlook
from monitor.forecast.forecaster import Forecaster
from monitor.forecast.history import UsageHistory
from monitor.lookback.stored_episodes import NearRun, StoredLookback, stored_episodes
from monitor.notifiers.notice import Notice
from monitor.server.web_app import create_app
from monitor.sizing.peaks import Peaks
from monitor.sizing.recommendations import Recommendation, recommendations
from monitor.topology.path_status import PathStatuses
from monitor.what_if.what_if import WhatIf
from rules.arrays import Ints
from tests.monitor.fleet.fleets import ACCOUNT, NOW
from tests.registries import REGISTRY
from tests.telemetries import Telemetries

FAST_EVENTS = EventTiming(check_interval=0.001)


@dataclass(repr=False)  # asyncio.Runner formats each fixture's result, and nobody reads that
class Server:
    """The application, over a fleet and a status that the test sets.

    on_reload: called at each reload, if set. reload_count: the number of reloads. near_runs, notices: the
    runs and the notices of which `look_back` makes episodes. fans, outlooks: by slot.
    """

    fleet: Fleet = field(default_factory=Fleet)
    status: MonitorStatus = field(default_factory=MonitorStatus)
    on_reload: Callable[[], Awaitable[None]] | None = None
    reload_count: int = 0
    known_quotas: dict[CellKey, KnownQuotas] = field(default_factory=dict)
    signals_off: set[str] = field(default_factory=set)
    near_runs: list[NearRun] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    fans: dict[int, Fan] = field(default_factory=dict)
    outlooks: dict[int, Outlook] = field(default_factory=dict)
    peaks: Peaks = field(default_factory=lambda: Peaks.unknown(1000))
    services_read: dict[CellKey, set[str]] = field(default_factory=dict)  # empty: all services in every cell
    paths: PathStatuses = field(default_factory=PathStatuses)

    def __post_init__(self) -> None:
        self.exposition = Exposition(self.fleet)
        self.forecaster = Forecaster(self.fleet, UsageHistory(), lambda: NOW * 60.0, dict)
        self.telemetry = Telemetries()
        self.app: FastAPI
        self.state: AppState
        self.alerting: Alerting

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        folder: Path,
        connect: Connect = connect,
        fleet: Fleet | None = None,
        event_timing: EventTiming = FAST_EVENTS,
    ) -> AsyncIterator["Server"]:
        """Open a server whose journal is in the folder. fleet: an empty fleet by default."""
        server = cls(fleet or Fleet())
        config = Config(journal=str(folder / "headroom.db"))
        async with Alerting.opened(
            config.alerting_settings(REGISTRY), server.fleet, server.telemetry.process, connect
        ) as server.alerting:
            server.state = AppState(
                registry=REGISTRY,
                fleet=server.fleet,
                exposition=server.exposition,
                telemetry=server.telemetry.process,
                cost=server.telemetry.cost,
                monitor_status=lambda: server.status,
                reload=server.count_reload,
                alerting=server.alerting,
                coverage=server.coverage,
                recommend=server.recommend,
                fan=server.fan,
                outlook=server.outlook,
                look_back=server.look_back,
                what_if=WhatIf(
                    server.fleet,
                    server.exposition,
                    REGISTRY.services,
                    server.forecaster.peaks,
                    lambda: server.paths.shares,
                ),
                poll_interval=lambda: 300.0,
                paths=lambda: server.paths,
                event_timing=event_timing,
            )
            server.app = create_app(server.state)
            yield server

    def coverage(self) -> Coverage:
        cells = self.status.cells or [
            CellStatus(account=key[0], region=key[1], name="", collectors={}, poll=RunStatus())
            for key in self.known_quotas
        ]
        all_services = {(cell.account, cell.region): {*REGISTRY.service_names} for cell in cells}
        return Coverage(
            known=self.known_quotas,
            snapshot=self.exposition.snapshot,
            registry=REGISTRY,
            signals_off=self.signals_off,
            cells=cells,
            services=self.services_read or all_services,
            metrics=MetricUse.of(self.fleet, NOW, self.telemetry.cost.prices),
            intervals=PollIntervals(300.0, 300.0, 300.0),
        )

    async def look_back(self, days: int) -> StoredLookback:
        """Return the episodes of the runs and notices that the test sets."""
        minutes = range(NOW - days * 24 * 60, NOW)
        series_by_id = {
            series.key.id: series for series in self.exposition.snapshot.series.tolist() if series
        }
        episodes = stored_episodes(self.near_runs, self.notices, series_by_id, minutes)
        any_count = len(self.near_runs)  # no test looks at these counts
        return StoredLookback(
            minutes=minutes,
            series=any_count,
            known_days=any_count,
            episodes=episodes,
            unlisted_episode_count=0,
            has_journal=True,
        )

    async def fan(self, slot: int, days: int, days_ahead: int) -> Fan | None:
        """Return a fan that the test sets."""
        return self.fans.get(slot)

    async def outlook(self, slot: int, limit: float, other_limit: float | None) -> Outlook | None:
        """Return an outlook that the test sets."""
        return self.outlooks.get(slot)

    async def recommend(self, slots: Ints) -> list[Recommendation]:
        """Recommend sizes by peaks that the test sets."""
        return recommendations(self.exposition.snapshot, self.peaks, slots)

    async def count_reload(self) -> None:
        self.reload_count += 1
        if self.on_reload:
            await self.on_reload()

    async def publish(self) -> None:
        await self.exposition.publish({ACCOUNT: "production"})


def client_of(server: Server) -> httpx.AsyncClient:
    """Return a client. An exception of the application becomes a response, as over the network."""
    transport = httpx.ASGITransport(server.app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://headroom")


async def json_of(client: httpx.AsyncClient, path: str) -> Any:
    """Return the JSON of a successful response."""
    response = await client.get(path)
    assert response.status_code == 200, response.text
    return response.json()


def error_of(response: httpx.Response) -> str:
    """Return the sentence of an error response."""
    assert response.headers["content-type"] == "application/json"
    assert list(response.json()) == ["error"]
    return str(response.json()["error"])
