"""The key `alerts` of the configuration, in a running Headroom over the demo's AWS, and after a reload."""

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
from tests.monitor.serve_process import journal, serving
from tests.processes import eventually, get
from tests.registries import REGISTRY
from tests.telemetries import Telemetries

WEB = {"signal": "autoscaling.group_max_size", "resource": "web"}  # pinned at its maximum
STATES = {1: "pending", 2: "firing"}
RUNNING = "services: [autoscaling]\nregions: [eu-west-1]\njudge_interval: 1\n"


async def watched(fleet: Fleet, before: Watcher | None, *overrides: dict[str, Any]) -> tuple[Watcher, Series]:
    """A watch that follows another one, as a reload has it; and the series of the group."""
    given = {"services": ["autoscaling"], "regions": ["eu-west-1"], "alerts": overrides}
    config, telemetry = Config.model_validate(given), Telemetries()
    watch = Watcher(
        config, REGISTRY, fleet, telemetry.process, telemetry.aws, before.discovered() if before else {}
    )
    try:
        await watch.run_once(lambda done, steps: None)
    finally:
        await watch.close()
    (series,) = (
        one for key, one in fleet.series.items() if (key.signal, key.resource) == ("group_max_size", "web")
    )
    return watch, series


async def test_durations_of_overrides_apply_from_the_inventory_after_a_reload(
    monkeypatch: pytest.MonkeyPatch, aws_environ: dict[str, str]
) -> None:
    set_aws_environment(monkeypatch, aws_environ)
    fleet = Fleet()
    watch, series = await watched(fleet, None, {**WEB, "for": "10m", "keep_firing_for": "1m"})
    others = [one for one in fleet.series.values() if one.key != series.key]
    assert (fleet.pending_for[series.slot], fleet.keep_firing_for[series.slot]) == (10, 1)
    assert {int(fleet.keep_firing_for[one.slot]) for one in others} == {-1}
    watch, again = await watched(fleet, watch, {**WEB, "for": 0})
    assert again.slot == series.slot
    assert (fleet.pending_for[series.slot], fleet.keep_firing_for[series.slot]) == (0, -1)
    _, again = await watched(fleet, watch)
    assert fleet.pending_for[again.slot] == 5


GPU = {"signal": "autoscaling.capacity_shortfall", "resource": "gpu"}  # short of capacity, for hours
LOUD, QUIET, SILENT = {"near": "critical"}, {"near": "info"}, {"near": "none", "above": "none"}
HELD = {"for": "1d"}
RELOADS: list[tuple[dict[str, Any], dict[str, Any], dict[str, str]]] = [
    ({**HELD, **LOUD}, {}, {"web": "pending critical", "gpu": "firing warning"}),
    (HELD, LOUD, {"web": "pending warning", "gpu": "firing critical"}),
    ({**HELD, **SILENT}, QUIET, {"gpu": "firing info"}),
    (SILENT, SILENT, {}),
]


def configuration_text(web: dict[str, Any], gpu: dict[str, Any]) -> str:
    """Return a configuration with alert settings for two resources."""
    return f"{RUNNING}alerts: {json.dumps([{**WEB, **web}, {**GPU, **gpu}])}\n"


def is_overridden(labels: dict[str, str]) -> bool:
    """Return whether the settings are for a series with these labels."""
    return (labels["signal"], labels["resource"]) in {
        ("group_max_size", "web"),
        ("capacity_shortfall", "gpu"),
    }


async def stand(url: str, expected: dict[str, str]) -> bool | None:
    """Return whether the alerts of the two groups have these states, in the API and in /metrics."""
    answer, exported = await get(f"{url}/api/v1/alerts"), await get(f"{url}/metrics")
    assert answer and exported
    items = [(one["labels"], f"{one['state']} {one['severity']}") for one in answer.json()["items"]]
    listed = {labels["resource"]: word for labels, word in items if is_overridden(labels)}
    states = {
        one.labels["resource"]: f"{STATES[int(one.value)]} {one.labels['severity']}"
        for family in text_string_to_metric_families(exported.text)
        for one in family.samples
        if one.name == "headroom_alert_state" and is_overridden(one.labels)
    }
    return True if listed == states == expected else None


async def test_alerts_follow_the_overrides_before_and_after_a_reload(
    tmp_path: Path, aws_environ: dict[str, str]
) -> None:
    config = tmp_path / "headroom.yaml"
    (web, gpu, expected), *others = RELOADS
    async with serving(config, configuration_text(web, gpu), aws_environ) as (process, url):
        assert await eventually(partial(stand, url, expected))
        for web, gpu, expected in others:
            config.write_text(configuration_text(web, gpu) + journal(tmp_path))
            process.send_signal(signal.SIGHUP)
            assert await eventually(partial(stand, url, expected))
