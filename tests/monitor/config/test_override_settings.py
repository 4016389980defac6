"""The key `alerts` of the configuration, in a running Headroom with the demo's AWS, and after reloads."""

import json
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.config.config import Config
from monitor.fleet.fleet import Fleet, Series
from monitor.polling.watcher import Watcher
from tests.aws_environment import set_aws_environment
from tests.monitor.serve_process import journal_line, running_server
from tests.processes import eventually, get
from tests.registries import REGISTRY
from tests.telemetries import Telemetries

WEB = {"signal": "autoscaling.group_max_size", "resource": "web"}  # a group whose size is at its maximum
STATE_BY_SAMPLE = {1: "pending", 2: "firing"}  # the samples of headroom_alert_state
BASE_CONFIG = "services: [autoscaling]\nregions: [eu-west-1]\njudge_interval: 1\n"


async def run_watcher(
    fleet: Fleet, previous: Watcher | None, *overrides: dict[str, Any]
) -> tuple[Watcher, Series]:
    """Run a watcher once; return it and the series of the group `web`.

    previous: the watcher that it replaces, as at a reload; None at the start. overrides: the entries of
    `alerts`.
    """
    settings = {"services": ["autoscaling"], "regions": ["eu-west-1"], "alerts": overrides}
    config, telemetry = Config.model_validate(settings), Telemetries()
    watcher = Watcher(
        config, REGISTRY, fleet, telemetry.process, telemetry.aws, previous.discovered() if previous else {}
    )
    try:
        await watcher.run_once(lambda done, steps: None)
    finally:
        await watcher.close()
    (series,) = (
        one_series
        for key, one_series in fleet.series.items()
        if (key.signal, key.resource) == ("group_max_size", "web")
    )
    return watcher, series


async def test_overridden_durations_apply_after_the_first_inventory_of_a_reload(
    monkeypatch: pytest.MonkeyPatch, aws_environ: dict[str, str]
) -> None:
    set_aws_environment(monkeypatch, aws_environ)
    fleet = Fleet()
    watcher, series = await run_watcher(fleet, None, {**WEB, "for": "10m", "keep_firing_for": "1m"})
    other_series = [other for other in fleet.series.values() if other.key != series.key]
    assert (fleet.pending_for[series.slot], fleet.keep_firing_for[series.slot]) == (10, 1)
    assert {int(fleet.keep_firing_for[other.slot]) for other in other_series} == {-1}  # no override
    watcher, reloaded = await run_watcher(fleet, watcher, {**WEB, "for": 0})
    assert reloaded.slot == series.slot
    assert (fleet.pending_for[series.slot], fleet.keep_firing_for[series.slot]) == (0, -1)
    _, reloaded = await run_watcher(fleet, watcher)
    assert fleet.pending_for[reloaded.slot] == 5  # minutes, of the catalogue


# A group that has had too few instances for hours.
GPU = {"signal": "autoscaling.capacity_shortfall", "resource": "gpu"}
CRITICAL, INFO, NO_ALERT = {"near": "critical"}, {"near": "info"}, {"near": "none", "above": "none"}
FOR_A_DAY = {"for": "1d"}
# The settings of `web` and `gpu`, and the expected alerts, at the start and after each reload.
RELOADS: list[tuple[dict[str, Any], dict[str, Any], dict[str, str]]] = [
    ({**FOR_A_DAY, **CRITICAL}, {}, {"web": "pending critical", "gpu": "firing warning"}),
    (FOR_A_DAY, CRITICAL, {"web": "pending warning", "gpu": "firing critical"}),
    ({**FOR_A_DAY, **NO_ALERT}, INFO, {"gpu": "firing info"}),
    (NO_ALERT, NO_ALERT, {}),
]


def configuration_text(web: dict[str, Any], gpu: dict[str, Any]) -> str:
    """Return a configuration with alert settings for two resources."""
    return f"{BASE_CONFIG}alerts: {json.dumps([{**WEB, **web}, {**GPU, **gpu}])}\n"


def is_overridden(labels: dict[str, str]) -> bool:
    """Return whether the settings of `web` or `gpu` apply to a series with these labels."""
    return (labels["signal"], labels["resource"]) in {
        ("group_max_size", "web"),
        ("capacity_shortfall", "gpu"),
    }


async def have_states(url: str, expected: dict[str, str]) -> bool | None:
    """Return true if the alerts of `web` and `gpu` have these states, in the API and in /metrics; else None.

    expected: the state and the severity, by resource.
    """
    answer, exported = await get(f"{url}/api/v1/alerts"), await get(f"{url}/metrics")
    assert answer and exported
    listed_states = {
        alert["labels"]["resource"]: f"{alert['state']} {alert['severity']}"
        for alert in answer.json()["items"]
        if is_overridden(alert["labels"])
    }
    exported_states = {
        sample.labels["resource"]: f"{STATE_BY_SAMPLE[int(sample.value)]} {sample.labels['severity']}"
        for family in text_string_to_metric_families(exported.text)
        for sample in family.samples
        if sample.name == "headroom_alert_state" and is_overridden(sample.labels)
    }
    return True if listed_states == exported_states == expected else None


async def test_alerts_follow_the_overrides_before_and_after_a_reload(
    tmp_path: Path, aws_environ: dict[str, str]
) -> None:
    config = tmp_path / "headroom.yaml"
    (web, gpu, expected), *reloads = RELOADS
    async with running_server(config, configuration_text(web, gpu), aws_environ) as (process, url):
        assert await eventually(partial(have_states, url, expected))
        for web, gpu, expected in reloads:
            config.write_text(configuration_text(web, gpu) + journal_line(tmp_path))
            process.send_signal(signal.SIGHUP)
            assert await eventually(partial(have_states, url, expected))
