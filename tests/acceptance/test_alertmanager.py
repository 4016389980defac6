"""A real Alertmanager is notified by `headroom serve`; a real Prometheus evaluates the generated rules."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.prometheus_server import fast_rules, program, scrape
from tests.monitor.notifiers.loopback import Server, http_server
from tests.monitor.serve_process import free_port
from tests.processes import demo_aws, eventually, get, headroom, running

ALERTMANAGER_CONFIG = """
route:
  receiver: hook
  group_by: [aws_account, aws_region, aws_service]
  group_wait: 0s
  group_interval: 1s
receivers:
  - name: hook
    webhook_configs: [{{url: "{hook}"}}]
"""
HEADROOM_CONFIG = """
services: [s3, kinesis]
regions: [eu-west-1]
judge_interval: 1
journal: {folder}/headroom.db
receivers:
  - {{name: am, type: alertmanager, urls: ["{alertmanager}"], allow_insecure: true, allow_private: true}}
route: {{group_wait: 0s, group_interval: 0s}}
"""
THROTTLED_PREFIX = "media-uploads/uploads/"  # S3 throttles it in the demo


@asynccontextmanager
async def alertmanager(folder: Path, hook: str) -> AsyncIterator[str]:
    """Start an Alertmanager that notifies a webhook; yield its URL."""
    config, address = folder / "alertmanager.yml", f"127.0.0.1:{free_port()}"
    config.write_text(ALERTMANAGER_CONFIG.format(hook=hook))
    flags = (
        f"--config.file={config}",
        f"--storage.path={folder}/alertmanager",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )
    async with running(program("prometheus-alertmanager", "alertmanager"), *flags):
        await eventually(partial(get, f"http://{address}/-/ready"))
        yield f"http://{address}"


async def prefix_alert(url: str) -> dict[str, Any] | None:
    """Return the alert of THROTTLED_PREFIX from Alertmanager; None when there is none."""
    answer = await get(f"{url}/api/v2/alerts", filter=f'resource="{THROTTLED_PREFIX}"')
    found = answer.json() if answer else []
    assert len(found) <= 1, found
    return found[0] if found else None


async def alert_groups(url: str) -> list[dict[str, Any]] | None:
    """Return the groups of alerts in Alertmanager; None while there are fewer than two."""
    answer = await get(f"{url}/api/v2/alerts/groups")
    groups: list[dict[str, Any]] = answer.json() if answer else []
    return groups if len(groups) > 1 else None


def notifications(server: Server) -> set[tuple[str, str]]:
    """Return the status and the resource of each alert that Alertmanager sent to the webhook."""
    alerts = (alert for body in server.bodies for alert in body["alerts"])
    return {(alert["status"], alert["labels"].get("resource", "")) for alert in alerts}


async def test_alertmanager_groups_and_resolves_the_alerts_of_headroom(tmp_path: Path) -> None:
    config, url = tmp_path / "headroom.yaml", f"http://127.0.0.1:{free_port()}"
    async with (
        http_server() as hook,
        alertmanager(tmp_path, hook.url) as manager,
        demo_aws() as environ,
    ):
        config.write_text(HEADROOM_CONFIG.format(folder=tmp_path, alertmanager=manager))
        serve = "serve", "--config", str(config), "--listen", url.removeprefix("http://")
        async with headroom(*serve, environ=environ) as process:
            alert = await eventually(partial(prefix_alert, manager))
            assert alert["labels"]["alertname"] == "HeadroomS3PrefixErrors"
            assert alert["labels"]["severity"] == "critical"
            assert "throttled/s" in alert["annotations"]["summary"]
            duration = datetime.fromisoformat(alert["endsAt"]) - datetime.fromisoformat(alert["updatedAt"])
            assert duration > timedelta(minutes=3)  # Headroom sends the alert again long before it ends

            groups = await eventually(partial(alert_groups, manager))
            labels = [set(group["labels"]) for group in groups]
            assert labels == [{"aws_account", "aws_region", "aws_service"}] * len(groups)
            services = {group["labels"]["aws_service"] for group in groups}
            assert services == {"s3", "kinesis"}

            with config.open("a") as file:
                file.write('exclude: [{resource: "media-uploads*"}]\n')
            process.send_signal(signal.SIGHUP)

            async def is_resolved() -> bool | None:
                return True if ("resolved", THROTTLED_PREFIX) in notifications(hook) else None

            await eventually(is_resolved)
            assert ("firing", THROTTLED_PREFIX) in notifications(hook)
            assert await prefix_alert(manager) is None
            assert not [
                resource
                for status, resource in notifications(hook)
                if status == "resolved" and resource != THROTTLED_PREFIX
            ]
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0


@pytest.fixture
async def prometheus(demo: str, tmp_path: Path) -> AsyncIterator[str]:
    """Run a Prometheus with fast_rules() that scrapes the demo; yield its URL."""
    async with scrape(tmp_path, demo, fast_rules()) as url:
        yield url


async def series_count(prometheus: str, query: str) -> int | None:
    """Return the number of series that a query returns; None for no series."""
    answer = await get(f"{prometheus}/api/v1/query", query=f"count({query})")
    result = answer.json()["data"]["result"] if answer else []
    return int(result[0]["value"][1]) if result else None


async def test_the_rules_for_prometheus_raise_alerts_of_each_severity(prometheus: str) -> None:
    for severity in ("critical", "warning", "info"):
        firing = f'ALERTS{{alertstate="firing",severity="{severity}",resource!=""}}'
        assert await eventually(partial(series_count, prometheus, firing)), severity


async def test_the_rules_and_headroom_s_own_alerts_agree_on_saturated_series(prometheus: str) -> None:
    on = "on (aws_account, aws_region, aws_service, signal, resource)"
    headroom_alerts = 'headroom_alert_state{severity="critical"} == 2'
    prometheus_alerts = 'ALERTS{alertname="HeadroomSaturated",alertstate="firing"}'
    assert await eventually(
        partial(series_count, prometheus, f"{headroom_alerts} and {on} {prometheus_alerts}")
    )
    no_difference = (
        f"absent(({headroom_alerts} unless {on} {prometheus_alerts})"
        f" or ({prometheus_alerts} unless {on} ({headroom_alerts})))"
    )
    assert await eventually(partial(series_count, prometheus, no_difference))
    alert_has_begun = f"({headroom_alerts}) and on (resource) headroom_alert_since_seconds < time()"
    assert await eventually(partial(series_count, prometheus, alert_has_begun))
