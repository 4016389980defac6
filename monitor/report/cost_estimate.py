"""Estimates CloudWatch's cost a month by service, now and with all signals of the tier detail."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import orjson

from collectors.registry import Registry
from monitor.aws.telemetry import AwsTelemetry
from monitor.config.config import Config
from monitor.config.signal_settings import SignalSettings
from monitor.cost.bills import MetricUse, ProjectedCost, project, sum_of
from monitor.cost.prices import LIST_PRICES, LIST_PRICES_OF_ACCOUNTS, AccountPrices, Prices
from monitor.cost.streaming import Activity, StreamAdvice, stream_advice
from monitor.fleet.columns import Flags, Ints
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.ring_columns import NO_BOUND, NOT_READ
from monitor.lib.telemetry import ProcessTelemetry
from monitor.planning.pruning import plan_idle
from monitor.polling.watcher import Watcher
from monitor.report.failed_reads import FailedReads, failed_reads
from monitor.report.path_cost import path_cost
from rules.signals import Tier

MIN_INTERVAL = 60.0  # seconds between two polls
STREAM_DOLLARS = ("polled_monthly_dollars", "streamed_monthly_dollars", "saved_monthly_dollars")


@dataclass(frozen=True, slots=True)
class Reading:
    """The intervals at which metrics are read, in seconds. streamed: services that a Metric Stream delivers.

    longest, throttled: between two requests for a metric of usage, and of throttled demand, of a series that
    is far from its limit.
    """

    longest: float
    throttled: float
    streamed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, config: Config) -> "Reading":
        """The reading that is configured."""
        return cls(config.longest_interval, config.longest_throttled_interval)

    @property
    def is_every_minute(self) -> bool:
        """True if everything is read every minute."""
        return max(self.longest, self.throttled) <= 60  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class ServiceEstimate:
    """The metrics of a service while all is far from its limits. now: those that are read.

    added: what signals add that are off. every_minute: what is read, if all were requested every minute.
    what_if: what is read, by the intervals of `--what-if`; None without it.
    """

    service: str
    now: ProjectedCost
    added: ProjectedCost
    every_minute: ProjectedCost
    what_if: ProjectedCost | None = None


@dataclass(frozen=True, slots=True)
class PayerEstimate:
    """The cost of an account that pays for itself and for others whose metrics it reads.

    others: their number. prices: those of its partition; None where they are not known.
    """

    account: str
    others: int
    now: ProjectedCost
    prices: Prices | None = LIST_PRICES

    @property
    def amount(self) -> float | None:
        """The amount of a month, in its currency; None where a price is not known."""
        return self.prices.amount(self.now.monthly_requests) if self.prices else None

    @property
    def dollars(self) -> float | None:
        """The amount, if it is one in dollars."""
        return self.amount if self.prices and self.prices.is_in_dollars else None

    @property
    def words(self) -> str:
        """The amount of a month, with its currency if that is not the dollar."""
        amount = self.amount
        if self.prices is None or amount is None:
            return "not known"
        return f"{amount:,.2f}" if self.prices.is_in_dollars else f"{self.prices.currency} {amount:,.2f}"


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """The services and the accounts that pay, the most expensive first, and failures, as sentences.

    Services, tiers and streams are without what accounts pay that are not billed in dollars, or at prices
    that are not known. tiers: what signals cost that are read, by their tier. streams: what a metric stream
    would deliver for less, with the other way of reading if there is one. paths: the metrics that are read
    for request paths alone.
    """

    services: Sequence[ServiceEstimate]
    payers: Sequence[PayerEstimate]
    failures: FailedReads
    tiers: Mapping[Tier, ProjectedCost] = field(default_factory=dict)
    streams: Sequence[StreamAdvice] = ()
    paths: ProjectedCost = field(default_factory=ProjectedCost)


async def estimate_cost(
    config: Config,
    registry: Registry,
    report_progress: Callable[[int, int], None],
    what_if: Reading | None = None,
) -> CostEstimate:
    """Run an inventory with all signals, which requests no metric, and count what polls would request."""
    everything = config.model_copy(update={"signals": SignalSettings(detail=True)})
    fleet, telemetry = Fleet(), ProcessTelemetry()
    fleet.set_bounds(registry.bounds)
    aws_telemetry = AwsTelemetry(telemetry.registry)
    watcher = Watcher(everything, registry, fleet, telemetry, aws_telemetry)
    try:
        await watcher.run_once(report_progress, with_polls=False)
    finally:
        await watcher.close()
    prices = AccountPrices(config.price_table, aws_telemetry.partitions)
    names = {account: cell.inventory.account_name for (account, _), cell in watcher.cells.items()}
    return CostEstimate(
        _by_service(fleet, config, prices, what_if),
        payers_of(fleet, config, prices),
        failed_reads(watcher),
        _by_tier(fleet, config, prices),
        streams_for(fleet, config, prices, what_if or Reading.of(config)),
        await path_cost(fleet, config, prices, names),
    )


def streams_for(fleet: Fleet, config: Config, prices: AccountPrices, reading: Reading) -> list[StreamAdvice]:
    """Return what a metric stream would deliver for less, if each metric has a point each minute."""
    read = {
        row
        for key, series in fleet.series.items()
        if key.service not in reading.streamed and config.signals.includes(series.settings.signal)
        for row in rows_of_metrics(fleet, series)
    }
    use = MetricUse.of(fleet, 0, prices)
    kept = {cell: [*filter(lambda one: one[1] in read, fleet.metrics(cell).items())] for cell in use.cells}
    cells = {cell: np.array([row for _, row in some], np.int32) for cell, some in kept.items()}
    queries = {cell: [query for query, _ in some] for cell, some in kept.items()}
    unknown = Activity.unknown(fleet, ())
    planned = replace(use, cells=cells, cadence=Plan.of(fleet, reading, read, {}).minutes)
    return stream_advice(planned, replace(unknown, queries=queries), MIN_INTERVAL)


def _prices_of_rows(fleet: Fleet, prices: AccountPrices) -> Mapping[int, Prices]:
    """Return the prices of the metrics in rows, those in dollars alone."""
    found: dict[int, Prices] = {}
    for cell in {key.cell for key in fleet.series}:
        if in_dollars := prices.in_dollars(fleet.payer_of(cell)[0]):
            found |= dict.fromkeys(fleet.metrics(cell).values(), in_dollars)
    return found


def _by_tier(fleet: Fleet, config: Config, prices: AccountPrices) -> Mapping[Tier, ProjectedCost]:
    """Return what signals cost that are read; a metric that both tiers use counts for the core."""
    rows, billed = defaultdict[Tier, set[int]](set), _prices_of_rows(fleet, prices)
    for series in fleet.series.values():
        if config.signals.includes(signal := series.settings.signal):
            rows[signal.tier] |= billed.keys() & rows_of_metrics(fleet, series)
    plan = Plan.of(fleet, Reading.of(config), rows[Tier.CORE] | rows[Tier.DETAIL], billed)
    rows[Tier.DETAIL] -= rows[Tier.CORE]
    return {tier: plan.projected("", rows[tier]) for tier in Tier}


def payers_of(
    fleet: Fleet, config: Config, prices: AccountPrices = LIST_PRICES_OF_ACCOUNTS
) -> list[PayerEstimate]:
    """Return the accounts that pay for the signals that are read, the one that pays most first."""
    billed = {cell: {*fleet.metrics(cell).values()} for cell in {key.cell for key in fleet.series}}
    rows, others = defaultdict[str, set[int]](set), defaultdict[str, set[str]](set)
    for key, series in fleet.series.items():
        payer, _ = fleet.payer_of(key.cell)
        others[payer] |= {key.account} - {payer}
        if config.signals.includes(series.settings.signal):
            rows[payer] |= billed[key.cell].intersection(rows_of_metrics(fleet, series))
    plan = Plan.of(fleet, Reading.of(config), {row for some in rows.values() for row in some}, {})
    payers = [
        PayerEstimate(one, len(others[one]), plan.cost("", rows[one], prices.of(one)), prices.of(one))
        for one in others
    ]
    return sorted(payers, key=lambda one: (-one.now.monthly_dollars, one.account))


def _by_service(
    fleet: Fleet, config: Config, prices: AccountPrices, what_if: Reading | None
) -> list[ServiceEstimate]:
    billed = _prices_of_rows(fleet, prices)
    now, all_rows = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set)
    for key, series in fleet.series.items():
        if not prices.in_dollars(fleet.payer_of(key.cell)[0]):
            continue
        rows = billed.keys() & rows_of_metrics(fleet, series)
        all_rows[key.service] |= rows
        if config.signals.includes(series.settings.signal):
            now[key.service] |= rows
    read = {row for some in now.values() for row in some}
    plan, every_minute = (Plan.of(fleet, one, read, billed) for one in (Reading.of(config), Reading(60, 60)))
    with_details = Plan.of(fleet, Reading.of(config), billed.keys(), billed)
    other_way = Plan.of(fleet, what_if, read, billed) if what_if else None
    estimates = [
        ServiceEstimate(
            service,
            plan.projected(service, now[service]),
            with_details.projected(service, rows - now[service]),
            every_minute.projected(service, now[service]),
            other_way.projected(service, now[service]) if other_way else None,
        )
        for service, rows in all_rows.items()
    ]
    dollars = {one.service: one.now.monthly_dollars + one.added.monthly_dollars for one in estimates}
    return sorted(estimates, key=lambda one: (-dollars[one.service], one.service))


def rows_of_metrics(fleet: Fleet, series: Series) -> Iterator[int]:
    """Yield the rows of the metrics of a series, and of the aggregates that bound them."""
    every = (fleet.usages, fleet.upper_bounds, fleet.published_limits, fleet.throttled, fleet.served)
    formulas = (one.get(series.slot) for one in every)
    for row in (row for formula in formulas if formula for row in formula.rows):
        yield row
        if (bound := int(fleet.rings.bound[row])) != NO_BOUND:
            yield bound


@dataclass(frozen=True, slots=True)
class Plan:
    """The intervals at which one way of reading requests metrics, while all is far from its limits.

    Columns by row: minutes between two requests, with and without pruning, and whether it is pruned. prices:
    of the metrics in rows, those in dollars alone.
    """

    reading: Reading
    minutes: Ints
    unpruned: Ints
    pruned: Flags
    prices: Mapping[int, Prices]

    @classmethod
    def of(cls, fleet: Fleet, reading: Reading, read: Set[int], prices: Mapping[int, Prices]) -> "Plan":
        """Plan the rows that are read. Where everything is read every minute, nothing is pruned."""
        rings, size = fleet.rings, fleet.rings.size
        longest, throttled = (max(int(s // 60), 1) for s in (reading.longest, reading.throttled))
        minutes = np.full(size, longest, np.int32)
        for block in fleet.throttled:
            minutes[block.rows] = throttled
        minutes = np.maximum(minutes, rings.period[:size])
        minutes[[row for row in range(size) if row not in read]] = NOT_READ
        pruned_minutes, pruned = plan_idle(rings, minutes, throttled)
        if reading.is_every_minute:
            of_parts = np.bincount(np.maximum(rings.bound[:size], 0), rings.bound[:size] != NO_BOUND, size)
            unused = of_parts >= np.maximum(rings.use_count[:size], 1)
            return cls(
                reading, np.where(unused, NOT_READ, minutes), minutes, np.zeros(size, np.bool_), prices
            )
        return cls(reading, pruned_minutes, minutes, pruned, prices)

    def projected(self, service: str, rows: Iterable[int]) -> ProjectedCost:
        """Return what the metrics in some rows cost in dollars, those of a service or of all ("")."""
        by_prices = defaultdict[Prices, list[int]](list)
        for row in rows:
            by_prices[self.prices[row]].append(row)
        return sum_of(self.cost(service, some, prices) for prices, some in by_prices.items())

    def cost(self, service: str, rows: Iterable[int], prices: Prices | None) -> ProjectedCost:
        """Return what the metrics in some rows cost at these prices, those of a service or of all ("")."""
        read = [row for row in rows if self.minutes[row] < NOT_READ]
        if service in self.reading.streamed:
            return project(Counter(), len(read), prices)
        pruned = [row for row in read if self.pruned[row]]
        unpruned, cost, checked = (
            project(_by_interval(minutes, some), 0, prices)
            for minutes, some in ((self.unpruned, pruned), (self.minutes, read), (self.minutes, pruned))
        )
        saved = unpruned.monthly_dollars - checked.monthly_dollars
        return replace(cost, pruned_metrics=len(pruned), pruned_dollars=saved)


def _by_interval(minutes: Ints, rows: Iterable[int]) -> Counter[float]:
    return Counter(int(minutes[row]) * 60.0 for row in rows)


PRUNED = (
    "pruned: metrics that are not read, but for a check, while an aggregate of CloudWatch's is 0, "
    "such as the Throttles of all Lambda functions of an account"
)


IDLE = (
    "idle: a metric without a point for three hours is read once an hour, until ListMetrics lists it again; "
    "which ones are idle is known once they are read, and the cost page shows what that saves"
)


def as_table(estimate: CostEstimate) -> str:
    """Return a line for each service, and the sums; and what each account pays, if there are several."""
    has_other_way = any(one.what_if for one in estimate.services)
    header = ("service", "metrics", "pruned", "$/month", "every minute", "metrics of details", "$/month more")
    rows = [header + (("what if",) if has_other_way else ())]
    rows += [(one.service, *_cells(one)) for one in estimate.services]
    rows.append(("all", *_cells(_total(estimate.services))))
    others = (*_tier_lines(estimate.tiers), *_payer_lines(estimate.payers), *_stream_lines(estimate.streams))
    others = (*_path_lines(estimate.paths), *others)
    pruned = [] if not any(one.now.pruned_metrics for one in estimate.services) else ["", PRUNED]
    return "\n".join([*_lines(rows), *pruned, "", IDLE, *others])


def _path_lines(paths: ProjectedCost) -> list[str]:
    """The line of what is read for request paths alone; none without such metrics."""
    if not paths.polled_metrics:
        return []
    metrics = f"{paths.polled_metrics:,} metrics every five minutes"
    return ["", f"request paths, beside these: {metrics}, ${paths.monthly_dollars:,.2f} a month"]


def _tier_lines(tiers: Mapping[Tier, ProjectedCost]) -> list[str]:
    """The lines of the tiers of the signals that are read."""
    cells = [
        (tier.value, f"{one.polled_metrics:,}", f"{one.monthly_dollars:,.2f}") for tier, one in tiers.items()
    ]
    return ["", *_lines([("tier", "metrics", "$/month"), *cells])] if tiers else []


def _stream_lines(streams: Sequence[StreamAdvice]) -> list[str]:
    """The advice what to stream; none where polling is cheaper."""
    if not streams:
        return []
    header = ("stream", "account", "region", "metrics", "polled $/month", "streamed", "saved")
    cells = [
        (one.namespace, one.account, one.region, f"{one.metrics:,}", *map("{:,.2f}".format, _dollars_of(one)))
        for one in streams
    ]
    names = " ".join(f"--metric {name}" for name in dict.fromkeys(n for one in streams for n in _names(one)))
    saved = sum(one.saved_dollars for one in streams)
    return [
        "",
        f"A metric stream of these saves ${saved:,.2f} a month, and more where metrics have no points:",
        *_lines([header, *cells]),
        f"headroom stream setup --format terraform {names}",
    ]


def _names(one: StreamAdvice) -> list[str]:
    return [f"{one.namespace}:{name}" for name in one.names]


def _dollars_of(one: StreamAdvice) -> tuple[float, float, float]:
    return one.polled_dollars, one.streamed_dollars, one.saved_dollars


def _payer_lines(payers: Sequence[PayerEstimate]) -> list[str]:
    """The lines of the accounts that pay; none where one account pays for itself alone."""
    in_dollars = all(one.dollars is not None for one in payers)
    if len(payers) <= 1 and in_dollars and not any(one.others for one in payers):
        return []
    cells = [(one.account, f"{one.others:,}", f"{one.now.polled_metrics:,}", one.words) for one in payers]
    return ["", *_lines([("paid by", "other accounts", "metrics", "$/month"), *cells])]


def _lines(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The lines of a table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if not index else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _total(estimates: Sequence[ServiceEstimate]) -> ServiceEstimate:
    other_ways = [one.what_if for one in estimates if one.what_if]
    return ServiceEstimate(
        "all",
        sum_of(one.now for one in estimates),
        sum_of(one.added for one in estimates),
        sum_of(one.every_minute for one in estimates),
        sum_of(other_ways) if other_ways else None,
    )


def _cells(one: ServiceEstimate) -> tuple[str, ...]:
    dollars = [f"{cost.monthly_dollars:,.2f}" for cost in (one.now, one.every_minute, one.added)]
    other_way = (f"{one.what_if.monthly_dollars:,.2f}",) if one.what_if else ()
    return (
        f"{one.now.polled_metrics:,}",
        f"{one.now.pruned_metrics:,}",
        *dollars[:2],
        f"{one.added.polled_metrics:,}",
        dollars[2],
        *other_way,
    )


def _tiers_and_streams(estimate: CostEstimate) -> dict[str, list[dict[str, Any]]]:
    """Return the tiers and the advice on streams, for JSON."""
    tiers = [
        {
            "tier": tier.value,
            "polled_metrics": one.polled_metrics,
            "monthly_dollars": round(one.monthly_dollars, 2),
        }
        for tier, one in estimate.tiers.items()
    ]
    streams = [
        {"account": one.account, "region": one.region, "namespace": one.namespace}
        | {"metric_names": list(one.names), "metrics": one.metrics}
        | dict(zip(STREAM_DOLLARS, (round(dollars, 2) for dollars in _dollars_of(one)), strict=True))
        for one in estimate.streams
    ]
    return {"tiers": tiers, "streams": streams}


def as_json(estimate: CostEstimate) -> str:
    """Return the services, the accounts that pay, and the failures."""
    services = [
        {
            "service": one.service,
            "polled_metrics": one.now.polled_metrics,
            "monthly_dollars": round(one.now.monthly_dollars, 2),
            "pruned_metrics": one.now.pruned_metrics,
            "pruned_monthly_dollars": round(one.now.pruned_dollars, 2),
            "every_minute_monthly_dollars": round(one.every_minute.monthly_dollars, 2),
            "detail_metrics": one.added.polled_metrics,
            "detail_monthly_dollars": round(one.added.monthly_dollars, 2),
        }
        | ({"what_if_monthly_dollars": round(one.what_if.monthly_dollars, 2)} if one.what_if else {})
        for one in estimate.services
    ]
    payers = [
        {
            "account": one.account,
            "other_accounts": one.others,
            "polled_metrics": one.now.polled_metrics,
            "currency": one.prices.currency if one.prices else None,
            "monthly_amount": one.amount and round(one.amount, 2),
            "monthly_dollars": one.dollars and round(one.dollars, 2),
        }
        for one in estimate.payers
    ]
    content = {
        "services": services,
        **_tiers_and_streams(estimate),
        "paid_by": payers,
        "paths": {
            "polled_metrics": estimate.paths.polled_metrics,
            "monthly_dollars": round(estimate.paths.monthly_dollars, 2),
        },
        "failures": estimate.failures.each,
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()


FORMATS = {"table": as_table, "json": as_json}
