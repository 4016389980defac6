"""Reads past days of what is configured: an inventory first, which tells the price, then the metrics."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

import numpy as np

from collectors.registry import Registry
from collectors.usage import SUMMED_STATISTICS
from monitor.aws.failure import Failure
from monitor.aws.telemetry import AwsTelemetry
from monitor.config.config import Config
from monitor.cost.telemetry import CostTelemetry, MeasuredCost
from monitor.fleet.columns import Ints
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.key import CellKey, ServiceKey
from monitor.fleet.metric_query import statistic
from monitor.lib.errors import HeadroomError
from monitor.lib.telemetry import ProcessTelemetry
from monitor.lookback.sample_file import SampleFile
from monitor.polling.history_reader import PAST_POINTS_PER_SECOND, HistoryReader
from monitor.polling.metric_owners import MetricOwners
from monitor.polling.metric_source import MetricSource
from monitor.polling.watcher import Watcher
from monitor.report.cost_estimate import rows_of_metrics
from monitor.report.failed_reads import FailedReads, failed_reads
from monitor.report.retention import KEPT_DAYS
from monitor.report.scan import requested_failures, series_filter
from monitor.schema.selector import Location, Selector

MINUTES_PER_DAY = 24 * 60
ALIGNMENT = 15  # minutes: the past begins and ends with a quarter of an hour, as forecasts need them whole
SETTLED_AFTER = 15  # minutes until nearly all points have come
MAX_READ_MINUTES = 120  # for reading all: points that CloudWatch would drop before that are left out


class PastUnreadableError(HeadroomError):
    """Past samples cannot be kept."""


def step_of(days: int) -> int:
    """Return the minutes between two points that CloudWatch still has of so many days."""
    return next(step for step, kept in KEPT_DAYS.items() if days <= kept)


def minutes_of(days: int, now: int) -> range:
    """Return the minutes of the last days before the minute `now`, as far as CloudWatch has their points."""
    stop = (now - SETTLED_AFTER) // ALIGNMENT * ALIGNMENT
    kept = now - KEPT_DAYS[step_of(days)] * MINUTES_PER_DAY + MAX_READ_MINUTES
    start = max(stop - days * MINUTES_PER_DAY, kept)
    return range(-(-start // ALIGNMENT) * ALIGNMENT, stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPlan:
    """The metrics to be read, and their price. step: minutes between two points.

    slots: the series that are judged. without_past: the number of series whose usage only AWS's APIs tell,
    which keep no past.
    """

    minutes: range
    step: int
    metrics: Mapping[CellKey, Mapping[bytes, int]]
    dollars: float
    slots: Ints
    without_past: int

    @property
    def metric_count(self) -> int:
        """The number of metrics."""
        return sum(map(len, self.metrics.values()))

    @property
    def file_bytes(self) -> int:
        """The bytes that the samples take at most."""
        return SampleFile.size_of(self.metric_count, self.minutes, self.step)

    @property
    def seconds(self) -> float:
        """The time that the largest account and region takes at least, by AWS's limits."""
        largest = max(map(len, self.metrics.values()), default=0)
        return largest * len(self.minutes) / self.step / PAST_POINTS_PER_SECOND


