"""The scans of declared services: what is listed, counted and unknown, and what each error costs."""

import asyncio
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from collectors.base import Observed, Unobservable, Usage
from collectors.declaration_file import parse_declaration
from collectors.declaration_models import model_problems
from collectors.declared import collector_of
from monitor.aws.failure import failure_from
from tests.collectors.declared_cases import failure_text, usage_text
from tests.fake_aws import FakeAws, denied

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


@dataclass
class Run:
    """What the scans of a declaration found: series by signal and resource, errors and failures."""

    usage: dict[str, Any] = field(default_factory=dict)
    observed: dict[str, Observed] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    deleted: set[tuple[str, ...]] = field(default_factory=set)


async def run(text: str, **answers: Any) -> Run:
    """Run all scans of a declaration over answers by method."""
    declaration = parse_declaration(text.encode(), "demo.yaml")
    assert model_problems(declaration) == []
    aws, found = FakeAws(**answers), Run()
    for scan in collector_of(declaration).scans:
        try:
            async for observed in scan(aws.scan):
                name = f"{observed.signal} {observed.resource.display_name}".strip()
                assert name not in found.observed
                found.observed[name], found.usage[name] = observed, usage_text(observed.usage)
        except ExceptionGroup as group:
            found.errors += [described(error) for error in group.exceptions]
        except Exception as error:
            found.errors.append(described(error))
    found.failures = [failure_text(one) for one in aws.scan.failures]
    found.calls, found.deleted = aws.calls, aws.scan.not_found
    return found


def described(error: Exception) -> str:
    return failure_text(failure_from(error)) if isinstance(error, ClientError) else str(error)


def by_parameter(table: Mapping[str, Any]) -> Callable[..., Any]:
    """An answer for each value of the only parameter; denied for others."""

    def answer(**params: Any) -> Any:
        (value,) = params.values()
        return table.get(value) or denied()

    return answer


def reservation(units: int | None) -> dict[str, Any]:
    return {"MinimumLoadBalancerCapacity": {} if units is None else {"CapacityUnits": units}}


def listeners(*names: str) -> dict[str, Any]:
    return {"Listeners": [{"ListenerArn": name} for name in names]}


def target_groups(**owners: str) -> dict[str, Any]:
    return {
        "TargetGroups": [
            {"TargetGroupName": name, "LoadBalancerArns": [owner] if owner else []}
            for name, owner in owners.items()
        ]
    }


def targets(number: int) -> dict[str, Any]:
    return {"TargetHealthDescriptions": [{}] * number}


def gone(code: str) -> Any:
    return ClientError({"Error": {"Code": code, "Message": "gone"}}, "Operation")


RESERVATIONS = {"a": reservation(10), "ab": reservation(20)}
LISTENERS = {"a": listeners("a1", "a2"), "ab": listeners("ab1")}
RULES: dict[str, Any] = {name: {"Rules": [{}, {}, {}]} for name in ("a1", "a2", "ab1")}
TARGETS = {"g1": targets(1), "g2": targets(2), "g3": targets(4), "g4": targets(8)}


def answers(**others: Any) -> dict[str, Any]:
    """Two load balancers, of which the name of one is the other's prefix, with all that belongs to them."""
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
    } | others


