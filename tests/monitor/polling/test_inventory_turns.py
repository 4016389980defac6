"""The series of resources that wait for their turn, as an inventory reads only some resources at a time."""

import asyncio
from contextlib import suppress
from typing import Any

from collectors.base import NOT_READ_YET, Collector
from collectors.declaration_file import parse_declaration
from collectors.declared import collector_of
from collectors.registry import build_registry
from monitor.aws.turns import CallTurns
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.fleet.judge import judge
from monitor.fleet.key import Key
from monitor.polling.cell_watcher import CellWatcher
from monitor.polling.inventory import Inventory
from monitor.polling.quota_book import QuotaBook
from monitor.polling.reader import MetricReader
from rules.signals import Quota
from tests.fake_aws import ACCOUNT_ID, FakeAws, denied
from tests.kinesis_answers import stream_names
from tests.monitor.polling.declared_entry import declared_entry
from tests.monitor.polling.inventories import KINESIS, LAMBDA, NO_QUOTAS, FakeAccount, functions, streams
from tests.quick_loop import QUICK_TIMINGS, run
from tests.registries import METRIC_SERVICES
from tests.resources import resource as resource_of
from tests.telemetries import Telemetries

NAMES = "a", "b", "c", "d"
QUOTA = Quota(service="rds", code="L-7B6409FD")
DECLARATION = """
service: ours
namespace: AWS/SNS
resources:
  topic:
    list: {call: sns.ListTopics, items: Topics}
    id: TopicArn
    calls:
      - call: sns.GetTopicAttributes
        params: {TopicArn: "{topic}"}
        facts: {confirmed: to_number(Attributes.SubscriptionsConfirmed)}
signals:
  subscriptions: {resource: topic, usage: confirmed, limit: 10}
  many_subscriptions: {resource: topic, when: confirmed > 3, usage: confirmed, limit: 10}
  topics: {usage: count(topic), limit: 10}
  all_subscriptions: {usage: sum(one.confirmed for one in topic), limit: 10}
"""
COLLECTOR = collector_of(parse_declaration(DECLARATION.encode(), "ours.yaml"))


class Topics:
    """A cell with topics, and its inventory.

    max_reads: how many topics an inventory reads at most. subscriptions: how many each topic has.
    """

    def __init__(self, max_reads: int, **subscriptions: int) -> None:
        self.subscriptions = subscriptions
        self.aws = FakeAws(
            list_topics=lambda: {"Topics": [{"TopicArn": name} for name in self.subscriptions]},
            get_topic_attributes=self.attributes,
            list_service_quotas={"Quotas": []},
            list_aws_default_service_quotas={"Quotas": []},
        )
        self.aws.cell.call_turns = CallTurns(min_calls=max_reads)
        self.fleet = Fleet()
        entry = declared_entry(QUOTA, "subscriptions", "many_subscriptions", "topics", "all_subscriptions")
        registry = build_registry([COLLECTOR], [entry])
        quotas = QuotaBook(self.aws.cell, [], on_demand=True)
        self.inventory = Inventory(self.aws.cell, self.fleet, Config(), registry, quotas)

    def attributes(self, TopicArn: str) -> Any:
        return {"Attributes": {"SubscriptionsConfirmed": str(self.subscriptions[TopicArn])}}

    async def run_inventory(self, collector: Collector = COLLECTOR) -> dict[str, Any]:
        """Run an inventory; return the usage, or the reason why it is unobservable, by signal and topic."""
        self.aws.calls.clear()
        await self.inventory.run(collector, by_turns=True)
        judge(self.fleet, self.aws.cell.clock.minute())
        return {
            f"{key.signal} {key.resource}".strip(): series.unobservable.reason
            if series.unobservable
            else float(self.fleet.usage[series.slot])
            for key, series in self.fleet.series.items()
        }


WAITING_REASON = NOT_READ_YET.reason


