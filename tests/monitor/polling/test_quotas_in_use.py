"""The service codes whose quotas are read in a cell, and the time at which the scan of quotas runs."""

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
from tests.fake_aws import FakeAws
from tests.quick_loop import QUICK_TIMINGS, run
from tests.registries import METRIC_SERVICES, REGISTRY
from tests.telemetries import Telemetries

BY_SERVICE = {collector.service: collector for collector in REGISTRY.collectors}


def loaded_collector(service: str) -> Collector:
    """Return the loaded collector of a service, as `replace` needs all of its fields."""
    collector = BY_SERVICE[service]
    return collector.loaded_collector if isinstance(collector, LazyCollector) else collector


class CellInventories:
    """A cell whose collectors find one series each, and a last collector that records the services in use.

    delays: the seconds that an inventory takes, by service. services_in_use: the service codes in use at each
    scan of the last collector.
    """

    def __init__(self, config: Config | None = None, scope: ServiceScope = ServiceScope.REGION) -> None:
        self.delays: dict[str, float] = {}
        self.services_in_use: list[set[str]] = []
        self.aws = FakeAws(list_service_quotas={"Quotas": []}, list_aws_default_service_quotas={"Quotas": []})
        cell = replace(self.aws.cell, scope=scope)
        self.inventory = Inventory(cell, Fleet(), config or Config(), REGISTRY, QuotaBook(cell, []))

    def collector(self, service: str) -> Collector:
        """Return a collector of a service that finds one series."""
        signal = next(iter(REGISTRY.services[service].signals))

        async def scan(aws: Aws) -> AsyncIterator[Observed]:
            await asyncio.sleep(self.delays.get(service, 0.0))
            yield Observed(signal=signal, resource=ACCOUNT, usage=1.0, limit=10.0)

        return replace(loaded_collector(service), scans=(scan,), metrics=(), make_reduced=None)

    @property
    def last_collector(self) -> Collector:
        """A collector that runs after all others, and records the service codes in use."""

        async def scan(aws: Aws) -> AsyncIterator[Observed]:
            self.services_in_use.append({*aws.quota_services_in_use})
            for observed in list[Observed]():  # nothing: a `yield` makes this function a generator
                yield observed

        return replace(loaded_collector("quotas"), scans=(scan,))

    async def watch(self, *collectors: Collector, seconds: float, **timings: Any) -> None:
        """Run the watcher of the cell for some seconds."""
        reader = MetricReader(self.inventory.cell, self.inventory.fleet, METRIC_SERVICES)
        telemetry = Telemetries().process
        watcher = CellWatcher(
            self.inventory, reader, collectors, telemetry, replace(QUICK_TIMINGS, **timings)
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await watcher.run(Config())


def test_the_first_scan_of_quotas_runs_after_the_inventories_of_all_other_services() -> None:
    inventories = CellInventories()
    inventories.delays = {"sqs": 45.0, "kinesis": 5.0}
    sqs, kinesis = inventories.collector("sqs"), inventories.collector("kinesis")
    run(inventories.watch(inventories.last_collector, sqs, kinesis, seconds=60))
    assert inventories.services_in_use == [{"sqs", "kinesis"}]


def test_a_service_that_does_not_respond_delays_the_scan_of_quotas_up_to_the_time_out() -> None:
    inventories = CellInventories()
    inventories.delays = {"sqs": 1e6}
    run(
        inventories.watch(
            inventories.last_collector, inventories.collector("sqs"), seconds=100, prior_services_timeout=60.0
        )
    )
    assert inventories.services_in_use == [set()]


def test_the_scan_of_quotas_runs_at_each_interval_even_if_no_service_is_in_use() -> None:
    inventories = CellInventories()
    run(inventories.watch(inventories.last_collector, seconds=3590))
    assert len(inventories.services_in_use) in (6, 7)


def test_a_service_stays_in_use_while_its_next_inventory_runs() -> None:
    inventories = CellInventories()
    inventories.delays = {"sqs": 30.0}
    run(inventories.watch(inventories.last_collector, inventories.collector("sqs"), seconds=3590))
    assert len(inventories.services_in_use) in (6, 7)
    assert [*filter(lambda codes: codes != {"sqs"}, inventories.services_in_use)] == []


async def recorded_services(inventories: CellInventories, *collectors: Collector) -> set[str]:
    """Run inventories; return the service codes in use that the last collector recorded."""
    for collector in (*collectors, inventories.last_collector):
        await inventories.inventory.run(collector)
    return inventories.services_in_use[-1]


async def test_a_service_with_series_is_in_use_with_its_service_codes() -> None:
    inventories = CellInventories()
    assert await recorded_services(inventories, inventories.collector("s3")) == {"s3"}


async def test_configured_service_codes_are_read_like_services_in_use() -> None:
    config = Config(signals=SignalSettings(quotas=("glue", "app*")))
    service_codes = await recorded_services(CellInventories(config))
    assert {"glue", "appflow", "appconfig"} <= service_codes
    assert "sqs" not in service_codes


@pytest.mark.parametrize(
    ("scope", "codes"), [(ServiceScope.GLOBAL, {"iam"}), (ServiceScope.REGION, {"glue"})]
)
async def test_quotas_of_global_services_are_read_only_in_the_global_cell(
    scope: ServiceScope, codes: set[str]
) -> None:
    inventories = CellInventories(Config(signals=SignalSettings(quotas=("glue", "iam"))), scope)
    assert await recorded_services(inventories) == codes


def test_a_service_code_is_global_only_if_all_services_with_the_code_are_global() -> None:
    assert REGISTRY.quota_scope("lambda") is ServiceScope.REGION
    assert REGISTRY.quota_scope("cloudfront") is ServiceScope.GLOBAL
    assert REGISTRY.quota_scope("glue") is ServiceScope.REGION
