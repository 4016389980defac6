"""An inventory applies the configuration: exclusions, tags, bands, and the age of stale samples."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from collectors.base import ACCOUNT, Aws, Metric, Observed, per_second, total
from monitor.config.config import Config
from monitor.fleet.series_settings import stale_after
from monitor.polling.inventory import Inventory
from monitor.polling.quota_book import QuotaBook
from rules.signals import Band
from tests.monitor.polling.inventories import KINESIS, NO_QUOTAS, FakeAccount, collector, streams
from tests.own_services import own_registry
from tests.registries import REGISTRY
from tests.resources import resource


async def test_excluded_series_are_not_registered() -> None:
    exclude = [{"resource": "test-*"}, {"signal": "stream_write_*", "resource": "orders"}]
    config = Config.model_validate({"exclude": exclude})
    account = FakeAccount(config, **streams(orders=2, **{"test-1": 2}), **NO_QUOTAS)
    await account.run_inventory(KINESIS)
    assert {name for _, name in account.names} == {"", "orders"}
    assert {signal for signal, name in account.names if name == "orders"} == {
        "shard_get_records_rate",
        "retention_iterator_age",
        "stream_unread",
    }


async def test_only_configured_tags_become_labels() -> None:
    async def scan(aws: Aws) -> AsyncIterator[Observed]:
        tags = {"team": "a", "cost-center": "42", "password": "secret"}
        yield Observed(signal="stream_write_bytes", resource=resource("orders"), usage=1.0, tags=tags)
        yield Observed(signal="stream_write_bytes", resource=resource("clicks"), usage=1.0)

    for config, tags in [
        (Config(), {}),
        (Config(tags=("cost-center", "owner")), {"tag_cost_center": "42"}),
    ]:
        account = FakeAccount(config, **NO_QUOTAS)
        await account.run_inventory(collector(scan))
        labels = {key.resource: dict(series.settings.tags) for key, series in account.fleet.series.items()}
        assert labels == {"orders": tags, "clicks": {}}


async def test_the_band_is_the_configured_one_unless_the_signal_has_its_own() -> None:
    bands = [{"resource": "orders", "low": 0.1, "high": 0.2, "near": 0.3}]
    config = Config.model_validate({"band": {"high": 0.6}, "bands": bands})
    account = FakeAccount(config, **streams(orders=2, clicks=2), **NO_QUOTAS)
    await account.run_inventory(KINESIS)
    bands_by_series = {
        (key.signal, key.resource): series.settings.band for key, series in account.fleet.series.items()
    }
    assert bands_by_series["stream_write_bytes", "orders"] == Band(low=0.1, high=0.2, near=0.3)
    assert bands_by_series["stream_write_bytes", "clicks"] == Band(low=0.4, high=0.6, near=0.9)
    signal_band = REGISTRY.services["kinesis"].signals["retention_iterator_age"].band
    assert signal_band is not None
    assert bands_by_series["retention_iterator_age", "orders"] == signal_band


# When a sample is stale


@pytest.mark.parametrize(
    ("interval", "delay", "stale_minutes"),  # the interval in seconds, the delay in minutes
    [
        (10, 3, 15),
        (300, 3, 15),
        (300, 5, 17),
        (301, 3, 17),
        (600, 3, 25),
        (3600, 3, 125),
        (86_400, 5, 2887),
    ],
)
def test_a_sample_is_stale_after_two_intervals_without_a_read_and_not_before_15_minutes(
    interval: float, delay: int, stale_minutes: int
) -> None:
    assert stale_after(interval, delay) == stale_minutes


async def test_the_age_of_a_stale_sample_depends_on_the_interval_at_which_its_usage_is_read() -> None:
    metric = Metric("AWS/Kinesis", "IncomingBytes", "Sum")

    async def scan(aws: Aws) -> AsyncIterator[Observed]:
        yield Observed(signal="shards_per_region", resource=ACCOUNT, usage=40.0)
        yield Observed(signal="stream_write_bytes", resource=resource("orders"), usage=per_second(metric))
        yield Observed(signal="stream_write_records", resource=resource("orders"), usage=total(metric))

        hourly_usage = total(replace(metric, period=3600))
        yield Observed(signal="efo_read_bytes", resource=resource("orders"), usage=hourly_usage)

    account = FakeAccount(Config(interval=900, inventory_interval=3600), **NO_QUOTAS)
    await account.run_inventory(collector(scan, delay=5))
    stale_ages = {key.signal: series.settings.stale_after for key, series in account.fleet.series.items()}
    assert stale_ages == {
        "shards_per_region": stale_after(3600, 5),
        "stream_write_bytes": stale_after(900, 5),
        "stream_write_records": stale_after(900, 5),
        "efo_read_bytes": stale_after(3600, 5),
    }
    assert {series.settings.delay for series in account.fleet.series.values()} == {5}


async def test_a_series_has_the_signal_of_its_inventorys_registry() -> None:
    async def scan(aws: Aws) -> AsyncIterator[Observed]:
        yield Observed(signal="size", resource=ACCOUNT, limit=50, usage=40.0)

    account, registry = FakeAccount(**NO_QUOTAS), own_registry("own")
    cell = account.aws.cell
    inventory = Inventory(cell, account.fleet, Config(), registry, QuotaBook(cell, registry.quotas(["own"])))
    await inventory.run(collector(scan, service="own"))
    (series,) = account.fleet.series.values()
    assert series.settings.signal is registry.signal("own", "size")
