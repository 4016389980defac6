"""The dashboard of one series: usage, limit and its source, zone, and the age of the sample."""

from collections.abc import Iterable, Iterator

from grafana_foundation_sdk.builders import gauge
from grafana_foundation_sdk.models import units

from monitor.dashboards.grafana import queries as promql
from monitor.dashboards.grafana.board import Board
from monitor.dashboards.grafana.panels import (
    DATASOURCE,
    AnyPanel,
    band_steps,
    chart_panel,
    link,
    query,
    stat_panel,
    table_panel,
    timeline_panel,
    unit_override,
    utilization_chart,
    zone_mappings,
)
from rules.signals import Band, Service

PAGE = "${headroom}/?" + "&".join(f"{name}=${{{name}:percentencode}}" for name in promql.VARIABLES)


def series_board(services: Iterable[Service]) -> Board:
    """Return the dashboard of a single series, to which the panels of other dashboards link.

    services: all services; the chart of usage shows the units of their signals.
    """
    return Board(
        "series",
        "Series",
        "One signal of one resource: usage, limit in force, and throttling.",
        promql.SINGLE,
        {"Now": _panels_of_now(), "Over time": _panels_over_time(services)},
    )


def _panels_of_now() -> list[AnyPanel]:
    zone = promql.or_none(promql.series("headroom_zone", promql.SINGLE))
    utilization = promql.or_none(promql.series("headroom_utilization_ratio", promql.SINGLE))
    age = f"time() - {promql.series('headroom_sample_timestamp_seconds', promql.SINGLE)}"
    throttled = promql.or_none(promql.series("headroom_saturation", promql.SINGLE), "not reported by AWS")
    limit = promql.or_none(
        f"max by (unit, source) ({promql.select('headroom_limit', promql.SINGLE)})", "no limit"
    )
    dial = gauge.Panel().title("Utilization").description("Usage divided by the limit.").min(0).max(1)
    dial = (
        dial.with_target(query(utilization)).datasource(DATASOURCE).unit(units.PercentUnit).height(4).span(4)
    )
    return [
        stat_panel("Zone", "The zone of the series.", zone).mappings(zone_mappings()),
        dial.thresholds(band_steps(Band())),
        stat_panel("Throttled per second", "Throttled or delayed demand.", throttled, color="red"),
        stat_panel(
            "Age of the sample",
            "CloudWatch publishes with a delay of minutes.",
            promql.or_none(age),
            units.Seconds,
        ),
        table_panel("Limit in force", "The limit and its source.", {"limit": limit}).height(4).span(8),
    ]


def _panels_over_time(services: Iterable[Service]) -> list[AnyPanel]:
    by_unit = "max by (resource, unit)"
    targets = [
        query(
            promql.or_none(f"{by_unit} ({promql.select(family, promql.SINGLE)})", f"no {name}"), legend, ref
        )
        for ref, family, name, legend in (
            ("A", "headroom_usage", "usage", "usage, {{unit}}"),
            ("B", "headroom_limit", "limit", "limit, {{unit}}"),
            ("C", "headroom_usage_upper_bound", "bound", "upper bound of usage, {{unit}}"),
        )
    ]
    usage = (
        chart_panel("Usage and limit", "In the unit of the signal.", targets)
        .links([link("Headroom's page", PAGE, new_tab=True)])
        .span(24)
    )
    units_by_name = {
        signal.unit.name: signal.unit for service in services for signal in service.signals.values()
    }
    for name, unit in sorted(units_by_name.items()):
        usage = usage.override_by_regexp(f"/, {name.replace('/', '.')}$/", unit_override(unit.grafana))
    utilization = promql.or_none(promql.series("headroom_utilization_ratio", promql.SINGLE))
    throttled = promql.or_none(promql.series("headroom_saturation", promql.SINGLE), "not reported by AWS")
    zone = promql.or_none(promql.series("headroom_zone", promql.SINGLE))
    return [
        usage,
        timeline_panel("Zone", "The zone of the series over time.", zone, "zone"),
        utilization_chart("Utilization", "Usage divided by the limit.", utilization, Band()).span(12),
        chart_panel(
            "Throttled per second", "Throttled or delayed demand.", [query(throttled, "throttled")]
        ).span(12),
        *_forecast_panels(),
    ]


def _forecast_panels() -> Iterator[AnyPanel]:
    """Yield the probability of reaching the limit, and quantiles of the time until then."""
    family, no_forecast = "headroom_limit_reach_probability", "no forecast yet"
    probability = promql.or_none(promql.by_label(family, promql.SINGLE, "horizon"), no_forecast)
    about = "By the usage of the last 14 days; no sample before two days of history."
    yield (
        chart_panel("Probability of reaching the limit", about, [query(probability, "within {{horizon}}")])
        .unit(units.PercentUnit)
        .min(0)
        .max(1)
        .span(12)
    )
    times = promql.by_label("headroom_limit_reach_timestamp_seconds", promql.SINGLE, "percentile")
    time_left = promql.or_none(f"{times} - time()", no_forecast)
    about = "If the limit is reached: after this time, by percentile of the possible times."
    yield (
        chart_panel("Time until the limit is reached", about, [query(time_left, "{{percentile}} % of times")])
        .unit(units.Seconds)
        .span(12)
    )
