"""The estimated cost of polls by service: now, and with the signals that are off."""

import orjson
import pytest

from collectors.registry import Registry, build_registry
from monitor.config.config import Config
from monitor.cost.prices import LIST_PRICES_OF_ACCOUNTS, PRICES, AccountPrices
from monitor.fleet.fleet import Fleet
from monitor.report.cost_estimate import CostEstimate, Plan, estimate_cost, payers_of
from monitor.report.cost_formats import as_json, as_table
from monitor.report.failed_reads import NO_FAILED_READS
from monitor.report.read_intervals import ReadIntervals
from rules.signals import Tier
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.monitor.fleet.fleets import ACCOUNT, add, key
from tests.monitor.polling.linked_aws import FIRST, MONITORING, SECOND, LinkedAws, file_system
from tests.registries import REGISTRY

SERVICES = ["kinesis", "sqs"]


def registry() -> Registry:
    """Return a registry of SQS and Kinesis. The signals of Kinesis' shards have the tier detail."""
    services = []
    for name in SERVICES:
        entry = REGISTRY.services[name]
        signals = {
            key: signal.model_copy(update={"tier": Tier.DETAIL}) if key.startswith("shard_") else signal
            for key, signal in entry.signals.items()
        }
        services.append(entry.model_copy(update={"signals": signals}))
    return build_registry(REGISTRY.collectors_of(SERVICES), services)


