"""Estimates CloudWatch's cost a month by service, now and with all signals of the tier detail."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from functools import partial

import orjson

from collectors.registry import Registry
from monitor.aws.telemetry import AwsTelemetry
from monitor.config.config import Config
from monitor.config.signal_settings import SignalSettings
from monitor.cost.bills import ProjectedCost, project
from monitor.fleet.fleet import Fleet, Series
from monitor.lib.telemetry import ProcessTelemetry
from monitor.polling.watcher import Watcher


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


EVERY_MINUTE = Reading(60, 60)


@dataclass(frozen=True, slots=True)
class ServiceEstimate:
    """The metrics of a service while all is far from its limits. now: those that are read.

    added: what signals add that are off. every_minute: what is read, if all were requested every minute.
    what_if: what is read, in another way; None where that was not asked.
    """

    service: str
    now: ProjectedCost
    added: ProjectedCost
    every_minute: ProjectedCost
    what_if: ProjectedCost | None = None


@dataclass(frozen=True, slots=True)
class PayerEstimate:
    """The cost of an account that pays for itself and for others whose metrics it reads.

    others: their number.
    """

    account: str
    others: int
    now: ProjectedCost


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """The services and the accounts that pay, the most expensive first, and failures, as sentences."""

    services: Sequence[ServiceEstimate]
    payers: Sequence[PayerEstimate]
    failures: Sequence[str]


async def estimate_cost(
    config: Config,
    registry: Registry,
    report_progress: Callable[[int, int], None],
    what_if: Reading | None = None,
) -> CostEstimate:
    """Run an inventory with all signals, which requests no metric, and count what polls would request."""
    everything = config.model_copy(update={"signals": SignalSettings(detail=True)})
    fleet, telemetry = Fleet(), ProcessTelemetry()
    watcher = Watcher(everything, registry, fleet, telemetry, AwsTelemetry(telemetry.registry))
    try:
        await watcher.run_once(report_progress, with_polls=False)
    finally:
        await watcher.close()
    services = _by_service(fleet, config, what_if)
    return CostEstimate(services, payers_of(fleet, config), watcher.sentences())


def payers_of(fleet: Fleet, config: Config) -> list[PayerEstimate]:
    """Return the accounts that pay for the signals that are read, the one that pays most first."""
    billed = {cell: {*fleet.metrics(cell).values()} for cell in {key.cell for key in fleet.series}}
    rows, others = defaultdict[str, set[int]](set), defaultdict[str, set[str]](set)
    for key, series in fleet.series.items():
        payer, _ = fleet.payer_of(key.cell)
        others[payer] |= {key.account} - {payer}
        if config.signals.includes(series.settings.signal):
            rows[payer] |= billed[key.cell].intersection(_rows(fleet, series))
    project_rows = partial(_projected, fleet, _throttled_rows(fleet), "", reading=Reading.of(config))
    payers = [PayerEstimate(one, len(others[one]), project_rows(rows[one])) for one in others]
    return sorted(payers, key=lambda one: (-one.now.monthly_dollars, one.account))


def _by_service(fleet: Fleet, config: Config, what_if: Reading | None) -> list[ServiceEstimate]:
    billed = {row for cell in {key.cell for key in fleet.series} for row in fleet.metrics(cell).values()}
    now, all_rows = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set)
    for key, series in fleet.series.items():
        rows = billed.intersection(_rows(fleet, series))
        all_rows[key.service] |= rows
        if config.signals.includes(series.settings.signal):
            now[key.service] |= rows
    project_rows, reading = partial(_projected, fleet, _throttled_rows(fleet)), Reading.of(config)
    estimates = [
        ServiceEstimate(
            service,
            project_rows(service, now[service], reading),
            project_rows(service, rows - now[service], reading),
            project_rows(service, now[service], EVERY_MINUTE),
            project_rows(service, now[service], what_if) if what_if else None,
        )
        for service, rows in all_rows.items()
    ]
    dollars = {one.service: one.now.monthly_dollars + one.added.monthly_dollars for one in estimates}
    return sorted(estimates, key=lambda one: (-dollars[one.service], one.service))


def _rows(fleet: Fleet, series: Series) -> Iterable[int]:
    """The rows of the metrics of a series."""
    every = (fleet.usages, fleet.upper_bounds, fleet.published_limits, fleet.throttled, fleet.served)
    formulas = (one.get(series.slot) for one in every)
    return (row for formula in formulas if formula for row in formula.rows)


def _throttled_rows(fleet: Fleet) -> Set[int]:
    """The rows of metrics of throttled demand."""
    return {row for block in fleet.throttled for row in block.rows.ravel().tolist()}


def _projected(
    fleet: Fleet, throttled: Set[int], service: str, rows: Iterable[int], reading: Reading
) -> ProjectedCost:
    rows = tuple(rows)
    if service in reading.streamed:
        return project(Counter(), len(rows))
    intervals = ((row, reading.throttled if row in throttled else reading.longest) for row in rows)
    return project(
        Counter(max(seconds, int(fleet.rings.period[row]) * 60.0) for row, seconds in intervals), 0
    )


def as_table(estimate: CostEstimate) -> str:
    """Return a line for each service, and the sums; and what each account pays, if there are several."""
    has_other_way = any(one.what_if for one in estimate.services)
    header = ("service", "metrics", "$/month", "every minute", "metrics of details", "$/month more")
    rows = [header + (("what if",) if has_other_way else ())]
    rows += [(one.service, *_cells(one)) for one in estimate.services]
    rows.append(("all", *_cells(_total(estimate.services))))
    return "\n".join([*_lines(rows), *_payer_lines(estimate.payers)])


def _payer_lines(payers: Sequence[PayerEstimate]) -> list[str]:
    """The lines of the accounts that pay; none where one account pays for itself alone."""
    if len(payers) <= 1 and not any(one.others for one in payers):
        return []
    cells = [
        (one.account, f"{one.others:,}", f"{one.now.polled_metrics:,}", f"{one.now.monthly_dollars:,.2f}")
        for one in payers
    ]
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
        _sum(one.now for one in estimates),
        _sum(one.added for one in estimates),
        _sum(one.every_minute for one in estimates),
        _sum(other_ways) if other_ways else None,
    )


def _sum(costs: Iterable[ProjectedCost]) -> ProjectedCost:
    metrics, dollars = 0, 0.0
    for one in costs:
        metrics, dollars = metrics + one.polled_metrics, dollars + one.monthly_dollars
    return ProjectedCost(polled_metrics=metrics, monthly_dollars=dollars)


def _cells(one: ServiceEstimate) -> tuple[str, ...]:
    dollars = [f"{cost.monthly_dollars:,.2f}" for cost in (one.now, one.every_minute, one.added)]
    other_way = (f"{one.what_if.monthly_dollars:,.2f}",) if one.what_if else ()
    return (
        f"{one.now.polled_metrics:,}",
        *dollars[:2],
        f"{one.added.polled_metrics:,}",
        dollars[2],
        *other_way,
    )


def as_json(estimate: CostEstimate) -> str:
    """Return the services, the accounts that pay, and the failures."""
    services = [
        {
            "service": one.service,
            "metrics": one.now.polled_metrics,
            "monthly_dollars": round(one.now.monthly_dollars, 2),
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
            "metrics": one.now.polled_metrics,
            "monthly_dollars": round(one.now.monthly_dollars, 2),
        }
        for one in estimate.payers
    ]
    content = {"services": services, "paid_by": payers, "failures": list(estimate.failures)}
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()


FORMATS = {"table": as_table, "json": as_json}