async def test_a_resource_is_unobservable_until_its_first_turn() -> None:
    topics = Topics(2, a=1, b=5, c=7)
    assert await topics.run_inventory() == {
        "subscriptions a": 1.0,
        "subscriptions b": 5.0,
        "many_subscriptions b": 5.0,
        "subscriptions c": WAITING_REASON,
        "topics": 3.0,
        "all_subscriptions": WAITING_REASON,
    }
    status = topics.inventory.statuses["ours"]
    assert (status.waiting, status.failures) == (1, ())
    assert status.succeeded_at is not None
    assert status.unread == {("c",)}
    usages = await topics.run_inventory()
    assert usages["subscriptions c"] == usages["many_subscriptions c"] == 7.0
    assert usages["all_subscriptions"] == 13.0
    assert topics.inventory.statuses["ours"].waiting == 0
    assert topics.inventory.statuses["ours"].unread == set()
    assert len(topics.aws.calls) == 1 + 2


async def test_a_waiting_resource_keeps_its_usage_after_a_reload() -> None:
    topics = Topics(9, a=1, b=5, c=7)
    usages_before = await topics.run_inventory()
    topics.aws.cell.call_turns = CallTurns(min_calls=1)  # a reload begins with turns of its own
    topics.subscriptions["a"] = 2
    assert await topics.run_inventory() == usages_before | {"subscriptions a": 2.0}
    assert topics.inventory.statuses["ours"].waiting == 2


async def test_a_deleted_resource_is_dropped_though_others_wait() -> None:
    topics = Topics(9, a=1, b=5, c=7)
    await topics.run_inventory()
    topics.aws.cell.call_turns = CallTurns(min_calls=1)
    del topics.subscriptions["c"]
    assert {"subscriptions c", "many_subscriptions c"}.isdisjoint(await topics.run_inventory())


async def test_an_inventory_without_turns_reads_all_resources() -> None:
    topics = Topics(1, a=1, b=5, c=7)
    await topics.inventory.run(COLLECTOR)
    assert topics.inventory.statuses["ours"].waiting == 0
    assert len(topics.aws.calls) == 1 + 3


def test_waiting_resources_are_read_within_minutes_with_only_a_few_more_lists() -> None:
    async def waiting_and_lists(minutes: float) -> tuple[int, int]:
        topics, telemetry = Topics(2, a=1, b=5, c=7, d=8, e=9), Telemetries().process
        reader = MetricReader(topics.aws.cell, topics.fleet, METRIC_SERVICES)
        watcher = CellWatcher(topics.inventory, reader, [COLLECTOR], telemetry, QUICK_TIMINGS)
        with suppress(TimeoutError):
            async with asyncio.timeout(minutes * 60):
                await watcher.run(Config())
        return topics.inventory.statuses["ours"].waiting, topics.aws.calls.count("sns:ListTopics")

    assert run(waiting_and_lists(0.01))[0] == 3
    waiting, lists = run(waiting_and_lists(8))
    assert waiting == 0
    assert lists <= 6
    # One list in each of 24 inventories, and the lists asserted above.
    assert run(waiting_and_lists(240))[1] <= 24 + 6


async def test_a_doubted_limit_is_read_again_before_the_turn_of_its_resource() -> None:
    shards = dict.fromkeys(NAMES, 2)
    fake_account = FakeAccount(**streams(**shards), **NO_QUOTAS)
    fake_account.aws.cell.call_turns = CallTurns(min_calls=1)
    await fake_account.inventory.run(KINESIS)  # reads all streams, as it takes no turns
    doubted = fake_account.fleet.series[
        Key(ACCOUNT_ID, "eu-west-1", "kinesis", "stream_write_bytes", resource_of("d"))
    ]
    fake_account.fleet.limit_doubted[doubted.slot] = True
    fake_account.aws.calls.clear()
    shards["d"] = 4
    fake_account.aws.answers |= streams(**shards)
    await fake_account.inventory.run(KINESIS, by_turns=True)
    assert fake_account.limit("kinesis", "stream_write_bytes", "d") == (4 * 1024**2, "api")