ALL = {
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


def without(*names: str) -> dict[str, Any]:
    """All series but these."""
    assert ALL.keys() >= {*names}
    return {name: usage for name, usage in ALL.items() if name not in names}


def unread(kinds: str, *names: str) -> dict[str, str]:
    """The series that are unknown, as a kind could not be read as a whole."""
    return dict.fromkeys(names, f"unobservable: not all could be read: {kinds}")


async def test_parts_and_referring_resources_are_counted_where_they_belong() -> None:
    found = await run(LOAD_BALANCERS, **answers())
    assert found.usage == ALL
    assert (found.errors, found.failures) == ([], [])
    assert found.observed["listener_rules ab/ab1"].limit == 20.0
    assert [found.observed[f"group_targets {name}"].limit for name in TARGETS] == [10.0, 20.0, 20.0, None]


async def test_each_call_is_made_once() -> None:
    found = await run(LOAD_BALANCERS, **answers())
    each = {"Listeners": 2, "CapacityReservation": 2, "Rules": 3, "TargetHealth": 4}
    lists = {"LoadBalancers": 3, "TargetGroups": 1, "TrustStores": 1}
    made = {call.removeprefix("elbv2:Describe"): found.calls.count(call) for call in found.calls}
    assert made == each | lists


async def test_a_list_that_is_denied_costs_its_kind_and_what_counts_it() -> None:
    found = await run(LOAD_BALANCERS, **answers(describe_target_groups=denied()))
    unknown = unread("target_group", "target_groups a", "target_groups ab", "targets a", "targets ab")
    assert found.usage == without(*(f"group_targets {name}" for name in TARGETS)) | unknown
    assert (found.errors, found.failures) == (["AccessDeniedException"], [])


async def test_a_list_of_parents_that_is_denied_costs_their_parts_too() -> None:
    found = await run(LOAD_BALANCERS, **answers(describe_load_balancers=denied()))
    assert found.usage == {
        **unread("load_balancer", "load_balancers", "all_reserved"),
        **unread("listener", "all_listeners"),
        **unread("load_balancer", *(f"group_targets {name}" for name in ("g1", "g2", "g3"))),
        "group_targets g4": 8.0,
        "trust_stores": 0.0,
    }
    assert found.errors == ["AccessDeniedException"]


async def test_a_page_that_is_denied_makes_the_counts_unknown_and_keeps_what_was_listed() -> None:
    first = {"LoadBalancers": [{"LoadBalancerName": "a"}]}
    found = await run(LOAD_BALANCERS, **answers(describe_load_balancers=[first, denied()]))
    assert found.usage["requests a"] == ALL["requests a"]
    assert found.usage["listeners a"] == 2.0
    unknown = unread("load_balancer", "load_balancers", "all_reserved") | unread("listener", "all_listeners")
    assert {name: found.usage[name] for name in unknown} == unknown
    assert found.errors == ["AccessDeniedException"]


async def test_parts_of_one_resource_that_are_denied_cost_that_resource_only() -> None:
    found = await run(LOAD_BALANCERS, **answers(describe_listeners=by_parameter({"ab": LISTENERS["ab"]})))
    unknown = unread("listener", "listeners a", "rules a", "all_listeners")
    assert found.usage == without("listener_rules a/a1", "listener_rules a/a2") | unknown
    assert (found.errors, found.failures) == ([], ["a: AccessDeniedException"])


async def test_a_call_of_one_resource_that_is_denied_costs_the_series_that_use_its_facts() -> None:
    only = by_parameter({"ab": RESERVATIONS["ab"]})
    found = await run(LOAD_BALANCERS, **answers(describe_capacity_reservation=only))
    lost = ["reserved a", "twice a", "listener_rules a/a1", "listener_rules a/a2"]
    assert found.usage == without(*lost) | unread("load_balancer", "all_reserved", "group_targets g1")
    assert (found.errors, found.failures) == ([], ["a: AccessDeniedException"])


async def test_a_call_of_a_part_that_is_denied_makes_sums_unknown_and_leaves_counts() -> None:
    only = by_parameter({name: rules for name, rules in RULES.items() if name != "a2"})
    found = await run(LOAD_BALANCERS, **answers(describe_rules=only))
    assert found.usage == without("listener_rules a/a2") | unread("listener", "rules a")
    assert found.failures == ["a/a2: AccessDeniedException"]


async def test_a_call_of_a_referring_resource_that_is_denied_makes_sums_unknown_and_leaves_counts() -> None:
    only = by_parameter({name: one for name, one in TARGETS.items() if name != "g3"})
    found = await run(LOAD_BALANCERS, **answers(describe_target_health=only))
    assert found.usage == without("group_targets g3") | unread("target_group", "targets ab")
    assert found.failures == ["g3: AccessDeniedException"]


async def test_a_resource_that_is_gone_is_neither_counted_nor_a_failure() -> None:
    reservations = by_parameter(RESERVATIONS | {"a": gone("LoadBalancerNotFound")})
    found = await run(LOAD_BALANCERS, **answers(describe_capacity_reservation=reservations))
    assert found.deleted == {("a",)}
    assert (found.errors, found.failures) == ([], [])
    counts = [found.usage[name] for name in ("load_balancers", "all_reserved", "all_listeners")]
    assert counts == [1.0, 20.0, 1.0]
    assert not any(name.endswith(" a") for name in found.usage)


async def test_a_parent_that_is_gone_when_its_parts_are_listed_is_not_counted() -> None:
    parts = by_parameter(LISTENERS | {"a": gone("LoadBalancerNotFound")})
    found = await run(LOAD_BALANCERS, **answers(describe_listeners=parts))
    assert (found.errors, found.failures, found.deleted) == ([], [], {("a",)})
    counts = [found.usage[name] for name in ("load_balancers", "all_reserved", "all_listeners")]
    assert counts == [1.0, 20.0, 1.0]


async def test_a_part_that_is_gone_is_neither_counted_nor_a_failure() -> None:
    rules = by_parameter(RULES | {"a2": gone("ListenerNotFound")})
    found = await run(LOAD_BALANCERS, **answers(describe_rules=rules))
    assert (found.errors, found.failures, found.deleted) == ([], [], {("a", "a2")})
    assert found.usage == without("listener_rules a/a2") | {
        "listeners a": 1.0,
        "rules a": 3.0,
        "all_listeners": 2.0,
    }


async def test_an_item_without_an_id_costs_itself_and_the_counts_of_its_kind() -> None:
    items = [{"LoadBalancerName": "a"}, {"Type": "application"}, {"LoadBalancerName": "ab"}]
    found = await run(LOAD_BALANCERS, **answers(describe_load_balancers={"LoadBalancers": items}))
    unknown = unread("load_balancer", "load_balancers", "all_reserved") | unread("listener", "all_listeners")
    assert found.usage == ALL | unknown
    assert found.errors == []
    assert len(found.failures) == 1


async def test_a_part_without_an_id_costs_itself_and_the_counts_of_its_parent() -> None:
    parts = by_parameter(LISTENERS | {"a": {"Listeners": [{"ListenerArn": "a1"}, {"Port": 80}]}})
    found = await run(LOAD_BALANCERS, **answers(describe_listeners=parts))
    unknown = unread("listener", "listeners a", "rules a", "all_listeners")
    assert found.usage == without("listener_rules a/a2") | unknown
    assert [one.partition(":")[0] for one in found.failures] == ["a"]


async def test_an_answer_without_a_fact_makes_what_needs_it_unknown() -> None:
    reservations = by_parameter(RESERVATIONS | {"a": reservation(None)})
    found = await run(LOAD_BALANCERS, **answers(describe_capacity_reservation=reservations))
    unknown = {"reserved a": "no reserved", "twice a": "no twice", "all_reserved": "no value"}
    assert found.usage == ALL | {name: f"unobservable: AWS returned {what}" for name, what in unknown.items()}
    assert found.observed["listener_rules a/a1"].limit is None
    assert (found.errors, found.failures) == ([], [])


async def test_an_answer_without_a_list_is_an_empty_one() -> None:
    found = await run(LOAD_BALANCERS, **answers(describe_listeners=lambda **_: {}))
    assert [found.usage[name] for name in ("listeners a", "rules a", "all_listeners")] == [0.0, 0.0, 0.0]
    assert (found.errors, found.failures) == ([], [])


async def test_a_resource_that_refers_by_an_unknown_id_may_belong_to_any() -> None:
    text = """
service: demo
namespace: AWS/DynamoDB
resources:
  table: {list: {call: dynamodb.ListTables, items: TableNames}}
  stream:
    list: {call: kinesis.ListStreams, items: StreamNames}
    calls:
      - call: kinesis.DescribeStreamSummary
        params: {StreamName: "{stream}"}
        facts: {table_id: StreamDescriptionSummary.KeyId}
    refers: {table: table_id}
signals:
  streams: {usage: count(stream)}
  streams_of_table: {resource: table, usage: count(stream)}
"""

    def summary(StreamName: str) -> Any:
        if StreamName == "denied":
            return denied()
        of = {} if StreamName == "none" else {"KeyId": "orders"}
        keys = ("StreamName", "StreamARN", "StreamStatus")
        fixed = {"RetentionPeriodHours": 1, "EnhancedMonitoring": [], "OpenShardCount": 1}
        created = {"StreamCreationTimestamp": "2026-01-01T00:00:00Z"}
        return {"StreamDescriptionSummary": dict.fromkeys(keys, StreamName) | fixed | created | of}

    async def with_streams(*names: str) -> Run:
        listed = {"StreamNames": [*names], "HasMoreStreams": False}
        tables = {"TableNames": ["None", "orders"]}
        return await run(text, list_tables=tables, list_streams=listed, describe_stream_summary=summary)

    known = await with_streams("one", "none")
    assert known.usage == {"streams": 2.0, "streams_of_table None": 0.0, "streams_of_table orders": 1.0}
    unknown = await with_streams("one", "denied")
    names = ("streams_of_table None", "streams_of_table orders")
    assert unknown.usage == {"streams": 2.0} | unread("stream", *names)
    assert unknown.failures == ["denied: AccessDeniedException"]


TABLES = """
service: demo
namespace: AWS/DynamoDB
metrics:
  ConsumedReadCapacityUnits: {stat: Sum}
resources:
  table:
    list: {call: dynamodb.ListTables, items: TableNames}
    calls:
      - call: dynamodb.DescribeTable
        params: {TableName: "{table}"}
        facts: {indexes: Table.GlobalSecondaryIndexes, size: Table.TableSizeBytes}
    dimensions: {TableName: "{table}"}
  index:
    parent: table
    list: {fact: indexes}
    id: IndexName
    facts: {index_size: IndexSizeBytes}
    dimensions: {TableName: "{table}", GlobalSecondaryIndexName: "{index}"}
signals:
  tables: {usage: count(table)}
  size: {resource: table, usage: size}
  reads: {resource: table, usage: rate(ConsumedReadCapacityUnits)}
  indexes: {resource: table, usage: count(index)}
  index_reads: {resource: index, usage: rate(ConsumedReadCapacityUnits), limit: size}
  index_size: {resource: index, usage: index_size}
  index_sizes: {resource: table, usage: sum(one.index_size for one in index)}
"""


def table(**facts: Any) -> dict[str, Any]:
    return {"Table": facts}


async def test_parts_that_a_fact_holds_are_found_without_a_call() -> None:
    indexes = [{"IndexName": "by-day", "IndexSizeBytes": 5}, {"IndexName": "by-id", "IndexSizeBytes": 6}]
    first = table(GlobalSecondaryIndexes=indexes, TableSizeBytes=9)
    tables = {"aaa": first, "bbb": table(GlobalSecondaryIndexes=[])}
    found = await run(TABLES, list_tables={"TableNames": ["aaa", "bbb"]}, describe_table=by_parameter(tables))
    assert [found.usage[name] for name in ("indexes aaa", "index_sizes aaa")] == [2.0, 11.0]
    assert [found.usage[name] for name in ("indexes bbb", "index_sizes bbb")] == [0.0, 0.0]
    dimensions = "GlobalSecondaryIndexName=by-day, TableName=aaa"
    assert found.usage["index_reads aaa/by-day"] == f"rate(ConsumedReadCapacityUnits{{{dimensions}}})"
    assert found.observed["index_reads aaa/by-day"].limit == 9.0
    assert found.calls.count("dynamodb:DescribeTable") == 2


async def test_parts_of_a_fact_that_could_not_be_read_are_unknown() -> None:
    tables = {"aaa": table(GlobalSecondaryIndexes=[{"IndexName": "xxx", "IndexSizeBytes": 1}])}
    found = await run(TABLES, list_tables={"TableNames": ["aaa", "bbb"]}, describe_table=by_parameter(tables))
    assert found.usage["tables"] == 2.0
    assert found.usage["indexes bbb"] == "unobservable: not all could be read: index"
    assert found.usage["reads bbb"] == "rate(ConsumedReadCapacityUnits{TableName=bbb})"
    assert [found.usage["indexes aaa"], found.usage["index_sizes aaa"]] == [1.0, 1.0]
    assert "size bbb" not in found.usage
    assert found.failures == ["bbb: AccessDeniedException"]


async def test_a_number_where_a_list_is_expected_makes_the_parts_unknown() -> None:
    text = TABLES.replace("list: {fact: indexes}", "list: {fact: size}")
    declaration = parse_declaration(text.encode(), "demo.yaml")
    problems = [sentence for _, sentence in model_problems(declaration)]
    assert problems == ["expected a list, found LongObject (long)"]
    aws = FakeAws(list_tables={"TableNames": ["aaa"]}, describe_table=table(TableSizeBytes=9))
    found = await aws.run_all_scans(collector_of(declaration))
    assert usage_text(found["indexes", "aaa"].usage) == "unobservable: not all could be read: index"
    assert found["size", "aaa"].usage == 9.0
    assert [one.resource for one in aws.scan.failures] == ["aaa"]


async def test_an_item_that_a_condition_cannot_read_costs_itself() -> None:
    text = """
service: demo
namespace: AWS/ApplicationELB
resources:
  load_balancer:
    list: {call: elbv2.DescribeLoadBalancers, items: LoadBalancers}
    id: LoadBalancerName
    where: starts_with(DNSName, 'internal')
    facts: {vpc: VpcId, scheme: length(Scheme)}
signals:
  load_balancers: {usage: count(load_balancer)}
  scheme: {resource: load_balancer, usage: scheme}
"""
    named = {"LoadBalancerName": "a", "DNSName": "internal-a", "Scheme": "internal"}
    other = {"LoadBalancerName": "b", "DNSName": "b", "Scheme": "internal"}
    items = [named, other, {"LoadBalancerName": "c"}]
    found = await run(text, describe_load_balancers={"LoadBalancers": items})
    assert found.usage == {"scheme a": 8.0} | unread("load_balancer", "load_balancers")
    assert [one.partition(":")[0] for one in found.failures] == ["c"]
    assert found.errors == []


async def test_pages_after_the_first_get_no_parameters_that_aws_refuses_beside_a_token() -> None:
    text = """
service: demo
namespace: AWS/Kinesis
resources:
  stream: {list: {call: kinesis.ListStreams, items: StreamNames}}
  shard:
    parent: stream
    list: {call: kinesis.ListShards, first: {StreamName: "{stream}"}, items: Shards}
    id: ShardId
signals:
  shards: {resource: stream, usage: count(shard)}
"""
    keys: Any = {"HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"}}
    numbers: Any = {"SequenceNumberRange": {"StartingSequenceNumber": "0"}}
    pages = [{"Shards": [{"ShardId": name} | keys | numbers]} for name in ("one", "two", "three")]
    streams = {"StreamNames": ["orders"], "HasMoreStreams": False}
    found = await run(text, list_streams=streams, list_shards=[pages[0], {"Shards": []}, *pages[1:]])
    assert found.usage == {"shards orders": 3.0}
    refused = await run(text.replace("first:", "params:"), list_streams=streams, list_shards=pages)
    assert refused.usage == unread("shard", "shards orders")
    assert [one.partition(":")[0] for one in refused.failures] == ["orders"]


