"""The estimated cost of polls by service: now, and with the signals that are off."""

import orjson
import pytest

from collectors.registry import Registry, build_registry
from monitor.config.config import Config
from monitor.cost.prices import PRICES, AccountPrices
from monitor.fleet.fleet import Fleet
from monitor.report.cost_estimate import (
    CostEstimate,
    Reading,
    as_json,
    as_table,
    estimate_cost,
    payers_of,
)
from monitor.report.failed_reads import NO_FAILED_READS
from rules.signals import Tier
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.monitor.fleet.fleets import add, key
from tests.monitor.polling.linked_aws import FIRST, MONITORING, SECOND, LinkedAws, file_system
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
    assert sqs.what_if.monthly_dollars == pytest.approx(
        sqs.now.polled_metrics * (0.003 / 1000 + 350 * 0.029 / 1e9) * month / 60
    )
    assert not estimate.failures
    header, *lines = as_table(estimate).splitlines()
    assert header.split()[0] == "service"
    assert [line.split()[0] for line in lines[: lines.index("")]] == [
        *(one.service for one in estimate.services),
        "all",
    ]
    assert estimate.tiers[Tier.CORE].polled_metrics == metrics + sqs.now.polled_metrics
    assert estimate.tiers[Tier.DETAIL].polled_metrics == 0
    assert estimate.streams == []  # what is polled every hour
    assert orjson.loads(as_json(estimate))["tiers"][0]["tier"] == "core"
    assert {one["service"] for one in orjson.loads(as_json(estimate))["services"]} == {*NAMES}


async def test_an_account_pays_for_those_whose_metrics_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    set_aws_environment(monkeypatch, CREDENTIALS)
    listed = {account: [file_system("fs-1"), file_system("fs-2")] for account in (FIRST, SECOND)}
    aws = LinkedAws({FIRST: "shop", SECOND: "bank"}, listed)
    watch = aws.watcher(interval=300, max_interval=300)
    try:
        await watch.run_once(lambda done, steps: None, with_polls=False)
    finally:
        await watch.close()
    assert aws.queries == []
    estimate = CostEstimate([], payers_of(watch.fleet, watch.config), NO_FAILED_READS)
    assert [(one.account, one.others, one.now.polled_metrics) for one in estimate.payers] == [
        (MONITORING, 2, 4)
    ]
    assert as_table(estimate).splitlines()[-1].split() == [MONITORING, "2", "4", "0.35"]
    paid = {"account": MONITORING, "other_accounts": 2, "polled_metrics": 4, "currency": "USD"}
    assert orjson.loads(as_json(estimate))["paid_by"] == [
        {**paid, "monthly_amount": 0.35, "monthly_dollars": 0.35}
    ]


async def test_the_estimate_advises_a_stream_for_metrics_polled_every_minute(
    aws_url: str, aws_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws_environ.items():
        monkeypatch.setenv(name, value)
    config = Config.model_validate({"regions": ["eu-west-1"], "services": ["sqs"], "endpoint_url": aws_url})
    estimate = await estimate_cost(config, registry(), lambda done, steps: None, Reading(60, 60))
    (one,) = estimate.streams
    (sqs,) = estimate.services
    assert one.namespace == "AWS/SQS" and sqs.what_if
    assert one.metrics == sqs.now.polled_metrics
    assert one.polled_dollars == pytest.approx(sqs.what_if.monthly_dollars)
    assert one.streamed_dollars < one.polled_dollars / 3
    table = as_table(estimate)
    assert "AWS/SQS" in table and f"--metric AWS/SQS:{one.names[0]}" in table
    (as_object,) = orjson.loads(as_json(estimate))["streams"]
    assert as_object["metric_names"] == list(one.names)
    assert as_object["saved_monthly_dollars"] == pytest.approx(one.saved_dollars, abs=0.01)


def test_an_account_of_another_partition_pays_its_prices_and_is_in_no_sum() -> None:
    fleet = Fleet()
    partitions = {"1": "aws-cn", "2": "aws-us-gov", "3": "aws"}
    for account in partitions:
        add(fleet, key("orders")._replace(account=account))
    config, prices = (
        Config.model_validate({"interval": 60, "max_interval": 60}),
        AccountPrices(PRICES, partitions),
    )
    estimate = CostEstimate([], payers_of(fleet, config, prices), NO_FAILED_READS)
    rows = {line.split()[0]: line.split()[3:] for line in as_table(estimate).splitlines()[-3:]}
    assert rows == {"1": ["CNY", "5.71"], "2": ["not", "known"], "3": ["0.88"]}
    paid = {one["account"]: one for one in orjson.loads(as_json(estimate))["paid_by"]}
    assert (paid["1"]["monthly_amount"], paid["1"]["monthly_dollars"]) == (5.71, None)
    assert (paid["2"]["currency"], paid["2"]["monthly_amount"]) == (None, None)
