"""The scans of declared services: listed resources, counts, unknown series, and the effect of each error."""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.collectors.declared_runs import by_parameter, not_found_error, run, unobservable_usages
from tests.fake_aws import denied

LOAD_BALANCERS = """
service: demo
namespace: AWS/ApplicationELB
metrics:
  RequestCount: {stat: Sum}
resources:
  load_balancer:
    list: {call: elbv2.DescribeLoadBalancers, items: LoadBalancers}
    id: LoadBalancerName
    calls:
      - call: elbv2.DescribeCapacityReservation
        params: {LoadBalancerArn: "{load_balancer}"}
        facts: {reserved: MinimumLoadBalancerCapacity.CapacityUnits}
    values: {twice: reserved * 2}
    dimensions: {LoadBalancer: "{load_balancer}"}
  listener:
    parent: load_balancer
    list: {call: elbv2.DescribeListeners, params: {LoadBalancerArn: "{load_balancer}"}, items: Listeners}
    id: ListenerArn
    calls:
      - call: elbv2.DescribeRules
        params: {ListenerArn: "{listener}"}
        items: Rules
        facts: {rules: length(@)}
  target_group:
    list: {call: elbv2.DescribeTargetGroups, items: TargetGroups}
    id: TargetGroupName
    facts: {load_balancer_id: "LoadBalancerArns[0]"}
    calls:
      - call: elbv2.DescribeTargetHealth
        params: {TargetGroupArn: "{target_group}"}
        facts: {targets: length(TargetHealthDescriptions)}
    refers: {load_balancer: load_balancer_id}
  trust_store:
    list: {call: elbv2.DescribeTrustStores, items: TrustStores}
    id: Name
signals:
  load_balancers: {usage: count(load_balancer)}
  all_reserved: {usage: sum(one.reserved for one in load_balancer)}
  all_listeners: {usage: count(listener)}
  requests: {resource: load_balancer, usage: rate(RequestCount)}
  reserved: {resource: load_balancer, usage: reserved}
  twice: {resource: load_balancer, usage: twice}
  listeners: {resource: load_balancer, usage: count(listener)}
  rules: {resource: load_balancer, usage: sum(one.rules for one in listener)}
  target_groups: {resource: load_balancer, usage: count(target_group)}
  targets: {resource: load_balancer, usage: sum(one.targets for one in target_group)}
  listener_rules: {resource: listener, usage: rules, limit: reserved}
  group_targets: {resource: target_group, usage: targets, limit: load_balancer.reserved}
  trust_stores: {usage: count(trust_store)}
"""


def reservation(units: int | None) -> dict[str, Any]:
    """Return a response of DescribeCapacityReservation; None: no capacity is reserved."""
    return {"MinimumLoadBalancerCapacity": {} if units is None else {"CapacityUnits": units}}


def listeners(*names: str) -> dict[str, Any]:
    """Return a response of DescribeListeners."""
    return {"Listeners": [{"ListenerArn": name} for name in names]}


def target_groups(**owners: str) -> dict[str, Any]:
    """Return a response of DescribeTargetGroups. owners: by group, its load balancer; "" without one."""
    return {
        "TargetGroups": [
            {"TargetGroupName": name, "LoadBalancerArns": [owner] if owner else []}
            for name, owner in owners.items()
        ]
    }


def targets(number: int) -> dict[str, Any]:
    """Return a response of DescribeTargetHealth."""
    return {"TargetHealthDescriptions": [{}] * number}


RESERVATIONS = {"a": reservation(10), "ab": reservation(20)}
LISTENERS = {"a": listeners("a1", "a2"), "ab": listeners("ab1")}
RULES: dict[str, Any] = {name: {"Rules": [{}, {}, {}]} for name in ("a1", "a2", "ab1")}
TARGETS = {"g1": targets(1), "g2": targets(2), "g3": targets(4), "g4": targets(8)}


