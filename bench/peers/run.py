"""A run of one monitor over a fake AWS, and its measurements."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np

from bench.peers.aws import FakeAws
from bench.peers.monitors import INTERVAL, Monitor, environment
from bench.peers.streams import Kind, Streams, Times
from monitor.cost.prices import LIST_PRICES, SECONDS_PER_MONTH
from rules.arrays import Flags
from tests.monitor.serve_process import free_port

SCRAPE_INTERVAL = 15.0  # seconds
IDLE_TIMEOUT = 300.0  # seconds for which Prometheus keeps a connection
UNCOUNTED_AT_END = 300.0  # seconds at the end of the window: events that begin then are not counted
MIB = 2**20
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")  # of CPU time
PAGE_BYTES = os.sysconf("SC_PAGESIZE")


@dataclass(frozen=True)
class Consumption:
    """The amounts that a monitor has consumed since its start.

    at: the time of the measurement, in epoch seconds. cpu: seconds. resident: bytes of memory. calls: of AWS,
    by operation. metrics: the number of requested metrics.
    """

    at: float
    cpu: float
    resident: int
    calls: Counter[str]
    metrics: int


@dataclass
class Run:
    """A run of a monitor over streams.

    begin, end: what the monitor had consumed at the begin and at the end of the measured window. shown_at:
    when /metrics first showed a minute or a later one, [stream, minute]; NaN until then. detected: for each
    kind of event, the time of each scrape, and flags of the streams for which the scrape showed an event of
    this kind.
    """

    monitor: Monitor
    streams: Streams
    aws: FakeAws = field(init=False)
    shown_at: Times = field(init=False)
    detected: dict[Kind, list[tuple[float, Flags]]] = field(init=False)
    begin: Consumption = field(init=False)
    end: Consumption = field(init=False)

    def __post_init__(self) -> None:
        self.aws = FakeAws(self.streams)
        self.shown_at = np.full(self.streams.visible_at.shape, np.nan)
        self.detected = {kind: [] for kind in Kind}

    @property
    def metrics(self) -> int:
        """The number of metrics that were requested in the window."""
        return self.end.metrics - self.begin.metrics

    @property
    def cpu_per_minute(self) -> float:
        """Seconds of CPU time in a minute of the window."""
        return (self.end.cpu - self.begin.cpu) / self._seconds * 60

    @property
    def _seconds(self) -> float:
        return self.end.at - self.begin.at

    @property
    def monthly_dollars(self) -> float:
        """The cost of the requested metrics in US dollars a month."""
        return self.metrics * LIST_PRICES.metric * SECONDS_PER_MONTH / self._seconds

    @property
    def calls_per_minute(self) -> float:
        """Calls of AWS in a minute of the window."""
        return (self.end.calls - self.begin.calls).total() / self._seconds * 60

    def delays(self, chosen: Flags) -> tuple[float, float]:
        """Return the median and the 99th percentile of the seconds until /metrics shows a visible point.

        The seconds begin when AWS shows the point. Only points of the chosen streams are counted, and of them
        only those that became visible in the window, and before all later points of the stream.
        """
        visible = self.streams.visible_at
        is_newest = visible <= np.minimum.accumulate(visible[:, ::-1], axis=1)[:, ::-1]
        last = self.end.at - SCRAPE_INTERVAL
        is_counted = is_newest & chosen[:, None] & (visible >= self.begin.at) & (visible < last)
        took = np.where(np.isnan(self.shown_at), self.end.at, self.shown_at)[is_counted] - visible[is_counted]
        if not took.size:
            return float("nan"), float("nan")
        return float(np.percentile(took, 50)), float(np.percentile(took, 99))

    def detection(self, kind: Kind) -> tuple[int, float, float]:
        """Return the number of events of a kind in the window, and the delays until /metrics shows them.

        A delay begins when AWS first shows the event. Of the delays, the median and the 99th percentile are
        returned, in seconds.
        """
        last, took = self.end.at - UNCOUNTED_AT_END, []
        for stream, at in self.streams.beginnings(kind):
            if self.begin.at <= at < last:
                scrapes = self.detected[kind]
                shown_at = (scraped for scraped, flags in scrapes if scraped >= at and flags[stream])
                took.append(next(shown_at, self.end.at) - at)
        if not took:
            return 0, float("nan"), float("nan")
        return len(took), float(np.percentile(took, 50)), float(np.percentile(took, 99))

    @asynccontextmanager
    async def running(self, folder: Path) -> AsyncIterator[int]:
        """Run the monitor and its fake AWS, and scrape the monitor; yield the id of its process."""
        port = free_port()
        config, log = folder / "config.yaml", folder / "log"
        config.write_text(self.monitor.config(port, folder))
        async with self.aws.serving() as url:
            with log.open("wb") as output:
                process = await asyncio.create_subprocess_exec(
                    *self.monitor.command(config, port),
                    cwd=folder,
                    env=environment(url),
                    stdout=output,
                    stderr=output,
                )
            scraping = asyncio.create_task(self._scrape(port))
            try:
                yield process.pid
                if process.returncode is not None:
                    raise SystemExit(f"{self.monitor.name} ended:\n{log.read_text()[-2000:]}")
            finally:
                scraping.cancel()
                if process.returncode is None:
                    process.kill()
                await process.wait()

    async def _scrape(self, port: int) -> None:
        """Scrape as Prometheus does, but every INTERVAL if the monitor reads AWS at each scrape."""
        interval = INTERVAL if self.monitor.scrapes_on_request else SCRAPE_INTERVAL
        connector = aiohttp.TCPConnector(keepalive_timeout=IDLE_TIMEOUT)
        async with aiohttp.ClientSession(connector=connector) as client:
            while True:
                with suppress(aiohttp.ClientError, TimeoutError):  # while the monitor does not listen yet
                    async with client.get(f"http://127.0.0.1:{port}/metrics") as response:
                        self._record(await response.text(), time.time())
                await asyncio.sleep(interval - time.time() % interval)

    def _record(self, text: str, now: float) -> None:
        """Record which minutes and events a scrape shows. text: the body of /metrics."""
        for stream, stamp in self.monitor.newest.findall(text):
            row = self.streams.numbers[stream]
            minute = int(float(stamp) / self.monitor.time_scale // 60) - self.streams.first
            shown = self.shown_at[row, : minute + 1]
            shown[np.isnan(shown)] = now
        for kind, (pattern, least) in self.monitor.detects.items():
            flags = np.zeros(len(self.streams.names), np.bool_)
            for stream, value in pattern.findall(text):
                flags[self.streams.numbers[stream]] = float(value) >= least
            self.detected[kind].append((now, flags))

    def consumption(self, pid: int) -> Consumption:
        """Return what the monitor has consumed since its start. pid: of its process."""
        cpu, resident = process_use(pid)
        return Consumption(time.time(), cpu, resident, Counter(self.aws.calls), self.aws.metrics_requested)


def process_use(pid: int) -> tuple[float, int]:
    """Return the CPU time of a process so far in seconds, and its resident memory in bytes."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    return (int(stat[11]) + int(stat[12])) / TICKS_PER_SECOND, resident
