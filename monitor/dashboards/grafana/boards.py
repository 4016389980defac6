"""The dashboards: overview, one a service, one series in detail, and Headroom itself."""

from collections.abc import Iterator, Mapping

from grafana_foundation_sdk.models import units

from monitor.dashboards.grafana import queries as ask
from monitor.dashboards.grafana.health import health
from monitor.dashboards.grafana.panels import (
    COLORS,
    RESOURCE,
    AnyPanel,
    bars,
    not_told,
    number,
    query,
    rows,
    series_chart,
    series_links,
    shown_as,
    shown_as_zone,
    unit_of,
    utilization_chart,
)
from monitor.dashboards.grafana.queries import Matchers
from monitor.dashboards.grafana.series import one_series
from monitor.dashboards.grafana.shell import Board
from rules.band import Zone
from rules.limits import Band, Service, Signal, catalogue

AHEAD = 4  # hours
SIGNAL = "{{signal}} {{resource}} ({{account}} {{region}})"
COUNTED = {
    Zone.SATURATED: "Series whose demand is refused now.",
    Zone.CRITICAL: "Series that are about to reach their limit.",
    Zone.ABOVE: "Series above their target band.",
    Zone.BELOW: "Series below their target band: headroom, or capacity that is paid for and idle.",
    Zone.STALE: "Series without a recent sample: not known, which is not zero.",
    Zone.UNOBSERVABLE: "Series whose usage AWS does not show; /api/v1/status says how to enable it.",
}


def files() -> Mapping[str, str]:
    """The JSON of each dashboard by its file's name."""
    boards = [overview(), *map(of_service, catalogue().values()), one_series(), health()]
    return {f"{board.name}.json": board.text() for board in boards}


def overview() -> Board:
    """Is anything refused now, what is next, what am I not seeing."""
    chosen = ask.CHOSEN
    return Board(
        "overview",
        "Overview",
        "Is anything refused now, what is next, and what am I not seeing?",
        chosen,
        {
            "Is anything refused now?": [*_counts(chosen), _worst(chosen), _refused(chosen)],
            "What is next?": _next(chosen),
            "What am I not seeing?": _unseen(chosen),
        },
        zone=True,
    )


def of_service(service: Service) -> Board:
    """One service: its worst series, then a row a signal."""
    chosen = ask.within(service.service)
    first = {f"{service.title} now": [*_counts(chosen), _worst(chosen)]}
    signals = {signal.title: list(_of_signal(signal)) for signal in service.signals.values()}
    about = f"The limits of {service.title}: usage, limit and what is refused, signal by signal."
    return Board(service.service, service.title, about, chosen, first | signals, zone=True)


def _counts(chosen: Matchers) -> list[AnyPanel]:
    return [
        number(zone.word.capitalize(), about, ask.in_zone(zone, chosen), color=COLORS[zone])
        for zone, about in COUNTED.items()
    ]


def _worst(chosen: Matchers) -> AnyPanel:
    columns = {
        "zone": ask.worst(chosen),
        **{
            name: ask.beside_worst(expr, chosen)
            for name, expr in {
                "utilization": ask.series("headroom_utilization_ratio", chosen),
                "usage": f"max {ask.BY_SERIES_AND_UNIT} ({ask.select('headroom_usage', chosen)})",
                "limit": f"max {ask.BY_SERIES_AND_UNIT} ({ask.select('headroom_limit', chosen)})",
                "refused per second": ask.series("headroom_saturation", chosen),
            }.items()
        },
    }
    about = "The worst series at or beyond the chosen zone, with usage and limit in the unit of the signal."
    return (
        rows("The worst series", about, columns, sort="zone")
        .override_by_name("zone", shown_as_zone())
        .override_by_name("utilization", shown_as(units.PercentUnit))
        .mappings(not_told())
        .no_value("Nothing at or beyond the chosen zone")
        .data_links(series_links("__data.fields"))
    )


def _refused(chosen: Matchers) -> AnyPanel:
    refused = ask.or_zero(ask.top(f"{ask.series('headroom_saturation', chosen)} > 0"))
    about = "Demand refused or kept waiting, per second, where AWS tells it."
    return series_chart("Refused per second", about, [query(refused, SIGNAL)]).span(24)


def _next(chosen: Matchers) -> list[AnyPanel]:
    highest = ask.or_none(ask.top(ask.series("headroom_utilization_ratio", chosen)))
    guess = "An estimate: the last hour's straight line, drawn on. Bursts and working hours are not in it."
    title = f"Utilization in {AHEAD} hours, if it goes on like this"
    return [
        utilization_chart("Highest utilization", "Usage divided by the limit in force.", highest, Band()),
        bars(title, guess, ask.projected(chosen, AHEAD), SIGNAL, Band()),
    ]


def _unseen(chosen: Matchers) -> Iterator[AnyPanel]:
    blind = "Accounts and regions that were not read completely for 15 minutes, or never."
    yield number("Blind cells", blind, ask.blind_cells(chosen), color="red")
    quiet = ask.or_zero(f"sum (increase({ask.FAILED_CALLS}[1h]))")
    yield number(
        "Calls that failed, in an hour", "What AWS refused or did not answer.", quiet, color="orange"
    )
    about = "Signals with series that have no recent sample (stale) or cannot have one (unobservable)."
    yield rows("Signals not seen", about, {"series": ask.unseen(chosen)}, sort="series").span(16)


def _of_signal(signal: Signal) -> Iterator[AnyPanel]:
    chosen = ask.of(signal.service, signal.name)
    used, limit = ask.usage(chosen), ask.series("headroom_limit", chosen)
    limits = f"({limit} and {ask.ON_SERIES} {ask.top(used)})\nor on () topk({ask.DRAWN}, {limit})"
    targets = [
        query(ask.or_none(ask.top(used)), RESOURCE),
        query(ask.or_none(limits, "no limit"), f"limit of {RESOURCE}", "B"),
    ]
    refused = ask.or_none(ask.series("headroom_saturation", chosen), "not told by AWS")
    utilization = ask.or_none(ask.top(ask.series("headroom_utilization_ratio", chosen)))
    band = signal.band or Band()
    yield utilization_chart("Utilization", advice(signal), utilization, band).span(8)
    title, unit = f"Usage and limit, {signal.unit}", unit_of(signal.unit)
    yield series_chart(title, " ".join(signal.caveats), targets, unit).span(8)
    yield series_chart("Refused per second", signal.saturation, [query(refused, RESOURCE)]).span(8)


def advice(signal: Signal) -> str:
    """Why a signal matters and what to do, in Markdown."""
    remedies = "\n".join(f"- {remedy}" for remedy in signal.remedy)
    return f"{signal.why}\n\n{remedies}\n\n[Documentation]({signal.docs[0]})"
