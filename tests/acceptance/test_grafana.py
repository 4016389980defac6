"""Dashboards and rules in a Prometheus that scrapes the demo: queries have results, and rules fire."""

import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from monitor.demo.session import demo_services
from tests.acceptance.prometheus_server import rules, scrape
from tests.processes import ROOT, demo_server, eventually, get

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRAFANA_VARIABLES = {"__rate_interval": "30s", "__range": "5m"}
DETAIL_SERIES: Mapping[str, str] = {  # a series that has a value in every panel, by variable
    "account": "123456789012",
    "region": "eu-west-1",
    "service": "kinesis",
    "signal": "stream_write_bytes",
    "resource": "orders",
}
SIGNALS_WITHOUT_UTILIZATION = (
    "usage_plan_throttle",
    "fifo_api_rate",
    "fifo_high_throughput_api_rate",
    "http_route_throttle",
    "concurrency_scaling_rate",
)
SERVICES_WITHOUT_ALERTS = {"quotas"}  # of the demo: no series of them is above the band
NOT_REPORTED = "not reported by AWS"  # the placeholder in a panel about throttled demand


class Query(NamedTuple):
    """A query as Grafana sends it."""

    expr: str
    instant: bool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prometheus(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Start a demo, and a Prometheus with our rules that scrapes it; yield the URL of Prometheus."""
    folder = tmp_path_factory.mktemp("prometheus")
    async with demo_server() as target, scrape(folder, target, rules()) as url:
        yield url


async def run_query(prometheus: str, query: Query) -> list[dict[str, Any]] | None:
    """Return the result of a query; None while it is empty, and for an invalid query."""
    params, path = {"query": query.expr}, "query"
    if not query.instant:
        now = time.time()
        params, path = params | {"start": str(now - 300), "end": str(now), "step": "5"}, "query_range"
    response = await get(f"{prometheus}/api/v1/{path}", **params)
    return (response.json()["data"]["result"] or None) if response else None


def variables(dashboard: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name of each variable, and the value that Grafana gives to it when a dashboard opens."""
    yield from GRAFANA_VARIABLES.items()
    for variable in dashboard["templating"]["list"]:
        name = variable["name"]
        if variable["type"] == "query":
            yield name, variable["allValue"] if variable.get("includeAll") else DETAIL_SERIES[name]
        elif variable["type"] in ("custom", "textbox"):
            yield name, variable["current"]["value"]


def interpolate(expr: str, dashboard: Mapping[str, Any]) -> str:
    """Return a query with the values of the variables of its dashboard."""
    values = dict(variables(dashboard))
    return re.sub(r"\$(\w+)", lambda found: values[found[1]], expr)


def panel_queries(dashboard: Mapping[str, Any]) -> Iterator[Query]:
    """Yield the queries of all panels, except of services that have no alerts in the demo."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            query = Query(interpolate(target["expr"], dashboard), target.get("instant", False))
            if may_have_result(query.expr):
                yield query


def may_have_result(expr: str) -> bool:
    """Return whether a query names a service that has alerts in the demo, or names no service."""
    matcher = re.search(r'aws_service=~"([\w|]+)"', expr)
    services_with_alerts = {*demo_services()} - SERVICES_WITHOUT_ALERTS
    return not matcher or bool({*matcher[1].split("|")} & services_with_alerts)


async def find_result(prometheus: str, query: Query) -> list[dict[str, Any]] | None:
    """Return the result of a query; None while it is only a placeholder of data that the demo will have."""
    result = await run_query(prometheus, query)
    resources = {series["metric"].get("resource") for series in result or ()}
    placeholders = set(re.findall(r'vector\(NaN\), "resource", "([^"]+)"', query.expr))
    if not resources <= placeholders:
        return result
    signals = re.findall(r'signal="(\w+)"', query.expr)
    if resources == {NOT_REPORTED}:
        saturation = Query(f'headroom_saturation{{signal="{signals[0]}"}}', True)
        return None if await run_query(prometheus, saturation) else result
    if set(signals) & set(SIGNALS_WITHOUT_UTILIZATION):
        return result
    return result if signals and await has_only_throttled_demand(prometheus, signals[0]) else None


async def has_only_throttled_demand(prometheus: str, signal: str) -> bool:
    """Return whether a signal has throttled demand, but no utilization: its usage or limit is unknown."""
    saturation_result = await run_query(prometheus, Query(f'headroom_saturation{{signal="{signal}"}}', True))
    return bool(saturation_result) and not await run_query(
        prometheus, Query(f'headroom_utilization_ratio{{signal="{signal}"}}', True)
    )


each_dashboard = pytest.mark.parametrize(
    "file",
    [
        file
        for file in sorted((ROOT / "dashboards" / "grafana").iterdir())
        if any(panel_queries(json.loads(file.read_text("utf-8"))))
    ],
    ids=lambda file: file.stem,
)


@each_dashboard
async def test_every_query_has_a_result(prometheus: str, file: Any) -> None:
    dashboard = json.loads(file.read_text("utf-8"))
    queries = list(panel_queries(dashboard))
    assert len(queries) > 5
    for query in queries:
        try:
            await eventually(partial(find_result, prometheus, query))
        except TimeoutError:
            pytest.fail(query.expr)


def variable_queries(dashboard: Mapping[str, Any]) -> list[str]:
    queries = (
        variable["query"]["query"]
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "query"
    )
    return [interpolate(query, dashboard) for query in queries]


@each_dashboard
async def test_every_variable_has_values(prometheus: str, file: Any) -> None:
    account, *labels = variable_queries(json.loads(file.read_text("utf-8")))
    assert account == "query_result(headroom_account_info)"
    for query in labels:
        matched = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
        assert matched, query
        result = await eventually(partial(run_query, prometheus, Query(matched[1], True)))
        assert all(matched[2] in series["metric"] for series in result), query


async def test_an_account_is_chosen_by_its_name(prometheus: str) -> None:
    overview = json.loads((ROOT / "dashboards" / "grafana" / "overview.json").read_text("utf-8"))
    pattern = next(
        variable["regex"] for variable in overview["templating"]["list"] if variable["name"] == "account"
    )
    result = await eventually(partial(run_query, prometheus, Query("headroom_account_info", True)))
    labels = ",".join(f'{name}="{value}"' for name, value in result[0]["metric"].items())
    matched = re.search(pattern.strip("/").replace("?<", "?P<"), f"headroom_account_info{{{labels}}} 1")
    assert matched and matched.groupdict() == {"value": "123456789012", "text": "prod"}


@each_dashboard
async def test_annotations_show_alerts(prometheus: str, file: Any) -> None:
    dashboard = json.loads(file.read_text("utf-8"))
    for annotation in dashboard["annotations"]["list"]:
        expr = interpolate(annotation["expr"], dashboard)
        assert await get(f"{prometheus}/api/v1/query", query=expr) is not None, expr
        if file.stem != "series":  # this dashboard shows DETAIL_SERIES, which has no alert
            await eventually(partial(run_query, prometheus, Query(expr, True)))


FIRING = 'ALERTS{alertname=~"Headroom(Saturated|Near|Above|Below)",alertstate="firing"}'
SATURATED = "headroom_zone == 3"
SERIES_LABELS = "(aws_account, aws_region, aws_service, signal, resource)"
ON_SERIES = f"on {SERIES_LABELS}"


async def test_the_rules_fire_for_saturated_series_and_for_missing_permissions(prometheus: str) -> None:
    saturated_without_alert = (
        f'{SATURATED} unless {ON_SERIES} ALERTS{{alertname="HeadroomSaturated",alertstate="firing"}}'
    )
    assert await eventually(partial(run_query, prometheus, Query(f"absent({saturated_without_alert})", True)))
    saturated_prefix = f'{SATURATED} and {{resource="media-uploads/uploads/"}}'
    fired_alerts = await eventually(
        partial(run_query, prometheus, Query(f"{FIRING} and {ON_SERIES} ({saturated_prefix})", True))
    )
    alerts = {(alert["metric"]["aws_service"], alert["metric"]["alertname"]) for alert in fired_alerts}
    assert alerts == {("s3", "HeadroomSaturated")}
    blind_alerts = await eventually(
        partial(run_query, prometheus, Query('ALERTS{alertname="HeadroomBlind"}', True))
    )
    assert [alert["metric"]["cause"] for alert in blind_alerts] == ["denied"]
    second_alert_of_a_cause = Query('ALERTS{alertname="HeadroomCellBlind"}', True)
    assert await run_query(prometheus, second_alert_of_a_cause) is None
    second_alert_of_a_series = Query(f"count by {SERIES_LABELS} ({FIRING}) > 1", True)
    assert await run_query(prometheus, second_alert_of_a_series) is None
