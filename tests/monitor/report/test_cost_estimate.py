"""What polls would cost, by service: now, and with the signals that are off."""

import orjson
import pytest

from collectors.registry import Registry, build_registry
from monitor.config.config import Config
from monitor.report.cost_estimate import as_json, as_table, estimate_cost
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
    estimate = await estimate_cost(config, registry(), lambda done, steps: None)
    found = {one.service: one for one in estimate.services}
    assert found["kinesis"].now.polled_metrics > 0 and found["kinesis"].added.polled_metrics > 0
    assert found["sqs"].now.polled_metrics > 0 and found["sqs"].added.polled_metrics == 0
    assert found["kinesis"].added.monthly_dollars == pytest.approx(
        found["kinesis"].added.polled_metrics * 0.01 / 1000 * 365.25 * 86400 / 12 / 300
    )
    assert estimate.failures == []
    header, *lines = as_table(estimate).splitlines()
    assert header.split()[0] == "service"
    assert [line.split()[0] for line in lines] == [*(one.service for one in estimate.services), "all"]
    assert {one["service"] for one in orjson.loads(as_json(estimate))["services"]} == {*NAMES}