class PastScan:
    """Reads the past of what selectors match. fleet: of all series. failures: of AWS, as sentences.

    account_names: by 12-digit id. Use it as a context manager of one event loop.
    """

    def __init__(self, config: Config, registry: Registry, selectors: Sequence[Sequence[Selector]]) -> None:
        self.fleet, self._config, self._selectors = Fleet(), config, selectors
        self._registry, telemetry = registry, ProcessTelemetry()
        aws = AwsTelemetry(telemetry.registry)
        self._cost = CostTelemetry(telemetry.registry, aws)
        self._cost.set_prices(config.price_table)
        self._watcher = Watcher(config, registry, self.fleet, telemetry, aws)
        self._owners = MetricOwners(registry.collectors)
        self._failed: list[tuple[Location, Failure]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the clients."""
        await self._watcher.close()

    @property
    def account_names(self) -> Mapping[str, str]:
        """The names of accounts, by id."""
        cells = self._watcher.cells.items()
        return {account: cell.inventory.account_name for (account, _), cell in cells}

    @property
    def failures(self) -> FailedReads:
        """The failed reads, of the past, too."""
        return failed_reads(self._watcher, self._failed)

    @property
    def requested_failures(self) -> list[str]:
        """A sentence for each failed read of what was requested."""
        found = [*self._watcher.failures(), *self._failed]
        listed = requested_failures(found, self._selectors)
        return [*self._watcher.members.unlisted(), *dict.fromkeys(listed)]

    @property
    def spent(self) -> MeasuredCost:
        """The metrics requested so far, and their list price."""
        return sum(self._cost.measured().values(), MeasuredCost())

    async def plan(self, days: int, report: Callable[[int, int], None]) -> PastPlan:
        """Find all series, which costs nothing but calls of ListMetrics, and plan what to read of them."""
        await self._watcher.run_once(report, with_polls=False)
        matches = series_filter(self.account_names, self._selectors)
        wanted = [series for key, series in self.fleet.series.items() if matches(key)]
        metrics = self._metrics_of({series.key[:3] for series in wanted})
        polled = {row for some in metrics.values() for row in some.values()}
        rows = {series.slot: self._judged_rows(series) for series in wanted}
        past = sorted(slot for slot, own in rows.items() if own and polled.issuperset(own))
        return PastPlan(
            minutes=minutes_of(days, self._now()),
            step=step_of(days),
            metrics=metrics,
            dollars=self._dollars_of(metrics),
            slots=np.array(past, np.int32),
            without_past=sum(map(bool, rows.values())) - len(past),
        )

    def _dollars_of(self, metrics: Mapping[CellKey, Mapping[bytes, int]]) -> float:
        """Return what a request for each metric costs, without accounts that are not billed in dollars."""
        priced = (
            (prices, len(rows))
            for cell, rows in metrics.items()
            if (prices := self._cost.prices.in_dollars(self.fleet.payer_of(cell)[0]))
        )
        return sum(prices.amount(metrics=number) or 0.0 for prices, number in priced)

    def _now(self) -> int:
        """Return the minute by AWS's clock, as far as a cell knows it."""
        clocks = (watched.cell.clock for watched in self._watcher.cells.values())
        return min((clock.minute() for clock in clocks), default=int(time.time() // 60))

    def _metrics_of(self, services: set[ServiceKey]) -> dict[CellKey, dict[bytes, int]]:
        """Return the metrics of whole services of cells: series depend on others of their service."""
        rows: dict[CellKey, set[int]] = {}
        for key, series in self.fleet.series.items():
            if key[:3] in services:
                rows.setdefault(key.cell, set()).update(rows_of_metrics(self.fleet, series))
        return {
            cell: {query: row for query, row in self.fleet.metrics(cell).items() if row in some}
            for cell, some in rows.items()
        }

    def _judged_rows(self, series: Series) -> list[int]:
        """Return the rows of usage and throttled demand; also of numbers that an API returned."""
        formulas = self.fleet.usages.get(series.slot), self.fleet.throttled.get(series.slot)
        return [row for formula in formulas if formula for row in formula.rows]

    async def read(self, plan: PastPlan, report: Callable[[int, int], None]) -> SampleFile:
        """Read the metrics of a plan into a file. Raises PastUnreadableError where it cannot be kept."""
        self._set_periods(plan)
        rows = np.array(sorted(row for some in plan.metrics.values() for row in some.values()), np.int32)
        try:
            if shutil.disk_usage(tempfile.gettempdir()).free < plan.file_bytes:
                raise OSError("the disk has not as much space")
            with ExitStack() as opened:
                file = opened.enter_context(SampleFile(rows, plan.minutes, plan.step))
                await self._read_cells(plan, file, report)
                opened.pop_all()  # whoever gets the file closes it
        except OSError as error:
            size = f"{plan.file_bytes / 1e6:,.0f} MB of samples"
            raise PastUnreadableError(
                f"{size} cannot be kept in {tempfile.gettempdir()}: {error.strerror or error}; set TMPDIR"
            ) from None
        return file

    def _set_periods(self, plan: PastPlan) -> None:
        """Have metrics of a shorter period than that of a plan count as metrics of that period."""
        rings = self.fleet.rings
        for query, row in (metric for some in plan.metrics.values() for metric in some.items()):
            if rings.period[row] < plan.step:
                rings.period[row] = plan.step
                rings.divisor[row] = plan.step if statistic(query) in SUMMED_STATISTICS else 1

    async def _read_cells(self, plan: PastPlan, file: SampleFile, report: Callable[[int, int], None]) -> None:
        done = 0

        def count(metrics: int) -> None:
            nonlocal done
            done += metrics
            report(done, plan.metric_count)

        async def read(key: CellKey, metrics: Mapping[bytes, int]) -> None:
            watched = self._watcher.cells[key]
            reader = HistoryReader(
                MetricSource(watched.cell, self._owners), self.fleet.rings, file.write, count
            )
            location = Location(key[0], watched.inventory.account_name, key[1])
            self._failed += [(location, one) for one in await reader.read(metrics, plan.minutes)]

        cells = {key: some for key, some in plan.metrics.items() if some and key in self._watcher.cells}
        await asyncio.gather(*(read(key, some) for key, some in cells.items()))
