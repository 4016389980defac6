"""The scans of declared services: unusual and failed answers, special characters, facts of the account."""

import shlex
from typing import Any

import pytest

from collectors.base import Unobservable, Usage
from collectors.botocore_problems import botocore_problems
from collectors.declaration_file import parse_declaration
from collectors.declared import collector_of
from tests.collectors.declared_cases import usage_text
from tests.collectors.declared_runs import Run, by_parameter, run, unobservable_usages
from tests.fake_aws import FakeAws, denied


async def test_a_reference_that_cannot_be_read_makes_the_counts_of_all_referred_resources_unknown() -> None:
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
        reference = {} if StreamName == "none" else {"KeyId": "orders"}
        keys = ("StreamName", "StreamARN", "StreamStatus")
        fixed: dict[str, Any] = {"RetentionPeriodHours": 1, "EnhancedMonitoring": [], "OpenShardCount": 1}
        fixed["StreamCreationTimestamp"] = "2026-01-01T00:00:00Z"
        return {"StreamDescriptionSummary": dict.fromkeys(keys, StreamName) | fixed | reference}

    async def run_with_streams(*names: str) -> Run:
        listed = {"StreamNames": [*names], "HasMoreStreams": False}
        # A stream without a reference does not refer to the table that is named `None`.
        tables = {"TableNames": ["None", "orders"]}
        return await run(text, list_tables=tables, list_streams=listed, describe_stream_summary=summary)

    all_read = await run_with_streams("one", "none")
    assert all_read.usage == {"streams": 2.0, "streams_of_table None": 0.0, "streams_of_table orders": 1.0}
    one_denied = await run_with_streams("one", "denied")
    names = ("streams_of_table None", "streams_of_table orders")
    assert one_denied.usage == {"streams": 2.0} | unobservable_usages("stream", *names)
    assert one_denied.failures == ["denied: AccessDeniedException"]


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
    """Return a response of DescribeTable."""
    return {"Table": facts}


async def test_parts_that_a_fact_holds_are_found_without_a_call() -> None:
    indexes = [{"IndexName": "by-day", "IndexSizeBytes": 5}, {"IndexName": "by-id", "IndexSizeBytes": 6}]
    first = table(GlobalSecondaryIndexes=indexes, TableSizeBytes=9)
    tables = {"aaa": first, "bbb": table(GlobalSecondaryIndexes=[])}
    result = await run(
        TABLES, list_tables={"TableNames": ["aaa", "bbb"]}, describe_table=by_parameter(tables)
    )
    assert [result.usage[name] for name in ("indexes aaa", "index_sizes aaa")] == [2.0, 11.0]
    assert [result.usage[name] for name in ("indexes bbb", "index_sizes bbb")] == [0.0, 0.0]
    dimensions = "GlobalSecondaryIndexName=by-day, TableName=aaa"
    assert result.usage["index_reads aaa/by-day"] == f"rate(ConsumedReadCapacityUnits{{{dimensions}}})"
    assert result.observed["index_reads aaa/by-day"].limit == 9.0
    assert result.calls.count("dynamodb:DescribeTable") == 2


async def test_parts_of_a_fact_that_could_not_be_read_are_unknown() -> None:
    tables = {"aaa": table(GlobalSecondaryIndexes=[{"IndexName": "xxx", "IndexSizeBytes": 1}])}
    result = await run(
        TABLES, list_tables={"TableNames": ["aaa", "bbb"]}, describe_table=by_parameter(tables)
    )
    assert result.usage["tables"] == 2.0
    assert result.usage["indexes bbb"] == "unobservable: not all could be read: index"
    assert result.usage["reads bbb"] == "rate(ConsumedReadCapacityUnits{TableName=bbb})"
    assert [result.usage["indexes aaa"], result.usage["index_sizes aaa"]] == [1.0, 1.0]
    assert "size bbb" not in result.usage
    assert result.failures == ["bbb: AccessDeniedException"]


async def test_parts_of_a_fact_that_aws_does_not_return_are_unknown() -> None:
    tables = {"aaa": table(TableSizeBytes=9)}
    result = await run(TABLES, list_tables={"TableNames": ["aaa"]}, describe_table=by_parameter(tables))
    assert result.usage["indexes aaa"] == "unobservable: not all could be read: index"
    assert result.usage["size aaa"] == 9.0
    assert (result.errors, result.failures) == ([], [])


async def test_a_number_in_place_of_a_list_makes_the_parts_unknown() -> None:
    text = TABLES.replace("list: {fact: indexes}", "list: {fact: size}")
    declaration = parse_declaration(text.encode(), "demo.yaml")
    problems = [sentence for _, sentence in botocore_problems(declaration)]
    assert problems == ["expected a list, found LongObject (long)"]
    aws = FakeAws(list_tables={"TableNames": ["aaa"]}, describe_table=table(TableSizeBytes=9))
    result = await aws.run_all_scans(collector_of(declaration))
    assert usage_text(result["indexes", "aaa"].usage) == "unobservable: not all could be read: index"
    assert result["size", "aaa"].usage == 9.0
    assert [failure.resource for failure in aws.scan.failures] == ["aaa"]