async def test_one_inventory_reads_three_of_four_streams_and_the_next_the_fourth() -> None:
    fake_account = FakeAccount(**streams(**dict.fromkeys(NAMES, 2)), **NO_QUOTAS)
    fake_account.aws.cell.call_turns = CallTurns(min_calls=3)
    await fake_account.inventory.run(KINESIS, by_turns=True)
    assert {name for signal, name in fake_account.names if signal == "stream_write_bytes"} == {"a", "b", "c"}
    assert fake_account.inventory.statuses["kinesis"].waiting == 1
    await fake_account.inventory.run(KINESIS, by_turns=True)
    assert {name for signal, name in fake_account.names if signal == "stream_write_bytes"} == {*NAMES}
    fake_account.aws.answers["list_streams"] = stream_names("a", "b")
    await fake_account.inventory.run(KINESIS, by_turns=True)
    assert {name for signal, name in fake_account.names if signal == "stream_write_bytes"} == {"a", "b"}


class ReservingAccount:
    """An account with four functions; each inventory makes at most three calls about single functions.

    reserved: the reserved concurrency, by function; a function that is not named has none.
    """

    def __init__(self, **reserved: int) -> None:
        self.fake_account = FakeAccount(**functions(*NAMES), **NO_QUOTAS)
        self.fake_account.aws.cell.call_turns = CallTurns(min_calls=3)
        self.reserve(**reserved)

    def reserve(self, **reserved: int) -> None:
        """Set the reserved concurrency of functions."""
        total = sum(reserved.values())
        self.fake_account.aws.answers |= {
            "get_account_settings": {
                "AccountLimit": {
                    "ConcurrentExecutions": 1000,
                    "UnreservedConcurrentExecutions": 1000 - total,
                }
            },
            "get_function_concurrency": lambda FunctionName: (
                {"ReservedConcurrentExecutions": reserved[FunctionName]} if FunctionName in reserved else {}
            ),
        }

    async def run(self) -> tuple[bool, int]:
        """Run an inventory; return whether the account's throttles are incomplete, and the number that wait.

        The number is that of functions whose turn to be read has not come.
        """
        await self.fake_account.inventory.run(LAMBDA, by_turns=True)
        series = self.fake_account.fleet.series.items()
        account = next(item for key, item in series if key.signal == "account_concurrency")
        waiting = self.fake_account.inventory.statuses["lambda"].waiting
        return bool(self.fake_account.fleet.throttled_incomplete[account.slot]), waiting

    @property
    def calls(self) -> list[str]:
        """All calls so far about the concurrency of functions."""
        return [
            call
            for call in self.fake_account.aws.calls
            if call.startswith("lambda:") and "Concurrency" in call
        ]


async def test_throttled_demand_of_the_account_is_incomplete_until_the_reserved_function_was_read() -> None:
    account = ReservingAccount(d=300)
    are_incomplete, waiting = zip(*[await account.run() for _ in range(5)], strict=True)
    assert are_incomplete == (True, False, False, False, False)
    assert waiting[0] > 0 == waiting[-1]
    assert len(account.calls) == 8
    assert ("function_reserved_concurrency", "d") in account.fake_account.names


async def test_throttled_demand_of_the_account_is_complete_once_reservations_add_up_to_the_total() -> None:
    is_incomplete, waiting = await ReservingAccount(a=100, b=200).run()
    assert waiting > 0
    assert not is_incomplete


async def test_throttled_demand_of_the_account_is_incomplete_again_after_its_reserved_total_has_changed() -> (
    None
):
    account = ReservingAccount(a=100)
    for _ in range(5):
        is_incomplete, _ = await account.run()
    assert not is_incomplete
    account.reserve(a=100, d=300)
    are_incomplete = [(await account.run())[0] for _ in range(3)]
    assert are_incomplete[0]
    assert not are_incomplete[-1]


async def test_a_denied_topic_does_not_keep_other_topics_from_their_turns() -> None:
    topics = Topics(1, a=1, b=5)
    topics.aws.answers["get_topic_attributes"] = lambda TopicArn: (
        denied("GetTopicAttributes") if TopicArn == "a" else topics.attributes(TopicArn)
    )
    for _ in range(3):
        usages = await topics.run_inventory()
    assert usages["subscriptions b"] == 5.0
    assert [failure.resource for failure in topics.inventory.statuses["ours"].failures] == ["a"]