def load_balancer_answers(**changes: Any) -> dict[str, Any]:
    """Return the answers about two load balancers, one name a prefix of the other, and all their resources.

    changes: answers to use instead, by method.
    """
    return {
        "describe_load_balancers": [
            {"LoadBalancers": [{"LoadBalancerName": "a"}]},
            {"LoadBalancers": []},
            {"LoadBalancers": [{"LoadBalancerName": "ab"}]},
        ],
        "describe_capacity_reservation": by_parameter(RESERVATIONS),
        "describe_listeners": by_parameter(LISTENERS),
        "describe_rules": by_parameter(RULES),
        "describe_target_groups": target_groups(g1="a", g2="ab", g3="ab", g4=""),
        "describe_target_health": by_parameter(TARGETS),
        "describe_trust_stores": {"TrustStores": []},
    } | changes


USAGES = {
    "load_balancers": 2.0,
    "all_reserved": 30.0,
    "all_listeners": 3.0,
    "trust_stores": 0.0,
    "requests a": "rate(RequestCount{LoadBalancer=a})",
    "requests ab": "rate(RequestCount{LoadBalancer=ab})",
    "reserved a": 10.0,
    "reserved ab": 20.0,
    "twice a": 20.0,
    "twice ab": 40.0,
    "listeners a": 2.0,
    "listeners ab": 1.0,
    "rules a": 6.0,
    "rules ab": 3.0,
    "target_groups a": 1.0,
    "target_groups ab": 2.0,
    "targets a": 1.0,
    "targets ab": 6.0,
    "listener_rules a/a1": 3.0,
    "listener_rules a/a2": 3.0,
    "listener_rules ab/ab1": 3.0,
    "group_targets g1": 1.0,
    "group_targets g2": 2.0,
    "group_targets g3": 4.0,
    "group_targets g4": 8.0,
}


def usages_without(*names: str) -> dict[str, Any]:
    """Return the usages of all series except these."""
    assert USAGES.keys() >= {*names}
    return {name: usage for name, usage in USAGES.items() if name not in names}


async def test_parts_are_counted_at_their_parent_and_referring_resources_at_the_resource_they_refer_to() -> (
    None
):
    result = await run(LOAD_BALANCERS, **load_balancer_answers())
    assert result.usage == USAGES
    assert (result.errors, result.failures) == ([], [])
    assert result.observed["listener_rules ab/ab1"].limit == 20.0
    assert [result.observed[f"group_targets {name}"].limit for name in TARGETS] == [10.0, 20.0, 20.0, None]


async def test_each_call_is_made_once() -> None:
    result = await run(LOAD_BALANCERS, **load_balancer_answers())
    by_resource = {"Listeners": 2, "CapacityReservation": 2, "Rules": 3, "TargetHealth": 4}
    pages = {"LoadBalancers": 3, "TargetGroups": 1, "TrustStores": 1}
    counts = {call.removeprefix("elbv2:Describe"): result.calls.count(call) for call in result.calls}
    assert counts == by_resource | pages


async def test_a_denied_list_affects_its_kind_and_the_counts_of_that_kind() -> None:
    result = await run(LOAD_BALANCERS, **load_balancer_answers(describe_target_groups=denied()))
    unknown = unobservable_usages(
        "target_group", "target_groups a", "target_groups ab", "targets a", "targets ab"
    )
    assert result.usage == usages_without(*(f"group_targets {name}" for name in TARGETS)) | unknown
    assert (result.errors, result.failures) == (["AccessDeniedException"], [])


async def test_a_denied_list_of_parents_affects_the_parts_of_the_parents_too() -> None:
    result = await run(LOAD_BALANCERS, **load_balancer_answers(describe_load_balancers=denied()))
    assert result.usage == {
        **unobservable_usages("load_balancer", "load_balancers", "all_reserved"),
        **unobservable_usages("listener", "all_listeners"),
        **unobservable_usages("load_balancer", *(f"group_targets {name}" for name in ("g1", "g2", "g3"))),
        "group_targets g4": 8.0,
        "trust_stores": 0.0,
    }
    assert result.errors == ["AccessDeniedException"]


