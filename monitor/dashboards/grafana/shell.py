"""What all dashboards have in common: variables, links to one another, and the alerts as annotations."""

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

from monitor.dashboards.grafana.panels import SOURCE, AnyPanel
from monitor.dashboards.grafana.queries import SERIES, Matchers, select
from rules.band import Zone

TAG = "headroom"
PAGE = "http://localhost:4070"
ZONES = (Zone.SATURATED, Zone.CRITICAL, Zone.ABOVE, Zone.WITHIN, Zone.BELOW)
NAMES = '/account="(?<value>[^"]+)".*name="(?<text>[^"]+)"/'

Rows = Mapping[str, Iterable[AnyPanel]]  # panels by the title of their row


class Alerts(AnnotationQuery):
    """Where alerts began and ended; with a title, which the library's type does not know."""

    title_format = ""

    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), "titleFormat": self.title_format, "tagKeys": "severity"}


@dataclass(frozen=True, slots=True)
class Board:
    """What makes a dashboard its own.

    name: of its file, and in its address. matchers: each that leaves a label open brings a variable for it.
    zone: whether its queries have the variable for the least bad zone.
    """

    name: str
    title: str
    about: str
    matchers: Matchers
    rows: Rows
    zone: bool = False

    def built(self) -> Dashboard:
        """The dashboard that Grafana knows; that of one series is reached from its series, not a list."""
        many = any(_many(match) for match in self.matchers.values())
        made = builders.Dashboard(f"Headroom / {self.title}").uid(f"{TAG}-{self.name}")
        made = made.description(self.about).readonly().refresh("1m").time("now-6h", "now").timezone("browser")
        made = made.tooltip(DashboardCursorSync.CROSSHAIR).tags([TAG if many else f"{TAG}-{self.name}"])
        zone = [_zone()] if self.zone else []
        made = made.link(_others(many)).link(_own_page())
        made = made.variables([_source(), _page(), *_labels(self.matchers), *zone])
        for row, panels in self.rows.items():
            made = made.with_row(builders.Row(row))
            for panel in panels:
                made = made.with_panel(panel)
        return _completed(made.build(), self.matchers)

    def text(self) -> str:
        """The JSON that Grafana imports."""
        return JSONEncoder(indent=2, sort_keys=True, ensure_ascii=False).encode(self.built()) + "\n"


def _completed(built: Dashboard, matchers: Matchers) -> Dashboard:
    """With annotations, and with numbers for the panels, so that a link to one of them lasts."""
    built.annotations = AnnotationContainer(_alerts(matchers))
    for number, panel in enumerate(built.panels or (), start=1):
        panel.id_val = number
    return built


def _many(match: str) -> bool:
    """Whether a matcher takes more values than one."""
    return match.startswith("=~")


def _others(with_variables: bool) -> DashboardLink:
    others = DashboardLink("Headroom").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return others.as_dropdown(True).include_vars(with_variables).keep_time(True)


def _own_page() -> DashboardLink:
    return DashboardLink("Headroom's page").type(DashboardLinkType.LINK).url("${headroom}").target_blank(True)


def _source() -> DatasourceVariable:
    return DatasourceVariable("datasource").label("Data source").type("prometheus")


def _text(name: str, label: str, value: str) -> TextBoxVariable:
    shown = VariableOption(text=value, value=value)
    return TextBoxVariable(name).label(label).default_value(value).current(shown)


def _page() -> TextBoxVariable:
    return _text("headroom", "Headroom's page", PAGE)


def _zone() -> CustomVariable:
    """The least bad zone that the tables show."""
    named = ",".join(f"{zone.word} : {zone.value}" for zone in ZONES)
    shown = VariableOption(text=Zone.ABOVE.word, value=str(Zone.ABOVE.value), selected=True)
    options = [
        VariableOption(text=zone.word, value=str(zone.value), selected=zone is Zone.ABOVE) for zone in ZONES
    ]
    return CustomVariable("zone").label("Zone, at least").values(named).current(shown).options(options)


def _labels(matchers: Matchers) -> list[Builder[VariableModel]]:
    """A variable for each label; of resources there are too many for a list, unless it is of one signal."""
    names = [label for label in SERIES if "$" in matchers.get(label, "")]
    return [
        _text(name, "Resource (a pattern)", ".*")
        if name == "resource" and _many(matchers[name])
        else _label(name, matchers)
        for name in names
    ]


def _label(label: str, matchers: Matchers) -> QueryVariable:
    """A variable whose values are those that go with the variables before it."""
    asked = f"label_values({select('headroom_limit', matchers, SERIES[: SERIES.index(label)])}, {label})"
    variable = QueryVariable(label).label(label.capitalize()).datasource(SOURCE)
    if label == "account":
        variable, asked = variable.regex(NAMES), "query_result(headroom_account_info)"
    variable = variable.query({"query": asked, "refId": label}).sort(VariableSort.ALPHABETICAL_ASC)
    variable = variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    if not _many(matchers[label]):
        return variable
    chosen = VariableOption(text=["All"], value=["$__all"], selected=True)
    return variable.multi(True).include_all(True).all_value(".*").current(chosen)


def _alerts(matchers: Matchers) -> list[AnnotationQuery]:
    """Those of Prometheus' rules and those of Headroom itself; who has both can hide one of them."""
    labels = tuple(matchers)
    prometheus = select("ALERTS", matchers, labels, alertname='=~"Headroom.*"', alertstate='="firing"')
    own = f"{select('headroom_alert_state', matchers, labels)} == 2"
    told = [
        Alerts(name="Alerts of Prometheus", expr=prometheus, icon_color="red", datasource=SOURCE),
        Alerts(name="Alerts of Headroom", expr=own, icon_color="orange", datasource=SOURCE),
    ]
    for alerts, named in zip(told, ("{{alertname}}", "{{severity}}"), strict=True):
        alerts.title_format = f"{named} {{{{signal}}}} {{{{resource}}}}"
    return list(told)
