"""A service without resources: Headroom only lists its resources, ever more rarely. It has no series."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from botocore import xform_name

from collectors.base import Collector
from collectors.declaration_file import parse_declaration
from collectors.declared import collector_of
from collectors.registry import build_registry
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.polling.cell_watcher import CellWatcher
from monitor.polling.empty_inventories import EmptyInventories
from monitor.polling.inventory import Inventory
from monitor.polling.quota_book import QuotaBook
from monitor.polling.reader import MetricReader
from rules.signals import Quota
from tests.fake_aws import FakeAws, denied
from tests.kinesis_answers import SHARD_LIMITS
from tests.monitor.polling.declared_entry import declared_entry
from tests.monitor.polling.inventories import BY_SERVICE, LAMBDA, FakeAccount
from tests.monitor.polling.service_quotas import LIST, ServiceQuotas
from tests.quick_loop import QUICK_TIMINGS, run
from tests.registries import METRIC_SERVICES
from tests.telemetries import Telemetries

QUOTA = Quota(service="rds", code="L-7B6409FD")
DECLARATION = """
service: ours
namespace: AWS/RDS
metrics:
  Calls: {stat: Sum}
resources:
  account:
    calls:
      - {call: rds.DescribeAccountAttributes, facts: {quotas: AccountQuotas}}
  instance:
    list: {call: rds.DescribeDBInstances, items: DBInstances}
    id: DBInstanceIdentifier
  cluster:
    list: {call: rds.DescribeDBClusters, items: DBClusters}
    id: DBClusterIdentifier
signals:
  instances: {usage: count(instance)}
  clusters: {usage: count(cluster)}
  calls: {usage: rate(Calls)}
  account_quotas: {usage: 1, when: quotas}
