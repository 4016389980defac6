"""Inventories with unchanged answers of AWS: they confirm known series instead of making them again."""

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

INCOMING_BYTES = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
THROTTLED_WRITES = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)
EARLIER = 1.5e9  # epoch seconds


@dataclass
class Streams:
    """Fake streams whose series depend on their number of shards.

    shards: the number of shards, by stream. made_streams: the streams whose series were made. read_at:
    when the limits were read; None if the present inventory read them. usage: the usage that an API
    returned; None if a metric tells the usage. failing_stream: the stream whose call fails; empty for none.
    """

    shards: dict[str, int]
    made_streams: list[str] = field(default_factory=list)
    read_at: float | None = None
    usage: float | None = None
    failing_stream: str = ""

    def series(self, name: str) -> Iterable[Observed]:
        """Yield the series of a stream; `shard_get_records_rate` only if it has two shards or more."""
        self.made_streams.append(name)
        observed = partial(Observed, resource=Resource("stream", (name,)))
        yield observed(
            signal="stream_write_bytes",
            usage=per_second(INCOMING_BYTES.of(StreamName=name)) if self.usage is None else self.usage,
            limit=1000.0 * self.shards[name],
        )
        if self.shards[name] > 1:
            yield observed(
                signal="shard_get_records_rate", usage=per_second(THROTTLED_WRITES.of(StreamName=name))
            )

    async def scan_with_memory(self, aws: Aws) -> AsyncIterator[Observed]:
        """Yield the series that `aws.series` does not confirm."""

        async def fail(_: str) -> None:
            raise ValueError("not a stream")

        for name, shards in self.shards.items():
            answers = shards, self.usage
            for observed in aws.series(name, answers, partial(self.series, name), self.read_at):
                yield observed
        async for _ in aws.map(
            [self.failing_stream] * bool(self.failing_stream), fail, lambda name: Resource("stream", (name,))
        ):
            pass

    async def scan(self, aws: Aws) -> AsyncIterator[Observed]:
        """Yield all series."""
        for name in self.shards:
            for observed in self.series(name):
                yield replace(observed, limit_read_at=self.read_at)

    def take_made_streams(self) -> list[str]:
        """Return the streams whose series were made since the last call."""
        made_streams, self.made_streams = self.made_streams, []
        return made_streams


def state(account: FakeAccount) -> dict[Any, Any]:
    """Return the limit, observability and formula of each series, by signal and resource, without times."""
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
    """Return when each limit was read."""
    limits = {key: series.settings.limit for key, series in account.fleet.series.items()}
    return {key: limit.read_at for key, limit in limits.items() if limit}


async def run_inventory(account: FakeAccount, kinesis: Collector) -> None:
    """Forget when series were confirmed, and run an inventory."""
    account.fleet.confirmed[: account.fleet.size] = NEVER
    await account.run_inventory(kinesis)


async def test_unchanged_answers_make_no_series_and_confirm_all() -> None:
    streams, account = Streams({"orders": 1, "clicks": 2}), FakeAccount(**NO_QUOTAS)
    kinesis = collector(streams.scan_with_memory)
    await run_inventory(account, kinesis)
    assert streams.take_made_streams() == ["orders", "clicks"]
    states_before = state(account)
    times_before = read_times(account)
    await run_inventory(account, kinesis)
    assert streams.take_made_streams() == []
    assert state(account) == states_before
    slots = [series.slot for series in account.fleet.series.values()]
    assert (account.fleet.confirmed[slots] > NEVER).all()
    assert account.inventory.found_counts["kinesis"] == len(states_before) == 3
    times_after = read_times(account)
    assert times_after.keys() == times_before.keys() != set()
    assert all(times_after[key] > times_before[key] for key in times_before)


async def test_a_limit_that_an_earlier_inventory_read_keeps_its_read_time() -> None:
    streams, account = Streams({"orders": 1}), FakeAccount(**NO_QUOTAS)
    await run_inventory(account, kinesis := collector(streams.scan_with_memory))
    streams.read_at = EARLIER
    await run_inventory(account, kinesis)
    (series,) = account.fleet.series.values()
    assert streams.take_made_streams() == ["orders"]
    assert series.settings.limit and series.settings.limit.read_at == EARLIER


async def test_a_changed_answer_makes_only_the_series_of_its_stream() -> None:
    streams, account = Streams({"orders": 1, "clicks": 2}), FakeAccount(**NO_QUOTAS)
    await run_inventory(account, kinesis := collector(streams.scan_with_memory))
    streams.take_made_streams()
    streams.shards |= {"orders": 3}
    await run_inventory(account, kinesis)
    assert streams.take_made_streams() == ["orders"]
    assert account.limit("kinesis", "stream_write_bytes", "orders") == (3000.0, "api")
    streams.shards |= {"clicks": 1}
    await run_inventory(account, kinesis)
    assert ("shard_get_records_rate", "clicks") not in account.names
    del streams.shards["orders"]
    await run_inventory(account, kinesis)
    assert account.names == {("stream_write_bytes", "clicks")}


async def test_a_dropped_series_is_made_again_when_its_stream_comes_back() -> None:
    streams, account = Streams({"orders": 1}), FakeAccount(**NO_QUOTAS)
    await run_inventory(account, kinesis := collector(streams.scan_with_memory))
    streams.shards = {}
    await run_inventory(account, kinesis)
    account.fleet.reclaim()
    streams.shards = {"clicks": 1}
    await run_inventory(account, kinesis)
    streams.shards = {"orders": 1}
    await run_inventory(account, kinesis)
    assert account.names == {("stream_write_bytes", "orders")}


