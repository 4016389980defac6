"""Estimates CloudWatch's cost per month by service, now and with all signals of the tier detail."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

import numpy as np

from collectors.registry import Registry
from monitor.aws.telemetry import AwsTelemetry
from monitor.config.config import Config
from monitor.config.signal_settings import SignalSettings
from monitor.cost.bills import MetricUse, ProjectedCost, project, sum_of
from monitor.cost.prices import LIST_PRICES, LIST_PRICES_OF_ACCOUNTS, AccountPrices, Prices
from monitor.cost.streaming import Activity, StreamAdvice, stream_advice
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.ring_columns import NO_BOUND, NOT_READ
from monitor.lib.telemetry import ProcessTelemetry
from monitor.planning.budget import AllowanceStatus
from monitor.planning.pruning import plan_with_idle_aggregates
from monitor.polling.watcher import Watcher
from monitor.report.budgeted_requests import lengthen_to_budget
from monitor.report.failed_reads import FailedReads, failed_reads
from monitor.report.path_cost import path_cost
from monitor.report.read_intervals import ReadIntervals
from rules.arrays import Flags, Ints
from rules.signals import Tier

MIN_INTERVAL = 60.0  # seconds between two polls


@dataclass(frozen=True, slots=True)
class ServiceEstimate:
    """The cost of a service's metrics while all its series are far from their limits.

    now: the metrics that are read now.
    added: the metrics that would also be read if all signals were on.
    every_minute: the metrics that are read now, if all were requested every minute.
    what_if: the metrics that are read now, at the intervals of `--what-if`; None without this option.
    """

    service: str
    now: ProjectedCost
    added: ProjectedCost
    every_minute: ProjectedCost
    what_if: ProjectedCost | None = None


@dataclass(frozen=True, slots=True)
class PayerEstimate:
    """The cost of an account that pays for itself and for other accounts whose metrics it reads.

    other_accounts: the number of other accounts. prices: the prices of the account's partition; None if the
    prices are not known.
    """

    account: str
    other_accounts: int
    now: ProjectedCost
    prices: Prices | None = LIST_PRICES

    @property
    def amount(self) -> float | None:
        """The amount per month, in the currency of the prices; None if a price is not known."""
        return self.prices.amount(self.now.monthly_metrics_requested) if self.prices else None

    @property
    def dollars(self) -> float | None:
        """The amount per month, if the account pays in dollars; otherwise None."""
        return self.amount if self.prices and self.prices.is_in_dollars else None

    @property
    def amount_text(self) -> str:
        """The amount per month as text, with its currency unless that is the dollar."""
        amount = self.amount
        if self.prices is None or amount is None:
            return "not known"
        return f"{amount:,.2f}" if self.prices.is_in_dollars else f"{self.prices.currency} {amount:,.2f}"


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """The estimated cost of CloudWatch, and the failed reads.

    Services, tiers and streams do not include accounts that are not billed in dollars, or whose prices are
    not known.
    services, payers: the services and the accounts that pay, the most expensive first.
    tiers: the cost of the signals that are read, by tier.
    streams: the metrics that a metric stream would deliver for less than polls at the intervals of
    `--what-if`, or without this option at the configured intervals.
    paths: the cost of the metrics that are read only for request paths.
    intervals: the number of metrics that are read, by the minutes between two requests.
    budgets: the configured budgets, each with the minimum cost of a month.
    has_read: a call to AWS that an inventory made has succeeded.
    """

    services: Sequence[ServiceEstimate]
    payers: Sequence[PayerEstimate]
    failures: FailedReads
    tiers: Mapping[Tier, ProjectedCost] = field(default_factory=dict)
    streams: Sequence[StreamAdvice] = ()
    paths: ProjectedCost = field(default_factory=ProjectedCost)
    intervals: Mapping[int, int] = field(default_factory=dict)
    budgets: Sequence[AllowanceStatus] = ()
    has_read: bool = True


async def estimate_cost(
    config: Config,
    registry: Registry,
    report_progress: Callable[[int, int], None],
    what_if: ReadIntervals | None = None,
) -> CostEstimate:
    """Run an inventory with all signals, without polls, and estimate what polls would cost."""
    with_all_signals = config.model_copy(update={"signals": SignalSettings(detail=True)})
    fleet, telemetry = Fleet(), ProcessTelemetry()
    fleet.set_bounds(registry.bounds)
    aws_telemetry = AwsTelemetry(telemetry.registry)
    watcher = Watcher(with_all_signals, registry, fleet, telemetry, aws_telemetry)
    try:
        await watcher.run_once(report_progress, with_polls=False)
    finally:
        await watcher.close()
    prices = AccountPrices(config.price_table, aws_telemetry.partitions)
    rows_read = _rows_read(fleet, config)
    plan = Plan.of(fleet, ReadIntervals.of(config), rows_read, prices)
    names = {account: watched.inventory.account_name for (account, _), watched in watcher.cells.items()}
    return CostEstimate(
        _by_service(fleet, config, prices, what_if),
        payers_of(fleet, config, prices),
        failed_reads(watcher),
        _by_tier(fleet, config, prices),
        streams_for(fleet, config, prices, what_if or ReadIntervals.of(config)),
        await path_cost(fleet, config, prices, names),
        Counter(minutes for row in rows_read if (minutes := int(plan.minutes[row])) < NOT_READ),
        plan.budgets,
        has_read=any(watched.has_read for watched in watcher.cells.values()),
    )


def _rows_read(fleet: Fleet, config: Config) -> Set[int]:
    """Return the rows of the metrics of all signals that are read; numbers that APIs return are left out."""
    metric_rows = {row for cell in {key.cell for key in fleet.series} for row in fleet.metrics(cell).values()}
    return {
        row
        for series in fleet.series.values()
        if config.signals.includes(series.settings.signal)
        for row in rows_of_metrics(fleet, series)
        if row in metric_rows
    }


def streams_for(
    fleet: Fleet, config: Config, prices: AccountPrices, intervals: ReadIntervals
) -> list[StreamAdvice]:
    """Return the metrics that a stream would deliver for less, even with points in all minutes."""
    rows_read = {
        row
        for key, series in fleet.series.items()
        if key.service not in intervals.streamed and config.signals.includes(series.settings.signal)
        for row in rows_of_metrics(fleet, series)
    }
    use = MetricUse.of(fleet, 0, prices)
    metrics = {
        cell: [(query, row) for query, row in fleet.metrics(cell).items() if row in rows_read]
        for cell in use.cells
    }
    cells = {cell: np.array([row for _, row in pairs], np.int32) for cell, pairs in metrics.items()}
    queries = {cell: [query for query, _ in pairs] for cell, pairs in metrics.items()}
    unknown = Activity.unknown(fleet, ())
    planned = replace(use, cells=cells, cadence=Plan.of(fleet, intervals, rows_read, prices).minutes)
    return stream_advice(planned, replace(unknown, queries=queries), MIN_INTERVAL)


def _prices_of_rows(fleet: Fleet, prices: AccountPrices) -> Mapping[int, Prices]:
    """Return the prices of metrics by row, only of accounts that pay in dollars."""
    prices_of_rows: dict[int, Prices] = {}
    for cell in {key.cell for key in fleet.series}:
        if dollar_prices := prices.in_dollars(fleet.payer_of(cell)[0]):
            prices_of_rows |= dict.fromkeys(fleet.metrics(cell).values(), dollar_prices)
    return prices_of_rows


def _by_tier(fleet: Fleet, config: Config, prices: AccountPrices) -> Mapping[Tier, ProjectedCost]:
    """Return the cost of the signals that are read, by tier; a metric of both tiers counts for the core."""
    rows_by_tier, prices_of_rows = defaultdict[Tier, set[int]](set), _prices_of_rows(fleet, prices)
    for series in fleet.series.values():
        if config.signals.includes(signal := series.settings.signal):
            rows_by_tier[signal.tier] |= prices_of_rows.keys() & rows_of_metrics(fleet, series)
    core_rows, detail_rows = rows_by_tier[Tier.CORE], rows_by_tier[Tier.DETAIL]
    plan = Plan.of(fleet, ReadIntervals.of(config), core_rows | detail_rows, prices)
    rows_by_tier[Tier.DETAIL] = detail_rows - core_rows
    return {tier: plan.dollar_cost("", rows_by_tier[tier]) for tier in Tier}


def payers_of(
    fleet: Fleet, config: Config, prices: AccountPrices = LIST_PRICES_OF_ACCOUNTS
) -> list[PayerEstimate]:
    """Return the accounts that pay for the signals that are read; the account that pays most is first."""
    rows_of_cells = {cell: {*fleet.metrics(cell).values()} for cell in {key.cell for key in fleet.series}}
    # By paying account: the rows of the metrics that it pays for, and the other accounts that it pays for.
    rows_by_payer, other_accounts = defaultdict[str, set[int]](set), defaultdict[str, set[str]](set)
    for key, series in fleet.series.items():
        payer, _ = fleet.payer_of(key.cell)
        other_accounts[payer] |= {key.account} - {payer}
        if config.signals.includes(series.settings.signal):
            rows_by_payer[payer] |= rows_of_cells[key.cell].intersection(rows_of_metrics(fleet, series))
    rows_read = {row for rows in rows_by_payer.values() for row in rows}
    plan = Plan.of(fleet, ReadIntervals.of(config), rows_read, prices)
    payers = []
    for payer, accounts in other_accounts.items():
        payer_prices = prices.of(payer)
        cost = plan.cost("", rows_by_payer[payer], payer_prices)
        payers.append(PayerEstimate(payer, len(accounts), cost, payer_prices))
    return sorted(payers, key=lambda estimate: (-estimate.now.monthly_dollars, estimate.account))


def _by_service(
    fleet: Fleet, config: Config, prices: AccountPrices, what_if: ReadIntervals | None
) -> list[ServiceEstimate]:
    prices_of_rows = _prices_of_rows(fleet, prices)
    # By service: the rows of the metrics that are read now, and of those read if all signals were on.
    read_now, all_rows = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set)
    for key, series in fleet.series.items():
        if not prices.in_dollars(fleet.payer_of(key.cell)[0]):
            continue
        rows = prices_of_rows.keys() & rows_of_metrics(fleet, series)
        all_rows[key.service] |= rows
        if config.signals.includes(series.settings.signal):
            read_now[key.service] |= rows
    rows_read = {row for service_rows in read_now.values() for row in service_rows}
    plan = Plan.of(fleet, ReadIntervals.of(config), rows_read, prices)
    every_minute = Plan.of(fleet, ReadIntervals(60, 60), rows_read, prices)
    with_details = Plan.of(fleet, ReadIntervals.of(config), prices_of_rows.keys(), prices)
    what_if_plan = Plan.of(fleet, what_if, rows_read, prices) if what_if else None
    estimates = [
        ServiceEstimate(
            service,
            plan.dollar_cost(service, read_now[service]),
            with_details.dollar_cost(service, rows - read_now[service]),
            every_minute.dollar_cost(service, read_now[service]),
            what_if_plan.dollar_cost(service, read_now[service]) if what_if_plan else None,
        )
        for service, rows in all_rows.items()
    ]
    dollars = {entry.service: entry.now.monthly_dollars + entry.added.monthly_dollars for entry in estimates}
    return sorted(estimates, key=lambda entry: (-dollars[entry.service], entry.service))


def rows_of_metrics(fleet: Fleet, series: Series) -> Iterator[int]:
    """Yield the rows of the metrics of a series, and of the aggregates that bound these metrics."""
    all_formulas = (fleet.usages, fleet.upper_bounds, fleet.published_limits, fleet.throttled, fleet.served)
    formulas = (by_slot.get(series.slot) for by_slot in all_formulas)
    for row in (row for formula in formulas if formula for row in formula.rows):
        yield row
        if (bound := int(fleet.rings.bound[row])) != NO_BOUND:
            yield bound


@dataclass(frozen=True, slots=True)
class Plan:
    """The planned requests of each metric, while all series are far from their limits.

    minutes: minutes between two requests of a metric, by row; NOT_READ if it is not requested.
    unpruned: what `minutes` would be if no metric were pruned and there were no budget.
    pruned: whether a metric is pruned, by row.
    prices: the prices of metrics by row, only of accounts that pay in dollars.
    budgets: the state of the budget that the plan keeps, of each account or of all; empty without a budget.
    """

    intervals: ReadIntervals
    minutes: Ints
    unpruned: Ints
    pruned: Flags
    prices: Mapping[int, Prices]
    budgets: Sequence[AllowanceStatus] = ()

    @classmethod
    def of(cls, fleet: Fleet, intervals: ReadIntervals, rows_read: Set[int], prices: AccountPrices) -> "Plan":
        """Plan the requests of the metrics in `rows_read`. With an interval of a minute, none is pruned."""
        rings, size = fleet.rings, fleet.rings.size
        longest, throttled = (
            max(int(seconds // 60), 1) for seconds in (intervals.longest, intervals.throttled)
        )
        minutes = np.full(size, longest, np.int32)
        for block in fleet.throttled:
            minutes[block.rows] = throttled
        minutes = np.maximum(minutes, rings.period[:size])
        minutes[[row for row in range(size) if row not in rows_read]] = NOT_READ
        unpruned = minutes
        minutes, pruned = plan_with_idle_aggregates(rings, unpruned, throttled)
        if intervals.is_every_minute:
            # Without pruning, aggregates that are used only to bound other metrics are not read.
            uses_as_bound = np.bincount(
                np.maximum(rings.bound[:size], 0), rings.bound[:size] != NO_BOUND, size
            )
            only_as_bound = uses_as_bound >= np.maximum(rings.use_count[:size], 1)
            minutes, pruned = np.where(only_as_bound, NOT_READ, unpruned), np.zeros(size, np.bool_)
        budgets = lengthen_to_budget(fleet, intervals.budget, prices, minutes) if intervals.budget else ()
        return cls(intervals, minutes, unpruned, pruned, _prices_of_rows(fleet, prices), budgets)

    def dollar_cost(self, service: str, rows: Iterable[int]) -> ProjectedCost:
        """Return the cost in dollars of the metrics in these rows.

        service: the service of all the metrics; "" if they belong to several.
        """
        rows_by_prices = defaultdict[Prices, list[int]](list)
        for row in rows:
            rows_by_prices[self.prices[row]].append(row)
        return sum_of(
            self.cost(service, priced_rows, prices) for prices, priced_rows in rows_by_prices.items()
        )

    def cost(self, service: str, rows: Iterable[int], prices: Prices | None) -> ProjectedCost:
        """Return the cost of the metrics in these rows at these prices. service: see `dollar_cost`."""
        rows_read = [row for row in rows if self.minutes[row] < NOT_READ]
        if service in self.intervals.streamed:
            return project(Counter(), len(rows_read), prices)
        pruned = [row for row in rows_read if self.pruned[row]]
        cost = project(_by_interval(self.minutes, rows_read), 0, prices)
        cost_if_unpruned = project(_by_interval(self.unpruned, pruned), 0, prices)
        cost_of_checks = project(_by_interval(self.minutes, pruned), 0, prices)
        saved = cost_if_unpruned.monthly_dollars - cost_of_checks.monthly_dollars
        return replace(cost, pruned_metrics=len(pruned), pruned_dollars=saved)


def _by_interval(minutes: Ints, rows: Iterable[int]) -> Counter[float]:
    """Return the number of metrics in these rows by seconds between two requests."""
    return Counter(int(minutes[row]) * 60.0 for row in rows)
