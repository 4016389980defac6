"""Inventories that observe what an earlier one did: only what changed is registered anew."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from collectors.base import (
    ACCOUNT,
    NOT_READ_YET,
    Aws,
    Bought,
    Metric,
    Observed,
    Resource,
    Unobservable,
    inverse,
    per_second,
    total,
)
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.key import Key
from monitor.fleet.metric_query import metric_query
from monitor.fleet.namespaces import NEVER
from monitor.fleet.series_settings import SeriesSettings
from monitor.polling.digest import digest_of
from rules.limits import LimitSource
from rules.signals import Quota
from tests.fake_aws import denied
from tests.monitor.polling.inventories import (
    KINESIS,
    LAMBDA,
    NO_QUOTAS,
    FakeAccount,
    collector,
    functions,
    inventory_of,
    quota,
    settings,
    streams,
)
from tests.resources import resource as of

traffic = Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName="orders")
refused = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum").of(StreamName="orders")


class RecordingFleet(Fleet):
    """A fleet that lists the keys of the series that were registered."""

    def __init__(self) -> None:
        super().__init__()
        self.put_keys: list[Key] = []

    def put(
        self, key: Key, observed: Observed, settings: SeriesSettings, minute: int, digest: int = 0
    ) -> Series:
        self.put_keys.append(key)
        return super().put(key, observed, settings, minute, digest)

    def take_put(self) -> set[tuple[str, str]]:
        """The signals and resources that were registered since the last call."""
        taken, self.put_keys = {(key.signal, key.resource) for key in self.put_keys}, []
        return taken

    def series_of(self, signal: str, resource: str) -> Series:
        (series,) = (
            one for key, one in self.series.items() if (key.signal, key.resource) == (signal, resource)
        )
        return series


def recording(account: FakeAccount, config: Config | None = None) -> RecordingFleet:
    """Give an account a fleet that records which series are registered."""
    fleet = account.fleet if isinstance(account.fleet, RecordingFleet) else RecordingFleet()
    account.fleet, account.inventory = fleet, inventory_of(account.aws.cell, fleet, config, account.quotas)
    return fleet


def yielding(observed: list[Observed]) -> Any:
    """A collector that yields what is in a list."""

    async def scan(aws: Aws) -> AsyncIterator[Observed]:
        for one in observed:
            yield one

    return collector(scan)


def orders(**more: Any) -> Observed:
    """Return the stream `orders` as a collector observes it."""
    usual: dict[str, Any] = {
        "usage": per_second(traffic),
        "throttled": per_second(refused),
        "limit": 1000.0,
    }
    return Observed(signal="stream_write_bytes", resource=of("orders"), **(usual | more))


async def test_a_series_observed_as_before_is_confirmed_and_not_registered_again() -> None:
    account = FakeAccount(**streams(orders=2, clicks=2), **NO_QUOTAS)
    fleet = recording(account)
    await account.run_inventory(KINESIS)
    assert fleet.take_put() == account.names
    before = {key: fleet.series[key].settings.limit for key in fleet.series}
    version, size = fleet.version, fleet.size
    fleet.confirmed[:size] = NEVER
    await account.run_inventory(KINESIS)
    assert (fleet.take_put(), fleet.version) == (set(), version)
    assert (fleet.confirmed[:size] > NEVER).all()
    for key, limit in before.items():
        now = fleet.series[key].settings.limit
        assert limit == now
        assert now is None or limit is None or now.read_at > limit.read_at


async def test_a_changed_limit_is_taken_at_once_and_touches_its_own_series_only() -> None:
    account = FakeAccount(**streams(orders=2, clicks=2), **NO_QUOTAS)
    fleet = recording(account)
    await account.run_inventory(KINESIS)
    fleet.take_put()
    before = account.limit("kinesis", "stream_write_bytes", "orders")
    await account.run_inventory(KINESIS, **streams(orders=4, clicks=2))
    after = account.limit("kinesis", "stream_write_bytes", "orders")
    assert before and after and after[0] == 2 * before[0]
    assert {resource for _, resource in fleet.take_put()} == {"orders"}
    slot = fleet.series_of("stream_write_bytes", "orders").slot
    assert fleet.limit[slot] == after[0]
    assert [limit for _, limit in fleet.past_limits.since(slot, after[0])] == [before[0], after[0]]


async def test_a_resource_that_disappears_and_comes_back_is_registered_again() -> None:
    account = FakeAccount(**streams(orders=2, clicks=2), **NO_QUOTAS)
    fleet = recording(account)
    await account.run_inventory(KINESIS)
    names = account.names
    await account.run_inventory(KINESIS, **streams(clicks=2))
    assert {resource for _, resource in account.names} == {"", "clicks"}
    fleet.reclaim()
    fleet.take_put()
    await account.run_inventory(KINESIS, **streams(orders=2, clicks=2))
    assert account.names == names
    assert {resource for _, resource in fleet.take_put()} == {"orders"}
    series = fleet.series_of("stream_write_bytes", "orders")
    assert fleet.usages.get(series.slot) is not None
    assert fleet.observable[series.slot]


async def test_another_configuration_reaches_all_series_by_the_first_inventory_after_it() -> None:
    account = FakeAccount(**streams(orders=2, clicks=2), **NO_QUOTAS)
    fleet = recording(account)
    await account.run_inventory(KINESIS)
    fleet.take_put()
    limits = [{"resource": "orders", "signal": "stream_write_bytes", "limit": 77.0}]
    recording(account, Config.model_validate({"band": {"high": 0.6}, "limits": limits}))
    await account.run_inventory(KINESIS)
    assert fleet.take_put() == account.names
    assert account.limit("kinesis", "stream_write_bytes", "orders") == (77.0, "override")
    slot = fleet.series_of("stream_write_bytes", "clicks").slot
    assert fleet.high[slot] == np.float32(0.6)


async def test_a_number_that_an_api_returns_is_read_at_each_inventory() -> None:
    observed = [Observed(signal="shards_per_region", resource=ACCOUNT, usage=40.0, limit=50.0)]
    account = FakeAccount(**NO_QUOTAS)
    fleet = recording(account)
    await account.run_inventory(yielding(observed))
    fleet.take_put()
    observed[:] = [replace(observed[0], usage=45.0)]
    await account.run_inventory(yielding(observed))
    formula = fleet.usages.get(fleet.series_of("shards_per_region", "").slot)
    assert fleet.take_put() == set()
    assert formula
    assert fleet.rings.latest_value[formula.rows[0]] == 45.0


async def test_a_series_is_observable_again_one_inventory_after_cloudwatch_rejected_it() -> None:
    account = FakeAccount(**NO_QUOTAS)
    fleet, cell = recording(account), account.aws.cell.key
    await account.run_inventory(yielding([orders()]))
    fleet.mark_rejected(cell, metric_query(traffic), "rejected")
    for reason in (Unobservable("rejected"), Unobservable("rejected"), None):
        fleet.keep_rejected(cell, {metric_query(traffic)} if reason else set())
        await account.run_inventory(yielding([orders()]))
        series = fleet.series_of("stream_write_bytes", "orders")
        assert series.unobservable == reason
        assert fleet.observable[series.slot] == (reason is None)


async def test_a_doubted_limit_that_is_read_unchanged_is_exceeded() -> None:
    account = FakeAccount(**NO_QUOTAS)
    fleet = recording(account)
    await account.run_inventory(yielding([orders(hard_limit=True)]))
    slot = fleet.series_of("stream_write_bytes", "orders").slot
    fleet.doubted[slot], fleet.minute[slot] = True, fleet.limited_since[slot]
    fleet.take_put()
    await account.run_inventory(yielding([orders(hard_limit=True)]))
    assert fleet.take_put() == set()
    assert fleet.exceeded[slot]


async def test_a_limit_that_was_kept_while_calls_failed_is_replaced_once_they_succeed() -> None:
    account = FakeAccount(**functions("resize"), get_account_settings=settings(400), **NO_QUOTAS)
    fleet = recording(account)
    await account.run_inventory(LAMBDA)
    read = fleet.series_of("account_concurrency", "").settings.limit
    assert read
    for _ in range(3):
        await account.run_inventory(LAMBDA, get_account_settings=denied("GetAccountSettings"))
        kept = fleet.series_of("account_concurrency", "").settings.limit
        assert kept and (kept, kept.read_at) == (read, read.read_at)
    assert ("account_concurrency", "") in fleet.take_put()
    await account.run_inventory(LAMBDA, get_account_settings=settings(0))
    assert account.limit("lambda", "account_concurrency") == (1000, "documented")


async def test_a_changed_quota_is_used_though_its_resource_is_observed_as_before() -> None:
    account = FakeAccount(
        quota_interval=0.0,
        **functions("resize"),
        get_account_settings=settings(0),
        get_service_quota=quota(300),
    )
    fleet = recording(account)
    await account.run_inventory(LAMBDA)
    assert account.limit("lambda", "account_concurrency") == (300, "quota_applied")
    fleet.take_put()
    await account.run_inventory(LAMBDA)
    assert fleet.take_put() == set()
    account.aws.answers["get_service_quota"] = quota(500)
    await account.quotas.read()
    await account.run_inventory(LAMBDA)
    assert account.limit("lambda", "account_concurrency") == (500, "quota_applied")


async def test_the_time_of_a_confirmed_limit_is_updated() -> None:
    account = FakeAccount(**NO_QUOTAS)
    fleet = recording(account)
    observed = [orders(), replace(orders(), resource=of("clicks"))]
    await account.run_inventory(yielding(observed))
    fleet.take_put()
    await account.run_inventory(yielding([replace(one, limit_read_at=1000.0) for one in observed]))
    assert fleet.take_put() == set()
    for name in ("orders", "clicks"):
        limit = fleet.series_of("stream_write_bytes", name).settings.limit
        assert limit and (limit.value, limit.read_at) == (1000.0, 1000.0)


async def test_a_series_that_waits_for_its_turn_keeps_its_limit() -> None:
    account = FakeAccount(**NO_QUOTAS)
    fleet = recording(account)
    await account.run_inventory(yielding([orders()]))
    await account.run_inventory(yielding([orders(usage=NOT_READ_YET, throttled=None, limit=None)]))
    await account.run_inventory(yielding([orders()]))
    assert len(fleet.put_keys) == 1
    assert account.limit("kinesis", "stream_write_bytes", "orders") == (1000.0, "api")


# What is in a digest

CHANGES: dict[str, Any] = {
    "signal": "stream_write_records",
    "usage": per_second(refused),
    "limit": 1001.0,
    "limit_source": LimitSource.APPLIED,
    "quota": Quota(service="kinesis", code="L-01234567"),
    "quota_arn": "arn:aws:kinesis:eu-west-1:123456789012:stream/orders",
    "largest": "orders/1",
    "published_limit": total(traffic),
    "hard_limit": True,
    "deliberate": True,
    "bought": Bought(minimum=2),
    "created_at": 1000.0,
    "throttled": per_second(traffic),
    "throttled_by_cause": {"writes": per_second(refused)},
    "throttled_incomplete": True,
    "served": per_second(traffic),
    "upper_bound": total(traffic),
    "bound_reason": Unobservable("only bounds"),
    "judged": False,
    "tags": {"team": "a"},
}
OF_RESOURCE: dict[str, Any] = {
    "kind": "topic",
    "path": ("clicks",),
    "names": ("Orders",),
    "containing_paths": (("o",),),
    "parent_kinds": ("region",),
    "zone": "eu-west-1a",
}


def names_of(kind: Any) -> Iterable[str]:
    """Return the names of the fields of a dataclass."""
    return {one.name for one in fields(kind)}


def test_the_tables_have_each_field_of_an_observation() -> None:
    assert names_of(Observed) == CHANGES.keys() | {"resource", "limit_read_at"}
    assert names_of(Resource) == OF_RESOURCE.keys()


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_field_of_a_series_changes_the_digest(name: str) -> None:
    assert digest_of(orders()) == digest_of(orders())
    assert digest_of(orders()) != digest_of(replace(orders(), **{name: CHANGES[name]}))


@pytest.mark.parametrize("name", OF_RESOURCE)
def test_another_resource_or_name_has_another_digest(name: str) -> None:
    changed = replace(of("orders"), **{name: OF_RESOURCE[name]})
    assert digest_of(orders()) != digest_of(replace(orders(), resource=changed))


def test_numbers_whose_hashes_are_the_same_have_other_digests() -> None:
    once, twice = (replace(inverse(0.0, traffic), terms=((traffic, weight),)) for weight in (-1.0, -2.0))
    assert hash(once) == hash(twice)
    assert digest_of(orders(usage=once)) != digest_of(orders(usage=twice))


def test_neither_a_returned_number_nor_when_the_limit_was_read_is_in_a_digest() -> None:
    assert digest_of(orders(usage=1.0)) == digest_of(orders(usage=2.0, limit_read_at=1000.0))
    assert digest_of(orders(usage=1.0)) != digest_of(orders())
    assert digest_of(orders(), 1) != digest_of(orders(), 2)