async def test_an_item_without_the_field_of_a_condition_makes_only_the_count_unknown() -> None:
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
    matching = {"LoadBalancerName": "a", "DNSName": "internal-a", "Scheme": "internal"}
    not_matching = {"LoadBalancerName": "b", "DNSName": "b", "Scheme": "internal"}
    items = [matching, not_matching, {"LoadBalancerName": "c"}]
    result = await run(text, describe_load_balancers={"LoadBalancers": items})
    assert result.usage == {"scheme a": 8.0} | unobservable_usages("load_balancer", "load_balancers")
    assert [failure.partition(":")[0] for failure in result.failures] == ["c"]
    assert result.errors == []


async def test_parameters_of_the_first_page_are_not_sent_beside_a_page_token() -> None:
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
    result = await run(text, list_streams=streams, list_shards=[pages[0], {"Shards": []}, *pages[1:]])
    assert result.usage == {"shards orders": 3.0}
    refused = await run(text.replace("first:", "params:"), list_streams=streams, list_shards=pages)
    assert refused.usage == unobservable_usages("shard", "shards orders")
    assert [failure.partition(":")[0] for failure in refused.failures] == ["orders"]


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
    requested = []

    def attributes(QueueUrl: str, **_: Any) -> Any:
        requested.append(QueueUrl)
        return {"Attributes": {"DelaySeconds": "3", "Policy": "p"}}

    urls = {"QueueUrls": [f"https://sqs/{name}" for name in NAMES]}
    result = await run(QUEUES, list_queues=urls, get_queue_attributes=attributes)
    assert sorted(requested) == sorted(urls["QueueUrls"])
    for name in NAMES:
        sent = result.observed[f"sent {name}"]
        assert sent.resource.path == (name,)
        metric = sent.usage.metrics[0] if isinstance(sent.usage, Usage) else None
        assert metric and dict(metric.dimensions) == {"QueueName": name, "Region": "eu-west-1/123456789012"}
        hidden = result.observed[f"hidden {name}"].usage
        assert isinstance(hidden, Unobservable) and hidden.enable_command
        words = ["aws", "show", f"--queue={name}", "--url", f"https://sqs/{name}", "--policy=p"]
        assert shlex.split(hidden.enable_command) == words


async def test_a_command_that_needs_a_missing_value_is_left_out() -> None:
    result = await run(
        QUEUES, list_queues={"QueueUrls": ["https://sqs/a"]}, get_queue_attributes={"Attributes": {}}
    )
    assert result.usage == {
        "sent a": "NumberOfMessagesSent{QueueName=a, Region=eu-west-1/123456789012}",
        "hidden a": "unobservable: it is hidden",
        "delay a": "unobservable: AWS returned no delay",
    }
    assert (result.errors, result.failures) == ([], [])


async def test_a_text_in_place_of_a_number_is_reported_for_the_resource() -> None:
    text = QUEUES.replace("to_number(Attributes.DelaySeconds)", "Attributes.DelaySeconds")

    def attributes(QueueUrl: str, **_: Any) -> Any:
        return {"Attributes": {"DelaySeconds": "3"} if QueueUrl.endswith("a") else {}}

    urls = {"QueueUrls": ["https://sqs/a", "https://sqs/b"]}
    result = await run(text, list_queues=urls, get_queue_attributes=attributes)
    assert "delay b" in result.usage
    assert "delay a" not in result.usage
    assert [failure.partition(":")[0] for failure in result.failures] == ["a"]


async def test_a_metric_with_a_dimension_that_could_not_be_read_yields_no_series_and_a_failure() -> None:
    text = QUEUES.replace('Region: "{region}/{account_id}"', 'Policy: "{policy}"')
    urls = {"QueueUrls": ["https://sqs/a", "https://sqs/b"]}

    def attributes(QueueUrl: str, **_: Any) -> Any:
        return denied() if QueueUrl.endswith("a") else {"Attributes": {"DelaySeconds": "1", "Policy": "p"}}

    result = await run(text, list_queues=urls, get_queue_attributes=attributes)
    assert result.usage["sent b"] == "NumberOfMessagesSent{Policy=p, QueueName=b}"
    assert "sent a" not in result.usage
    assert result.failures == ["a: AccessDeniedException"]


async def test_series_are_yielded_before_the_last_resource_is_described() -> None:
    names = [f"q{number:03}" for number in range(100)]
    described: list[str] = []

    def attributes(QueueUrl: str, **_: Any) -> Any:
        described.append(QueueUrl)
        return {"Attributes": {"DelaySeconds": "3"}}

    urls = {"QueueUrls": [f"https://sqs/{name}" for name in names]}
    aws = FakeAws(list_queues=urls, get_queue_attributes=attributes)
    (scan,) = collector_of(parse_declaration(QUEUES.encode(), "demo.yaml")).scans
    described_before = {observed.resource.path[0]: len(described) async for observed in scan(aws.scan)}
    assert described_before["q000"] < 20
    assert described_before["q099"] == 100


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


