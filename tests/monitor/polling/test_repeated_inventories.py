"""Repeated inventories: a series that has changed is registered again; any other series is confirmed.

A confirmation notes that the series was found again, and updates when its limit was read.
"""

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
    limit_minus,
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
    account_settings,
    collector,
    functions,
    inventory_of,
    quota,
    streams,
)
from tests.resources import resource

INCOMING_BYTES = Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName="orders")
THROTTLED_WRITES = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum").of(StreamName="orders")


class RecordingFleet(Fleet):
    """A fleet that lists the keys of the series that were registered."""

    def __init__(self) -> None:
        super().__init__()
        self.registered_keys: list[Key] = []

    def put(
        self, key: Key, observed: Observed, settings: SeriesSettings, minute: int, digest: int = 0
    ) -> Series:
        self.registered_keys.append(key)
        return super().put(key, observed, settings, minute, digest)

    def take_registered(self) -> set[tuple[str, str]]:
        """Return the signal and resource of each series registered since the last call."""
        registered, self.registered_keys = {(key.signal, key.resource) for key in self.registered_keys}, []
        return registered

    def series_of(self, signal: str, resource: str) -> Series:
        keys = [key for key in self.series if (key.signal, key.resource) == (signal, resource)]
        (key,) = keys
        return self.series[key]


def record_registrations(account: FakeAccount, config: Config | None = None) -> RecordingFleet:
    """Replace an account's inventory and fleet; return the new fleet, which records registrations."""
    fleet = account.fleet if isinstance(account.fleet, RecordingFleet) else RecordingFleet()
    account.fleet, account.inventory = fleet, inventory_of(account.aws.cell, fleet, config, account.quotas)
    return fleet


def collector_of(observations: list[Observed]) -> Any:
    """Return a collector that yields the observations in a list."""

    async def scan(aws: Aws) -> AsyncIterator[Observed]:
        for observation in observations:
            yield observation

    return collector(scan)


def orders(**changed: Any) -> Observed:
    """Return an observation of the stream `orders`, with some fields changed."""
    default_fields: dict[str, Any] = {
        "usage": per_second(INCOMING_BYTES),
        "throttled": per_second(THROTTLED_WRITES),
        "limit": 1000.0,
    }
    return Observed(signal="stream_write_bytes", resource=resource("orders"), **(default_fields | changed))


async def test_an_unchanged_series_is_confirmed_and_not_registered_again() -> None:
    account = FakeAccount(**streams(orders=2, clicks=2), **NO_QUOTAS)
    fleet = record_registrations(account)
    await account.run_inventory(KINESIS)
    assert fleet.take_registered() == account.names
    limits_before = {key: fleet.series[key].settings.limit for key in fleet.series}
    version, size = fleet.version, fleet.size
    fleet.confirmed[:size] = NEVER
    await account.run_inventory(KINESIS)
    assert (fleet.take_registered(), fleet.version) == (set(), version)
    assert (fleet.confirmed[:size] > NEVER).all()
    for key, limit_before in limits_before.items():
        limit = fleet.series[key].settings.limit
        assert limit == limit_before
        assert limit is None or limit_before is None or limit.read_at > limit_before.read_at


async def test_a_changed_limit_is_used_at_once_and_registers_only_its_own_series() -> None:
    account = FakeAccount(**streams(orders=2, clicks=2), **NO_QUOTAS)
    fleet = record_registrations(account)
    await account.run_inventory(KINESIS)
    fleet.take_registered()
    limit_before = account.limit("kinesis", "stream_write_bytes", "orders")
    await account.run_inventory(KINESIS, **streams(orders=4, clicks=2))
    limit_after = account.limit("kinesis", "stream_write_bytes", "orders")
    assert limit_before and limit_after and limit_after[0] == 2 * limit_before[0]
    assert {resource for _, resource in fleet.take_registered()} == {"orders"}
    slot = fleet.series_of("stream_write_bytes", "orders").slot
    assert fleet.limit[slot] == limit_after[0]
    past_limits = [limit for _, limit in fleet.past_limits.history(slot, limit_after[0])]
    assert past_limits == [limit_before[0], limit_after[0]]


async def test_a_resource_that_disappears_and_comes_back_is_registered_again() -> None:
    account = FakeAccount(**streams(orders=2, clicks=2), **NO_QUOTAS)
    fleet = record_registrations(account)
    await account.run_inventory(KINESIS)
    names = account.names
    await account.run_inventory(KINESIS, **streams(clicks=2))
    assert {resource for _, resource in account.names} == {"", "clicks"}
    fleet.reclaim()
    fleet.take_registered()
    await account.run_inventory(KINESIS, **streams(orders=2, clicks=2))
    assert account.names == names
    assert {resource for _, resource in fleet.take_registered()} == {"orders"}
    series = fleet.series_of("stream_write_bytes", "orders")
    assert fleet.usages.get(series.slot) is not None
    assert fleet.observable[series.slot]


