"""Fake accounts, each with a table of the answers of AWS, an inventory, and the fleet that it fills."""

from collections.abc import AsyncIterator
from typing import Any

from collectors.base import ACCOUNT, Aws, Collector, Observed, ScanFunction
from monitor.aws.cell import Cell
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.polling.inventory import Inventory
from monitor.polling.quota_book import QUOTA_INTERVAL, QuotaBook
from tests.fake_aws import ACCOUNT_ID, FakeAws, denied
from tests.kinesis_answers import SHARD_LIMITS, stream_names, stream_summary
from tests.registries import REGISTRY
from tests.resources import resource as resource_of

BY_SERVICE = {collector.service: collector for collector in REGISTRY.collectors}
KINESIS, LAMBDA, SQS = (BY_SERVICE[name] for name in ("kinesis", "lambda", "sqs"))
NO_QUOTAS: dict[str, Any] = {"get_service_quota": denied("GetServiceQuota")}


def inventory_of(
    cell: Cell,
    fleet: Fleet,
    config: Config | None = None,
    quotas: QuotaBook | None = None,
    account_name: str = "",
) -> Inventory:
    """Return an inventory of a cell. quotas: a new QuotaBook of all quotas by default."""
    quotas = quotas or QuotaBook(cell, REGISTRY.quotas(REGISTRY.services))
    return Inventory(cell, fleet, config or Config(), REGISTRY, quotas, account_name)


class FakeAccount:
    """An account in a region whose AWS answers from a table, its inventory, and the fleet that it fills."""

    def __init__(
        self,
        config: Config | None = None,
        account_name: str = "",
        quota_interval: float = QUOTA_INTERVAL,
        **answers: Any,
    ) -> None:
        self.aws = FakeAws(**answers)
        self.fleet = Fleet()
        self.quotas = QuotaBook(self.aws.cell, REGISTRY.quotas(REGISTRY.services), quota_interval)
        self.inventory = inventory_of(self.aws.cell, self.fleet, config, self.quotas, account_name)

    async def run_inventory(self, collector: Collector, **changed: Any) -> None:
        """Change some answers of AWS, and run the inventory of a service."""
        self.aws.answers |= changed
        await self.inventory.run(collector)

    @property
    def names(self) -> set[tuple[str, str]]:
        """The names of the signal and of the resource of each series."""
        return {(key.signal, key.resource) for key in self.fleet.series}

    @property
    def failures(self) -> list[tuple[str, str, str]]:
        """The operation, resource and code of each failure of the last inventories."""
        failures = (failure for status in self.inventory.statuses.values() for failure in status.failures)
        return [(failure.operation, failure.resource, failure.code) for failure in failures]

    def limit(self, service: str, signal: str, resource: str = "") -> tuple[float, str] | None:
        """Return the value and the source of the limit of a series; None if it has no limit."""
        key = Key(ACCOUNT_ID, "eu-west-1", service, signal, resource_of(resource))
        limit = self.fleet.series[key].settings.limit
        return (limit.value, limit.source.value) if limit else None


def quota(value: float) -> dict[str, Any]:
    """Return a response of GetServiceQuota."""
    return {"Quota": {"Value": value}}


def streams(**shards: int) -> dict[str, Any]:
    """Return the answers of a Kinesis with these streams. shards: the number of shards, by stream."""

    def describe(**params: Any) -> dict[str, Any]:
        return stream_summary(params["StreamName"], shards[params["StreamName"]])

    return {
        "describe_limits": SHARD_LIMITS,
        "list_streams": stream_names(*shards),
        "describe_stream_summary": describe,
    }


def functions(*names: str) -> dict[str, Any]:
    """Return the answers of a Lambda with these functions."""
    arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT_ID}:function"
    return {
        "list_functions": {
            "Functions": [{"FunctionName": name, "FunctionArn": f"{arn}:{name}"} for name in names]
        },
        "get_function_concurrency": {},
        "list_provisioned_concurrency_configs": {"ProvisionedConcurrencyConfigs": []},
    }


def account_settings(concurrency: int) -> dict[str, Any]:
    """Return a response of GetAccountSettings."""
    return {"AccountLimit": {"ConcurrentExecutions": concurrency}}


def queues(*names: str) -> dict[str, Any]:
    """Return the answers of an SQS with these queues."""
    return {
        "list_queues": {
            "QueueUrls": [f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT_ID}/{name}" for name in names]
        }
    }


def collector(*scans: ScanFunction, service: str = "kinesis", delay: int = 3) -> Collector:
    """Return a collector with these scan functions."""
    return Collector(service=service, scans=scans, metrics=(), iam_actions=(), publication_delay=delay)


async def scan_of_shards(aws: Aws) -> AsyncIterator[Observed]:
    """Observe the number of shards in the account, which is the same at each inventory."""
    yield Observed(signal="shards_per_region", resource=ACCOUNT, limit=50, usage=40.0)