async def test_facts_of_the_whole_account_are_available_to_all_expressions() -> None:
    answers = {
        "describe_limits": {"AccountMaxReadCapacityUnits": 80, "TableMaxReadCapacityUnits": 40},
        "describe_endpoints": {"Endpoints": [{"Address": "host", "CachePeriodInMinutes": 1}]},
        "list_tables": {"TableNames": ["aaa"]},
        "list_backups": {"BackupSummaries": []},
    }
    result = await run(ACCOUNT, **answers)
    assert (result.errors, result.failures) == ([], [])
    assert result.usage == {
        "account_reads": "AccountMaxReads{Class=40}",
        "quarter": 20.0,
        "tables": 1.0,
        "backups": 0.0,
    }
    reason = result.observed["tables"].bounded_because
    assert reason and reason.enable_command == "curl host"
    assert {call: result.calls.count(call) for call in result.calls} == dict.fromkeys(result.calls, 1)


async def test_a_denied_call_for_the_whole_account_affects_signals_that_use_its_facts() -> None:
    lists = {"list_tables": {"TableNames": ["aaa"]}, "list_backups": {"BackupSummaries": []}}
    result = await run(ACCOUNT, **lists, describe_limits=denied())
    assert result.usage["tables"] == 1.0
    assert result.usage["backups"] == 0.0
    assert result.usage["quarter"] == "unobservable: could not be read: quarter"
    assert (result.errors, result.failures) == ([], ["AccessDeniedException"])


@pytest.mark.parametrize(("signal_field", "usage"), [("usage: quarter", 20.0), ("usage: minutes", 1.0)])
async def test_a_call_for_the_whole_account_is_made_for_values_and_calls_that_need_its_facts(
    signal_field: str, usage: float
) -> None:
    text = f"""
service: demo
namespace: AWS/DynamoDB
resources:
  account:
    calls:
      - {{call: dynamodb.DescribeLimits, facts: {{reads: AccountMaxReadCapacityUnits}}}}
      - call: dynamodb.DescribeEndpoints
        when: reads > 0
        facts: {{minutes: "Endpoints[0].CachePeriodInMinutes"}}
    values: {{half: reads / 2, quarter: half / 2}}
signals:
  one: {{{signal_field}}}
"""
    endpoints = {"Endpoints": [{"Address": "host", "CachePeriodInMinutes": 1}]}
    limits = {"AccountMaxReadCapacityUnits": 80}
    result = await run(text, describe_limits=limits, describe_endpoints=endpoints)
    assert result.usage == {"one": usage}


async def test_failed_calls_affect_only_signals_that_use_them() -> None:
    result = await run(ACCOUNT, list_backups={"BackupSummaries": []}, describe_limits=denied())
    assert result.usage["backups"] == 0.0
    assert result.usage["tables"] == "unobservable: not all could be read: table"
    assert (result.errors, result.failures) == (["AccessDeniedException"], ["AccessDeniedException"])


async def test_a_usage_that_is_known_only_by_an_upper_bound_is_shown_and_not_judged() -> None:
    result = await run(
        """
service: demo
namespace: AWS/NATGateway
metrics:
  ActiveConnectionCount: {stat: Maximum}
resources:
  gateway:
    list: {call: ec2.DescribeNatGateways, items: NatGateways}
    id: NatGatewayId
    dimensions: {NatGatewayId: "{gateway}"}
signals:
  connections:
    resource: gateway
    upper_bound: ActiveConnectionCount
    judged: false
    limit: 55000
""",
        describe_nat_gateways={"NatGateways": [{"NatGatewayId": "nat-1"}]},
    )
    observed = result.observed["connections nat-1"]
    assert observed.upper_bound
    assert usage_text(observed.upper_bound) == "ActiveConnectionCount{NatGatewayId=nat-1}"
    assert result.usage["connections nat-1"] == "0 * ActiveConnectionCount{NatGatewayId=nat-1}"
    assert not observed.judged


async def test_a_value_of_the_account_that_cannot_be_computed_is_an_error() -> None:
    text = ACCOUNT.replace("half: reads / 2", "half: reads + partition")
    limits = {"AccountMaxReadCapacityUnits": 80, "TableMaxReadCapacityUnits": 40}
    result = await run(text, describe_limits=limits, describe_endpoints={"Endpoints": []})
    assert result.usage["quarter"] == "unobservable: could not be read: quarter"
    assert any("expected a number, found str" in error for error in result.errors)


async def test_a_condition_on_parts_that_could_not_be_read_gives_no_series() -> None:
    text = TABLES.replace(
        "{resource: table, usage: size}", "{resource: table, when: count(index) < 2, usage: size}"
    )
    answers = {"aaa": table(GlobalSecondaryIndexes=[], TableSizeBytes=9), "bbb": table(TableSizeBytes=9)}
    result = await run(text, list_tables={"TableNames": ["aaa", "bbb"]}, describe_table=by_parameter(answers))
    assert {name for name in result.usage if name.startswith("size")} == {"size aaa"}