async def test_the_estimate_includes_signals_that_are_off(
    aws_url: str, aws_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws_environ.items():
        monkeypatch.setenv(name, value)
    config = Config.model_validate({"regions": ["eu-west-1"], "services": SERVICES, "endpoint_url": aws_url})
    hourly_with_streamed_sqs = ReadIntervals(3600, 3600, frozenset({"sqs"}))
    estimate = await estimate_cost(config, registry(), lambda done, steps: None, hourly_with_streamed_sqs)
    by_service = {service.service: service for service in estimate.services}
    kinesis, sqs = by_service["kinesis"], by_service["sqs"]
    assert kinesis.now.polled_metrics > 0 and kinesis.added.polled_metrics > 0
    assert sqs.now.polled_metrics > 0 and sqs.added.polled_metrics == 0
    month = 365.25 * 86400 / 12  # seconds
    metrics = kinesis.now.polled_metrics
    assert kinesis.every_minute.monthly_dollars == pytest.approx(monthly_price(metrics, 60))
    # Metrics of usage are requested every 900 s, metrics of throttled demand every 300 s.
    assert monthly_price(metrics, 900) < kinesis.now.monthly_dollars < monthly_price(metrics, 300)
    assert kinesis.what_if and sqs.what_if
    assert kinesis.what_if.monthly_dollars == pytest.approx(monthly_price(metrics, 3600))
    # An update of 350 bytes per metric and minute: $0.003 per 1,000 updates, and Firehose's $0.029 per GB.
    assert sqs.what_if.monthly_dollars == pytest.approx(
        sqs.now.polled_metrics * (0.003 / 1000 + 350 * 0.029 / 1e9) * month / 60
    )
    assert not estimate.failures
    header, *lines = as_table(estimate).splitlines()
    assert header.split()[0] == "service"
    assert [line.split()[0] for line in lines[: lines.index("")]] == [
        *(service.service for service in estimate.services),
        "all",
    ]
    assert estimate.tiers[Tier.CORE].polled_metrics == metrics + sqs.now.polled_metrics
    assert estimate.tiers[Tier.DETAIL].polled_metrics == 0
    assert estimate.streams == []  # polling every hour is cheaper than a stream
    assert orjson.loads(as_json(estimate))["tiers"][0]["tier"] == "core"
    assert {service["service"] for service in orjson.loads(as_json(estimate))["services"]} == {*SERVICES}


async def test_an_account_pays_for_the_accounts_whose_metrics_it_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_aws_environment(monkeypatch, CREDENTIALS)
    file_systems = {account: [file_system("fs-1"), file_system("fs-2")] for account in (FIRST, SECOND)}
    aws = LinkedAws({FIRST: "shop", SECOND: "bank"}, file_systems)
    watcher = aws.watcher(interval=300, max_interval=300)
    try:
        await watcher.run_once(lambda done, steps: None, with_polls=False)
    finally:
        await watcher.close()
    assert aws.queries == []
    estimate = CostEstimate([], payers_of(watcher.fleet, watcher.config), NO_FAILED_READS)
    assert [(payer.account, payer.other_accounts, payer.now.polled_metrics) for payer in estimate.payers] == [
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
    estimate = await estimate_cost(config, registry(), lambda done, steps: None, ReadIntervals(60, 60))
    (stream,) = estimate.streams
    (sqs,) = estimate.services
    assert stream.namespace == "AWS/SQS" and sqs.what_if
    assert stream.metric_count == sqs.now.polled_metrics
    assert stream.polled_dollars == pytest.approx(sqs.what_if.monthly_dollars)
    assert stream.streamed_dollars < stream.polled_dollars / 3
    table = as_table(estimate)
    assert "AWS/SQS" in table and f"--metric AWS/SQS:{stream.names[0]}" in table
    (record,) = orjson.loads(as_json(estimate))["streams"]
    assert record["metric_names"] == list(stream.names)
    assert record["saved_monthly_dollars"] == pytest.approx(stream.saved_dollars, abs=0.01)


def test_an_account_of_another_partition_pays_the_prices_of_its_partition() -> None:
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
    paid = {payer["account"]: payer for payer in orjson.loads(as_json(estimate))["paid_by"]}
    assert (paid["1"]["monthly_amount"], paid["1"]["monthly_dollars"]) == (5.71, None)
    assert (paid["2"]["currency"], paid["2"]["monthly_amount"]) == (None, None)


def monthly_price(metrics: int, seconds: float) -> float:
    """Return the list price, for a month, of metrics that are each requested once in some seconds."""
    return metrics * 0.01 / 1000 * (365.25 * 86400 / 12) / seconds


@pytest.mark.parametrize("each_account", [False, True])
@pytest.mark.parametrize(("dollars", "is_too_small"), [(1000, False), (2.0, False), (0.5, True)])
def test_a_budget_lowers_the_estimate_no_further_than_it_must(
    dollars: float, is_too_small: bool, each_account: bool
) -> None:
    fleet = Fleet()
    for n in range(100):
        add(fleet, key(f"orders-{n}"))
    config = Config.model_validate({"budget": {"dollars_per_month": dollars, "each_account": each_account}})
    (unlimited,), (limited,) = (payers_of(fleet, settings) for settings in (Config(), config))
    minimum, unlimited_cost = monthly_price(limited.now.polled_metrics, 3600), unlimited.now.monthly_dollars
    expected_cost = min(max(dollars, minimum), unlimited_cost)
    assert 0.95 * expected_cost < limited.now.monthly_dollars <= expected_cost * (1 + 1e-9)
    plan = Plan.of(fleet, ReadIntervals.of(config), {*range(fleet.rings.size)}, LIST_PRICES_OF_ACCOUNTS)
    (budget,) = plan.budgets
    assert budget.account == (ACCOUNT if each_account else "")
    assert budget.is_too_small == is_too_small
    assert budget.minimum_dollars == pytest.approx(minimum)


async def test_the_estimate_shows_how_often_metrics_are_requested_and_what_a_budget_must_be(
    aws_url: str, aws_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws_environ.items():
        monkeypatch.setenv(name, value)
    settings = {"regions": ["eu-west-1"], "services": SERVICES, "endpoint_url": aws_url}
    with_large_budget, with_small_budget = [
        await estimate_cost(
            Config.model_validate(settings | {"budget": {"dollars_per_month": dollars}}),
            registry(),
            lambda done, steps: None,
        )
        for dollars in (1000, 0.01)
    ]
    metrics = sum(service.now.polled_metrics for service in with_large_budget.services)
    assert {*with_large_budget.intervals} == {5, 15} and sum(with_large_budget.intervals.values()) == metrics
    assert with_small_budget.intervals == {60: metrics}
    table, minimum = as_table(with_small_budget), f"{monthly_price(metrics, 3600):.2f}"
    assert f"far from limits: {metrics} metrics every 1 h\n" in table
    assert "budget: $0.01 a month, too small; " in table and f"costs ${minimum}" in table
    assert ", too small" not in as_table(with_large_budget)
    answer = orjson.loads(as_json(with_small_budget))
    assert answer["intervals"] == [{"minutes": 60, "metrics": metrics}]
    assert answer["budgets"] == [
        {
            "account": None,
            "dollars_per_month": 0.01,
            "minimum_monthly_dollars": float(minimum),
            "is_too_small": True,
        }
    ]
