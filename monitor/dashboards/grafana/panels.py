"""The kinds of panel of the dashboards, with their common style and links."""

from collections.abc import Mapping, Sequence

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

from monitor.dashboards.grafana.queries import ACCOUNT, REGION, VARIABLES
from monitor.lib.label_names import exported_name
from rules.band import Zone
from rules.signals import Band

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
COLORS = {
    Zone.SATURATED: "purple",
    Zone.NEAR: "red",
    Zone.ABOVE: "orange",
    Zone.WITHIN: "green",
    Zone.BELOW: "blue",
    Zone.STALE: "text",
    Zone.UNOBSERVABLE: "text",
}
CELL_LEGEND = f"{{{{{ACCOUNT}}}}} {{{{{REGION}}}}}"
RESOURCE_LEGEND = f"{{{{resource}}}} ({CELL_LEGEND})"
SERIES_PAGE = "/d/headroom-series?${datasource:queryparam}&${__url_time_range}&"


def query(expr: str, legend: str = "", ref: str = "A", instant: bool = False) -> Dataquery:
    """Return a range query, or an instant query whose result is a table. ref: the id of the query."""
    dataquery = Dataquery().expr(expr).ref_id(ref).datasource(DATASOURCE)
    if legend:
        dataquery = dataquery.legend_format(legend)
    return dataquery.instant().format(PromQueryFormat.TABLE) if instant else dataquery.range()


def link(title: str, url: str, new_tab: bool = False) -> Builder[DashboardLink]:
    """Return a link, which opens in a new tab if `new_tab` is true."""
    return dashboard.DashboardLink(title).url(url).target_blank(new_tab)


def series_links(labels_variable: str) -> list[Builder[DashboardLink]]:
    """Return links to the series dashboard and to Headroom's page, with labels of a Grafana variable."""
    values = {name: f"${{{labels_variable}.{exported_name(name)}:percentencode}}" for name in VARIABLES}
    variables = "&".join(f"var-{name}={value}" for name, value in values.items())
    filters = "&".join(f"{name}={value}" for name, value in values.items())
    return [
        link("Series detail", f"{SERIES_PAGE}var-headroom=${{headroom:percentencode}}&{variables}"),
        link("Headroom's page", f"${{headroom}}/?{filters}", new_tab=True),
    ]


def zone_mappings() -> list[ValueMapping]:
    """Return a mapping that shows zones as words and colours."""
    results = {
        str(zone.value): ValueMappingResult(text=zone.word, color=COLORS[zone], index=index)
        for index, zone in enumerate(sorted(Zone, reverse=True))
    }
    return [ValueMap(results)]


def nan_mapping() -> list[ValueMapping]:
    """Return a mapping that shows NaN as the word `unknown`."""
    unknown = ValueMappingResult(text="unknown")
    return [SpecialValueMap(DashboardSpecialValueMapOptions(SpecialValueMatch.NULL_AND_NAN, unknown))]


def steps(bounds: Mapping[float | None, str]) -> dashboard.ThresholdsConfig:
    """Return thresholds: the colour of values from each bound upwards; None: no lower bound."""
    thresholds = [Threshold(value=value, color=color) for value, color in bounds.items()]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(thresholds)


def band_steps(band: Band) -> dashboard.ThresholdsConfig:
    """Return thresholds at the edges of a target band."""
    return steps(
        {
            None: COLORS[Zone.BELOW],
            band.low: COLORS[Zone.WITHIN],
            band.high: COLORS[Zone.ABOVE],
            band.near: COLORS[Zone.NEAR],
        }
    )


def stat_panel(title: str, about: str, expr: str, unit: str = units.Short, color: str = "text") -> stat.Panel:
    """Return a panel with one number, which is coloured unless it is zero."""
    return (
        stat.Panel()
        .title(title)
        .description(about)
        .with_target(query(expr))
        .datasource(DATASOURCE)
        .unit(unit)
        .thresholds(steps({None: "text", 1e-9: color}))
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.AREA)
        .height(4)
        .span(4)
    )


def chart_panel(
    title: str, about: str, targets: Sequence[Dataquery], unit: str = units.Short
) -> timeseries.Panel:
    """Return a time series panel; gaps in the data are not connected."""
    panel = timeseries.Panel().title(title).description(about).datasource(DATASOURCE).unit(unit)
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
    """Return a time series panel whose lines link to the dashboard of their series."""
    return chart_panel(title, about, targets, unit).data_links(series_links("__field.labels"))


def utilization_chart(
    title: str, about: str, expr: str, band: Band, legend: str = RESOURCE_LEGEND
) -> timeseries.Panel:
    """Return a panel of utilization with the default target band: the configuration may override it."""
    lines = GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
    return (
        series_chart(title, about, [query(expr, legend)], units.PercentUnit)
        .thresholds(band_steps(band))
        .thresholds_style(lines)
        .min(0)
    )


def bar_panel(title: str, about: str, expr: str, legend: str, band: Band) -> bargauge.Panel:
    """Return a panel with the current ratio of each series as a bar, coloured by the band."""
    return (
        bargauge.Panel()
        .title(title)
        .description(about)
        .with_target(query(expr, legend).instant())
        .datasource(DATASOURCE)
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


def timeline_panel(title: str, about: str, expr: str, legend: str) -> statetimeline.Panel:
    """Return a panel with zones over time, as words and colours."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(about)
        .with_target(query(expr, legend))
        .datasource(DATASOURCE)
        .mappings(zone_mappings())
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .show_value(common.VisibilityMode.AUTO)
        .height(6)
        .span(24)
    )


def table_panel(
    title: str, about: str, columns: Mapping[str, str], hidden: Sequence[str] = (), sort: str = ""
) -> table.Panel:
    """Return a table of labels with one column per query; rows with the same labels are merged.

    columns: the queries by the name of their column. hidden: the labels that are not shown. sort: the column
    by which rows are sorted, the highest value first.
    """
    panel = table.Panel().title(title).description(about).datasource(DATASOURCE)
    references = dict(zip(columns, "ABCDEFGH", strict=False))
    for name, ref in references.items():
        panel = panel.with_target(query(columns[name], ref=ref, instant=True))
    values = {f"Value #{ref}": name for name, ref in references.items()}
    column_names = values if len(values) > 1 else {"Value": next(iter(columns))}
    organize = {"excludeByName": dict.fromkeys(("Time", *hidden), True), "renameByName": column_names}
    if sort:
        panel = panel.sort_by([TableSortByFieldState().display_name(sort).desc(True)])
    return (
        panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(DataTransformerConfig(id_val="organize", options=organize))
        .filterable(True)
        .height(11)
        .span(24)
    )


def unit_override(unit: str) -> list[DynamicConfigValue]:
    """Return an override of the unit of a column."""
    return [DynamicConfigValue(id_val="unit", value=unit)]


def zone_override() -> list[DynamicConfigValue]:
    """Return an override that shows a column as zones."""
    return [
        DynamicConfigValue(id_val="mappings", value=zone_mappings()),
        DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-background"}),
    ]


AnyPanel = Builder[Panel]
