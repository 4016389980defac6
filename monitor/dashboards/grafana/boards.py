"""The dashboards: overview, one per family of services, a single series, and Headroom itself."""

from collections.abc import Collection, Iterator, Mapping

from grafana_foundation_sdk.models import units

from monitor.dashboards.families import by_family
from monitor.dashboards.grafana import queries as promql
from monitor.dashboards.grafana.board import Board
from monitor.dashboards.grafana.health import health_board
from monitor.dashboards.grafana.panels import (
    COLORS,
    RESOURCE_LEGEND,
    AnyPanel,
    bar_panel,
    nan_mapping,
    query,
    series_chart,
    series_links,
    stat_panel,
    table_panel,
    unit_override,
    utilization_chart,
    zone_override,
)
from monitor.dashboards.grafana.queries import LabelMatchers
from monitor.dashboards.grafana.series import series_board
from monitor.runbooks.service_runbook import service_heading
from rules.band import Zone
from rules.signals import Band, Service, ServiceFamily

SIGNAL_LEGEND = f"{{{{signal}}}} {RESOURCE_LEGEND}"
COUNTED_ZONES = {
    Zone.SATURATED: "Series with throttled demand now.",
    Zone.NEAR: "Series near their limit.",
    Zone.ABOVE: "Series above their target band.",
    Zone.BELOW: "Series below their target band: headroom, or idle capacity that is paid for.",
    Zone.STALE: "Series without a recent sample; their usage is unknown, not zero.",
    Zone.UNOBSERVABLE: "Series whose usage AWS does not report; /api/v1/status has commands that enable it.",
}


def files(services: Collection[Service]) -> Mapping[str, str]:
    """Return the JSON of each dashboard by file name."""
    boards = [overview(), *_family_boards(services), series_board(services), health_board()]
    return {f"{board.name}.json": board.to_json() for board in boards}


def overview() -> Board:
    """Return the overview: throttled series, series that approach their limit, and blind spots."""
    matchers = promql.SELECTED
    return Board(
        "overview",
        "Overview",
        "Throttled series, series that approach their limit, and blind spots.",
        matchers,
        {
            "Throttled now": [*_zone_counts(matchers), _worst_series(matchers), _throttled_chart(matchers)],
            "Approaching the limit": _forecast_panels(matchers),
            "Blind spots": _blind_spots(matchers),
        },
        has_zone_variable=True,
    )


def _family_boards(services: Collection[Service]) -> Iterator[Board]:
    for family, members in by_family(services):
        yield family_board(family, members)


def family_board(family: ServiceFamily, services: Collection[Service]) -> Board:
    """Return the dashboard of a family: its most urgent series, then one row per service."""
    matchers = promql.of_services(service.service for service in services)
    title = family.value.capitalize()
    first_row = {f"{title} now": [*_zone_counts(matchers), _worst_series(matchers)]}
    rows = {service_heading(service): _service_row(service) for service in services}
    about = f"The services of the family {family}: most urgent series, utilization and throttling."
    return Board(family.value, title, about, matchers, first_row | rows, has_zone_variable=True)


def _zone_counts(matchers: LabelMatchers) -> list[AnyPanel]:
    return [
        stat_panel(zone.word.capitalize(), about, promql.count_in_zone(zone, matchers), color=COLORS[zone])
        for zone, about in COUNTED_ZONES.items()
    ]


def _worst_series(matchers: LabelMatchers) -> AnyPanel:
    other_columns = {
        "utilization": promql.series("headroom_utilization_ratio", matchers),
        "usage": f"max {promql.BY_SERIES_AND_UNIT} ({promql.select('headroom_usage', matchers)})",
        "limit": f"max {promql.BY_SERIES_AND_UNIT} ({promql.select('headroom_limit', matchers)})",
        "throttled per second": promql.series("headroom_saturation", matchers),
    }
    columns = {"zone": promql.most_urgent(matchers)}
    columns |= {name: promql.column_of_most_urgent(expr, matchers) for name, expr in other_columns.items()}
    about = "Series in the selected zone or a worse one; usage and limit are in the unit of the signal."
    return (
        table_panel("Most urgent series", about, columns, sort="zone")
        .override_by_name("zone", zone_override())
        .override_by_name("utilization", unit_override(units.PercentUnit))
        .mappings(nan_mapping())
        .no_value("No series in the selected zone or a worse one")
        .data_links(series_links("__data.fields"))
    )


def _throttled_chart(matchers: LabelMatchers, width: int = 24) -> AnyPanel:
    highest = promql.highest(f"{promql.series('headroom_saturation', matchers)} > 0")
    throttled = promql.or_zero(highest, promql.all_series(matchers))
    about = "Throttled or delayed demand per second, where AWS reports it."
    return series_chart("Throttled per second", about, [query(throttled, SIGNAL_LEGEND)]).span(width)


def _forecast_panels(matchers: LabelMatchers) -> list[AnyPanel]:
    highest = promql.or_none(promql.highest(promql.series("headroom_utilization_ratio", matchers)))
    about = (
        "By the usage of 14 days; series at the limit, or with less than two days of history, have no bar."
    )
    title = "Probability of reaching the limit in 24 hours"
    return [
        utilization_chart(
            "Highest utilization", "Usage divided by the limit in force.", highest, Band(), SIGNAL_LEGEND
        ),
        bar_panel(title, about, promql.highest_probabilities(matchers, "24h"), SIGNAL_LEGEND, Band()),
    ]


def _blind_spots(matchers: LabelMatchers) -> Iterator[AnyPanel]:
    about = "Cells (an account in a region) that were never completely read, or not for 15 minutes."
    yield stat_panel("Blind cells", about, promql.blind_cells(matchers), color="red")
    failed = promql.or_zero(f"sum (increase({promql.FAILED_CALLS}[1h]))")
    title, about = "Failed calls in an hour", "Calls that AWS denied, throttled or did not answer."
    yield stat_panel(title, about, failed, color="orange")
    about = "Signals with stale series, which lack a recent sample, or with unobservable series."
    yield table_panel(
        "Signals without samples", about, {"series": promql.without_samples(matchers)}, sort="series"
    ).span(16)


def _service_row(service: Service) -> list[AnyPanel]:
    matchers = promql.of_services([service.service])
    utilization = promql.or_none(promql.highest(promql.series("headroom_utilization_ratio", matchers)))
    about = f"Usage divided by the limit in force, of the {promql.MAX_LINES} most used limits."
    return [
        utilization_chart("Utilization", about, utilization, Band(), SIGNAL_LEGEND).span(12),
        _throttled_chart(matchers, width=12),
    ]
