"""Reads past days of the configured accounts: first an inventory, to estimate the price, then the metrics."""

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
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.key import CellKey, ServiceKey
from monitor.fleet.metric_query import statistic
from monitor.lib.errors import HeadroomError
from monitor.lib.telemetry import ProcessTelemetry
from monitor.lookback.sample_file import SampleFile
from monitor.polling.history_reader import PAST_POINTS_PER_SECOND, HistoryReader
from monitor.polling.metric_services import MetricServices
from monitor.polling.metric_source import MetricSource
from monitor.polling.watcher import Watcher
from monitor.report.cost_estimate import rows_of_metrics
from monitor.report.failed_reads import FailedReads, failed_reads
from monitor.report.retention import KEPT_DAYS_BY_STEP
from monitor.report.scan import requested_failures, series_filter
from monitor.schema.selector import Location, Selector
from rules.arrays import Ints

MINUTES_PER_DAY = 24 * 60
# Minutes. The past begins and ends at a full quarter of an hour, as forecasts need whole quarters.
ALIGNMENT = 15
SETTLED_AFTER = 15  # minutes until CloudWatch has nearly all points of a minute
# The minutes that the read may take. Points that CloudWatch would drop meanwhile are left out.
MAX_READ_MINUTES = 120


class PastUnreadableError(HeadroomError):
    """The past samples cannot be stored on disk."""


def step_of(days: int) -> int:
    """Return the shortest interval between points, in minutes, that CloudWatch keeps for so many days."""
    return next(step for step, kept_days in KEPT_DAYS_BY_STEP.items() if days <= kept_days)


