"""The same alerts fire when a ServiceMonitor or a user adds labels to the scrape target."""

from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.prometheus_server import fast_rules, scrape
from tests.processes import eventually, get

TARGET_LABELS = {  # labels that a ServiceMonitor adds to the target, and labels that users add
    "service": "headroom",
    "namespace": "monitoring",
    "pod": "headroom-0",
    "endpoint": "http",
    "container": "headroom",
    "region": "eu-central-1",
    "account": "platform",
    "cluster": "prod-1",
}
IDENTITY = ("alertname", "aws_account", "aws_region", "aws_service", "signal", "resource")
SATURATED = 'ALERTS{alertname="HeadroomSaturated",alertstate="firing"}'

Alert = tuple[str, ...]  # the values of IDENTITY


@pytest.fixture
async def servers(demo: str, tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """Start two Prometheus servers that scrape the demo, without and with TARGET_LABELS; yield their URLs."""
    folders = plain_folder, operator_folder = tmp_path / "plain", tmp_path / "operator"
    for folder in folders:
        folder.mkdir()
    async with (
        scrape(plain_folder, demo, fast_rules()) as plain,
        scrape(operator_folder, demo, fast_rules(), TARGET_LABELS) as operator,
    ):
        yield plain, operator


async def metrics_of(server: str, query: str) -> list[Mapping[str, str]] | None:
    """Return the labels of the series that a query returns; None for no series."""
    answer = await get(f"{server}/api/v1/query", query=query)
    result = answer.json()["data"]["result"] if answer else []
    return [series["metric"] for series in result] or None


async def firing_alerts(server: str) -> set[Alert] | None:
    """Return the firing alerts that a series is saturated or near its limit; None if there are none."""
    labels_of_series = await metrics_of(
        server, f'{SATURATED} or ALERTS{{alertname="HeadroomNear",alertstate="firing"}}'
    )
    return {tuple(labels.get(name, "") for name in IDENTITY) for labels in labels_of_series or ()} or None


async def test_the_labels_of_the_target_do_not_change_the_alerts(servers: tuple[str, str]) -> None:
    plain, operator = servers

    async def common_alerts() -> set[Alert] | None:
        alerts = await firing_alerts(plain)
        return alerts if alerts == await firing_alerts(operator) else None

    alerts = await eventually(common_alerts)
    labels_of_alerts = [dict(zip(IDENTITY, alert, strict=True)) for alert in alerts]
    assert ("HeadroomSaturated", "s3", "media-uploads/uploads/") in {
        (labels["alertname"], labels["aws_service"], labels["resource"]) for labels in labels_of_alerts
    }
    saturated_alerts = await eventually(partial(metrics_of, operator, SATURATED))
    assert all(
        labels["service"] == "headroom" and labels["account"] == "platform" for labels in saturated_alerts
    )
    assert not {name for labels in saturated_alerts for name in labels if name.startswith("exported_")}


async def test_no_scraped_label_is_renamed(servers: tuple[str, str]) -> None:
    _, operator = servers
    await eventually(partial(metrics_of, operator, "headroom_zone"))
    scraped = await eventually(partial(metrics_of, operator, '{__name__=~"headroom_.*"}'))
    renamed = {name for labels in scraped for name in labels if name.startswith("exported_")}
    assert renamed == set()
    missing = 'ALERTS{alertname="HeadroomSeriesMissing",alertstate="firing"}'
    assert await metrics_of(operator, missing) is None
