"""An inventory follows the configuration: exclusions, tags, bands, and when a sample is stale."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from collectors.base import ACCOUNT, Aws, Metric, Observed, per_second, total
from monitor.config.config import Config
from monitor.polling.inventory import Inventory, stale_after
from monitor.polling.quota_book import QuotaBook
from rules.signals import Band
from tests.monitor.polling.inventories import KINESIS, NO_QUOTAS, FakeAccount, collector, streams
from tests.own_services import own_registry
from tests.registries import REGISTRY
from tests.resources import resource


async def test_excluded_series_are_left_alone() -> None:
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


async def test_only_the_tags_that_are_named_are_exported() -> None:
    async def tagged(aws: Aws) -> AsyncIterator[Observed]:
        tags = {"team": "a", "cost-center": "42", "password": "secret"}
        yield Observed(signal="stream_write_bytes", resource=resource("orders"), usage=1.0, tags=tags)
        yield Observed(signal="stream_write_bytes", resource=resource("clicks"), usage=1.0)

    for config, tags in [
        (Config(), {}),
        (Config(tags=("cost-center", "owner")), {"tag_cost_center": "42"}),
    ]:
        account = FakeAccount(config, **NO_QUOTAS)
        await account.run_inventory(collector(tagged))
        labels = {key.resource: dict(series.settings.tags) for key, series in account.fleet.series.items()}
        assert labels == {"orders": tags, "clicks": {}}


async def test_the_band_is_the_configured_one_unless_the_signal_has_its_own() -> None:
    bands = [{"resource": "orders", "low": 0.1, "high": 0.2, "near": 0.3}]
    config = Config.model_validate({"band": {"high": 0.6}, "bands": bands})
    account = FakeAccount(config, **streams(orders=2, clicks=2), **NO_QUOTAS)
    await account.run_inventory(KINESIS)
    series_settings = {
        (key.signal, key.resource): series.settings.band for key, series in account.fleet.series.items()
    }
    assert series_settings["stream_write_bytes", "orders"] == Band(low=0.1, high=0.2, near=0.3)
    assert series_settings["stream_write_bytes", "clicks"] == Band(low=0.4, high=0.6, near=0.9)
    own = REGISTRY.services["kinesis"].signals["retention_iterator_age"].band
    assert own is not None
    assert series_settings["retention_iterator_age", "orders"] == own


# How long a sample counts


@pytest.mark.parametrize(
    ("interval", "delay", "minutes"),
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
def test_a_sample_counts_until_two_turns_were_missed(interval: float, delay: int, minutes: int) -> None:
    assert stale_after(interval, delay) == minutes


async def test_usage_of_an_api_and_of_metrics_lasts_until_the_next_reads() -> None:
    metric = Metric("AWS/Kinesis", "IncomingBytes", "Sum")

    async def both(aws: Aws) -> AsyncIterator[Observed]:
        yield Observed(signal="shards_per_region", resource=ACCOUNT, usage=40.0)
        yield Observed(signal="stream_write_bytes", resource=resource("orders"), usage=per_second(metric))
        yield Observed(signal="stream_write_records", resource=resource("orders"), usage=total(metric))

        slow = total(replace(metric, period=3600))
        yield Observed(signal="efo_read_bytes", resource=resource("orders"), usage=slow)

    account = FakeAccount(Config(interval=900, inventory_interval=3600), **NO_QUOTAS)
    await account.run_inventory(collector(both, delay=5))
    stale = {key.signal: series.settings.stale_after for key, series in account.fleet.series.items()}
    assert stale == {
        "shards_per_region": stale_after(3600, 5),
        "stream_write_bytes": stale_after(900, 5),
        "stream_write_records": stale_after(900, 5),
        "efo_read_bytes": stale_after(3600, 5),
    }
    assert {series.settings.delay for series in account.fleet.series.values()} == {5}


async def test_a_series_has_the_signal_of_the_registry_that_its_inventory_was_given() -> None:
    async def one(aws: Aws) -> AsyncIterator[Observed]:
        yield Observed(signal="size", resource=ACCOUNT, limit=50, usage=40.0)

    account, registry = FakeAccount(**NO_QUOTAS), own_registry("own")
    cell = account.aws.cell
    own = Inventory(cell, account.fleet, Config(), registry, QuotaBook(cell, registry.quotas(["own"])))
    await own.run(collector(one, service="own"))
    (series,) = account.fleet.series.values()
    assert series.settings.signal is registry.signal("own", "size")
