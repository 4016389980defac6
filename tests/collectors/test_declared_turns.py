"""Scans of declared services that read resources by turns, and series of resources that were not read yet."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from collectors.base import MAY_EXIST, NOT_READ_YET, Observed
from collectors.declaration_file import parse_declaration
from collectors.declared import collector_of
from collectors.resource import ResourcePath
from monitor.aws.scan import Scan
from monitor.aws.turns import CallTurns
from tests.collectors.declared_cases import failure_text, usage_text
from tests.collectors.test_declared_scans import LOAD_BALANCERS
from tests.fake_aws import FakeAws

NOT_READ_USAGE = usage_text(NOT_READ_YET)


@dataclass
class LoadBalancerInventories:
    """Inventories of load balancers. observed, failures, waiting: the results of the last inventory.

    load_balancers: by load balancer and listener, the number of rules. min_calls: how many calls about single
    resources an inventory may always make. denied: the listeners whose rules AWS refuses to describe.
    text: the declaration.
    """

    load_balancers: dict[str, dict[str, int]]
    min_calls: int
    denied: set[str] = field(default_factory=set)
    text: str = LOAD_BALANCERS
    observed: dict[str, Observed] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    waiting: set[ResourcePath] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.collector = collector_of(parse_declaration(self.text.encode(), "demo.yaml"))
        self.aws = FakeAws(
            now=1e9,
            describe_load_balancers=lambda: {
                "LoadBalancers": [{"LoadBalancerName": name} for name in self.load_balancers]
            },
            describe_listeners=lambda LoadBalancerArn: {
                "Listeners": [{"ListenerArn": name} for name in self.load_balancers[LoadBalancerArn]]
            },
            describe_capacity_reservation=lambda LoadBalancerArn: {
                "MinimumLoadBalancerCapacity": {"CapacityUnits": len(LoadBalancerArn)}
            },
            describe_rules=self._rules,
            describe_target_groups={"TargetGroups": []},
            describe_trust_stores={"TrustStores": []},
        )
        self.aws.cell.call_turns = CallTurns(min_calls=self.min_calls)

    def _rules(self, ListenerArn: str) -> Any:
        if ListenerArn in self.denied:
            return None
        number = next(rules[ListenerArn] for rules in self.load_balancers.values() if ListenerArn in rules)
        return {"Rules": [{}] * number}

    async def run_inventory(self) -> dict[str, Any]:
        """Run another inventory, ten minutes later; return the usage of each series."""
        self.aws.now = (self.aws.now or 0.0) + 600
        self.aws.calls.clear()
        self.aws.cell.call_turns.of("demo").begin(self.aws.now, is_bounded=True)
        inventory = Scan(self.aws.cell, "demo")
        self.observed = {}
        for scan in self.collector.scans:
            async for series in scan(inventory):
                self.observed[f"{series.signal} {series.resource.display_name}".strip()] = series
        self.failures = [failure_text(failure) for failure in inventory.failures]
        self.waiting = inventory.waiting
        return {name: usage_text(series.usage) for name, series in self.observed.items()}

    def usage_of(self, signal: str) -> dict[str, Any]:
        """Return the usage of a signal at each resource."""
        return {
            series.resource.display_name: usage_text(series.usage)
            for series in self.observed.values()
            if series.signal == signal
        }


async def test_a_resource_that_had_no_turn_yet_waits_and_is_no_failure() -> None:
    inventories = LoadBalancerInventories({"a": {"l1": 3}, "b": {"l2": 5}}, min_calls=3)
    await inventories.run_inventory()
    assert inventories.usage_of("reserved") == {"a": 1.0, "b": 1.0}
    listeners = inventories.usage_of("listeners")
    # The third call lists the listeners of one of the load balancers; which one is left open.
    (listed,) = (name for name, usage in listeners.items() if usage == 1)
    assert listeners == {"a": NOT_READ_USAGE, "b": NOT_READ_USAGE} | {listed: 1}
    assert inventories.usage_of("rules") == {"a": NOT_READ_USAGE, "b": NOT_READ_USAGE}
    assert [*inventories.usage_of("listener_rules").values()] == [NOT_READ_USAGE]
    assert inventories.usage_of("all_listeners") == {"": NOT_READ_USAGE}
    assert inventories.usage_of("requests") == {
        "a": "rate(RequestCount{LoadBalancer=a})",
        "b": "rate(RequestCount{LoadBalancer=b})",
    }
    assert inventories.failures == []
    assert {path[:1] for path in inventories.waiting} == {("a",), ("b",)}


async def test_a_value_of_an_earlier_inventory_remains_if_an_inventory_does_not_repeat_its_call() -> None:
    inventories = LoadBalancerInventories({"a": {"l1": 3}, "b": {"l2": 5}}, min_calls=3)
    for _ in range(4):
        usages = await inventories.run_inventory()
    assert NOT_READ_USAGE not in usages.values()
    assert inventories.usage_of("rules") == {"a": 3, "b": 5}
    assert inventories.usage_of("all_listeners") == {"": 2}
    assert inventories.waiting == set()
    # The three lists of the whole account, and three calls about single resources.
    assert len(inventories.aws.calls) == 3 + 3


async def test_a_limit_has_the_time_at_which_it_was_read() -> None:
    inventories = LoadBalancerInventories({name: {f"l{name}": 3} for name in "abcd"}, min_calls=6)
    for _ in range(4):
        await inventories.run_inventory()
    read_at = {
        series.limit_read_at for series in inventories.observed.values() if series.signal == "listener_rules"
    }
    # None: the limit was read by the last inventory.
    assert read_at <= {None, 1e9 + 600, 1e9 + 1200, 1e9 + 1800}
    assert None in read_at
    assert len(read_at) > 1


async def test_an_aggregate_of_a_failed_part_and_a_waiting_part_tells_of_the_failure() -> None:
    inventories = LoadBalancerInventories({"a": {"l1": 3, "l2": 4}}, min_calls=3, denied={"l1"})
    await inventories.run_inventory()
    assert inventories.usage_of("rules") == {"a": "unobservable: not all could be read: listener"}
    assert inventories.usage_of("listener_rules") == {"a/l2": NOT_READ_USAGE}
    assert inventories.waiting == {("a", "l2")}
    assert inventories.failures == ["a/l1: AccessDeniedException"]


async def test_the_failure_of_a_call_is_reported_until_it_succeeds() -> None:
    inventories = LoadBalancerInventories({"a": {"l1": 3}, "b": {"l2": 3}}, min_calls=3, denied={"l1"})
    for _ in range(4):
        await inventories.run_inventory()
    assert inventories.failures == ["a/l1: AccessDeniedException"]
    inventories.denied.clear()
    for _ in range(4):
        await inventories.run_inventory()
    assert inventories.failures == []
    assert inventories.usage_of("rules") == {"a": 3, "b": 3}


Rules = st.dictionaries(st.sampled_from(["l1", "l2", "l3"]), st.integers(0, 9), max_size=3)


@given(
    rules_by_name=st.dictionaries(st.sampled_from("abcde"), Rules, min_size=1),
    min_calls=st.integers(1, 30),
)
async def test_an_aggregate_is_unknown_until_all_of_its_parts_were_read(
    rules_by_name: dict[str, dict[str, int]], min_calls: int
) -> None:
    balancers = {
        name: {f"{name}/{listener}": number for listener, number in rules.items()}
        for name, rules in rules_by_name.items()
    }
    inventories = LoadBalancerInventories(balancers, min_calls)
    expected = {
        "rules": {name: sum(rules.values()) for name, rules in balancers.items()},
        "listeners": {name: len(rules) for name, rules in balancers.items()},
        "all_listeners": {"": sum(map(len, balancers.values()))},
        "all_reserved": {"": len(balancers)},
    }
    call_count = len(balancers) * 2 + sum(map(len, balancers.values()))

    async def usages_of_next_inventory() -> dict[str, dict[str, Any]]:
        await inventories.run_inventory()
        # The first 3 are the lists of the whole account. The other 3: the bound on calls is rounded up by at
        # most 1; unused fractions of earlier turns allow 1 more first call and 1 more repeated call.
        assert len(inventories.aws.calls) <= 3 + max(min_calls, call_count / 10) + 3
        return {signal: inventories.usage_of(signal) for signal in expected}

    for _ in range(6 * call_count + 6):
        usages = await usages_of_next_inventory()
        for signal, values in expected.items():
            assert all(usage in (NOT_READ_USAGE, values[name]) for name, usage in usages[signal].items())
        if usages == expected:
            break
    assert usages == expected
    for _ in range(2 * call_count // min_calls + 1):  # in which each call is made two more times
        assert await usages_of_next_inventory() == expected


async def test_a_series_may_exist_while_the_fact_in_its_condition_is_not_read_yet() -> None:
    reserved = "  reserved: {resource: load_balancer, usage: reserved}"
    text = LOAD_BALANCERS.replace(reserved, f"{reserved[:-1]}, when: reserved}}")
    inventories = LoadBalancerInventories({"a": {"l1": 3}, "b": {"l2": 5}}, min_calls=1, text=text)
    await inventories.run_inventory()
    assert inventories.usage_of("reserved") == {"a": 1.0, "b": usage_text(MAY_EXIST)}