QUEUES = """
service: demo
namespace: AWS/SQS
metrics:
  NumberOfMessagesSent: {stat: Sum}
resources:
  queue:
    list: {call: sqs.ListQueues, params: {MaxResults: 1000}, items: QueueUrls}
    id: after(@, 'https://sqs/')
    facts: {url: "@"}
    calls:
      - call: sqs.GetQueueAttributes
        params: {QueueUrl: "{url}", AttributeNames: [All]}
        facts: {delay: to_number(Attributes.DelaySeconds), policy: Attributes.Policy}
    dimensions: {QueueName: "{queue}", Region: "{region}/{account_id}"}
signals:
  sent:
    resource: queue
    usage: NumberOfMessagesSent
  hidden:
    resource: queue
    unobservable: {reason: it is hidden, enable: "aws show --queue={queue} --url {url} --policy={policy}"}
  delay:
    resource: queue
    when: (delay or 0) >= 0
    usage: delay
"""
NAMES = ["a/b", "{url}", "{queue}", "it's", 'a "b" c', "$(reboot)", "a b", "-x", "%2F", "a;b", "{}", "\\1"]


async def test_names_with_special_characters_stay_as_they_are() -> None:
    asked = []

    def attributes(QueueUrl: str, **_: Any) -> Any:
        asked.append(QueueUrl)
        return {"Attributes": {"DelaySeconds": "3", "Policy": "p"}}

    urls = {"QueueUrls": [f"https://sqs/{name}" for name in NAMES]}
    found = await run(QUEUES, list_queues=urls, get_queue_attributes=attributes)
    assert sorted(asked) == sorted(urls["QueueUrls"])
    for name in NAMES:
        sent = found.observed[f"sent {name}"]
        assert sent.resource.path == (name,)
        metric = next(sent.usage.metrics) if isinstance(sent.usage, Usage) else None
        assert metric and dict(metric.dimensions) == {"QueueName": name, "Region": "eu-west-1/123456789012"}
        hidden = found.observed[f"hidden {name}"].usage
        assert isinstance(hidden, Unobservable) and hidden.enable_command
        words = ["aws", "show", f"--queue={name}", "--url", f"https://sqs/{name}", "--policy=p"]
        assert shlex.split(hidden.enable_command) == words


