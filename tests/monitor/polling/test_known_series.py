"""Inventories of equal answers: series are confirmed without being made."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Aws, Collector, Metric, Observed, Resource, per_second
from monitor.config.config import Config
from monitor.fleet.key import Key
from monitor.fleet.metric_query import metric_query
from monitor.fleet.namespaces import NEVER
from tests.fake_aws import denied
from tests.monitor.polling.inventories import (
    LAMBDA,
    NO_QUOTAS,
    FakeAccount,
    collector,
    functions,
    inventory_of,
    quota,
)
from tests.quick_loop import run

traffic = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
refused = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)
EARLIER = 1.5e9


@dataclass
class Streams:
    """Streams whose series follow from their numbers of shards; `made` names those that were made."""

    shards: dict[str, int]
    made: list[str] = field(default_factory=list)
    read_at: float | None = None
    usage: float | None = None
    failing: str = ""

    def series(self, name: str) -> Iterable[Observed]:
        """The series of a stream: that of its reads exists from two shards on."""
        self.made.append(name)
        observed = partial(Observed, resource=Resource("stream", (name,)))
        yield observed(
            signal="stream_write_bytes",
            usage=per_second(traffic.of(StreamName=name)) if self.usage is None else self.usage,
            limit=1000.0 * self.shards[name],
        )
        if self.shards[name] > 1:
            yield observed(signal="shard_get_records_rate", usage=per_second(refused.of(StreamName=name)))

    async def known(self, aws: Aws) -> AsyncIterator[Observed]:
        """Yield the series, but for those that are known."""

        async def fail(_: str) -> None:
            raise ValueError("not a stream")

        for name, shards in self.shards.items():
            for one in aws.series(name, (shards, self.usage), partial(self.series, name), self.read_at):
                yield one
        async for _ in aws.map(
            [self.failing] * bool(self.failing), fail, lambda name: Resource("stream", (name,))
        ):
            pass

    async def all(self, aws: Aws) -> AsyncIterator[Observed]:
        """Yield all series."""
        for name in self.shards:
            for one in self.series(name):
                yield replace(one, limit_read_at=self.read_at)

    def taken(self) -> list[str]:
        """The streams whose series were made since the last call."""
        taken, self.made = self.made, []
        return taken


def state(account: FakeAccount) -> dict[Any, Any]:
    """The state of all series, but for when inventories saw them."""
    fleet = account.fleet
    return {
        (key.signal, key.resource): (
            series.settings.limit,
            series.unobservable,
            fleet.usages.get(series.slot) is not None,
            float(fleet.read_limit[series.slot]),
            bool(fleet.observable[series.slot]),
        )
        for key, series in fleet.series.items()
    }


def read_times(account: FakeAccount) -> dict[Key, float]:
    """The time at which each limit was read."""
    return {key: limit.read_at for key, one in account.fleet.series.items() if (limit := one.settings.limit)}


async def read(account: FakeAccount, found: Collector) -> None:
    account.fleet.confirmed[: account.fleet.size] = NEVER
    await account.run_inventory(found)


async def test_equal_responses_create_no_series_and_confirm_all() -> None:
    streams, account = Streams({"orders": 1, "clicks": 2}), FakeAccount(**NO_QUOTAS)
    found = collector(streams.known)
    await read(account, found)
    assert streams.taken() == ["orders", "clicks"]
    before = state(account)
    times = read_times(account)
    await read(account, found)
    assert streams.taken() == []
    assert state(account) == before
    slots = [series.slot for series in account.fleet.series.values()]
    assert (account.fleet.confirmed[slots] > NEVER).all()
    assert account.inventory.found["kinesis"] == len(before) == 3
    after = read_times(account)
    assert after.keys() == times.keys() != set()
    assert all(after[key] > times[key] for key in times)


async def test_a_limit_that_an_earlier_inventory_read_keeps_its_time() -> None:
    streams, account = Streams({"orders": 1}), FakeAccount(**NO_QUOTAS)
    await read(account, found := collector(streams.known))
    streams.read_at = EARLIER
    await read(account, found)
    (series,) = account.fleet.series.values()
    assert streams.taken() == ["orders"]
    assert series.settings.limit and series.settings.limit.read_at == EARLIER


async def test_changed_responses_create_only_their_own_series() -> None:
    streams, account = Streams({"orders": 1, "clicks": 2}), FakeAccount(**NO_QUOTAS)
    await read(account, found := collector(streams.known))
    streams.taken()
    streams.shards |= {"orders": 3}
    await read(account, found)
    assert streams.taken() == ["orders"]
    assert account.limit("kinesis", "stream_write_bytes", "orders") == (3000.0, "api")
    streams.shards |= {"clicks": 1}
    await read(account, found)
    assert ("shard_get_records_rate", "clicks") not in account.names
    del streams.shards["orders"]
    await read(account, found)
    assert account.names == {("stream_write_bytes", "clicks")}


async def test_a_dropped_series_is_created_again_when_its_resource_returns() -> None:
    streams, account = Streams({"orders": 1}), FakeAccount(**NO_QUOTAS)
    await read(account, found := collector(streams.known))
    streams.shards = {}
    await read(account, found)
    account.fleet.reclaim()
    streams.shards = {"clicks": 1}
    await read(account, found)
    streams.shards = {"orders": 1}
    await read(account, found)
    assert account.names == {("stream_write_bytes", "orders")}


async def test_the_series_of_a_rejected_metric_is_made_again_until_it_is_accepted() -> None:
    streams, account = Streams({"orders": 1, "clicks": 1}), FakeAccount(**NO_QUOTAS)
    await read(account, found := collector(streams.known))
    streams.taken()
    cell = account.aws.cell.key
    account.fleet.mark_rejected(cell, metric_query(traffic.of(StreamName="orders")), "rejected")
    for _ in range(2):
        await read(account, found)
        assert streams.taken() == ["orders"]
    account.fleet.keep_rejected(cell, set())
    await read(account, found)
    assert streams.taken() == ["orders"]
    assert all(series.unobservable is None for series in account.fleet.series.values())
    await read(account, found)
    assert streams.taken() == []


async def test_a_new_reading_of_a_quota_reaches_its_series() -> None:
    account = FakeAccount(
        quota_interval=0,
        **functions("f"),
        get_account_settings={"AccountLimit": {}},
        get_service_quota=quota(1000),
    )
    await account.run_inventory(LAMBDA)
    before = account.limit("lambda", "account_concurrency")
    await account.quotas.read()
    await account.run_inventory(LAMBDA, get_service_quota=quota(3000))
    await account.quotas.read()
    await account.run_inventory(LAMBDA)
    assert (before, account.limit("lambda", "account_concurrency")) == (
        (1000, "quota_applied"),
        (3000, "quota_applied"),
    )


async def test_a_number_that_an_api_returned_is_written_each_time() -> None:
    streams, account = Streams({"orders": 1}, usage=7.0), FakeAccount(**NO_QUOTAS)
    for _ in range(2):
        await read(account, collector(streams.known))
    assert streams.taken() == ["orders", "orders"]


async def test_a_known_series_that_is_excluded_stays_excluded() -> None:
    streams, account = Streams({"orders": 1, "clicks": 2}), FakeAccount(**NO_QUOTAS)
    config = Config.model_validate({"exclude": [{"resource": "orders"}]})
    account.inventory = inventory_of(account.aws.cell, account.fleet, config, account.quotas)
    found = collector(streams.known)
    for _ in range(3):
        await read(account, found)
        assert {resource for _, resource in account.names} == {"clicks"}
    assert streams.taken() == ["orders", "clicks"]


async def test_the_failure_of_a_resource_is_reported_at_each_inventory() -> None:
    streams, account = Streams({"orders": 1, "clicks": 1}, failing="orders"), FakeAccount(**NO_QUOTAS)
    found = collector(streams.known)
    for _ in range(2):
        await read(account, found)
        assert "orders" in [resource for _, resource, _ in account.failures]
    assert streams.taken() == ["orders", "clicks", "orders"]


async def test_another_configuration_creates_all_series_again() -> None:
    streams, account = Streams({"orders": 1}), FakeAccount(**NO_QUOTAS)
    await read(account, found := collector(streams.known))
    config = Config.model_validate({"limits": [{"signal": "kinesis.stream_write_bytes", "limit": 5}]})
    before = account.inventory
    account.inventory = inventory_of(account.aws.cell, account.fleet, config, account.quotas)
    account.inventory.discovered |= before.discovered
    await read(account, found)
    assert account.limit("kinesis", "stream_write_bytes", "orders") == (5, "override")


WORLDS = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 3))
STEPS = st.lists(st.tuples(WORLDS, st.sampled_from(["", "a", "b"]), st.booleans()), max_size=8)


@given(STEPS)
def test_known_series_equal_those_that_an_inventory_would_create(
    steps: list[tuple[dict[str, int], str, bool]],
) -> None:
    async def follow() -> None:
        known, made = Streams({}), Streams({})
        accounts = [
            (FakeAccount(**NO_QUOTAS), known, known.known),
            (FakeAccount(**NO_QUOTAS), made, made.all),
        ]
        for shards, rejected, is_denied in steps:
            for account, streams, scan in accounts:
                streams.shards = dict(shards)
                account.fleet.keep_rejected(account.aws.cell.key, set())
                if rejected:
                    query = metric_query(traffic.of(StreamName=rejected))
                    account.fleet.mark_rejected(account.aws.cell.key, query, "rejected")
                parts = [scan, _denied] if is_denied else [scan]
                await account.inventory.run(collector(*parts))
                account.fleet.reclaim()
            assert state(accounts[0][0]) == state(accounts[1][0])

    run(follow())


async def _denied(_: Aws) -> AsyncIterator[Observed]:
    raise denied("ListStreams")
    yield
