"""The programs accept the files that Compose mounts; a real Prometheus scrapes the demo with them."""

import subprocess
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from monitor.config.file import parse_config
from monitor.schema.types import ConfigContext
from tests.acceptance.prometheus_server import program, run_prometheus
from tests.monitor.serve_process import free_port
from tests.processes import ROOT, eventually, get

COMPOSE = ROOT / "deploy" / "compose"
SERVICES: Mapping[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text("utf-8"))["services"]
TARGET = "headroom:4070"
PROMETHEUS_FOLDER = Path("/etc/prometheus")


def mounts(service: str) -> dict[Path, Path]:
    """Return the paths of files and folders that a container mounts, by their paths in the container."""
    bind_mounts = (volume.split(":") for volume in SERVICES[service]["volumes"] if volume.startswith("."))
    return {Path(inside): (COMPOSE / source).resolve() for source, inside, _ in bind_mounts}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prometheus(demo: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Run a Prometheus that scrapes the demo, with the files that its container has; yield its URL."""
    folder = tmp_path_factory.mktemp("compose")
    for inside, source in mounts("prometheus").items():
        (folder / inside.relative_to(PROMETHEUS_FOLDER)).symlink_to(source)
    text = (folder / "prometheus.yaml").read_text("utf-8")
    assert text.count(TARGET) == 1
    (folder / "prometheus.yml").write_text(text.replace(TARGET, demo).replace("30s", "5s"))
    address = f"127.0.0.1:{free_port()}"
    async with run_prometheus(folder, address):
        yield f"http://{address}"


async def query(prometheus: str, expression: str) -> list[dict[str, Any]] | None:
    """Return the result of a PromQL expression; None while it is empty."""
    answer = await get(f"{prometheus}/api/v1/query", query=expression)
    return (answer.json()["data"]["result"] or None) if answer else None


@pytest.mark.asyncio(loop_scope="module")
async def test_series_keep_their_labels_beside_those_of_the_target(prometheus: str) -> None:
    zone_series = await eventually(partial(query, prometheus, 'headroom_zone{service="headroom"}'))
    assert {series["metric"]["job"] for series in zone_series} == {"headroom"}
    assert {"kinesis", "lambda", "sqs"} <= {series["metric"]["aws_service"] for series in zone_series}
    assert not {name for series in zone_series for name in series["metric"] if name.startswith("exported_")}


@pytest.mark.asyncio(loop_scope="module")
async def test_all_rules_are_loaded_and_evaluated(prometheus: str) -> None:
    answer = await eventually(partial(get, f"{prometheus}/api/v1/rules"))
    groups = answer.json()["data"]["groups"]
    assert {Path(group["file"]).name for group in groups} == {
        path.name for path in (ROOT / "dashboards" / "prometheus").iterdir()
    }
    recorded = await eventually(partial(query, prometheus, 'headroom:zone:last_known{service="headroom"}'))
    assert recorded


def test_promtool_accepts_the_configuration(tmp_path: Path) -> None:
    for inside, source in mounts("prometheus").items():
        (tmp_path / inside.relative_to(PROMETHEUS_FOLDER)).symlink_to(source)
    done = subprocess.run(
        [program("promtool"), "check", "config", str(tmp_path / "prometheus.yaml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_path_that_a_container_mounts_exists() -> None:
    mounted = {name: mounts(name) for name in SERVICES}
    assert [path for paths in mounted.values() for path in paths.values() if not path.exists()] == []
    assert [*mounted["headroom"].values()] == [COMPOSE / "headroom.yaml"]


def test_headroom_accepts_its_configuration() -> None:
    config = parse_config((COMPOSE / "headroom.yaml").read_bytes(), "headroom.yaml", ConfigContext())
    assert config.listen_address == ("0.0.0.0", 4070)


def test_grafana_finds_the_data_source_and_the_dashboards() -> None:
    sources = yaml.safe_load((COMPOSE / "grafana" / "datasources.yaml").read_text("utf-8"))["datasources"]
    assert [(source["type"], source["url"], source["isDefault"]) for source in sources] == [
        ("prometheus", "http://prometheus:9090", True)
    ]
    (provider,) = yaml.safe_load((COMPOSE / "grafana" / "dashboards.yaml").read_text("utf-8"))["providers"]
    folder = mounts("grafana")[Path(provider["options"]["path"])]
    assert folder == ROOT / "dashboards" / "grafana"
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert home.parent == Path(provider["options"]["path"]) and (folder / home.name).exists()


def test_ports_are_published_on_loopback_only() -> None:
    ports = [port for service in SERVICES.values() for port in service["ports"]]
    assert all(port.startswith("127.0.0.1:") for port in ports) and len(ports) == len(SERVICES)
