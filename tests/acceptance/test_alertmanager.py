"""A real Alertmanager is told by a running Headroom; a real Prometheus evaluates the rules made for it."""

import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from monitor.dashboards.prometheus import INTERVAL, files
from tests.monitor.notifiers.loopback import Server, serving
from tests.monitor.test_app import free_port
from tests.processes import eventually, get, headroom, line_of, own_aws, running

INSTALL = "install the Debian packages `prometheus` and `prometheus-alertmanager`, or run `make acceptance`"
ROUTING = """
route:
  receiver: hook
  group_by: [account, region, service]
  group_wait: 0s
  group_interval: 1s
receivers:
  - name: hook
    webhook_configs: [{{url: "{hook}"}}]
"""
SERVING = """
services: [s3, kinesis]
regions: [eu-west-1]
judge_interval: 1
journal: {folder}/headroom.db
receivers:
  - {{name: am, type: alertmanager, urls: ["{alertmanager}"], allow_insecure: true, allow_private: true}}
route: {{group_wait: 0s, group_interval: 0s}}
"""
HOT = "media-uploads/uploads/"  # the prefix that the demo's S3 refuses requests to
MINUTES = re.compile(r"(\[|offset |for: )(\d+)m")


@asynccontextmanager
async def alertmanager(folder: Path, hook: str) -> AsyncIterator[str]:
    """An Alertmanager on its own that tells the hook; gives its URL."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    assert program, INSTALL
    config, address = folder / "alertmanager.yml", f"127.0.0.1:{free_port()}"
    config.write_text(ROUTING.format(hook=hook))
    flags = (
        f"--config.file={config}",
        f"--storage.path={folder}/alertmanager",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )
    async with running(program, *flags):
        await eventually(partial(get, f"http://{address}/-/ready"))
        yield f"http://{address}"


async def hot(url: str) -> dict[str, Any] | None:
    """The one alert of the hot prefix, as Alertmanager has it."""
    answer = await get(f"{url}/api/v2/alerts", filter=f'resource="{HOT}"')
    found = answer.json() if answer else []
    assert len(found) <= 1, found
    return found[0] if found else None


async def grouped(url: str) -> list[dict[str, Any]] | None:
    """The groups, once there are two."""
    answer = await get(f"{url}/api/v2/alerts/groups")
    groups: list[dict[str, Any]] = answer.json() if answer else []
    return groups if len(groups) > 1 else None


def told(server: Server) -> set[tuple[str, str]]:
    """What Alertmanager told its receiver: status and resource of each alert."""
    alerts = (alert for body in server.bodies for alert in body["alerts"])
    return {(alert["status"], alert["labels"].get("resource", "")) for alert in alerts}


async def test_alertmanager_receives_groups_and_resolves(tmp_path: Path) -> None:
    config, url = tmp_path / "headroom.yaml", f"http://127.0.0.1:{free_port()}"
    async with (
        serving() as hook,
        alertmanager(tmp_path, hook.url) as manager,
        own_aws() as environ,
    ):
        config.write_text(SERVING.format(folder=tmp_path, alertmanager=manager))
        serve = "serve", "--config", str(config), "--listen", url.removeprefix("http://")
        async with headroom(*serve, environ=environ) as process:
            alert = await eventually(partial(hot, manager))
            assert alert["labels"]["alertname"] == "HeadroomS3PrefixWriteRate"
            assert alert["labels"]["severity"] == "critical"
            assert "refused/s" in alert["annotations"]["summary"]
            ends = datetime.fromisoformat(alert["endsAt"]) - datetime.fromisoformat(alert["updatedAt"])
            assert ends > timedelta(minutes=3)  # it is told again long before

            groups = await eventually(partial(grouped, manager))
            labels = [set(group["labels"]) for group in groups]
            assert labels == [{"account", "region", "service"}] * len(groups)
            services = {group["labels"]["service"] for group in groups}
            assert services == {"s3", "kinesis"}

            with config.open("a") as more:
                more.write('exclude: [{resource: "media-uploads*"}]\n')
            process.send_signal(signal.SIGHUP)

            async def resolved() -> bool | None:
                return True if ("resolved", HOT) in told(hook) else None

            await eventually(resolved)
            assert ("firing", HOT) in told(hook)
            assert await hot(manager) is None
            assert not [one for status, one in told(hook) if status == "resolved" and one != HOT]
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0


SCRAPING = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
rule_files: ["*.rules.yaml"]
scrape_configs:
  - job_name: headroom
    static_configs: [{{targets: ["{target}"]}}]
"""


@pytest.fixture
async def prometheus(tmp_path: Path) -> AsyncIterator[str]:
    """A Prometheus over a demo with our rules, whose minutes are seconds; gives its URL."""
    program = shutil.which("prometheus")
    assert program, INSTALL
    config, address = tmp_path / "prometheus.yml", f"127.0.0.1:{free_port()}"
    async with headroom("demo", "--port", "0") as process:
        target = (await line_of(process, "http://")).split("/")[2]
        config.write_text(SCRAPING.format(target=target))
        for name, rules in files().items():
            fast = MINUTES.sub(r"\1\2s", rules.replace(INTERVAL, "1s"))
            (tmp_path / name).with_suffix(".rules.yaml").write_text(fast)
        flags = (
            f"--config.file={config}",
            f"--storage.tsdb.path={tmp_path}/data",
            f"--web.listen-address={address}",
        )
        async with running(program, *flags):
            yield f"http://{address}"


async def count(prometheus: str, query: str) -> int | None:
    """The one number that a query gives; None while there is none."""
    answer = await get(f"{prometheus}/api/v1/query", query=f"count({query})")
    result = answer.json()["data"]["result"] if answer else []
    return int(result[0]["value"][1]) if result else None


async def test_the_rules_for_prometheus_fire_at_each_severity(prometheus: str) -> None:
    for severity in ("critical", "warning", "info"):
        firing = f'ALERTS{{alertstate="firing",severity="{severity}",resource!=""}}'
        assert await eventually(partial(count, prometheus, firing)), severity


async def test_they_and_our_own_alerts_agree_on_what_is_refused(prometheus: str) -> None:
    on = "on (account, region, service, signal, resource)"
    ours = 'headroom_alert_state{severity="critical"} == 2'
    theirs = 'ALERTS{alertname="HeadroomSaturated",alertstate="firing"}'
    assert await eventually(partial(count, prometheus, f"{ours} and {on} {theirs}"))
    same = f"absent(({ours} unless {on} {theirs}) or ({theirs} unless {on} ({ours})))"
    assert await eventually(partial(count, prometheus, same))
    since = f"({ours}) and on (resource) headroom_alert_since_seconds < time()"
    assert await eventually(partial(count, prometheus, since))
