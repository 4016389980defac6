"""The dashboard of one series: usage, limit and its source, zone, and the age of the sample."""

from collections.abc import Iterable, Iterator

from grafana_foundation_sdk.builders import gauge
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

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
            promql.or_none(f"{by_unit} ({promql.select(family, promql.SINGLE)})", "not known", "unit"),
            f"{name}, {{{{unit}}}}",
            ref,
        )
        for ref, family, name in (
            ("A", "headroom_usage", "usage"),
            ("B", "headroom_limit", "limit"),
            ("C", "headroom_usage_upper_bound", "upper bound of usage"),
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
        pattern = name.replace("/", ".")  # a slash would end the regular expression
        usage = usage.override_by_regexp(f"/, {pattern}$/", unit_override(unit.grafana))
    utilization = promql.or_none(promql.series("headroom_utilization_ratio", promql.SINGLE))
    throttled = promql.or_none(
        promql.series("headroom_saturation", promql.SINGLE), ", not reported by AWS", "note"
    )
    zone = promql.or_none(promql.series("headroom_zone", promql.SINGLE))
    return [
        usage,
        timeline_panel("Zone", "The zone of the series over time.", zone, "zone"),
        utilization_chart("Utilization", "Usage divided by the limit.", utilization, Band()).span(12),
        chart_panel(
            "Throttled per second", "Throttled or delayed demand.", [query(throttled, "throttled{{note}}")]
        ).span(12),
        *_forecast_panels(),
    ]


def _forecast_panels() -> Iterator[AnyPanel]:
    """Yield the panels of the probability of reaching the limit, and of the time until then."""
    probability = promql.by_label("headroom_limit_reach_probability", promql.SINGLE, "horizon")
    about = "Within each horizon, by the usage of the last 14 days; no sample before two days of history."
    lines = [query(promql.or_none(probability, "no forecast yet", "horizon"), "{{horizon}}")]
    yield (
        chart_panel("Probability of reaching the limit", about, lines)
        .unit(units.PercentUnit)
        .min(0)
        .max(1)
        .span(12)
    )
    times = promql.by_label("headroom_limit_reach_timestamp_seconds", promql.SINGLE, "percentile")
    about = "If the limit is reached: 10, 50 and 90 % of the possible times are earlier."
    no_time = "improbable, or no forecast yet"
    lines = [query(promql.or_none(f"{times} - time()", no_time, "percentile"), "{{percentile}}")]
    fan = [
        DynamicConfigValue(id_val="custom.fillBelowTo", value="10"),
        DynamicConfigValue(id_val="custom.fillOpacity", value=20),
    ]
    yield (
        chart_panel("Time until the limit is reached, by percentile", about, lines)
        .fill_opacity(0)
        .override_by_name("90", fan)
        .unit(units.Seconds)
        .span(12)
    )