async def test_a_denied_page_makes_the_counts_unknown_and_keeps_the_listed_items() -> None:
    first = {"LoadBalancers": [{"LoadBalancerName": "a"}]}
    result = await run(LOAD_BALANCERS, **load_balancer_answers(describe_load_balancers=[first, denied()]))
    assert result.usage["requests a"] == USAGES["requests a"]
    assert result.usage["listeners a"] == 2.0
    unknown = unobservable_usages("load_balancer", "load_balancers", "all_reserved") | unobservable_usages(
        "listener", "all_listeners"
    )
    assert {name: result.usage[name] for name in unknown} == unknown
    assert result.errors == ["AccessDeniedException"]


async def test_a_denied_list_of_parts_affects_only_the_parent_and_counts_that_include_its_parts() -> None:
    result = await run(
        LOAD_BALANCERS, **load_balancer_answers(describe_listeners=by_parameter({"ab": LISTENERS["ab"]}))
    )
    unknown = unobservable_usages("listener", "listeners a", "rules a", "all_listeners")
    assert result.usage == usages_without("listener_rules a/a1", "listener_rules a/a2") | unknown
    assert (result.errors, result.failures) == ([], ["a: AccessDeniedException"])


async def test_a_denied_call_about_a_resource_affects_the_series_that_use_its_facts() -> None:
    reservations = by_parameter({"ab": RESERVATIONS["ab"]})
    result = await run(LOAD_BALANCERS, **load_balancer_answers(describe_capacity_reservation=reservations))
    missing = ["reserved a", "twice a", "listener_rules a/a1", "listener_rules a/a2"]
    assert result.usage == usages_without(*missing) | unobservable_usages(
        "load_balancer", "all_reserved", "group_targets g1"
    )
    assert (result.errors, result.failures) == ([], ["a: AccessDeniedException"])


async def test_a_denied_call_about_a_part_makes_sums_unknown_and_leaves_counts() -> None:
    rules = by_parameter({name: response for name, response in RULES.items() if name != "a2"})
    result = await run(LOAD_BALANCERS, **load_balancer_answers(describe_rules=rules))
    assert result.usage == usages_without("listener_rules a/a2") | unobservable_usages("listener", "rules a")
    assert result.failures == ["a/a2: AccessDeniedException"]


async def test_a_denied_call_about_a_referring_resource_makes_sums_unknown_and_leaves_counts() -> None:
    health = by_parameter({name: response for name, response in TARGETS.items() if name != "g3"})
    result = await run(LOAD_BALANCERS, **load_balancer_answers(describe_target_health=health))
    assert result.usage == usages_without("group_targets g3") | unobservable_usages(
        "target_group", "targets ab"
    )
    assert result.failures == ["g3: AccessDeniedException"]


async def test_a_deleted_resource_is_neither_counted_nor_a_failure() -> None:
    reservations = by_parameter(RESERVATIONS | {"a": not_found_error("LoadBalancerNotFound")})
    result = await run(LOAD_BALANCERS, **load_balancer_answers(describe_capacity_reservation=reservations))
    assert result.deleted == {("load_balancer", ("a",))}
    assert (result.errors, result.failures) == ([], [])
    counts = [result.usage[name] for name in ("load_balancers", "all_reserved", "all_listeners")]
    assert counts == [1.0, 20.0, 1.0]
    assert not any(name.endswith(" a") for name in result.usage)


async def test_a_parent_that_was_deleted_before_its_parts_are_listed_is_not_counted() -> None:
    parts = by_parameter(LISTENERS | {"a": not_found_error("LoadBalancerNotFound")})
    result = await run(LOAD_BALANCERS, **load_balancer_answers(describe_listeners=parts))
    assert (result.errors, result.failures, result.deleted) == ([], [], {("load_balancer", ("a",))})
    counts = [result.usage[name] for name in ("load_balancers", "all_reserved", "all_listeners")]
    assert counts == [1.0, 20.0, 1.0]
    assert result.observed["group_targets g1"].limit is None


