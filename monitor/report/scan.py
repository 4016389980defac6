"""Scans all configured accounts once: reads limits and metrics, and judges every series."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from collectors.registry import Registry
from collectors.service_quotas.allowed_calls import FIRST_CALLS
from collectors.service_quotas.known_quotas import KnownQuotas
from monitor.aws.failure import Failure
from monitor.aws.failure_class import FailureClass
from monitor.aws.status import describe_failure
from monitor.aws.telemetry import AwsTelemetry
from monitor.config.config import Config
from monitor.cost.telemetry import CostTelemetry, MeasuredCost
from monitor.fleet.fleet import Fleet
from monitor.fleet.history import SeriesHistory
from monitor.fleet.judge import judge
from monitor.fleet.key import Key
from monitor.fleet.rows import rows_of
from monitor.fleet.snapshot import Snapshot
from monitor.forecast.forecaster import Forecaster
from monitor.forecast.history import UsageHistory
from monitor.forecast.peaks import recommend
from monitor.lib.telemetry import ProcessTelemetry
from monitor.polling.watcher import DUPLICATE_ENTRY, Watcher
from monitor.report.failed_reads import failed_reads
from monitor.report.report import Report, UnreadQuotas
from monitor.report.right_sizes import RightSizes, purchases_of
from monitor.schema.problems import ConfigError
from monitor.schema.selector import Location, Selector, SelectorLabels


class ScanDepth(NamedTuple):
    """The amount of data that a scan reads.

    quota_calls: the maximum number of calls in each cell for quotas that no declared signal watches.
    forecasts: the maximum number of series whose usage is forecast, the most urgent first.
    sizes: the maximum number of series with a bought limit for which sizes are recommended.

    The last fortnight of each series with a forecast or a recommended size is read.
    """

    quota_calls: int = FIRST_CALLS
    forecasts: int = 0
    sizes: int = 0


DEFAULT_DEPTH = ScanDepth()
SeriesFilter = Callable[[Key], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReport(Report):
    """The result of one scan.

    finished_at: epoch seconds.
    cells: account id, region and account name of each cell that was read.
    metrics_requested: the number of metrics that GetMetricData was asked for in accounts billed in dollars.
    cost_dollars: the cost of these requests.
    unpriced_metrics: the number of metrics requested in accounts that are not billed in dollars.
    sizes: the recommended sizes; None if no sizes were requested.
    """

    registry: Registry
    history_of: Callable[[Key], SeriesHistory]
    finished_at: float
    cells: Sequence[tuple[str, str, str]]
    metrics_requested: int
    cost_dollars: float
    unpriced_metrics: int = 0
    sizes: RightSizes | None = None


def unread_quotas(quotas_of_cells: Iterable[KnownQuotas]) -> UnreadQuotas:
    """Return how many counts and lists were left unread because the calls for quotas are limited."""
    cells = [*quotas_of_cells]
    return UnreadQuotas(
        counts=sum(quotas.uncounted for quotas in cells),
        lists=sum(len(quotas.in_use - quotas.lists.keys()) for quotas in cells),
    )


def series_filter(names: Mapping[str, str], selectors: Iterable[Iterable[Selector]]) -> SeriesFilter:
    """Return a predicate that is true for the keys of series that match a selector of each group.

    names: the names of accounts by 12-digit id.
    """

    def matches(key: Key) -> bool:
        labels = SelectorLabels(**key.labels, account_name=names.get(key.account, ""))
        return all(any(selector.matches(labels) for selector in group) for group in selectors)

    return matches


def requested_failures(
    failures: Iterable[tuple[Location, Failure]], selectors: Iterable[Iterable[Selector]]
) -> list[str]:
    """Return a sentence for each failure that concerns requested series, which the selectors match.

    Two kinds are left out. A region that is not enabled holds no resources. Of an account that is configured
    twice, the first entry is read.
    """
    groups = [list(group) for group in selectors]
    return [
        describe_failure(location, failure)
        for location, failure in failures
        if failure.failure_class != FailureClass.DISABLED
        and failure != DUPLICATE_ENTRY
        and all(any(selector.may_match(location) for selector in group) for group in groups)
    ]


def limit_to_requested_services(
    config: Config, registry: Registry, selectors: Iterable[Iterable[Selector]]
) -> Config:
    """Return the configuration with only the services that the selectors match: reading more costs money.

    Raises ConfigError when no service is left.
    """
    requested_services = {
        signal.service
        for signal in registry.signals
        if all(
            any(selector.matches_signal(signal.service, signal.name) for selector in group)
            for group in selectors
        )
    }
    entries = []
    for entry in config.monitored_entries(registry):
        services = tuple(service for service in entry.services if service in requested_services)
        if services:
            entries.append(entry.model_copy(update={"services": services}))
    if not entries:
        raise ConfigError(["headroom: none of the requested services is configured"])
    return config.model_copy(update={"accounts": tuple(entries)})


async def scan_once(
    config: Config,
    registry: Registry,
    selectors: Sequence[Sequence[Selector]],
    report_progress: Callable[[int, int], None],
    depth: ScanDepth = DEFAULT_DEPTH,
) -> ScanReport:
    """Read and judge everything once. Errors of AWS are part of the report.

    report_progress: called with the number of finished steps and the number of all steps.
    """
    fleet, telemetry = Fleet(), ProcessTelemetry()
    aws_telemetry = AwsTelemetry(telemetry.registry)
    cost = CostTelemetry(telemetry.registry, aws_telemetry)
    cost.set_prices(config.price_table)
    watcher = Watcher(config, registry, fleet, telemetry, aws_telemetry, quota_calls=depth.quota_calls)
    try:
        await watcher.run_once(report_progress)
        names = {account: watched.inventory.account_name for (account, _), watched in watcher.cells.items()}
        matches = series_filter(names, selectors)
        judge(fleet, int(time.time() // 60))
        sizes = await _read_fortnight(fleet, watcher, matches, depth)
    finally:
        await watcher.close()
    list_failures, finished_at = watcher.members.list_failures(), time.time()
    now = int(finished_at // 60)
    judge(fleet, now)
    costs = cost.measured()  # by labels; the first label is the account
    dollar_costs = (part for labels, part in costs.items() if cost.prices.in_dollars(labels[0]))
    spent = sum(dollar_costs, MeasuredCost())
    return ScanReport(
        rows=rows_of(fleet, matches),
        failures=failed_reads(watcher),
        requested_failures=[*list_failures, *requested_failures(watcher.failures(), selectors)],
        unread_quotas=unread_quotas(watcher.known_quotas().values()),
        registry=registry,
        history_of=lambda key: SeriesHistory.of(fleet, fleet.series[key], now),
        finished_at=finished_at,
        cells=[(*key, watched.inventory.account_name) for key, watched in sorted(watcher.cells.items())],
        metrics_requested=int(spent.requested),
        unpriced_metrics=int(sum(bill.requested for bill in costs.values()) - spent.requested),
        cost_dollars=spent.dollars,
        sizes=sizes,
    )


async def _read_fortnight(
    fleet: Fleet, watcher: Watcher, matches: SeriesFilter, depth: ScanDepth
) -> RightSizes | None:
    """Read the last fortnight of some series. Forecast the most urgent ones; return recommended sizes."""
    if not (depth.forecasts or depth.sizes):
        return None
    rows, readers = rows_of(fleet, matches), {key: watched.reader for key, watched in watcher.cells.items()}
    forecaster = Forecaster(fleet, UsageHistory(), time.time, lambda: readers)
    urgent_slots = np.array([fleet.series[row.key].slot for row in rows[: depth.forecasts]], np.int32)
    bought_slots, omitted = purchases_of(fleet, rows, depth.sizes)
    await forecaster.read_and_forecast(np.union1d(urgent_slots, bought_slots))
    if not depth.sizes:
        return None
    recommendations = await recommend(forecaster.recorder, lambda: Snapshot.of(fleet, {}), bought_slots)
    return RightSizes(recommendations, omitted)
