"""The composition root: one fleet, what watches it, what judges it and what tells of it, as sibling tasks."""

import asyncio
import gc
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from os import environ
from pathlib import Path
from typing import NamedTuple

import uvicorn
from fastapi import FastAPI

from monitor.access.entrance import Entrance
from monitor.alerting.alerting import Alerting
from monitor.api import State, create_app
from monitor.config import Config
from monitor.config_errors import ConfigError
from monitor.connection import LARGEST_HEAD, Connection
from monitor.exposition import Exposition
from monitor.fleet import CellKey, Fleet
from monitor.judge import judge
from monitor.push.push import Push
from monitor.schedule import repeat
from monitor.status import CellStatus, Reload, Told
from monitor.stream import api as stream_api
from monitor.stream import firehose
from monitor.stream.ingest import Ingest
from monitor.stream.telemetry import StreamTelemetry
from monitor.telemetry import Telemetry
from monitor.watch import Watch

log = logging.getLogger(__name__)

STOPPING = 1  # seconds that open requests get when the process is told to stop
BACKLOG = 128
STREAMED = 1.0  # seconds between two judgements of what a stream brings


class Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: when to stop is for the composition root to say."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bound(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError when the address is in use, or not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited: small answers leave at once
    return listening


class Telling(NamedTuple):
    """What tells the world outside: alerts to receivers, samples to where they are pushed."""

    alerting: Alerting
    push: Push

    def configure(self, config: Config) -> None:
        self.alerting.configure(config)
        self.push.configure(config.push)


