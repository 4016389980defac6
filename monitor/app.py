"""The composition root: opens every resource, builds the application and runs its loops."""

import asyncio
import gc
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from functools import partial
from math import inf
from os import environ
from signal import SIGHUP

from fastapi import FastAPI

from collectors.registry import Registry
from monitor.access.service import AccessService
from monitor.alerting.spending import JournalSpending
from monitor.api import stream as stream_api
from monitor.api.app_state import AppState
from monitor.aws.median_clock import MedianClock
from monitor.aws.status import MonitorStatus, ReloadStatus
from monitor.aws.telemetry import AwsTelemetry
from monitor.config.config import Config
from monitor.cost.bills import MetricUse
from monitor.cost.telemetry import CostTelemetry
from monitor.coverage.quota_coverage import Coverage
from monitor.coverage.telemetry import CoverageTelemetry
from monitor.coverage.unwatched_cost import PollIntervals
from monitor.exposition.exposition import Exposition
from monitor.fleet.judge import judge_in_parts
from monitor.fleet.key import CellKey
from monitor.fleet.limits import LimitVerifier
from monitor.fleet.snapshot import Snapshot
from monitor.forecast.forecaster import Forecaster
from monitor.forecast.past_reader import CellReaders
from monitor.forecast.peaks import recommend
from monitor.forecast.series_forecasts import fan_of, outlook_of
from monitor.forecast.stored_lookback import stored_lookback
from monitor.http.connection_limiter import ConnectionLimiter, raise_file_limit
from monitor.http.tracing import TraceMiddleware
from monitor.lib.garbage import freeze_when_grown
from monitor.lib.malloc import return_free_memory
from monitor.lib.schedule import Schedule, repeat, run_guarded
from monitor.lib.service_manager import ServiceManager, state_notifications
from monitor.lib.signals import set_on_signals, stopped_by_signals
from monitor.lib.timed_loop import observe_turns
from monitor.planning.telemetry import PlanTelemetry
from monitor.polling.counted_budget import budget_of
from monitor.polling.discovered_series import DiscoveredSeries
from monitor.polling.metric_points import MetricPointReader
from monitor.polling.watcher import Watcher
from monitor.resources import Resources
from monitor.schema.problems import ConfigError
from monitor.server.listener import HttpServer, bind_socket, bound_address
from monitor.server.options import DEFAULT_SERVER, ServerOptions, server_config
from monitor.server.web_app import create_app
from monitor.stream import firehose
from monitor.stream.declared_metrics import DeclaredMetrics
from monitor.stream.discovery import Discovery
from monitor.stream.firehose_access import FirehoseAccess
from monitor.stream.ingest import Ingest, IngestOptions
from monitor.stream.telemetry import StreamTelemetry
from monitor.topology.path_monitor import UPDATE_INTERVAL, PathMonitor
from monitor.web.error_pages import error_page
from monitor.what_if.what_if import WhatIf

log = logging.getLogger(__name__)

MIN_JUDGEMENT_PAUSE = 1.0  # seconds between two judgements of points as they arrive
MAX_JUDGEMENT_AGE = 65.0  # seconds; then the fleet is judged even without new points, as samples become stale
JUDGEMENT_PAUSE_FACTOR = 4  # the pause lasts this many times as long as the judgement before it
PUSH_START_TIMEOUT = 120.0  # seconds that pushing waits for the first full poll
COVERAGE_SCHEDULE = Schedule("coverage", 300.0)  # exports the coverage; the API computes it anew
DELAYS_SCHEDULE = Schedule("planned delays", 60.0)  # plans change once a minute
PATHS_SCHEDULE = Schedule("paths", UPDATE_INTERVAL)
FIRST_JUDGEMENT = "the first judgement"  # pending in the status, once everything was read until it is judged


