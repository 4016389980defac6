"""The generated dashboards are up to date, have valid types, and their links work."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from typer.testing import CliRunner

from monitor.cli.commands import app
from monitor.dashboards.families import by_family
from monitor.dashboards.grafana.boards import files
from rules.signals import ServiceFamily
from tests.processes import ROOT
from tests.registries import REGISTRY

FAMILIES = sorted({service.family for service in REGISTRY.services.values()})
NAMES = [f"{name}.json" for name in ("overview", "series", "health", *FAMILIES)]
FIELDS_THAT_THE_SDK_LACKS = {"titleFormat", "tagKeys"}  # of Grafana's annotations

each_board = pytest.mark.parametrize("board", NAMES, indirect=True)


@cache
def generated() -> Mapping[str, str]:
    """Return the generated files, made on first use, as most test processes need none."""
    return files(REGISTRY.services.values())


@cache
def boards() -> dict[str, dict[str, Any]]:
    """Return the dashboards by their file names."""
    return {name: json.loads(text) for name, text in generated().items()}


@pytest.fixture
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the dashboard with a file name."""
    return boards()[request.param]


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def links(board: dict[str, Any]) -> Iterator[str]:
    for panel in panels(board):
        yield from (link["url"] for link in panel["fieldConfig"]["defaults"].get("links", ()))
        yield from (link["url"] for link in panel.get("links", ()))


def variables(board: dict[str, Any]) -> set[str]:
    return {variable["name"] for variable in board["templating"]["list"]}


def test_the_dashboards_are_current() -> None:
    """Run `headroom dashboards grafana` if this fails."""
    directory = ROOT / "dashboards" / "grafana"
    assert {file.name: file.read_text("utf-8") for file in directory.iterdir()} == generated()


def test_the_dashboards_are_three_general_ones_and_one_for_each_family() -> None:
    assert sorted(boards()) == sorted(NAMES)
    assert len({board["uid"] for board in boards().values()}) == len(boards())


@each_board
def test_a_dashboard_has_the_types_of_the_sdk(board: dict[str, Any]) -> None:
    """Parsing into the types of the SDK and serializing again changes nothing."""
    reserialized = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
    expected = json.loads(json.dumps(board))
    for annotation in expected["annotations"]["list"]:
        assert all(annotation.pop(name) for name in FIELDS_THAT_THE_SDK_LACKS)
    assert reserialized == expected


@each_board
def test_panels_have_distinct_ids_and_a_title_and_the_chosen_data_source(board: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert sorted(set(ids)) == ids
    for panel in panels(board):
        assert panel["title"] and panel["targets"]
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert sources == [{"type": "prometheus", "uid": "${datasource}"}] * len(sources)
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)


@each_board
def test_panels_do_not_overlap(board: dict[str, Any]) -> None:
    covered_cells = [
        (x, y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(covered_cells)) == len(covered_cells)
    assert max(x for x, _ in covered_cells) < 24  # the columns of Grafana's grid


@each_board
def test_panels_link_to_variables_of_the_series_dashboard_or_to_headroom_s_page(
    board: dict[str, Any],
) -> None:
    series = boards()["series.json"]
    for url in links(board):
        if url.startswith("/d/"):
            assert url.removeprefix("/d/").split("?")[0] == series["uid"]
            assert set(re.findall(r"var-(\w+)=", url)) <= variables(series)
        else:
            assert url.startswith("${headroom}/?account=")


@each_board
def test_a_dashboard_links_to_the_other_dashboards_and_to_headroom_s_page(board: dict[str, Any]) -> None:
    dashboards_link, page_link = board["links"]
    assert (dashboards_link["type"], dashboards_link["tags"]) == ("dashboards", ["headroom"])
    assert (page_link["type"], page_link["url"]) == ("link", "${headroom}")


def test_the_panels_of_the_overview_have_links() -> None:
    assert len(list(links(boards()["overview.json"]))) > 4


@each_board
def test_a_dashboard_has_the_variables_that_it_uses(board: dict[str, Any]) -> None:
    queries = [target["expr"] for panel in panels(board) for target in panel["targets"]]
    annotations = [annotation["expr"] for annotation in board["annotations"]["list"]]
    used_variables = set(re.findall(r"\$\{?(\w+)", " ".join((*queries, *annotations, *links(board)))))
    assert {name for name in used_variables if not name.startswith("__")} <= variables(board)


@each_board
def test_no_panel_shows_zero_if_no_series_is_monitored(board: dict[str, Any]) -> None:
    queries = [target["expr"] for panel in panels(board) for target in panel["targets"]]
    assert not [expr for expr in queries if "vector(0)" in expr]


@each_board
def test_the_legend_of_a_line_without_samples_says_so(board: dict[str, Any]) -> None:
    """A query without a result has a line whose label names what is missing; the legend shows that label."""
    for panel in panels(board):
        for target in panel["targets"] if panel["type"] == "timeseries" else ():
            for label in re.findall(r'vector\(NaN\), "(\w+)"', target["expr"]):
                assert f"{{{{{label}}}}}" in target["legendFormat"], (panel["title"], label)


def test_the_times_until_a_limit_are_a_fan() -> None:
    """The area between the lines of the 10 % and 90 % percentiles is filled, and no other."""
    series_panels = panels(boards()["series.json"])
    (panel,) = [panel for panel in series_panels if panel["title"].startswith("Time until")]
    (target,) = panel["targets"]
    assert target["legendFormat"] == "{{percentile}}" and "by (resource, percentile)" in target["expr"]
    (override,) = panel["fieldConfig"]["overrides"]
    assert override["matcher"] == {"id": "byName", "options": "90"}
    assert {"id": "custom.fillBelowTo", "value": "10"} in override["properties"]
    assert panel["fieldConfig"]["defaults"]["custom"]["fillOpacity"] == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_the_dashboard_of_a_family_has_a_row_for_each_service_and_queries_no_other(
    family: ServiceFamily,
) -> None:
    services = dict(by_family(REGISTRY.services.values()))[family]
    board = boards()[f"{family}.json"]
    rows = [panel["title"] for panel in board["panels"] if panel["type"] == "row"][1:]
    assert rows == [f"{service.title} ({service.service})" for service in services]
    queries = " ".join(target["expr"] for panel in panels(board) for target in panel["targets"])
    service_patterns = {*re.findall(r'aws_service=~"([^"]*)"', queries)}
    names = [service.service for service in services]
    assert service_patterns == {"|".join(names), *names}


def test_every_service_has_a_row_in_exactly_one_dashboard() -> None:
    rows = [
        panel["title"]
        for family in FAMILIES
        for panel in boards()[f"{family}.json"]["panels"]
        if panel["type"] == "row"
    ]
    assert len(rows) == len(FAMILIES) + len(REGISTRY.services)


def test_the_command_writes_the_dashboards(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["dashboards", "grafana", "--out", str(tmp_path)])
    assert result.exit_code == 0
    assert {file.name: file.read_text("utf-8") for file in tmp_path.iterdir()} == generated()


def test_the_command_names_the_extra_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk", None)
    result = CliRunner().invoke(app, ["dashboards", "grafana"])
    assert (result.exit_code, result.stderr) == (
        2,
        "This needs the extra `dashboards`: pip install 'aws-headroom[dashboards]'\n",
    )
