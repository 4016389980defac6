"""The kinds of panel that the dashboards are made of, each with the looks and links they share."""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

from grafana_foundation_sdk.builders import bargauge, dashboard, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    TableSortByFieldState,
    VizLegendOptions,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, units
from grafana_foundation_sdk.models.dashboard import (
    DashboardLink,
    DashboardSpecialValueMapOptions,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Panel,
    SpecialValueMap,
    SpecialValueMatch,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from monitor.dashboards.grafana.queries import SERIES
from rules.band import Zone
from rules.limits import Band

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
COLORS = {
    Zone.SATURATED: "purple",
    Zone.CRITICAL: "red",
    Zone.ABOVE: "orange",
    Zone.WITHIN: "green",
    Zone.BELOW: "blue",
    Zone.STALE: "text",
    Zone.UNOBSERVABLE: "text",
}
UNITS = {
    "bytes/s": units.BytesPerSecondIEC,
    "percent": units.Percent,
    "milliseconds": units.Milliseconds,
    "requests/s": units.RequestsPerSecond,
}
RESOURCE = "{{resource}} ({{account}} {{region}})"
SERIES_PAGE = "/d/headroom-series?${datasource:queryparam}&${__url_time_range}&"


class Linked(Protocol):
    """A builder of a panel whose fields can link elsewhere."""

    def data_links(self, links: list[Builder[DashboardLink]]) -> Self: ...


def unit_of(unit: str) -> str:
    """Grafana's name of a declared unit; where it has none, the panel's title says what the number is."""
    return UNITS.get(unit, units.Short)


def query(expr: str, legend: str = "", ref: str = "A", instant: bool = False) -> Dataquery:
    """One query; an instant one asks for a table."""
    asked = Dataquery().expr(expr).ref_id(ref).datasource(SOURCE)
    if legend:
        asked = asked.legend_format(legend)
    return asked.instant().format(PromQueryFormat.TABLE) if instant else asked.range()


def link(title: str, url: str, blank: bool = False) -> Builder[DashboardLink]:
    return dashboard.DashboardLink(title).url(url).target_blank(blank)


def series_links(value_of: str) -> list[Builder[DashboardLink]]:
    """To the detail of a series here and on Headroom's page; `value_of` is where Grafana keeps a label."""
    values = {label: f"${{{value_of}.{label}:percentencode}}" for label in SERIES}
    here = "&".join(f"var-{label}={value}" for label, value in values.items())
    page = "&".join(f"{label}={value}" for label, value in values.items())
    return [
        link("Series detail", f"{SERIES_PAGE}var-headroom=${{headroom:percentencode}}&{here}"),
        link("Headroom's page", f"${{headroom}}/?{page}", blank=True),
    ]


def zone_names() -> list[ValueMapping]:
    named = {
        str(zone.value): ValueMappingResult(text=zone.word, color=COLORS[zone], index=place)
        for place, zone in enumerate(sorted(Zone, reverse=True))
    }
    return [ValueMap(named)]


def not_told() -> list[ValueMapping]:
    """NaN in words."""
    said = ValueMappingResult(text="not told")
    return [SpecialValueMap(DashboardSpecialValueMapOptions(SpecialValueMatch.NULL_AND_NAN, said))]


def steps(bounds: Mapping[float | None, str]) -> dashboard.ThresholdsConfig:
    """The colour from each bound on; None is from the lowest value on."""
    told = [Threshold(value=value, color=color) for value, color in bounds.items()]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(told)


def band_steps(band: Band) -> dashboard.ThresholdsConfig:
    return steps(
        {
            None: COLORS[Zone.BELOW],
            band.low: COLORS[Zone.WITHIN],
            band.high: COLORS[Zone.ABOVE],
            band.critical: COLORS[Zone.CRITICAL],
        }
    )


def number(title: str, about: str, expr: str, unit: str = units.Short, color: str = "text") -> stat.Panel:
    """One number, coloured as soon as it is not zero."""
    return (
        stat.Panel()
        .title(title)
        .description(about)
        .with_target(query(expr))
        .datasource(SOURCE)
        .unit(unit)
        .thresholds(steps({None: "text", 1e-9: color}))
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.AREA)
        .height(4)
        .span(4)
    )


def chart(title: str, about: str, targets: Sequence[Dataquery], unit: str = units.Short) -> timeseries.Panel:
    """Lines over time; a gap stays a gap."""
    panel = timeseries.Panel().title(title).description(about).datasource(SOURCE).unit(unit)
    for target in targets:
        panel = panel.with_target(target)
    legend = VizLegendOptions().display_mode(common.LegendDisplayMode.TABLE).calcs(["lastNotNull", "max"])
    return (
        panel.legend(legend.placement(common.LegendPlacement.BOTTOM).show_legend(True))
        .line_width(1)
        .fill_opacity(5)
        .span_nulls(False)
        .height(9)
        .span(12)
    )


def series_chart(
    title: str, about: str, targets: Sequence[Dataquery], unit: str = units.Short
) -> timeseries.Panel:
    """Lines that are series, each of which leads to its detail."""
    return chart(title, about, targets, unit).data_links(series_links("__field.labels"))


def utilization_chart(title: str, about: str, expr: str, band: Band) -> timeseries.Panel:
    """Utilization of series, with the band as it is unless the configuration says otherwise."""
    lines = GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
    return (
        series_chart(title, about, [query(expr, RESOURCE)], units.PercentUnit)
        .thresholds(band_steps(band))
        .thresholds_style(lines)
        .min(0)
    )


def bars(title: str, about: str, expr: str, legend: str, band: Band) -> bargauge.Panel:
    """Utilizations side by side, as they are now."""
    return (
        bargauge.Panel()
        .title(title)
        .description(about)
        .with_target(query(expr, legend).instant())
        .datasource(SOURCE)
        .unit(units.PercentUnit)
        .min(0)
        .max(1)
        .thresholds(band_steps(band))
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .data_links(series_links("__field.labels"))
        .height(9)
        .span(12)
    )


def timeline(title: str, about: str, expr: str, legend: str) -> statetimeline.Panel:
    """Zones over time, in words and colours."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(about)
        .with_target(query(expr, legend))
        .datasource(SOURCE)
        .mappings(zone_names())
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .show_value(common.VisibilityMode.AUTO)
        .height(6)
        .span(24)
    )


def rows(
    title: str, about: str, columns: Mapping[str, str], hidden: Sequence[str] = (), sort: str = ""
) -> table.Panel:
    """A table of the labels and of a column a query, named so; rows with the same labels are one."""
    panel = table.Panel().title(title).description(about).datasource(SOURCE)
    references = dict(zip(columns, "ABCDEFGH", strict=False))
    for name, ref in references.items():
        panel = panel.with_target(query(columns[name], ref=ref, instant=True))
    values = {f"Value #{ref}": name for name, ref in references.items()}
    renamed = values if len(values) > 1 else {"Value": next(iter(columns))}
    arranged = {"excludeByName": dict.fromkeys(("Time", *hidden), True), "renameByName": renamed}
    if sort:
        panel = panel.sort_by([TableSortByFieldState().display_name(sort).desc(True)])
    return (
        panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(DataTransformerConfig(id_val="organize", options=arranged))
        .filterable(True)
        .height(11)
        .span(24)
    )


def shown_as(unit: str) -> list[DynamicConfigValue]:
    return [DynamicConfigValue(id_val="unit", value=unit)]


def shown_as_zone() -> list[DynamicConfigValue]:
    return [
        DynamicConfigValue(id_val="mappings", value=zone_names()),
        DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-background"}),
    ]


AnyPanel = Builder[Panel]