async def test_the_first_inventory_after_a_reload_registers_all_series_again() -> None:
    account = FakeAccount(**streams(orders=2, clicks=2), **NO_QUOTAS)
    fleet = record_registrations(account)
    await account.run_inventory(KINESIS)
    fleet.take_registered()
    limits = [{"resource": "orders", "signal": "stream_write_bytes", "limit": 77.0}]
    record_registrations(account, Config.model_validate({"band": {"high": 0.6}, "limits": limits}))
    await account.run_inventory(KINESIS)
    assert fleet.take_registered() == account.names
    assert account.limit("kinesis", "stream_write_bytes", "orders") == (77.0, "override")
    slot = fleet.series_of("stream_write_bytes", "clicks").slot
    assert fleet.high[slot] == np.float32(0.6)


async def test_the_usage_that_an_api_returns_is_updated_at_each_inventory() -> None:
    observed = [Observed(signal="shards_per_region", resource=ACCOUNT, usage=40.0, limit=50.0)]
    account = FakeAccount(**NO_QUOTAS)
    fleet = record_registrations(account)
    await account.run_inventory(collector_of(observed))
    fleet.take_registered()
    observed[:] = [replace(observed[0], usage=45.0)]
    await account.run_inventory(collector_of(observed))
    formula = fleet.usages.get(fleet.series_of("shards_per_region", "").slot)
    assert fleet.take_registered() == set()
    assert formula
    assert fleet.rings.latest_value[formula.rows[0]] == 45.0


async def test_a_series_is_observable_again_once_cloudwatch_no_longer_rejects_its_metric() -> None:
    account = FakeAccount(**NO_QUOTAS)
    fleet, cell = record_registrations(account), account.aws.cell.key
    await account.run_inventory(collector_of([orders()]))
    fleet.mark_rejected(cell, metric_query(INCOMING_BYTES), "rejected")
    for reason in (Unobservable("rejected"), Unobservable("rejected"), None):
        still_rejected = {metric_query(INCOMING_BYTES)} if reason else set()
        fleet.keep_rejected(cell, still_rejected)
        await account.run_inventory(collector_of([orders()]))
        series = fleet.series_of("stream_write_bytes", "orders")
        assert series.unobservable == reason
        assert fleet.observable[series.slot] == (reason is None)


async def test_a_doubted_limit_that_is_read_again_unchanged_counts_as_exceeded() -> None:
    account = FakeAccount(**NO_QUOTAS)
    fleet = record_registrations(account)
    await account.run_inventory(collector_of([orders(hard_limit=True)]))
    slot = fleet.series_of("stream_write_bytes", "orders").slot
    fleet.limit_doubted[slot], fleet.minute[slot] = True, fleet.limited_since[slot]
    fleet.take_registered()
    await account.run_inventory(collector_of([orders(hard_limit=True)]))
    assert fleet.take_registered() == set()
    assert fleet.exceeded[slot]


async def test_a_limit_that_was_kept_while_calls_failed_is_replaced_once_calls_succeed() -> None:
    account = FakeAccount(**functions("resize"), get_account_settings=account_settings(400), **NO_QUOTAS)
    fleet = record_registrations(account)
    await account.run_inventory(LAMBDA)
    limit_before = fleet.series_of("account_concurrency", "").settings.limit
    assert limit_before
    for _ in range(3):
        await account.run_inventory(LAMBDA, get_account_settings=denied("GetAccountSettings"))
        limit = fleet.series_of("account_concurrency", "").settings.limit
        assert limit and (limit, limit.read_at) == (limit_before, limit_before.read_at)
    assert ("account_concurrency", "") in fleet.take_registered()
    await account.run_inventory(LAMBDA, get_account_settings=account_settings(0))
    assert account.limit("lambda", "account_concurrency") == (1000, "documented")


async def test_a_changed_quota_becomes_the_limit_though_the_observation_is_unchanged() -> None:
    account = FakeAccount(
        quota_interval=0.0,
        **functions("resize"),
        get_account_settings=account_settings(0),
        get_service_quota=quota(300),
    )
    fleet = record_registrations(account)
    await account.run_inventory(LAMBDA)
    assert account.limit("lambda", "account_concurrency") == (300, "quota_applied")
    fleet.take_registered()
    await account.run_inventory(LAMBDA)
    assert fleet.take_registered() == set()
    account.aws.answers["get_service_quota"] = quota(500)
    await account.quotas.read()
    await account.run_inventory(LAMBDA)
    assert account.limit("lambda", "account_concurrency") == (500, "quota_applied")