async def test_a_deleted_resource_is_not_confused_with_a_resource_of_another_kind_with_its_id() -> None:
    text = """
service: demo
namespace: AWS/ApplicationELB
resources:
  target_group:
    list: {call: elbv2.DescribeTargetGroups, items: TargetGroups}
    id: TargetGroupName
    calls:
      - call: elbv2.DescribeTargetHealth
        params: {TargetGroupArn: "{target_group}"}
        facts: {targets: length(TargetHealthDescriptions)}
  load_balancer:
    list: {call: elbv2.DescribeLoadBalancers, items: LoadBalancers}
    id: LoadBalancerName
  listener:
    parent: load_balancer
    list: {call: elbv2.DescribeListeners, params: {LoadBalancerArn: "{load_balancer}"}, items: Listeners}
    id: ListenerArn
signals:
  target_groups: {usage: count(target_group)}
  load_balancers: {usage: count(load_balancer)}
  listeners: {resource: load_balancer, usage: count(listener)}
  all: {usage: count(target_group) + count(load_balancer)}
"""
    result = await run(
        text,
        describe_target_groups=target_groups(a="", b=""),
        describe_target_health=by_parameter({"a": not_found_error("TargetGroupNotFound"), "b": targets(1)}),
        describe_load_balancers={"LoadBalancers": [{"LoadBalancerName": "a"}]},
        describe_listeners=by_parameter(LISTENERS),
    )
    assert (result.errors, result.failures) == ([], [])
    assert result.usage == {"target_groups": 1.0, "load_balancers": 1.0, "listeners a": 2.0, "all": 2.0}


async def test_a_deleted_part_is_neither_counted_nor_a_failure() -> None:
    rules = by_parameter(RULES | {"a2": not_found_error("ListenerNotFound")})
    result = await run(LOAD_BALANCERS, **load_balancer_answers(describe_rules=rules))
    assert (result.errors, result.failures, result.deleted) == ([], [], {("listener", ("a", "a2"))})
    assert result.usage == usages_without("listener_rules a/a2") | {
        "listeners a": 1.0,
        "rules a": 3.0,
        "all_listeners": 2.0,
    }


async def test_an_item_without_an_id_affects_itself_and_the_counts_of_its_kind() -> None:
    items = [{"LoadBalancerName": "a"}, {"Type": "application"}, {"LoadBalancerName": "ab"}]
    result = await run(
        LOAD_BALANCERS, **load_balancer_answers(describe_load_balancers={"LoadBalancers": items})
    )
    unknown = unobservable_usages("load_balancer", "load_balancers", "all_reserved") | unobservable_usages(
        "listener", "all_listeners"
    )
    assert result.usage == USAGES | unknown
    assert result.errors == []
    assert len(result.failures) == 1


async def test_a_part_without_an_id_affects_itself_and_the_counts_of_its_parent() -> None:
    parts = by_parameter(LISTENERS | {"a": {"Listeners": [{"ListenerArn": "a1"}, {"Port": 80}]}})
    result = await run(LOAD_BALANCERS, **load_balancer_answers(describe_listeners=parts))
    unknown = unobservable_usages("listener", "listeners a", "rules a", "all_listeners")
    assert result.usage == usages_without("listener_rules a/a2") | unknown
    assert [failure.partition(":")[0] for failure in result.failures] == ["a"]


async def test_a_response_without_a_fact_makes_series_that_need_it_unknown() -> None:
    reservations = by_parameter(RESERVATIONS | {"a": reservation(None)})
    result = await run(LOAD_BALANCERS, **load_balancer_answers(describe_capacity_reservation=reservations))
    missing = {"reserved a": "reserved", "twice a": "twice", "all_reserved": "value"}
    unknown = {name: f"unobservable: AWS returned no {fact}" for name, fact in missing.items()}
    assert result.usage == USAGES | unknown
    assert result.observed["listener_rules a/a1"].limit is None
    assert (result.errors, result.failures) == ([], [])