class App:
    """One running Headroom. `reread` gives the configuration anew, or raises ConfigError; it may block."""

    def __init__(self, config: Config, reread: Callable[[], Config]) -> None:
        self.config, self._reread = config, reread
        self.fleet, self.telemetry = Fleet(), Telemetry()
        self.watch = Watch(config, self.fleet, self.telemetry)
        self.exposition = Exposition(self.fleet)
        self.ingest = Ingest(self.fleet, StreamTelemetry(self.telemetry), self._look_again)
        self.fleet.rings.lull = config.stream.lull
        self._entrance = Entrance(config, self.telemetry)
        self.judged = asyncio.Event()  # once every cell had its first full read and was judged
        self.hangup = asyncio.Event()  # set it to have the configuration reloaded
        self._stopping = asyncio.Event()  # has open pages end
        self._reloaded = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._last_reload: Reload | None = None

    async def run(self, listening: socket.socket, stop: asyncio.Event) -> None:
        """Serve, watch, judge and tell until `stop` is set, or a part of it fails for good.

        Raises JournalError when the journal is not ours to use.
        """
        registry, journal = self.telemetry.registry, Path(self.config.journal)
        async with (
            Alerting.opened(self.config, self.fleet, registry) as alerting,
            Push.opened(journal, self.fleet, alerting.client, registry) as push,
        ):
            push.configure(self.config.push)
            telling = Telling(alerting, push)
            with closing(self.ingest):
                await self._run(self._server(self.web(telling)), listening, telling, stop)

    def web(self, telling: Telling) -> FastAPI:
        """All that the server answers."""
        web = create_app(self._state(telling))
        web.include_router(firehose.create_router(self.ingest, self._allowed, self._knows_series))
        web.include_router(stream_api.create_router(self.ingest))
        self._entrance.guard(web)
        return web

    def _server(self, web: FastAPI) -> Server:
        config = uvicorn.Config(
            web,
            http=Connection,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # who is connected counts, not who a header says is
            timeout_graceful_shutdown=STOPPING,
        )
        self._entrance.secure(config)
        return Server(config)

    async def _run(
        self, server: Server, listening: socket.socket, telling: Telling, stop: asyncio.Event
    ) -> None:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve([listening]), name="server")
            own = self._work(telling), self._reload_when_told(telling), self._judge_when_streamed(telling)
            loops = *own, telling.alerting.run(), telling.push.run(), *self._entrance.loops()
            others = [group.create_task(one) for one in (*loops, stop.wait())]
            await asyncio.wait([serving, *others], return_when=asyncio.FIRST_COMPLETED)
            self._stopping.set()
            server.should_exit = True
            for task in others:
                task.cancel()

    async def _work(self, telling: Telling) -> None:
        """Watch and judge; anew after each reload."""
        judging = partial(self.judge, telling)
        while True:
            self._reloaded.clear()
            async with asyncio.TaskGroup() as loops:
                tasks = [
                    loops.create_task(self.watch.run(), name="watch"),
                    loops.create_task(self._judge_when_read(telling), name="first judgement"),
                    loops.create_task(
                        repeat("judge", "judge", self.config.judge_interval, judging, self.telemetry)
                    ),
                ]
                await self._reloaded.wait()
                for task in tasks:
                    task.cancel()

    async def _reload_when_told(self, telling: Telling) -> None:
        while True:
            await self.hangup.wait()
            self.hangup.clear()
            with suppress(ConfigError):  # said and counted by `reload`
                await self.reload(telling)

    async def _judge_when_read(self, telling: Telling) -> None:
        await self.watch.complete.wait()
        await self.judge(telling)
        if not self.judged.is_set():
            gc.collect()
            gc.freeze()  # what is here now stays: looking through it again and again would hold up the loop
        self.judged.set()

    async def _judge_when_streamed(self, telling: Telling) -> None:
        """What a stream brings is judged as it comes, at most once a second."""
        while True:
            await self.ingest.arrived.wait()
            self.ingest.arrived.clear()
            if self.judged.is_set():
                await self.judge(telling)
            await asyncio.sleep(STREAMED)

    async def judge(self, telling: Telling) -> None:
        """Judge the fleet as it is, tell of its alerts once all was read, and publish it."""
        judge(self.fleet, int(time.time() // 60))
        told = self.told()
        names = {cell.account: cell.name or cell.account for cell in told.cells}
        if self.judged.is_set() or self.watch.complete.is_set():
            await telling.alerting.alarm.turn(told, names)
            telling.push.judged()
        await self.exposition.publish(names, telling.alerting.alarm.active())

    def told(self) -> Told:
        """How the watching fares, as it is now."""
        cells = [
            CellStatus(
                account=cell.cell.account,
                region=cell.cell.region,
                name=cell.inventory.account_name,
                collectors={name: replace(one) for name, one in cell.inventory.outcomes.items()},
                poll=replace(cell.poll),
            )
            for cell in self.watch.cells.values()
        ]
        return Told(
            cells=cells,
            shut=dict(self.watch.shut),
            waited_for=self.watch.waited_for(),
            judged=self.judged.is_set(),
            last_reload=self._last_reload,
        )

    def _allowed(self) -> firehose.Allowed:
        return self.config.stream.allowed(environ)

    def _knows_series(self) -> bool:
        return self.judged.is_set() or not self.watch.waited_for()

    def _look_again(self, cell: CellKey, service: str) -> None:
        self.watch.look_again(cell, service)

    def _state(self, telling: Telling) -> State:
        return State(
            fleet=self.fleet,
            exposition=self.exposition,
            telemetry=self.telemetry,
            told=self.told,
            reload=partial(self.reload, telling),
            alerting=telling.alerting,
            stopping=self._stopping,
        )

    async def reload(self, telling: Telling) -> None:
        """Take a new configuration into use; a wrong one raises ConfigError, and changes nothing."""
        async with self._reloading:
            try:
                config = await asyncio.to_thread(self._reread)
                self._entrance.check(config)
            except ConfigError as error:
                self.telemetry.reloads.labels("refused").inc()
                self._last_reload = Reload(at=time.time(), error=str(error))
                log.error("the new configuration is refused, the old one stays in force: %s", error)
                raise
            for name in ("listen", "journal"):
                if getattr(config, name) != getattr(self.config, name):
                    log.warning("`%s` changed: it takes effect at the next start", name)
            self.config = config
            telling.configure(config)
            await self._entrance.configure(config)
            self.fleet.rings.lull = config.stream.lull
            self.watch = Watch(config, self.fleet, self.telemetry, self.watch.found())
            self._reloaded.set()
            self._last_reload = Reload(at=time.time())
            self.telemetry.reloads.labels("done").inc()
            log.info("the configuration is reloaded")


def stopped_by_signals() -> asyncio.Event:
    """An event of the running loop that SIGINT and SIGTERM set. It must come before any server's start."""
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    return stop


async def serve(config: Config, reread: Callable[[], Config]) -> None:
    """Run until SIGINT or SIGTERM; SIGHUP reloads. Raises OSError when the address cannot be listened on."""
    listening = bound(*config.address)
    stop = stopped_by_signals()
    app = App(config, reread)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, app.hangup.set)
    log.info("listening on %s://%s", "https" if config.tls else "http", config.listen)
    await app.run(listening, stop)
    log.info("stopped")