async def test_a_command_without_a_value_is_left_out() -> None:
    found = await run(
        QUEUES, list_queues={"QueueUrls": ["https://sqs/a"]}, get_queue_attributes={"Attributes": {}}
    )
    assert found.usage == {
        "sent a": "NumberOfMessagesSent{QueueName=a, Region=eu-west-1/123456789012}",
        "hidden a": "unobservable: it is hidden",
        "delay a": "unobservable: AWS returned no delay",
    }
    assert (found.errors, found.failures) == ([], [])


async def test_a_text_where_a_number_is_expected_is_reported_for_the_resource() -> None:
    text = QUEUES.replace("to_number(Attributes.DelaySeconds)", "Attributes.DelaySeconds")

    def attributes(QueueUrl: str, **_: Any) -> Any:
        return {"Attributes": {"DelaySeconds": "3"} if QueueUrl.endswith("a") else {}}

    urls = {"QueueUrls": ["https://sqs/a", "https://sqs/b"]}
    found = await run(text, list_queues=urls, get_queue_attributes=attributes)
    assert "delay b" in found.usage
    assert "delay a" not in found.usage
    assert [one.partition(":")[0] for one in found.failures] == ["a"]


async def test_a_metric_with_a_dimension_that_could_not_be_read_keeps_its_former_series() -> None:
    text = QUEUES.replace('Region: "{region}/{account_id}"', 'Policy: "{policy}"')
    urls = {"QueueUrls": ["https://sqs/a", "https://sqs/b"]}

    def attributes(QueueUrl: str, **_: Any) -> Any:
        return denied() if QueueUrl.endswith("a") else {"Attributes": {"DelaySeconds": "1", "Policy": "p"}}

    found = await run(text, list_queues=urls, get_queue_attributes=attributes)
    assert found.usage["sent b"] == "NumberOfMessagesSent{Policy=p, QueueName=b}"
    assert "sent a" not in found.usage
    assert found.failures == ["a: AccessDeniedException"]


