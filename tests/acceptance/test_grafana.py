"""Every query of every dashboard has an answer, and rules fire, in a Prometheus that scrapes the demo."""

import json
import re
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from monitor.dashboards.prometheus import INTERVAL, files
from tests.monitor.test_app import free_port
from tests.processes import ROOT, eventually, get, headroom, line_of, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

DASHBOARDS = sorted((ROOT / "dashboards" / "grafana").iterdir())
SCRAPING = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
rule_files: ["*.rules.yaml"]
scrape_configs:
  - job_name: headroom
    static_configs: [{{targets: ["{target}"]}}]
"""
GRAFANA = {"__rate_interval": "30s", "__range": "5m"}
SHOWN: Mapping[str, str] = {  # the one series that the detail shows: there is nothing that it does not have
    "account": "123456789012",
    "region": "eu-west-1",
    "service": "kinesis",
    "signal": "stream_write_bytes",
    "resource": "orders",
}
NOT_JUDGED = (
    "usage_plan_throttle",
    "fifo_api_rate",
    "fifo_high_throughput_api_rate",
)  # none has a utilization
NO_BOUND = "no bound"  # of the series that the detail shows
NOT_TOLD = "not told by AWS"


class Asked(NamedTuple):
    """A query as Grafana sends it."""

    expr: str
    instant: bool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prometheus(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A Prometheus with our rules that scrapes a demo, which was judged once; gives its URL."""
    program = shutil.which("prometheus")
    assert program, "install the Debian package `prometheus`, or run `make acceptance`"
    path, address = tmp_path_factory.mktemp("prometheus"), f"127.0.0.1:{free_port()}"
    config = path / "prometheus.yml"
    async with headroom("demo", "--port", "0") as process:
        target = (await line_of(process, "http://")).split("/")[2]
        config.write_text(SCRAPING.format(target=target))
        for name, rules in files().items():
            (path / name).with_suffix(".rules.yaml").write_text(rules.replace(INTERVAL, "1s"))
        flags = (f"--config.file={config}", f"--storage.tsdb.path={path}", f"--web.listen-address={address}")
        async with running(program, *flags):
            yield f"http://{address}"


async def answer(prometheus: str, query: Asked) -> list[dict[str, Any]] | None:
    """The result; None while it is empty. What is wrong with a query is never empty."""
    asked, path = {"query": query.expr}, "query"
    if not query.instant:
        now = time.time()
        asked, path = asked | {"start": str(now - 300), "end": str(now), "step": "5"}, "query_range"
    told = await get(f"{prometheus}/api/v1/{path}", **asked)
    return (told.json()["data"]["result"] or None) if told else None


def variables(dashboard: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What Grafana puts in the place of each variable, as a dashboard opens."""
    yield from GRAFANA.items()
    for one in dashboard["templating"]["list"]:
        if one["type"] == "query":
            yield one["name"], one["allValue"] if one.get("includeAll") else SHOWN[one["name"]]
        elif one["type"] in ("custom", "textbox"):
            yield one["name"], one["current"]["value"]


def filled(expr: str, dashboard: Mapping[str, Any]) -> str:
    values = dict(variables(dashboard))
    return re.sub(r"\$(\w+)", lambda found: values[found[1]], expr)


def asked_by(dashboard: Mapping[str, Any]) -> Iterator[Asked]:
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield Asked(filled(target["expr"], dashboard), target.get("instant", False))


async def found(prometheus: str, query: Asked) -> list[dict[str, Any]] | None:
    """The result; None while it only says that there is nothing, where the demo has something."""
    result = await answer(prometheus, query)
    told = {one["metric"].get("resource") for one in result or ()}
    words = set(re.findall(r'vector\(NaN\), "resource", "([^"]+)"', query.expr))
    if not told <= words or told == {NO_BOUND}:
        return result
    signals = re.findall(r'signal="(\w+)"', query.expr)
    if told == {NOT_TOLD}:
        refused = Asked(f'headroom_saturation{{signal="{signals[0]}"}}', True)
        return None if await answer(prometheus, refused) else result
    return result if set(signals) & set(NOT_JUDGED) else None


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
async def test_every_query_has_an_answer(prometheus: str, file: Any) -> None:
    dashboard = json.loads(file.read_text("utf-8"))
    queries = list(asked_by(dashboard))
    assert len(queries) > 5
    for query in queries:
        try:
            await eventually(partial(found, prometheus, query))
        except TimeoutError:
            pytest.fail(query.expr)


def variable_queries(dashboard: Mapping[str, Any]) -> list[str]:
    asked = (one["query"]["query"] for one in dashboard["templating"]["list"] if one["type"] == "query")
    return [filled(query, dashboard) for query in asked]


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
async def test_every_variable_has_values(prometheus: str, file: Any) -> None:
    account, *labels = variable_queries(json.loads(file.read_text("utf-8")))
    assert account == "query_result(headroom_account_info)"
    for query in labels:
        asked = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
        assert asked, query
        told = await eventually(partial(answer, prometheus, Asked(asked[1], True)))
        assert all(asked[2] in one["metric"] for one in told), query


async def test_an_account_is_chosen_by_its_name(prometheus: str) -> None:
    overview = json.loads((ROOT / "dashboards" / "grafana" / "overview.json").read_text("utf-8"))
    pattern = next(one["regex"] for one in overview["templating"]["list"] if one["name"] == "account")
    told = await eventually(partial(answer, prometheus, Asked("headroom_account_info", True)))
    labels = ",".join(f'{name}="{value}"' for name, value in told[0]["metric"].items())
    matched = re.search(pattern.strip("/").replace("?<", "?P<"), f"headroom_account_info{{{labels}}} 1")
    assert matched and matched.groupdict() == {"value": "123456789012", "text": "demo"}


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
async def test_annotations_tell_of_alerts(prometheus: str, file: Any) -> None:
    """As they do of all but the one series that the detail shows, of which no alert fires."""
    dashboard = json.loads(file.read_text("utf-8"))
    for one in dashboard["annotations"]["list"]:
        expr = filled(one["expr"], dashboard)
        assert await get(f"{prometheus}/api/v1/query", query=expr) is not None, expr
        if file.stem != "series":
            await eventually(partial(answer, prometheus, Asked(expr, True)))


FIRING = 'ALERTS{alertname=~"Headroom(Saturated|Critical|Above|Below)",alertstate="firing"}'
REFUSED = "headroom_zone == 3"
ON = "on (account, region, service, signal, resource)"


async def test_the_rules_fire_on_what_is_refused_and_on_what_is_not_seen(prometheus: str) -> None:
    untold = f'{REFUSED} unless {ON} ALERTS{{alertname="HeadroomSaturated",alertstate="firing"}}'
    assert await eventually(partial(answer, prometheus, Asked(f"absent({untold})", True)))
    fired = await eventually(partial(answer, prometheus, Asked(f"{FIRING} and {ON} {REFUSED}", True)))
    assert {one["metric"]["alertname"] for one in fired} == {"HeadroomSaturated"}
    assert ("s3", "media-uploads/uploads/") in {
        (one["metric"]["service"], one["metric"]["resource"]) for one in fired
    }
    blind = Asked('ALERTS{alertname="HeadroomCellBlind"}', True)
    cells = await eventually(partial(answer, prometheus, blind))
    assert [one["metric"]["region"] for one in cells] == ["ap-southeast-2"]
    assert await answer(prometheus, Asked(f"count by {ON[3:]} ({FIRING}) > 1", True)) is None
