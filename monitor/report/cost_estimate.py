"""What CloudWatch costs a month by service, now and with all signals of the tier detail, without a poll."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

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
class ServiceEstimate:
    """The metrics of a service. now: those that are read. added: what signals add that are off."""

    service: str
    now: ProjectedCost
    added: ProjectedCost


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """The services, the most expensive first, and what could not be read, as sentences."""

    services: Sequence[ServiceEstimate]
    failures: Sequence[str]


async def estimate_cost(
    config: Config, registry: Registry, report_progress: Callable[[int, int], None]
) -> CostEstimate:
    """Run an inventory with all signals, which requests no metric, and count what polls would request."""
    everything = config.model_copy(update={"signals": SignalSettings(detail=True)})
    fleet, telemetry = Fleet(), ProcessTelemetry()
    watcher = Watcher(everything, registry, fleet, telemetry, AwsTelemetry(telemetry.registry))
    try:
        await watcher.run_once(report_progress, with_polls=False)
    finally:
        await watcher.close()
    return CostEstimate(_by_service(fleet, config), watcher.sentences())


def _by_service(fleet: Fleet, config: Config) -> list[ServiceEstimate]:
    billed = {row for cell in {key.cell for key in fleet.series} for row in fleet.metrics(cell).values()}
    now, all_rows = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set)
    for key, series in fleet.series.items():
        rows = billed.intersection(_rows(fleet, series))
        all_rows[key.service] |= rows
        if config.signals.includes(series.settings.signal):
            now[key.service] |= rows
    estimates = [
        ServiceEstimate(
            service,
            _projected(fleet, now[service], config.interval),
            _projected(fleet, rows - now[service], config.interval),
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


def _projected(fleet: Fleet, rows: Iterable[int], interval: float) -> ProjectedCost:
    return project(Counter(max(interval, int(fleet.rings.period[row]) * 60.0) for row in rows), 0)


def as_table(estimate: CostEstimate) -> str:
    """Return a line for each service, and the sums."""
    rows = [("service", "metrics", "$/month", "metrics of details", "$/month more")]
    rows += [(one.service, *_cells(one.now), *_cells(one.added)) for one in estimate.services]
    now, added = (
        ProjectedCost(
            polled_metrics=sum(one.polled_metrics for one in some),
            monthly_dollars=sum(one.monthly_dollars for one in some),
        )
        for some in ([one.now for one in estimate.services], [one.added for one in estimate.services])
    )
    rows.append(("all", *_cells(now), *_cells(added)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if not index else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def _cells(cost: ProjectedCost) -> tuple[str, str]:
    return f"{cost.polled_metrics:,}", f"{cost.monthly_dollars:,.2f}"


def as_json(estimate: CostEstimate) -> str:
    """Return the services and failures."""
    services = [
        {
            "service": one.service,
            "metrics": one.now.polled_metrics,
            "monthly_dollars": round(one.now.monthly_dollars, 2),
            "detail_metrics": one.added.polled_metrics,
            "detail_monthly_dollars": round(one.added.monthly_dollars, 2),
        }
        for one in estimate.services
    ]
    content = {"services": services, "failures": list(estimate.failures)}
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()


FORMATS = {"table": as_table, "json": as_json}