async def test_series_come_before_the_last_resource_is_described() -> None:
    names = [f"q{number:03}" for number in range(100)]
    described: list[str] = []

    def attributes(QueueUrl: str, **_: Any) -> Any:
        described.append(QueueUrl)
        return {"Attributes": {"DelaySeconds": "3"}}

    urls = {"QueueUrls": [f"https://sqs/{name}" for name in names]}
    aws = FakeAws(list_queues=urls, get_queue_attributes=attributes)
    (scan,) = collector_of(parse_declaration(QUEUES.encode(), "demo.yaml")).scans
    described_at = {one.resource.path[0]: len(described) async for one in scan(aws.scan)}
    assert [name for name in names if described_at[name] > 40] == names[40 - 8 :] or described_at["q000"] < 20
    assert described_at["q000"] < 20
    assert described_at["q099"] == 100


ACCOUNT = """
service: demo
namespace: AWS/DynamoDB
metrics:
  AccountMaxReads: {stat: Maximum}
resources:
  account:
    calls:
      - call: dynamodb.DescribeLimits
        facts: {reads: AccountMaxReadCapacityUnits, class: TableMaxReadCapacityUnits}
      - call: dynamodb.DescribeEndpoints
        when: reads > 0
        facts: {endpoint: "Endpoints[0].Address"}
    values: {half: reads / 2, quarter: half / 2}
    dimensions: {Class: "{class}"}
  table: {list: {call: dynamodb.ListTables, items: TableNames}}
  backup: {list: {call: dynamodb.ListBackups, items: BackupSummaries}, id: BackupArn}
signals:
  account_reads: {usage: AccountMaxReads}
  quarter: {usage: quarter}
  backups: {usage: count(backup)}
  tables:
    usage: count(table)
    bound: {reason: some are elsewhere, enable: "curl {endpoint}"}
"""