async def test_the_read_time_of_a_confirmed_limit_is_updated() -> None:
    account = FakeAccount(**NO_QUOTAS)
    fleet = record_registrations(account)
    observed = [orders(), replace(orders(), resource=resource("clicks"))]
    await account.run_inventory(collector_of(observed))
    fleet.take_registered()
    await account.run_inventory(
        collector_of([replace(observation, limit_read_at=1000.0) for observation in observed])
    )
    assert fleet.take_registered() == set()
    for name in ("orders", "clicks"):
        limit = fleet.series_of("stream_write_bytes", name).settings.limit
        assert limit and (limit.value, limit.read_at) == (1000.0, 1000.0)


async def test_a_series_whose_resource_waits_for_its_turn_keeps_its_limit() -> None:
    account = FakeAccount(**NO_QUOTAS)
    fleet = record_registrations(account)
    await account.run_inventory(collector_of([orders()]))
    await account.run_inventory(collector_of([orders(usage=NOT_READ_YET, throttled=None, limit=None)]))
    await account.run_inventory(collector_of([orders()]))
    assert len(fleet.registered_keys) == 1
    assert account.limit("kinesis", "stream_write_bytes", "orders") == (1000.0, "api")


# Digests of observations

# By field, a value that differs from that of `orders()`.
CHANGED_FIELDS: dict[str, Any] = {
    "signal": "stream_write_records",
    "usage": per_second(THROTTLED_WRITES),
    "limit": 1001.0,
    "limit_source": LimitSource.APPLIED,
    "quota": Quota(service="kinesis", code="L-01234567"),
    "quota_arn": "arn:aws:kinesis:eu-west-1:123456789012:stream/orders",
    "largest_resource": "orders/1",
    "published_limit": total(INCOMING_BYTES),
    "hard_limit": True,
    "deliberate": True,
    "bought": Bought(minimum=2),
    "created_at": 1000.0,
    "throttled": per_second(INCOMING_BYTES),
    "throttled_by_cause": {"writes": per_second(THROTTLED_WRITES)},
    "throttled_incomplete": True,
    "served": per_second(INCOMING_BYTES),
    "upper_bound": total(INCOMING_BYTES),
    "bounded_because": Unobservable("only bounds"),
    "judged": False,
    "tags": {"team": "a"},
}
# By field, a value that differs from that of the stream `orders`.
CHANGED_RESOURCE_FIELDS: dict[str, Any] = {
    "kind": "topic",
    "path": ("clicks",),
    "names": ("Orders",),
    "containing_paths": (("o",),),
    "parent_kinds": ("region",),
    "zone": "eu-west-1a",
}


def field_names(dataclass: Any) -> Iterable[str]:
    """Return the names of the fields of a dataclass."""
    return {field.name for field in fields(dataclass)}


def test_the_tables_contain_each_field_of_observed_and_resource() -> None:
    assert field_names(Observed) == CHANGED_FIELDS.keys() | {"resource", "limit_read_at"}
    assert field_names(Resource) == CHANGED_RESOURCE_FIELDS.keys()


@pytest.mark.parametrize("name", CHANGED_FIELDS)
def test_a_changed_field_of_an_observation_changes_its_digest(name: str) -> None:
    assert digest_of(orders()) == digest_of(orders())
    assert digest_of(orders()) != digest_of(replace(orders(), **{name: CHANGED_FIELDS[name]}))


@pytest.mark.parametrize("name", CHANGED_RESOURCE_FIELDS)
def test_a_changed_field_of_the_observed_resource_changes_the_digest(name: str) -> None:
    changed = replace(resource("orders"), **{name: CHANGED_RESOURCE_FIELDS[name]})
    assert digest_of(orders()) != digest_of(replace(orders(), resource=changed))


def test_weights_with_equal_hashes_have_different_digests() -> None:
    usage = limit_minus(0.0, INCOMING_BYTES)
    first, second = (replace(usage, terms=((INCOMING_BYTES, weight),)) for weight in (-1.0, -2.0))
    assert hash(first) == hash(second)
    assert digest_of(orders(usage=first)) != digest_of(orders(usage=second))


def test_the_usage_that_an_api_returns_and_the_read_time_of_the_limit_do_not_change_the_digest() -> None:
    assert digest_of(orders(usage=1.0)) == digest_of(orders(usage=2.0, limit_read_at=1000.0))
    assert digest_of(orders(usage=1.0)) != digest_of(orders())


def test_another_context_changes_the_digest() -> None:
    assert digest_of(orders(), 1) != digest_of(orders(), 2)
