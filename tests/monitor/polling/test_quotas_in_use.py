"""The services whose quotas are read in a cell, and the time at which the quotas are read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from collectors.base import ACCOUNT, Aws, Collector, Observed, ServiceScope
from collectors.lazy_collector import LazyCollector
from monitor.config.config import Config
from monitor.config.signal_settings import SignalSettings
from monitor.fleet.fleet import Fleet
from monitor.polling.cell_watcher import CellWatcher
from monitor.polling.inventory import Inventory
from monitor.polling.quota_book import QuotaBook
from monitor.polling.reader import MetricReader
from monitor.polling.timings import PollingTimings
from tests.fake_aws import FakeAws
from tests.quick_loop import run
from tests.registries import OWNERS, REGISTRY
from tests.telemetries import Telemetries

BY_SERVICE = {collector.service: collector for collector in REGISTRY.collectors}


def loaded(service: str) -> Collector:
    """Return the collector of a service with all of its fields, which `replace` needs."""
    collector = BY_SERVICE[service]
    return collector.loaded if isinstance(collector, LazyCollector) else collector


class CellInventories:
    """A cell in which each service has one series, and the last collector records the services in use.

    delays: seconds that the inventory of a service takes. services_in_use: the service codes in use that each
    scan of the last collector found.
    """

    def __init__(self, config: Config | None = None, scope: ServiceScope = ServiceScope.REGION) -> None:
        self.delays: dict[str, float] = {}
        self.services_in_use: list[set[str]] = []
        self.aws = FakeAws(list_service_quotas={"Quotas": []}, list_aws_default_service_quotas={"Quotas": []})
        cell = replace(self.aws.cell, scope=scope)
        self.inventory = Inventory(cell, Fleet(), config or Config(), REGISTRY, QuotaBook(cell, []))

    def collector(self, service: str) -> Collector:
        signal = next(iter(REGISTRY.services[service].signals))

        async def scan(aws: Aws) -> AsyncIterator[Observed]:
            await asyncio.sleep(self.delays.get(service, 0.0))
            yield Observed(signal=signal, resource=ACCOUNT, usage=1.0, limit=10.0)

        return replace(loaded(service), scans=(scan,), metrics=(), reduced=None)

    @property
    def last(self) -> Collector:
        """A collector that is read after all others and records the services in use."""

        async def scan(aws: Aws) -> AsyncIterator[Observed]:
            self.services_in_use.append({*aws.quota_services_in_use})
            for observed in list[Observed]():
                yield observed

        return replace(loaded("quotas"), scans=(scan,))

    async def watch(self, *collectors: Collector, seconds: float, **timings: Any) -> None:
        reader = MetricReader(self.inventory.cell, self.inventory.fleet, OWNERS)
        telemetry = Telemetries().process
        watcher = CellWatcher(self.inventory, reader, collectors, telemetry, PollingTimings(**timings))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await watcher.run(Config())


def test_the_first_inventory_of_quotas_follows_those_of_all_other_services() -> None:
    inventories = CellInventories()
    inventories.delays = {"sqs": 45.0, "kinesis": 5.0}
    sqs, kinesis = inventories.collector("sqs"), inventories.collector("kinesis")
    run(inventories.watch(inventories.last, sqs, kinesis, seconds=60))
    assert inventories.services_in_use == [{"sqs", "kinesis"}]


def test_a_service_that_does_not_respond_delays_the_scan_of_quotas_up_to_the_time_out() -> None:
    inventories = CellInventories()
    inventories.delays = {"sqs": 1e6}
    run(inventories.watch(inventories.last, inventories.collector("sqs"), seconds=100, others_timeout=60.0))
    assert inventories.services_in_use == [set()]


def test_the_scan_of_quotas_runs_at_each_interval_even_if_no_service_is_in_use() -> None:
    inventories = CellInventories()
    run(inventories.watch(inventories.last, seconds=3590))
    assert len(inventories.services_in_use) in (6, 7)


def test_a_service_stays_in_use_while_its_next_inventory_runs() -> None:
    inventories = CellInventories()
    inventories.delays = {"sqs": 30.0}
    run(inventories.watch(inventories.last, inventories.collector("sqs"), seconds=3590))
    assert len(inventories.services_in_use) in (6, 7)
    assert [*filter(lambda codes: codes != {"sqs"}, inventories.services_in_use)] == []


async def services_in_use(inventories: CellInventories, *collectors: Collector) -> set[str]:
    """Run the inventories; return the services in use that the last collector found."""
    for one in (*collectors, inventories.last):
        await inventories.inventory.run(one)
    return inventories.services_in_use[-1]


async def test_a_service_in_use_adds_the_service_codes_of_its_quotas() -> None:
    inventories = CellInventories()
    assert await services_in_use(inventories, inventories.collector("s3")) == {"s3"}


async def test_configured_service_codes_are_read_like_services_in_use() -> None:
    asked_for = Config(signals=SignalSettings(quotas=("glue", "app*")))
    found = await services_in_use(CellInventories(asked_for))
    assert {"glue", "appflow", "appconfig"} <= found
    assert "sqs" not in found


@pytest.mark.parametrize(
    ("scope", "codes"), [(ServiceScope.GLOBAL, {"iam"}), (ServiceScope.REGION, {"glue"})]
)
async def test_quotas_of_global_services_are_read_once(scope: ServiceScope, codes: set[str]) -> None:
    inventories = CellInventories(Config(signals=SignalSettings(quotas=("glue", "iam"))), scope)
    assert await services_in_use(inventories) == codes


def test_a_service_code_is_global_only_if_all_services_with_the_code_are_global() -> None:
    assert REGISTRY.quota_scope("lambda") is ServiceScope.REGION
    assert REGISTRY.quota_scope("cloudfront") is ServiceScope.GLOBAL
    assert REGISTRY.quota_scope("glue") is ServiceScope.REGION