async def test_facts_of_the_whole_account_are_there_for_whatever_names_them() -> None:
    answers = {
        "describe_limits": {"AccountMaxReadCapacityUnits": 80, "TableMaxReadCapacityUnits": 40},
        "describe_endpoints": {"Endpoints": [{"Address": "host", "CachePeriodInMinutes": 1}]},
        "list_tables": {"TableNames": ["aaa"]},
        "list_backups": {"BackupSummaries": []},
    }
    found = await run(ACCOUNT, **answers)
    assert (found.errors, found.failures) == ([], [])
    assert found.usage == {
        "account_reads": "AccountMaxReads{Class=40}",
        "quarter": 20.0,
        "tables": 1.0,
        "backups": 0.0,
    }
    reason = found.observed["tables"].bound_reason
    assert reason and reason.enable_command == "curl host"
    assert {call: found.calls.count(call) for call in found.calls} == dict.fromkeys(found.calls, 1)


async def test_a_call_for_the_whole_account_that_is_denied_costs_what_uses_its_facts() -> None:
    lists = {"list_tables": {"TableNames": ["aaa"]}, "list_backups": {"BackupSummaries": []}}
    found = await run(ACCOUNT, **lists, describe_limits=denied())
    assert found.usage["tables"] == 1.0
    assert found.usage["backups"] == 0.0
    assert found.usage["quarter"] == "unobservable: AWS returned no quarter"
    assert found.errors == ["AccessDeniedException"]


