"""One series in detail: usage against its limit, where that was read, and how old what is shown is."""

from grafana_foundation_sdk.builders import gauge
from grafana_foundation_sdk.models import units

from monitor.dashboards.grafana import queries as ask
from monitor.dashboards.grafana.panels import (
    SOURCE,
    AnyPanel,
    band_steps,
    chart,
    link,
    number,
    query,
    rows,
    shown_as,
    timeline,
    unit_of,
    utilization_chart,
    zone_names,
)
from monitor.dashboards.grafana.shell import Board
from rules.limits import Band, signals

PAGE = "${headroom}/?" + "&".join(f"{label}=${{{label}:percentencode}}" for label in ask.SERIES)


def one_series() -> Board:
    """The dashboard to which every series elsewhere links."""
    return Board(
        "series",
        "Series",
        "One signal of one resource: usage, the limit in force, and what was refused.",
        ask.ONE,
        {"Now": _now(), "Over time": _over_time()},
    )


def _now() -> list[AnyPanel]:
    zone = ask.or_none(ask.series("headroom_zone", ask.ONE))
    utilization = ask.or_none(ask.series("headroom_utilization_ratio", ask.ONE))
    age = f"time() - {ask.series('headroom_sample_timestamp_seconds', ask.ONE)}"
    refused = ask.or_none(ask.series("headroom_saturation", ask.ONE), "not told by AWS")
    limit = ask.or_none(f"max by (unit, source) ({ask.select('headroom_limit', ask.ONE)})", "no limit")
    dial = gauge.Panel().title("Utilization").description("Usage divided by the limit.").min(0).max(1)
    dial = dial.with_target(query(utilization)).datasource(SOURCE).unit(units.PercentUnit).height(4).span(4)
    return [
        number("Zone", "Where the series stands.", zone).mappings(zone_names()),
        dial.thresholds(band_steps(Band())),
        number("Refused per second", "Demand refused or kept waiting.", refused, color="red"),
        number("Age of the sample", "CloudWatch is minutes late.", ask.or_none(age), units.Seconds),
        rows("Limit in force", "And where it was read.", {"limit": limit}).height(4).span(8),
    ]


def _over_time() -> list[AnyPanel]:
    by_unit = "max by (resource, unit)"
    targets = [
        query(ask.or_none(f"{by_unit} ({ask.select(family, ask.ONE)})", f"no {name}"), legend, ref)
        for ref, family, name, legend in (
            ("A", "headroom_usage", "usage", "usage, {{unit}}"),
            ("B", "headroom_limit", "limit", "limit, {{unit}}"),
            ("C", "headroom_usage_upper_bound", "bound", "usage at most, {{unit}}"),
        )
    ]
    usage = (
        chart("Usage and limit", "In the unit of the signal.", targets)
        .links([link("Headroom's page", PAGE, blank=True)])
        .span(24)
    )
    for unit in sorted({signal.unit for signal in signals()}):
        usage = usage.override_by_regexp(f"/, {unit.replace('/', '.')}$/", shown_as(unit_of(unit)))
    utilization = ask.or_none(ask.series("headroom_utilization_ratio", ask.ONE))
    refused = ask.or_none(ask.series("headroom_saturation", ask.ONE), "not told by AWS")
    zone = ask.or_none(ask.series("headroom_zone", ask.ONE))
    return [
        usage,
        timeline("Zone", "Where it stood.", zone, "zone"),
        utilization_chart("Utilization", "Usage divided by the limit.", utilization, Band()).span(12),
        chart("Refused per second", "Demand refused or kept waiting.", [query(refused, "refused")]).span(12),
    ]