async def test_a_series_is_made_at_each_inventory_until_cloudwatch_accepts_its_metric() -> None:
    streams, account = Streams({"orders": 1, "clicks": 1}), FakeAccount(**NO_QUOTAS)
    await run_inventory(account, kinesis := collector(streams.scan_with_memory))
    streams.take_made_streams()
    cell = account.aws.cell.key
    account.fleet.mark_rejected(cell, metric_query(INCOMING_BYTES.of(StreamName="orders")), "rejected")
    for _ in range(2):
        await run_inventory(account, kinesis)
        assert streams.take_made_streams() == ["orders"]
    account.fleet.keep_rejected(cell, set())
    await run_inventory(account, kinesis)
    assert streams.take_made_streams() == ["orders"]
    assert all(series.unobservable is None for series in account.fleet.series.values())
    await run_inventory(account, kinesis)
    assert streams.take_made_streams() == []


async def test_a_new_value_of_a_quota_becomes_the_limit_of_its_series() -> None:
    account = FakeAccount(
        quota_interval=0,
        **functions("f"),
        get_account_settings={"AccountLimit": {}},
        get_service_quota=quota(1000),
    )
    await account.run_inventory(LAMBDA)
    limit_before = account.limit("lambda", "account_concurrency")
    await account.quotas.read()
    await account.run_inventory(LAMBDA, get_service_quota=quota(3000))
    await account.quotas.read()
    await account.run_inventory(LAMBDA)
    assert (limit_before, account.limit("lambda", "account_concurrency")) == (
        (1000, "quota_applied"),
        (3000, "quota_applied"),
    )


async def test_a_series_whose_usage_an_api_returns_is_made_at_each_inventory() -> None:
    streams, account = Streams({"orders": 1}, usage=7.0), FakeAccount(**NO_QUOTAS)
    for _ in range(2):
        await run_inventory(account, collector(streams.scan_with_memory))
    assert streams.take_made_streams() == ["orders", "orders"]


async def test_a_known_series_that_is_excluded_stays_excluded() -> None:
    streams, account = Streams({"orders": 1, "clicks": 2}), FakeAccount(**NO_QUOTAS)
    config = Config.model_validate({"exclude": [{"resource": "orders"}]})
    account.inventory = inventory_of(account.aws.cell, account.fleet, config, account.quotas)
    kinesis = collector(streams.scan_with_memory)
    for _ in range(3):
        await run_inventory(account, kinesis)
        assert {resource for _, resource in account.names} == {"clicks"}
    assert streams.take_made_streams() == ["orders", "clicks"]


async def test_the_failure_of_a_resource_is_reported_at_each_inventory() -> None:
    streams, account = Streams({"orders": 1, "clicks": 1}, failing_stream="orders"), FakeAccount(**NO_QUOTAS)
    kinesis = collector(streams.scan_with_memory)
    for _ in range(2):
        await run_inventory(account, kinesis)
        assert "orders" in [resource for _, resource, _ in account.failures]
    assert streams.take_made_streams() == ["orders", "clicks", "orders"]


async def test_a_changed_configuration_makes_all_series_again() -> None:
    streams, account = Streams({"orders": 1}), FakeAccount(**NO_QUOTAS)
    await run_inventory(account, kinesis := collector(streams.scan_with_memory))
    config = Config.model_validate({"limits": [{"signal": "kinesis.stream_write_bytes", "limit": 5}]})
    inventory_before = account.inventory
    account.inventory = inventory_of(account.aws.cell, account.fleet, config, account.quotas)
    account.inventory.discovered |= inventory_before.discovered
    await run_inventory(account, kinesis)
    assert account.limit("kinesis", "stream_write_bytes", "orders") == (5, "override")


SHARDS = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 3))
# A step: the shards by stream, the stream whose metric is rejected ("": none), and whether a scan is denied.
STEPS = st.lists(st.tuples(SHARDS, st.sampled_from(["", "a", "b"]), st.booleans()), max_size=8)


@given(STEPS)
def test_confirmed_series_equal_the_series_that_a_scan_without_memory_makes(
    steps: list[tuple[dict[str, int], str, bool]],
) -> None:
    async def compare() -> None:
        with_memory, without_memory = Streams({}), Streams({})
        accounts = [
            (FakeAccount(**NO_QUOTAS), with_memory, with_memory.scan_with_memory),
            (FakeAccount(**NO_QUOTAS), without_memory, without_memory.scan),
        ]
        for shards, rejected_stream, is_denied in steps:
            for account, streams, scan in accounts:
                streams.shards = dict(shards)
                account.fleet.keep_rejected(account.aws.cell.key, set())
                if rejected_stream:
                    query = metric_query(INCOMING_BYTES.of(StreamName=rejected_stream))
                    account.fleet.mark_rejected(account.aws.cell.key, query, "rejected")
                scans = [scan, _denied_scan] if is_denied else [scan]
                await account.inventory.run(collector(*scans))
                account.fleet.reclaim()
            assert state(accounts[0][0]) == state(accounts[1][0])

    run(compare())


async def _denied_scan(_: Aws) -> AsyncIterator[Observed]:
    raise denied("ListStreams")
    yield