async def test_a_response_without_the_member_of_its_list_is_an_empty_list() -> None:
    result = await run(LOAD_BALANCERS, **load_balancer_answers(describe_listeners=lambda **_: {}))
    assert [result.usage[name] for name in ("listeners a", "rules a", "all_listeners")] == [0.0, 0.0, 0.0]
    assert (result.errors, result.failures) == ([], [])


def many_load_balancers(number: int) -> dict[str, Any]:
    """Return the answers about this many load balancers, each with a target group.

    The listeners of every second load balancer and the rules of every second listener are denied.
    """
    names = [f"{index:05}" for index in range(number)]

    def describe_listeners(LoadBalancerArn: str) -> Any:
        is_denied = int(LoadBalancerArn) % 2 == 0
        return denied() if is_denied else listeners(f"{LoadBalancerArn}-1", f"{LoadBalancerArn}-2")

    return {
        "describe_load_balancers": {"LoadBalancers": [{"LoadBalancerName": name} for name in names]},
        "describe_capacity_reservation": reservation(1),
        "describe_listeners": describe_listeners,
        "describe_rules": lambda ListenerArn: {"Rules": [{}]} if ListenerArn.endswith("1") else denied(),
        "describe_target_groups": target_groups(**{f"g{name}": name for name in names}),
        "describe_target_health": targets(1),
        "describe_trust_stores": {"TrustStores": []},
    }


def lines_run_in_collectors(function: Callable[[], Any]) -> int:
    """Return how many lines of `collectors/` a call runs. A line counts each time it runs."""
    number = 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal number
        if "/collectors/" not in frame.f_code.co_filename:
            return None
        number += 1
        return trace

    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(None)
    return number


def test_the_work_grows_no_faster_than_the_number_of_resources() -> None:
    lines_of_few, lines_of_many = (
        lines_run_in_collectors(partial(asyncio.run, run(LOAD_BALANCERS, **many_load_balancers(number))))
        for number in (50, 200)
    )
    assert lines_of_many < 4.4 * lines_of_few  # four times as many resources, and 10 % more


async def test_twenty_thousand_resources_of_one_list_are_counted() -> None:
    pages = [{"TableNames": [f"t{page}-{index}" for index in range(100)]} for page in range(200)]
    text = """
service: demo
namespace: AWS/DynamoDB
metrics: {ConsumedReadCapacityUnits: {stat: Sum}}
resources:
  table: {list: {call: dynamodb.ListTables, items: TableNames}, dimensions: {TableName: "{table}"}}
signals:
  tables: {usage: count(table)}
  reads: {resource: table, usage: rate(ConsumedReadCapacityUnits)}
"""
    result = await run(text, list_tables=pages)
    assert result.usage["tables"] == 20_000.0
    assert len(result.usage) == 20_001


async def test_a_resource_and_its_parts_have_its_availability_zone() -> None:
    text = """
service: demo
namespace: AWS/EBS
resources:
  volume:
    list: {call: ec2.DescribeVolumes, items: Volumes}
    id: VolumeId
    facts: {size: Size, zone_name: AvailabilityZone, attachments: Attachments}
    zone: zone_name
  attachment:
    parent: volume
    list: {fact: attachments}
    id: InstanceId
    facts: {device: Device}
signals:
  size: {resource: volume, usage: size}
  devices: {resource: attachment, usage: "1 if device else 0"}
"""
    attached = [{"InstanceId": "i-1", "Device": "/dev/sdf"}]
    volumes = [
        {"VolumeId": "vol-1", "Size": 8, "AvailabilityZone": "eu-west-1a", "Attachments": attached},
        {"VolumeId": "vol-2", "Size": 9},
    ]
    result = await run(text, describe_volumes={"Volumes": volumes})
    assert {name: observed.resource.zone for name, observed in result.observed.items()} == {
        "size vol-1": "eu-west-1a",
        "size vol-2": "",
        "devices vol-1/i-1": "eu-west-1a",
    }