class App:
    """One running Headroom; open one by `App.opened`.

    judged: set after the first judgement that follows the first full poll of every cell. web: the HTTP
    application. watcher: for the current configuration; a reload replaces it. forecaster: forecasts
    when the series of the fleet will reach their limits. paths: the request paths.
    """

    def __init__(
        self,
        config: Config,
        registry: Registry,
        read_config: Callable[[], Config],
        resources: Resources,
        server: ServerOptions = DEFAULT_SERVER,
    ) -> None:
        self.config, self._registry, self._read_config = config, registry, read_config
        self._server = server
        self.fleet, self.telemetry = resources.fleet, resources.telemetry
        self.alerting, self._push, self._clients = resources.alerting, resources.push, resources.clients
        self._known_accounts = resources.known_accounts
        metrics = self.telemetry.registry
        aws = self._aws_telemetry = AwsTelemetry(metrics)
        stream_telemetry = StreamTelemetry(metrics, aws.points)
        self._coverage_telemetry = CoverageTelemetry(metrics)
        self._set_up_costs(stream_telemetry)
        self._clock = MedianClock(lambda: (cell.cell.clock for cell in self.watcher.cells.values()))
        self.ingest = Ingest(
            self.fleet,
            lambda: DeclaredMetrics.of(registry.collectors),
            stream_telemetry,
            Discovery(self._request_inventory, self._may_discover),
            IngestOptions(clock=self._clock.now),
        )
        self.forecaster = Forecaster(self.fleet, resources.history, self._clock.now, self._readers)
        self._exposition, self._plan_telemetry = Exposition(self.fleet), PlanTelemetry(metrics)
        self.paths = self._build_paths(config)
        self._limit_verifier = LimitVerifier(self._request_inventory)
        self._access = AccessService(
            config.access_settings(), self.telemetry, exempt_paths=(firehose.FIREHOSE_PATH,)
        )
        self._has_judged_data, self._frozen_series_count = False, 0
        self._judged_at, self._judged_status = -inf, MonitorStatus()
        self._push_deadline = time.monotonic() + PUSH_START_TIMEOUT
        self._stopping = asyncio.Event()  # ends the streams of open pages
        self.judged, self._reloaded, self._reload_lock = asyncio.Event(), asyncio.Event(), asyncio.Lock()
        self._last_reload: ReloadStatus | None = None
        self._connections = ConnectionLimiter(metrics)
        self.fleet.set_bounds(registry.bounds)
        self.watcher = self._build_watcher(config, {})
        self._push.configure(config.push)
        self.fleet.set_stream_gap(config.stream.gap_minutes)
        self.web = self._build_web()

    def _set_up_costs(self, stream: StreamTelemetry) -> None:
        """Set up the counters of all costs, and the budget to which they are charged."""
        aws = self._aws_telemetry
        self._cost = CostTelemetry(self.telemetry.registry, aws, stream.updates)
        self._cost.set_prices(self.config.price_table)
        self._budget = budget_of(aws, JournalSpending(self.alerting.journal))

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        config: Config,
        registry: Registry,
        read_config: Callable[[], Config],
        server: ServerOptions = DEFAULT_SERVER,
    ) -> AsyncIterator["App"]:
        """Open all resources and build an App of them; close them in the end.

        registry: the known services. read_config: reads the configuration again for a reload, or raises
        ConfigError; it may block.
        Raises JournalError when the journal cannot be used, ValueError when the certificate cannot.
        """
        async with Resources.opened(config, registry) as resources:
            app = cls(config, registry, read_config, resources, server)
            with closing(app.ingest):
                yield app

    def _build_paths(self, config: Config) -> PathMonitor:
        reader = MetricPointReader(self.fleet, self._readers)
        paths = PathMonitor(self.fleet, reader, self._clock.now, self._account_names, self.telemetry.registry)
        paths.configure(config.request_paths)
        return paths

    def _build_watcher(self, config: Config, inherited: Mapping[CellKey, DiscoveredSeries]) -> Watcher:
        return Watcher(
            config,
            self._registry,
            self.fleet,
            self.telemetry,
            self._aws_telemetry,
            inherited=inherited,
            polled=self.ingest.has_new_points,  # points of a poll are judged like those of a stream
            clients=self._clients,
            alerting=self.alerting.engine.active_slots,
            budget=self._budget,
            known_accounts=self._known_accounts,
        )

    def _build_web(self) -> FastAPI:
        def snapshot() -> Snapshot:
            return self._exposition.snapshot

        services, peaks = self._registry.services, self.forecaster.peaks
        state = AppState(
            registry=self._registry,
            fleet=self.fleet,
            exposition=self._exposition,
            telemetry=self.telemetry,
            cost=self._cost,
            monitor_status=self.status,
            reload=self.reload,
            alerting=self.alerting,
            coverage=self.coverage,
            recommend=partial(recommend, self.forecaster.recorder, snapshot),
            fan=partial(fan_of, self.forecaster.recorder),
            outlook=partial(outlook_of, self.forecaster.recorder),
            look_back=partial(stored_lookback, self.forecaster.recorder, snapshot, self.alerting.journal),
            what_if=WhatIf(self.fleet, self._exposition, services, peaks, lambda: self.paths.statuses.shares),
            poll_interval=lambda: self.config.interval,
            paths=lambda: self.paths.statuses,
            budget=self._budget,
            stopping=self._stopping,
        )
        web = create_app(state)
        timeout = self._server.delivery_timeout
        web.include_router(firehose.firehose_router(self.ingest, self._delivery_access, timeout))
        web.include_router(stream_api.stream_router(self.ingest.dead_letters))
        self._access.add_middleware(web, error_page)
        if self.config.tracing:
            web.add_middleware(TraceMiddleware, tracer=self.telemetry.tracer)
        return web

    def _build_server(self) -> HttpServer:
        config = server_config(self.web, self._server)
        self._access.configure_tls(config)
        return HttpServer(config, self._connections, self._server.connection)

    async def run(
        self, listener: socket.socket, stop: asyncio.Event, reload_requested: asyncio.Event | None = None
    ) -> None:
        """Serve, monitor, judge, notify and push until `stop` is set, or one of the loops fails for good.

        reload_requested: each time it is set, the configuration is reloaded.
        """
        server = self._build_server()
        observe_turns(self.telemetry.loop_lag.observe)
        loops = (
            self._monitor(),
            self._judge_arrivals(),
            self._reload_on_request(reload_requested or asyncio.Event()),
            self.alerting.run(),
            self._push.run(),
            self.forecaster.run(),
            *self._access.loops(),
        )
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve([listener]), name="server")
            others = [group.create_task(loop) for loop in (*loops, stop.wait())]
            await asyncio.wait([serving, *others], return_when=asyncio.FIRST_COMPLETED)
            self._stopping.set()
            server.should_exit = True
            for task in others:
                task.cancel()

    async def _monitor(self) -> None:
        """Run the watcher and the regular judgements; restart them after each reload."""
        while True:
            self._reloaded.clear()
            interval = self.config.judge_interval
            repeated = (
                (Schedule("judge", interval), self._judge_changes),
                (DELAYS_SCHEDULE, self._export_planned_delays),
                (COVERAGE_SCHEDULE, self._export_coverage),
                (PATHS_SCHEDULE, lambda: self.paths.update(is_ready=self.may_push())),
            )
            async with asyncio.TaskGroup() as loops:
                tasks = [
                    loops.create_task(self.watcher.run(), name="watcher"),
                    loops.create_task(self._judge_first_poll(interval), name="first judgement"),
                    *(
                        loops.create_task(repeat(schedule.name, schedule, call, self.telemetry))
                        for schedule, call in repeated
                    ),
                ]
                await self._reloaded.wait()
                for task in tasks:
                    task.cancel()

    async def _judge_first_poll(self, retry_interval: float) -> None:
        """Judge as soon as every cell had its first full poll, and then set `judged`."""
        await self.watcher.complete.wait()
        async for _ in Schedule("first judgement", retry_interval).ticks():
            if await self._judge_guarded("first judgement"):
                break
        self.judged.set()
        await asyncio.to_thread(return_free_memory)  # the first responses, with hours of points, are freed

    async def _judge_arrivals(self) -> None:
        """Judge points as they arrive, at most once a second and for at most a fifth of the time."""
        while True:
            await self.ingest.has_new_points.wait()
            self.ingest.has_new_points.clear()
            start = time.monotonic()
            await self._judge_guarded("arrivals")
            await asyncio.sleep(max(MIN_JUDGEMENT_PAUSE, JUDGEMENT_PAUSE_FACTOR * (time.monotonic() - start)))

    async def _judge_changes(self) -> None:
        """Judge the fleet if the status changed since the last judgement, or the last judgement is too old.

        New samples are judged as they arrive.
        """
        is_outdated = time.monotonic() - self._judged_at >= MAX_JUDGEMENT_AGE
        if is_outdated or self.status().without_clock != self._judged_status:
            await self.judge()

    def _judge_guarded(self, name: str) -> Awaitable[bool]:
        return run_guarded("judge", name, self.judge, self.telemetry)

    async def judge(self) -> None:
        """Judge the fleet, process its alerts, push new samples and publish the exposition.

        Series that were not read yet are stale and raise no alert, so no cell or service waits for another.
        """
        await self.ingest.write_early()
        self._frozen_series_count = freeze_when_grown(len(self.fleet), self._frozen_series_count)
        now, started = int(self._clock.now() // 60), time.monotonic()
        for _ in judge_in_parts(self.fleet, now):
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        await self.forecaster.follow_judgement()
        self._limit_verifier.request_scans(self.fleet, now)
        self._clock.check()
        status = self.status()
        names = {cell.account: cell.name or cell.account for cell in status.cells}
        await self.alerting.process(status, names)
        if self.may_push():
            self._push.enqueue_new_samples()
        self._aws_telemetry.set_accounts_up(status.accounts_up)
        await asyncio.sleep(0)
        await self._exposition.publish(names, self.alerting.engine.active_alerts())
        self._has_judged_data |= status.has_data
        self._judged_at, self._judged_status = started, status.without_clock

    def may_push(self) -> bool:
        """Return true if every series was read once, or PUSH_START_TIMEOUT has passed since the start.

        A database rejects a sample that is an hour older than its newest sample. So if one series is read
        later than the others, its last hours must not be pushed after the newest minute of the others.
        """
        was_read = self.judged.is_set() or self.watcher.complete.is_set()
        return was_read or time.monotonic() >= self._push_deadline

    async def _export_planned_delays(self) -> None:
        """Export the planned delays: how late samples may be read."""
        self._plan_telemetry.show(self.fleet, self.config.interval)

    async def _export_coverage(self) -> None:
        """Export how many quotas are watched, and how many are not."""
        quotas = await asyncio.to_thread(lambda coverage: [*coverage.quotas()], self.coverage())
        self._coverage_telemetry.count(quotas)

    def coverage(self) -> Coverage:
        """Return the coverage of quotas, computed from copies of the present data."""
        return Coverage(
            known=self.watcher.known_quotas(),
            snapshot=self._exposition.snapshot,
            registry=self._registry,
            signals_off={*self.watcher.signals_off},
            cells=self.watcher.cell_statuses(),
            services={key: watcher.services for key, watcher in self.watcher.cells.items()},
            metrics=MetricUse.of(self.fleet, int(self._clock.now() // 60), self._cost.prices),
            intervals=PollIntervals(
                self.config.interval,
                max(self.config.interval, self.config.max_interval),
                self.config.longest_throttled_interval,
            ),
        )

    def status(self) -> MonitorStatus:
        """Return a copy of the status of monitoring: cells, accounts, clock and reloads."""
        return MonitorStatus(
            cells=self.watcher.cell_statuses(),
            accounts=self.watcher.account_statuses(),
            inaccessible_accounts=dict(self.watcher.inaccessible_accounts),
            organizations=self.watcher.members.statuses(),
            departed_accounts=dict(self.watcher.members.departed),
            pending=self.watcher.pending() or ([] if self.judged.is_set() else [FIRST_JUDGEMENT]),
            clock=replace(self._clock.status),
            is_judged=self._has_judged_data,
            has_data=self._has_data(),
            signals_off=self.watcher.signals_off,
            last_reload=self._last_reload,
        )

    def _has_data(self) -> bool:
        """Return whether an inventory has succeeded or any series has a sample."""
        runs = (run for cell in self.watcher.cells.values() for run in cell.inventory.statuses.values())
        return any(run.succeeded_at for run in runs) or bool(
            (self.fleet.minute[: self.fleet.size] >= 0).any()
        )

    def _account_names(self) -> Mapping[str, str]:
        return self._exposition.snapshot.account_names

    def _readers(self) -> CellReaders:
        return {key: watcher.reader for key, watcher in self.watcher.cells.items()}

    def _delivery_access(self) -> FirehoseAccess:
        return self.config.stream.access(environ)

    def _may_discover(self, cell: CellKey, service: str) -> bool:
        return self.watcher.may_discover(cell, service)

    def _request_inventory(self, cell: CellKey, service: str) -> None:
        self.watcher.request_inventory(cell, service)

    async def _reload_on_request(self, requested: asyncio.Event) -> None:
        while True:
            await requested.wait()
            requested.clear()
            with suppress(ConfigError):  # logged and counted by `reload`
                await self.reload()

    async def reload(self) -> None:
        """Read the configuration again and use it from now on.

        Raises ConfigError when it is invalid; then the old configuration stays in force.
        """
        async with self._reload_lock:
            try:
                config = await asyncio.to_thread(self._read_config)
                self._access.validate(config.access_settings())
            except ConfigError as error:
                self.telemetry.reloads.labels("refused").inc()
                self._last_reload = ReloadStatus(at=time.time(), error=str(error))
                log.error("the new configuration is invalid, the old one stays in force: %s", error)
                raise
            await self._configure(config)
            self._last_reload = ReloadStatus(at=time.time())
            self.telemetry.reloads.labels("done").inc()
            log.info("the configuration was reloaded")

    async def _configure(self, config: Config) -> None:
        for name in ("listen", "journal", "tracing"):
            if getattr(config, name) != getattr(self.config, name):
                log.warning("`%s` changed: it takes effect at the next start", name)
        self.config = config
        self.alerting.configure(config.alerting_settings(self._registry))
        self._push.configure(config.push)
        await self._access.configure(config.access_settings())
        self.fleet.set_stream_gap(config.stream.gap_minutes)
        self._cost.set_prices(config.price_table)
        self.paths.configure(config.request_paths)
        self.watcher = self._build_watcher(config, self.watcher.discovered())
        self._reloaded.set()


async def serve(config: Config, registry: Registry, read_config: Callable[[], Config]) -> None:
    """Run until SIGINT or SIGTERM; SIGHUP reloads. Raises OSError when the address cannot be bound."""
    raise_file_limit()
    gc.freeze()  # so that collections do not block the event loop
    listener = bind_socket(*config.listen_address)
    stop, reload_requested = stopped_by_signals(), set_on_signals(asyncio.Event(), SIGHUP)
    async with App.opened(config, registry, read_config) as app:
        log.info(status := f"listening on {'https' if config.tls else 'http'}://{bound_address(listener)}")
        async with state_notifications(ServiceManager.of(environ), status, stop):
            await app.run(listener, stop, reload_requested)
    log.info("stopped")