async def test_parts_of_a_service_fail_apart() -> None:
    found = await run(ACCOUNT, list_backups={"BackupSummaries": []}, describe_limits=denied())
    assert found.usage["backups"] == 0.0
    assert found.usage["tables"] == "unobservable: not all could be read: table"
    assert found.errors == ["AccessDeniedException", "AccessDeniedException"]


def counted(number: int) -> dict[str, Any]:
    """Load balancers, of which half have two listeners, one of them with rules, and target groups."""
    names = [f"{one:05}" for one in range(number)]

    def parts(LoadBalancerArn: str) -> Any:
        even = int(LoadBalancerArn) % 2 == 0
        return denied() if even else listeners(f"{LoadBalancerArn}-1", f"{LoadBalancerArn}-2")

    return {
        "describe_load_balancers": {"LoadBalancers": [{"LoadBalancerName": name} for name in names]},
        "describe_capacity_reservation": reservation(1),
        "describe_listeners": parts,
        "describe_rules": lambda ListenerArn: {"Rules": [{}]} if ListenerArn.endswith("1") else denied(),
        "describe_target_groups": target_groups(**{f"g{name}": name for name in names}),
        "describe_target_health": targets(1),
        "describe_trust_stores": {"TrustStores": []},
    }


def lines_of_the_engine(function: Callable[[], Any]) -> int:
    """The number of lines of the engine's code that a call runs, with those of comprehensions."""
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


def test_the_work_grows_with_the_number_of_resources_and_no_faster() -> None:
    few, many = (
        lines_of_the_engine(partial(asyncio.run, run(LOAD_BALANCERS, **counted(number))))
        for number in (50, 200)
    )
    assert many < 4.4 * few


async def test_twenty_thousand_resources_of_one_list_are_counted() -> None:
    pages = [{"TableNames": [f"t{page}-{one}" for one in range(100)]} for page in range(200)]
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
    found = await run(text, list_tables=pages)
    assert found.usage["tables"] == 20_000.0
    assert len(found.usage) == 20_001