"""
COLLECTOR = collector_of(parse_declaration(DECLARATION.encode(), "ours.yaml"))


class DatabaseInventories:
    """A cell with databases, and the inventory of the service of DECLARATION in this cell."""

    def __init__(self, instances: Any = (), clusters: Any = ()) -> None:
        self.aws = FakeAws(
            describe_db_instances=_list_response("DBInstances", "DBInstanceIdentifier", instances),
            describe_db_clusters=_list_response("DBClusters", "DBClusterIdentifier", clusters),
            describe_account_attributes={"AccountQuotas": [{}]},
            **ServiceQuotas({QUOTA: 40.0}).answers,
        )
        self.fleet, registry = (
            Fleet(),
            build_registry(
                [COLLECTOR], [declared_entry(QUOTA, "instances", "clusters", "calls", "account_quotas")]
            ),
        )
        quotas = QuotaBook(self.aws.cell, [QUOTA], on_demand=True)
        self.inventory = Inventory(self.aws.cell, self.fleet, Config(), registry, quotas)

    async def run_inventory(self, collector: Collector = COLLECTOR) -> Counter[str]:
        """Run an inventory, and return the number of its calls by operation."""
        self.aws.calls.clear()
        await self.inventory.run(collector)
        return Counter(call.partition(":")[2] for call in self.aws.calls)

    @property
    def limits(self) -> dict[str, float]:
        """The limit of each signal."""
        slots = {key.signal: series.slot for key, series in self.fleet.series.items()}
        return {signal: float(self.fleet.limit[slot]) for signal, slot in slots.items()}


def _list_response(items: str, id_field: str, names_or_error: Any) -> Any:
    """Return a response with items of these names; an error is returned as it is."""
    if isinstance(names_or_error, Exception):
        return names_or_error
    return {items: [{id_field: name} for name in names_or_error]}


LIST_CALLS = {"DescribeDBInstances": 1, "DescribeDBClusters": 1}


async def test_a_service_without_resources_costs_only_its_lists_and_has_no_series() -> None:
    inventories = DatabaseInventories()
    assert await inventories.run_inventory() == LIST_CALLS
    assert inventories.limits == {}
    assert inventories.inventory.statuses["ours"].failures == ()


async def test_a_resource_of_any_kind_makes_a_service_used() -> None:
    for inventories in (DatabaseInventories(instances=["a"]), DatabaseInventories(clusters=["a"])):
        calls = await inventories.run_inventory()
        assert calls["DescribeAccountAttributes"] == 1
        assert calls[LIST.partition(":")[2]] == 1
        assert inventories.limits == dict.fromkeys(("instances", "clusters", "calls", "account_quotas"), 40.0)


async def test_a_service_with_a_failed_list_counts_as_used() -> None:
    inventories = DatabaseInventories(instances=denied())
    assert (await inventories.run_inventory())["DescribeAccountAttributes"] == 1
    assert {"clusters", "calls"} <= inventories.limits.keys()


async def test_the_series_of_a_service_are_dropped_with_its_last_resource() -> None:
    inventories = DatabaseInventories(instances=["a"])
    await inventories.run_inventory()
    inventories.aws.answers["describe_db_instances"] = {"DBInstances": []}
    await inventories.run_inventory()
    assert inventories.limits == {}


def test_the_resources_of_an_unused_service_are_listed_ever_more_rarely() -> None:
    async def list_count_within(hours: float, **resources: Any) -> int:
        inventories, telemetry = DatabaseInventories(**resources), Telemetries().process
        reader = MetricReader(inventories.aws.cell, inventories.fleet, METRIC_SERVICES)
        watcher = CellWatcher(inventories.inventory, reader, [COLLECTOR], telemetry, QUICK_TIMINGS)
        with suppress(TimeoutError):
            async with asyncio.timeout(hours * 3600):
                await watcher.run(Config())
        return inventories.aws.calls.count("rds:DescribeDBInstances")

    assert run(list_count_within(24, instances=["a"])) > 140
    assert 6 <= run(list_count_within(24)) <= 10


@pytest.mark.parametrize(
    ("empty_runs", "interval_minutes"), [(1, 20), (2, 40), (3, 80), (5, 320), (6, 360), (99, 360)]
)
def test_the_interval_doubles_up_to_six_hours(empty_runs: int, interval_minutes: int) -> None:
    service = EmptyInventories()
    for _ in range(empty_runs):
        service.record(is_empty=True, now=0.0)
    # The usual interval is 10 minutes, so an inventory may begin 5 minutes early, and not 6.
    assert not service.is_due((interval_minutes - 6) * 60.0, 600.0)
    assert service.is_due(interval_minutes * 60.0, 600.0)
    service.record(is_empty=False, now=1e6)
    assert service.is_due(1e6 + 600, 600.0)


def test_the_status_of_an_unused_service_has_its_longer_interval() -> None:
    async def status_interval(**resources: Any) -> float:
        inventories, telemetry = DatabaseInventories(**resources), Telemetries().process
        watcher = CellWatcher(
            inventories.inventory,
            MetricReader(inventories.aws.cell, inventories.fleet, METRIC_SERVICES),
            [COLLECTOR],
            telemetry,
            QUICK_TIMINGS,
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(24 * 3600):
                await watcher.run(Config())
        return watcher.status().collectors[COLLECTOR.service].interval

    assert run(status_interval()) == 6 * 3600
    assert run(status_interval(instances=["a"])) == 600


@pytest.mark.parametrize(
    ("service", "answers", "calls"),
    [
        ("lambda", {"list_functions": {"Functions": []}}, {"lambda:ListFunctions": 1}),
        (
            "kinesis",
            {"list_streams": {"StreamNames": [], "HasMoreStreams": False}},
            {"kinesis:ListStreams": 1},
        ),
        (
            "apigateway",
            {"get_rest_apis": {"items": []}, "get_apis": {"Items": []}, "get_usage_plans": {"items": []}},
            {"apigateway:GetRestApis": 2, "apigatewayv2:GetApis": 2, "apigateway:GetUsagePlans": 1},
        ),
    ],
)
async def test_a_service_in_python_costs_only_its_lists_if_it_has_no_resources(
    service: str, answers: dict[str, Any], calls: dict[str, int]
) -> None:
    account = FakeAccount(**answers)
    await account.run_inventory(BY_SERVICE[service])
    assert Counter(account.aws.calls) == calls
    assert (account.names, account.failures) == (set(), [])


@pytest.mark.parametrize(
    ("service", "operation", "signal"),
    [("lambda", "ListFunctions", "account_concurrency"), ("kinesis", "ListStreams", "shards_per_region")],
)
async def test_the_account_has_series_if_the_list_of_a_service_is_denied(
    service: str, operation: str, signal: str
) -> None:
    answers: dict[str, Any] = {
        "describe_limits": SHARD_LIMITS,
        "get_account_settings": {"AccountLimit": {"ConcurrentExecutions": 1000}},
        xform_name(operation): denied(operation),
    }
    account = FakeAccount(**answers)
    await account.run_inventory(BY_SERVICE[service])
    assert (signal, "") in account.names
    assert operation in {failed_operation for failed_operation, _, _ in account.failures}


async def test_a_function_that_cannot_be_read_proves_that_lambda_is_in_use() -> None:
    settings = {"AccountLimit": {"ConcurrentExecutions": 1000}}
    account = FakeAccount(list_functions={"Functions": [{}]}, get_account_settings=settings)
    await account.run_inventory(LAMBDA)
    assert ("account_concurrency", "") in account.names


async def test_a_usage_plan_proves_that_api_gateway_is_in_use() -> None:
    plans = {"items": [{"id": "p", "name": "gold"}]}
    account = FakeAccount(
        get_rest_apis={"items": []},
        get_apis={"Items": []},
        get_usage_plans=plans,
        get_account={"throttleSettings": {"rateLimit": 10_000.0}},
    )
    await account.run_inventory(BY_SERVICE["apigateway"])
    assert ("account_throttle_rate", "") in account.names
