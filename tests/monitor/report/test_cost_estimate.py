"""What polls would cost, by service: now, and with the signals that are off."""

import orjson
import pytest

from collectors.registry import Registry, build_registry
from monitor.config.config import Config
from monitor.report.cost_estimate import Reading, as_json, as_table, estimate_cost
from rules.limits import Tier
from tests.registries import REGISTRY

NAMES = ["kinesis", "sqs"]


def registry() -> Registry:
    """Kinesis, whose shards are details, and SQS."""
    services = []
    for name in NAMES:
        entry = REGISTRY.services[name]
        signals = {
            key: one.model_copy(update={"tier": Tier.DETAIL}) if key.startswith("shard_") else one
            for key, one in entry.signals.items()
        }
        services.append(entry.model_copy(update={"signals": signals}))
    return build_registry(REGISTRY.collectors_of(NAMES), services)


async def test_the_signals_that_are_off_are_estimated_too(
    aws_url: str, aws_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws_environ.items():
        monkeypatch.setenv(name, value)
    config = Config.model_validate({"regions": ["eu-west-1"], "services": NAMES, "endpoint_url": aws_url})
    streamed = Reading(3600, 3600, frozenset({"sqs"}))
    estimate = await estimate_cost(config, registry(), lambda done, steps: None, streamed)
    found = {one.service: one for one in estimate.services}
    assert found["kinesis"].now.polled_metrics > 0 and found["kinesis"].added.polled_metrics > 0
    assert found["sqs"].now.polled_metrics > 0 and found["sqs"].added.polled_metrics == 0
    month = 365.25 * 86400 / 12
    kinesis, sqs = found["kinesis"], found["sqs"]
    metrics = kinesis.now.polled_metrics
    assert kinesis.every_minute.monthly_dollars == pytest.approx(metrics * 0.01 / 1000 * month / 60)
    assert metrics * 0.01 / 1000 * month / 900 < kinesis.now.monthly_dollars  # throttled demand: every 300 s
    assert kinesis.now.monthly_dollars < metrics * 0.01 / 1000 * month / 300
    assert kinesis.what_if and sqs.what_if
    assert kinesis.what_if.monthly_dollars == pytest.approx(metrics * 0.01 / 1000 * month / 3600)
    assert sqs.what_if.monthly_dollars == pytest.approx(sqs.now.polled_metrics * 0.003 / 1000 * month / 60)
    assert estimate.failures == []
    header, *lines = as_table(estimate).splitlines()
    assert header.split()[0] == "service"
    assert [line.split()[0] for line in lines] == [*(one.service for one in estimate.services), "all"]
    assert {one["service"] for one in orjson.loads(as_json(estimate))["services"]} == {*NAMES}
