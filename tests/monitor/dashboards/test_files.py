"""The generated rules and documents are up to date, and their links work."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from monitor.alerting.service import Alerting
from monitor.cli.commands import app
from monitor.config.config import Config
from monitor.dashboards import prometheus, runbooks
from monitor.dashboards.addresses import DEFAULT_RUNBOOKS
from monitor.dashboards.catalogue_page import catalogue_page
from monitor.exposition.exposition import HEADERS
from monitor.fleet.fleet import Fleet
from monitor.http.connection_limiter import ConnectionLimiter
from monitor.lib.anchors import anchor
from monitor.runbooks.health import health_alerts
from rules.not_declared import read_not_declared
from rules.signals import LimitKind, Service
from tests.processes import ROOT
from tests.registries import REGISTRY, each_service
from tests.telemetries import Telemetries


@cache
def files() -> Mapping[str, str]:
    """Return the text of each generated rule file, by name."""
    return prometheus.files(REGISTRY.services.values())


@cache
def rules(service: str) -> list[dict[str, Any]]:
    """Return the rules in the file of a service, or in `headroom.yaml`."""
    groups = yaml.load(files()[f"{service}.yaml"], yaml.CSafeLoader)["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> Iterator[dict[str, Any]]:
    """Yield all alert rules."""
    for service in (*REGISTRY.services, "headroom"):
        yield from (rule for rule in rules(service) if "alert" in rule)


def test_the_rules_are_current() -> None:
    """Run `headroom dashboards prometheus` if this fails."""
    directory = ROOT / "dashboards" / "prometheus"
    assert {file.name: file.read_text("utf-8") for file in directory.iterdir()} == files()


def test_the_documents_are_current() -> None:
    """Run `headroom dashboards docs` if this fails."""
    folder = ROOT / DEFAULT_RUNBOOKS
    assert {file.name: file.read_text("utf-8") for file in folder.iterdir()} == runbooks.files(REGISTRY)
    page = catalogue_page(REGISTRY, read_not_declared())
    assert (ROOT / "docs" / "catalogue.md").read_text("utf-8") == page


@each_service
def test_each_signal_has_the_alerts_of_its_kind_of_limit(service: Service) -> None:
    severities: dict[str, dict[str, list[str]]] = {name: {} for name in service.signals}
    for rule in rules(service.service):
        if "alert" in rule:
            severities_by_alert = severities[rule["labels"]["signal"]]
            severities_by_alert.setdefault(rule["alert"], []).append(rule["labels"]["severity"])
    assert severities == {
        signal.name: {
            "HeadroomSaturated": ["critical", *(["info"] if signal.unverified else [])],
            "HeadroomNear": ["warning"],
            "HeadroomAbove": ["info"],
            **({"HeadroomBelow": ["info"]} if signal.kind is LimitKind.PROVISIONED else {}),
        }
        for signal in service.signals.values()
    }


def test_every_alert_has_a_remedy_and_links_to_its_heading_in_a_runbook() -> None:
    headings = {
        f"{DEFAULT_RUNBOOKS}/{name}#{anchor(line.lstrip('# '))}"
        for name, text in runbooks.files(REGISTRY).items()
        for line in text.splitlines()
        if line.startswith("## ") and line != "## Permissions"
    }
    assert {alert["annotations"]["runbook_url"] for alert in alerts()} == headings
    assert len(headings) == len(REGISTRY.signals) + len(tuple(health_alerts()))
    assert all(alert["annotations"]["remedy"] for alert in alerts())


@pytest.mark.parametrize(
    ("heading", "expected"),
    [("sqs.fifo_in_flight", "sqsfifo_in_flight"), ("Use it, now", "use-it-now"), ("A - b", "a---b")],
)
def test_anchors_are_made_as_on_github(heading: str, expected: str) -> None:
    assert anchor(heading) == expected


async def exported_metric_names(journal: Path) -> set[str]:
    """Return every metric name that a sample of Headroom may have."""
    telemetry = Telemetries().process
    registry = telemetry.registry
    ConnectionLimiter(registry)
    async with Alerting.opened(Config(journal=str(journal)).alerting_settings(REGISTRY), Fleet(), telemetry):
        families = list(registry.collect())
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
    sample_names = {family.name + suffix for family in families for suffix in suffixes.get(family.type, [""])}
    return sample_names | set(HEADERS)


@pytest.mark.parametrize("directory", ["prometheus", "grafana"])
async def test_rules_and_dashboards_query_only_exported_families(directory: str, tmp_path: Path) -> None:
    texts = [file.read_text("utf-8") for file in (ROOT / "dashboards" / directory).iterdir()]
    queried_names = {
        name for text in texts for name in re.findall(r"\b(?:headroom|process)_\w+(?=[{\[) ])", text)
    }
    assert len(queried_names) > 5
    assert queried_names <= await exported_metric_names(tmp_path / "headroom.db")


def test_the_commands_write_into_the_given_folder(tmp_path: Path) -> None:
    invoke = CliRunner().invoke
    address = "https://wiki.example/runbooks"
    result = invoke(app, ["dashboards", "prometheus", "--out", str(tmp_path / "new"), "--runbooks", address])
    assert result.exit_code == 0
    assert {file.name: file.read_text("utf-8") for file in (tmp_path / "new").iterdir()} == prometheus.files(
        REGISTRY.services.values(), address
    )
    assert invoke(app, ["dashboards", "docs", "--out", str(tmp_path / "site")]).exit_code == 0
    paths = [*(tmp_path / "site").rglob("*.md")]
    assert {path.relative_to(tmp_path / "site").as_posix() for path in paths} == {
        "catalogue.md",
        *(f"runbooks/{name}.md" for name in ("headroom", *REGISTRY.services)),
    }


@pytest.mark.parametrize(
    ("links", "address"),
    [
        ("", DEFAULT_RUNBOOKS),
        ("links: {grafana: 'https://grafana.example.org'}\n", DEFAULT_RUNBOOKS),
        ("links: {headroom: 'https://headroom.example.org/'}\n", "https://headroom.example.org/runbooks"),
    ],
)
def test_the_rules_link_to_the_runbooks_of_the_configured_server(
    links: str, address: str, tmp_path: Path
) -> None:
    (tmp_path / "h.yaml").write_text(f"regions: [eu-west-1]\n{links}")
    options = ("--out", str(tmp_path / "rules"), "--config", str(tmp_path / "h.yaml"))
    assert CliRunner().invoke(app, ["dashboards", "prometheus", *options]).exit_code == 0
    text = (tmp_path / "rules" / "kinesis.yaml").read_text("utf-8")
    assert f"runbook_url: {address}/kinesis.md#kinesisstream_write_bytes" in text


def test_an_output_folder_that_cannot_be_written_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, ["dashboards", "prometheus", "--out", str(tmp_path / "file")])
    assert result.exit_code == 2
    assert result.stderr == f"cannot write {tmp_path / 'file'}: File exists\n"