def minutes_of(days: int, now: int) -> range:
    """Return the minutes of the last `days` before the minute `now` for which CloudWatch still has points."""
    stop = (now - SETTLED_AFTER) // ALIGNMENT * ALIGNMENT
    oldest = now - KEPT_DAYS_BY_STEP[step_of(days)] * MINUTES_PER_DAY + MAX_READ_MINUTES
    start = max(stop - days * MINUTES_PER_DAY, oldest)
    aligned_start = start + -start % ALIGNMENT  # the next full quarter of an hour
    return range(aligned_start, stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPlan:
    """The metrics to read, and their price.

    minutes: the minutes to read.
    step: minutes between two points.
    metrics: the row of each metric, by cell and by the metric's query.
    dollars: the list price of the requests.
    slots: the slots of the series to judge.
    without_past_count: the number of series that are not judged, as their usage comes from AWS's APIs, which
    have no past values.
    """

    minutes: range
    step: int
    metrics: Mapping[CellKey, Mapping[bytes, int]]
    dollars: float
    slots: Ints
    without_past_count: int

    @property
    def metric_count(self) -> int:
        """The number of metrics."""
        return sum(map(len, self.metrics.values()))

    @property
    def file_bytes(self) -> int:
        """The highest number of bytes that the samples can take on disk."""
        return SampleFile.size_of(self.metric_count, self.minutes, self.step)

    @property
    def seconds(self) -> float:
        """The shortest time in seconds in which AWS's rate limits allow the largest cell to be read."""
        largest = max(map(len, self.metrics.values()), default=0)
        return largest * len(self.minutes) / self.step / PAST_POINTS_PER_SECOND


class PastScan:
    """Reads past samples of the series that the selectors match.

    Use it as an async context manager, within one event loop. fleet: all series, also those not selected.
    """

    def __init__(self, config: Config, registry: Registry, selectors: Sequence[Sequence[Selector]]) -> None:
        self.fleet, self._config, self._selectors = Fleet(), config, selectors
        self._registry, telemetry = registry, ProcessTelemetry()
        aws = AwsTelemetry(telemetry.registry)
        self._cost = CostTelemetry(telemetry.registry, aws)
        self._cost.set_prices(config.price_table)
        self._watcher = Watcher(config, registry, self.fleet, telemetry, aws)
        self._metric_services = MetricServices(registry.collectors)
        self._past_failures: list[tuple[Location, Failure]] = []

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
        watchers = self._watcher.cells.items()
        return {account: watched.inventory.account_name for (account, _), watched in watchers}

    @property
    def failures(self) -> FailedReads:
        """The failed reads, including those of past samples."""
        return failed_reads(self._watcher, self._past_failures)

    @property
    def requested_failures(self) -> list[str]:
        """A sentence for each failed read that concerns the selected series."""
        failures = [*self._watcher.failures(), *self._past_failures]
        sentences = requested_failures(failures, self._selectors)
        return [*self._watcher.members.list_failures(), *dict.fromkeys(sentences)]

    @property
    def spent(self) -> MeasuredCost:
        """The metrics requested so far, and their list price."""
        return sum(self._cost.measured().values(), MeasuredCost())

    async def plan(self, days: int, report_progress: Callable[[int, int], None]) -> PastPlan:
        """Find all series, for which AWS bills only calls of ListMetrics, and plan the metrics to read.

        report_progress: called with the number of finished steps and the number of all steps.
        """
        await self._watcher.run_once(report_progress, with_polls=False)
        matches = series_filter(self.account_names, self._selectors)
        selected = [series for key, series in self.fleet.series.items() if matches(key)]
        metrics = self._metrics_of({series.key[:3] for series in selected})
        metric_rows = {row for row_of_query in metrics.values() for row in row_of_query.values()}
        rows_by_slot = {series.slot: self._rows_to_judge(series) for series in selected}
        slots_with_past = sorted(
            slot for slot, rows in rows_by_slot.items() if rows and metric_rows.issuperset(rows)
        )
        with_usage_count = sum(bool(rows) for rows in rows_by_slot.values())
        return PastPlan(
            minutes=minutes_of(days, self._now()),
            step=step_of(days),
            metrics=metrics,
            dollars=self._dollars_of(metrics),
            slots=np.array(slots_with_past, np.int32),
            without_past_count=with_usage_count - len(slots_with_past),
        )

    def _dollars_of(self, metrics: Mapping[CellKey, Mapping[bytes, int]]) -> float:
        """Return the cost of one request for each metric, in accounts that are billed in dollars."""
        prices_and_counts = (
            (prices, len(rows))
            for cell, rows in metrics.items()
            if (prices := self._cost.prices.in_dollars(self.fleet.payer_of(cell)[0]))
        )
        return sum(prices.amount(metrics=count) or 0.0 for prices, count in prices_and_counts)

    def _now(self) -> int:
        """Return the present minute by AWS's clock; if there is no cell, by the local clock."""
        clocks = (watched.cell.clock for watched in self._watcher.cells.values())
        return min((clock.minute() for clock in clocks), default=int(time.time() // 60))

    def _metrics_of(self, services: set[ServiceKey]) -> dict[CellKey, dict[bytes, int]]:
        """Return all metrics of these services: a series may depend on other series of its service."""
        rows: dict[CellKey, set[int]] = {}
        for key, series in self.fleet.series.items():
            if key[:3] in services:
                rows.setdefault(key.cell, set()).update(rows_of_metrics(self.fleet, series))
        return {
            cell: {query: row for query, row in self.fleet.metrics(cell).items() if row in cell_rows}
            for cell, cell_rows in rows.items()
        }

    def _rows_to_judge(self, series: Series) -> list[int]:
        """Return the rows of a series' usage and throttled demand, also those of numbers that APIs return."""
        formulas = self.fleet.usages.get(series.slot), self.fleet.throttled.get(series.slot)
        return [row for formula in formulas if formula for row in formula.rows]

    async def read(self, plan: PastPlan, report_progress: Callable[[int, int], None]) -> SampleFile:
        """Read the metrics of a plan into a file. Raises PastUnreadableError if the file cannot be stored.

        report_progress: called with the number of metrics read and the number of all metrics.
        """
        self._set_periods(plan)
        rows = np.array(
            sorted(row for row_of_query in plan.metrics.values() for row in row_of_query.values()), np.int32
        )
        try:
            if shutil.disk_usage(tempfile.gettempdir()).free < plan.file_bytes:
                raise OSError("there is not enough space on the disk")
            with ExitStack() as stack:
                file = stack.enter_context(SampleFile(rows, plan.minutes, plan.step))
                await self._read_cells(plan, file, report_progress)
                stack.pop_all()  # the caller closes the file
        except OSError as error:
            size = f"{plan.file_bytes / 1e6:,.0f} MB of samples"
            raise PastUnreadableError(
                f"{size} cannot be kept in {tempfile.gettempdir()}: {error.strerror or error}; set TMPDIR"
            ) from None
        return file

    def _set_periods(self, plan: PastPlan) -> None:
        """Set the plan's period for each metric whose own period is shorter."""
        rings = self.fleet.rings
        queries_and_rows = (pair for row_of_query in plan.metrics.values() for pair in row_of_query.items())
        for query, row in queries_and_rows:
            if rings.period[row] < plan.step:
                rings.period[row] = plan.step
                rings.divisor[row] = plan.step if statistic(query) in SUMMED_STATISTICS else 1

    async def _read_cells(
        self, plan: PastPlan, file: SampleFile, report_progress: Callable[[int, int], None]
    ) -> None:
        finished_count = 0

        def count_metrics(metric_count: int) -> None:
            nonlocal finished_count
            finished_count += metric_count
            report_progress(finished_count, plan.metric_count)

        async def read(key: CellKey, metrics: Mapping[bytes, int]) -> None:
            watched = self._watcher.cells[key]
            reader = HistoryReader(
                MetricSource(watched.cell, self._metric_services), self.fleet.rings, file.write, count_metrics
            )
            location = Location(key[0], watched.inventory.account_name, key[1])
            self._past_failures += [
                (location, failure) for failure in await reader.read(metrics, plan.minutes)
            ]

        cells = {
            key: metrics for key, metrics in plan.metrics.items() if metrics and key in self._watcher.cells
        }
        await asyncio.gather(*(read(key, metrics) for key, metrics in cells.items()))
