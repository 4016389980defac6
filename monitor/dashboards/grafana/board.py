"""The parts that all dashboards share: variables, links between them, and alerts as annotations."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders.dashboard import (
    CustomVariable,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    TextBoxVariable,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationContainer,
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from monitor.dashboards.grafana.panels import DATASOURCE, AnyPanel
from monitor.dashboards.grafana.queries import SERIES_LABELS, VARIABLES, LabelMatchers, select
from monitor.lib.label_names import exported_name
from rules.band import Zone

TAG = "headroom"
DEFAULT_PAGE = "http://localhost:4070"
SELECTABLE_ZONES = (Zone.SATURATED, Zone.NEAR, Zone.ABOVE, Zone.WITHIN, Zone.BELOW)
ACCOUNT_NAMES_REGEX = f'/{exported_name("account")}="(?<value>[^"]+)".*name="(?<text>[^"]+)"/'

PanelRows = Mapping[str, Iterable[AnyPanel]]  # panels by the title of their row


class AlertAnnotation(AnnotationQuery):
    """An annotation query for alerts; adds two fields that the SDK's type lacks."""

    title_format = ""

    def to_json(self) -> dict[str, object]:
        """Return the JSON object with the two fields."""
        return {**super().to_json(), "titleFormat": self.title_format, "tagKeys": "severity"}


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard.

    name: the name of its file, and a part of its uid. matchers: the label matchers of the queries; the
    dashboard has each variable that one of them refers to. has_zone_variable: true if the queries use the
    variable of the mildest zone to show.
    """

    name: str
    title: str
    description: str
    matchers: LabelMatchers
    rows: PanelRows
    has_zone_variable: bool = False

    def build(self) -> Dashboard:
        """Return the dashboard. The dashboard of a single series is left out of the list of dashboards."""
        is_multi_series = any(_is_multi_value(matcher) for matcher in self.matchers.values())
        builder = builders.Dashboard(f"Headroom / {self.title}").uid(f"{TAG}-{self.name}")
        builder = builder.description(self.description).readonly().refresh("1m").time("now-6h", "now")
        builder = builder.timezone("browser").tooltip(DashboardCursorSync.CROSSHAIR)
        builder = builder.tags([TAG if is_multi_series else f"{TAG}-{self.name}"])
        builder = builder.link(_dashboards_link(is_multi_series)).link(_page_link())
        zone_variables = [_zone_variable()] if self.has_zone_variable else []
        label_variables = _label_variables(self.matchers)
        builder = builder.variables(
            [_datasource_variable(), _page_variable(), *label_variables, *zone_variables]
        )
        for row, panels in self.rows.items():
            builder = builder.with_row(builders.Row(row))
            for panel in panels:
                builder = builder.with_panel(panel)
        return _with_annotations(builder.build(), self.matchers)

    def to_json(self) -> str:
        """Return the JSON that Grafana imports."""
        return JSONEncoder(indent=2, sort_keys=True, ensure_ascii=False).encode(self.build()) + "\n"


def _with_annotations(built_dashboard: Dashboard, matchers: LabelMatchers) -> Dashboard:
    """Add annotations, and an id to each panel, so that links to panels stay valid."""
    built_dashboard.annotations = AnnotationContainer(_annotations(matchers))
    for number, panel in enumerate(built_dashboard.panels or (), start=1):
        panel.id_val = number
    return built_dashboard


def _is_multi_value(matcher: str) -> bool:
    """Return whether a matcher accepts several values."""
    return matcher.startswith("=~")


def _dashboards_link(with_variables: bool) -> DashboardLink:
    dashboards = DashboardLink("Headroom").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return dashboards.as_dropdown(True).include_vars(with_variables).keep_time(True)


def _page_link() -> DashboardLink:
    return DashboardLink("Headroom's page").type(DashboardLinkType.LINK).url("${headroom}").target_blank(True)


def _datasource_variable() -> DatasourceVariable:
    return DatasourceVariable("datasource").label("Data source").type("prometheus")


def _text_variable(name: str, label: str, value: str) -> TextBoxVariable:
    default = VariableOption(text=value, value=value)
    return TextBoxVariable(name).label(label).default_value(value).current(default)


def _page_variable() -> TextBoxVariable:
    return _text_variable("headroom", "Headroom's page", DEFAULT_PAGE)


def _zone_variable() -> CustomVariable:
    """Return the variable of the mildest zone that the tables show."""
    values = ",".join(f"{zone.word} : {zone.value}" for zone in SELECTABLE_ZONES)
    default = VariableOption(text=Zone.ABOVE.word, value=str(Zone.ABOVE.value), selected=True)
    options = [
        VariableOption(text=zone.word, value=str(zone.value), selected=zone is Zone.ABOVE)
        for zone in SELECTABLE_ZONES
    ]
    return CustomVariable("zone").label("Zone or worse").values(values).current(default).options(options)


def _label_variables(matchers: LabelMatchers) -> list[Builder[VariableModel]]:
    """Return a variable for each label that the matchers refer to.

    The resources of several signals are too many to list, so their variable is a text box for a pattern.
    """
    names = [name for name in VARIABLES if "$" in matchers.get(exported_name(name), "")]
    return [
        _text_variable(name, "Resource (a pattern)", ".*")
        if name == "resource" and _is_multi_value(matchers["resource"])
        else _label_variable(name, matchers)
        for name in names
    ]


def _label_variable(name: str, matchers: LabelMatchers) -> QueryVariable:
    """Return a variable whose values depend on the variables before it."""
    label = exported_name(name)
    preceding = SERIES_LABELS[: SERIES_LABELS.index(label)]
    promql = f"label_values({select('headroom_limit', matchers, preceding)}, {label})"
    variable = QueryVariable(name).label(name.capitalize()).datasource(DATASOURCE)
    if name == "account":
        variable, promql = variable.regex(ACCOUNT_NAMES_REGEX), "query_result(headroom_account_info)"
    variable = variable.query({"query": promql, "refId": name}).sort(VariableSort.ALPHABETICAL_ASC)
    variable = variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    if not _is_multi_value(matchers[label]):
        return variable
    all_values = VariableOption(text=["All"], value=["$__all"], selected=True)
    return variable.multi(True).include_all(True).all_value(".*").current(all_values)


def _annotations(matchers: LabelMatchers) -> list[AnnotationQuery]:
    """Return the alerts of the Prometheus rules and those of Headroom; a user can hide either."""
    label_names = tuple(matchers)
    prometheus = select("ALERTS", matchers, label_names, alertname='=~"Headroom.*"', alertstate='="firing"')
    headroom = f"{select('headroom_alert_state', matchers, label_names)} == 2"
    annotations = [
        AlertAnnotation(name="Prometheus alerts", expr=prometheus, icon_color="red", datasource=DATASOURCE),
        AlertAnnotation(name="Headroom alerts", expr=headroom, icon_color="orange", datasource=DATASOURCE),
    ]
    for annotation, title in zip(annotations, ("{{alertname}}", "{{severity}}"), strict=True):
        annotation.title_format = f"{title} {{{{signal}}}} {{{{resource}}}}"
    return list(annotations)
