"""Discovery of request paths: reading links from AWS, proposing paths, and parsing the file with them."""

from typing import Any

import pytest
from botocore import xform_name
from hypothesis import given
from hypothesis import strategies as st

from monitor.topology.arns import PathLink, PathNode, node_of_arn, node_of_integration
from monitor.topology.discovery import as_yaml, find_links, needed_actions, propose_paths
from monitor.topology.link_readers import READERS
from monitor.topology.link_scan import MAX_CALLS
from rules.path_file import MAX_HOPS, MAX_PATHS, PathFile, parse_paths
from tests.fake_aws import ACCOUNT_ID, FakeAws

REGION = "eu-west-1"
LAMBDA = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT_ID}"
BALANCER = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT_ID}:loadbalancer"
INVOKE = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{LAMBDA}:api/invocations"
SERVICES = ("lambda", "apigateway", "s3", "sns", "events", "scheduler", "alb", "cloudfront")

HTTP = {"ProtocolType": "HTTP", "RouteSelectionExpression": "$request.method $request.path"}

ANSWERS: dict[str, Any] = {
    "list_event_source_mappings": [
        {
            "EventSourceMappings": [
                {
                    "EventSourceArn": f"{QUEUE}:jobs",
                    "FunctionArn": f"{LAMBDA}:worker:live",
                    "State": "Enabled",
                },
                {"EventSourceArn": f"{QUEUE}:off", "FunctionArn": f"{LAMBDA}:worker", "State": "Disabled"},
            ]
        },
        {
            "EventSourceMappings": [
                {
                    "EventSourceArn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/orders/stream/2026",
                    "FunctionArn": f"{LAMBDA}:audit",
                }
            ]
        },
    ],
    "get_apis": {"Items": [{"ApiId": "h1", "Name": "mobile"} | HTTP]},
    "get_integrations": {"Items": [{"IntegrationUri": f"{LAMBDA}:feed"}, {"IntegrationUri": "http://x"}]},
    "get_rest_apis": {"items": [{"id": "r1", "name": "shop"}, {"id": "r2", "name": "mock"}]},
    "get_resources": lambda **params: {
        "items": [{"resourceMethods": {"POST": {"methodIntegration": {"uri": INVOKE}}}}]
        if params["restApiId"] == "r1"
        else [{}]
    },
    "list_buckets": {"Buckets": [{"Name": "media"}, {"Name": "plain"}]},
    "get_bucket_notification_configuration": lambda **params: (
        {
            "TopicConfigurations": [
                {
                    "TopicArn": f"{TOPIC}:uploads",
                    "Events": ["s3:ObjectCreated:*"],
                    "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}},
                }
            ]
        }
        if params["Bucket"] == "media"
        else {}
    ),
    "list_subscriptions": {
        "Subscriptions": [
            {"TopicArn": f"{TOPIC}:uploads", "Endpoint": f"{QUEUE}:jobs", "Protocol": "sqs"},
            {"TopicArn": f"{TOPIC}:uploads", "Endpoint": "someone@example.org", "Protocol": "email"},
        ]
    },
    "list_event_buses": {"EventBuses": [{"Name": "default"}]},
    "list_rules": {"Rules": [{"Name": "nightly", "State": "ENABLED"}, {"Name": "off", "State": "DISABLED"}]},
    "list_targets_by_rule": {"Targets": [{"Id": "1", "Arn": f"{LAMBDA}:report"}]},
    "list_schedules": {
        "Schedules": [{"GroupName": "default", "Name": "hourly", "Target": {"Arn": f"{LAMBDA}:report"}}]
    },
    "describe_target_groups": {
        "TargetGroups": [{"TargetGroupArn": "tg1", "LoadBalancerArns": [f"{BALANCER}/app/web/1"]}]
    },
    "describe_auto_scaling_groups": {
        "AutoScalingGroups": [
            {
                "AutoScalingGroupName": "web",
                "MinSize": 1,
                "MaxSize": 2,
                "DesiredCapacity": 1,
                "DefaultCooldown": 1,
                "AvailabilityZones": ["a"],
                "HealthCheckType": "EC2",
                "CreatedTime": 0,
                "TargetGroupARNs": ["tg1", "tg2"],
            }
        ]
    },
}


def stages(**params: str) -> Any:
    """Answer `get_stages`, an operation that both clients of API Gateway have."""
    if "restApiId" in params:
        return {"item": [{"stageName": "prod"}]}
    return {"Items": [{"StageName": "$default"}]}


def aws_with(**changed: Any) -> FakeAws:
    return FakeAws(**{**ANSWERS, "get_stages": stages, **changed})


async def proposed_file(aws: FakeAws, *services: str) -> tuple[PathFile, list[str]]:
    """Return the file with the proposed paths, parsed, and the failures of the calls."""
    links, failures = await find_links([(aws.cell, services or SERVICES)])
    parsed = parse_paths(as_yaml(propose_paths(links), {ACCOUNT_ID}).encode(), "paths.yaml")
    assert parsed.problems == [] and parsed.model
    return parsed.model, [*failures]


async def test_discovered_paths_are_proposed_in_a_file_that_can_be_parsed() -> None:
    file, failures = await proposed_file(aws_with())
    assert failures == []
    chains = {
        path.name: [f"{hop.service} {hop.resource}" for hop in path.ordered_hops] for path in file.paths
    }
    assert chains == {
        "mobile-default": ["apigateway h1/$default", "lambda feed"],
        "shop-prod": ["apigateway shop/prod", "lambda api"],
        "app-web-1": ["alb app/web/1", "autoscaling web"],
        "default-nightly": ["events default/nightly", "lambda report"],
        "default-hourly": ["scheduler default/hourly", "lambda report"],
        "media-in": ["s3 media/in/", "sns uploads", "sqs jobs", "lambda worker"],
    }
    assert {path.region for path in file.paths} == {REGION}
    assert {path.account for path in file.paths} == {None}


async def test_services_that_are_not_monitored_are_not_called() -> None:
    aws = aws_with()
    file, _ = await proposed_file(aws, "lambda")
    assert [path.name for path in file.paths] == ["jobs"]
    assert aws.calls == ["lambda:ListEventSourceMappings"] * 2


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.read.__name__)
async def test_a_reader_makes_its_declared_calls_and_the_policy_allows_them(reader: Any) -> None:
    aws = aws_with(list_distributions={"DistributionList": DISTRIBUTIONS})
    aws.cell.scope = reader.scope
    await find_links([(aws.cell, [reader.service])])
    service_readers = [other for other in READERS if other.service == reader.service]
    declared = {":".join(call) for service_reader in service_readers for call in service_reader.calls}
    assert {*aws.calls} == declared
    assert aws.iam_actions == needed_actions([reader.service])


DISTRIBUTIONS = {
    "Marker": "",
    "MaxItems": 100,
    "IsTruncated": False,
    "Quantity": 0,
}


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.read.__name__)
async def test_each_denied_call_is_reported_once(reader: Any) -> None:
    # A fake AWS denies a call whose answer is None.
    denied_answers = dict.fromkeys(xform_name(operation) for _, operation in reader.calls)
    aws = FakeAws(**{**aws_with().answers, **denied_answers})
    _, failures = await proposed_file(aws)
    if reader.service != "cloudfront":
        assert 0 < len(failures) <= 3
        assert all(
            sentence.startswith(f"{ACCOUNT_ID}/{REGION}: ") and "AccessDenied" in sentence
            for sentence in failures
        )
    assert len({*failures}) == len(failures)


async def test_calls_about_single_resources_are_bounded() -> None:
    aws = aws_with(list_rules={"Rules": [{"Name": f"r{number}"} for number in range(2 * MAX_CALLS)]})
    _, failures = await proposed_file(aws, "events")
    assert aws.calls.count("events:ListTargetsByRule") == MAX_CALLS
    assert failures == [
        f"{ACCOUNT_ID}/{REGION}: ListTargetsByRule was called {MAX_CALLS} times; further calls are left out"
    ]


async def test_malformed_items_are_skipped() -> None:
    malformed = {
        "Subscriptions": [{"TopicArn": 5}, "text", {}, {"TopicArn": f"{TOPIC}:t", "Endpoint": f"{QUEUE}:q"}]
    }
    aws = FakeAws(malformed=True, list_subscriptions=malformed)
    file, failures = await proposed_file(aws, "sns")
    assert [path.name for path in file.paths] == ["t"] and failures == []


def node(name: str) -> PathNode:
    return PathNode("lambda", name, ACCOUNT_ID, REGION)


names = st.integers(0, 8).map(str)


@given(st.lists(st.tuples(names, names), max_size=40))
def test_paths_of_any_links_can_be_parsed_and_have_no_cycle(pairs: list[tuple[str, str]]) -> None:
    links = [PathLink(node(source), node(target)) for source, target in pairs if source != target]
    paths = propose_paths(links)
    parsed = parse_paths(as_yaml(paths, {ACCOUNT_ID}).encode(), "paths.yaml")
    assert parsed.problems == [] and parsed.model
    assert len(parsed.model.paths) == len(paths)
    link_names = {(source.resource, target.resource) for source, target in links}
    for path in parsed.model.paths:
        links_of_path = {
            (previous, name) for name, predecessors in path.predecessors.items() for previous in predecessors
        }
        assert links_of_path <= link_names


def test_a_link_that_closes_a_cycle_is_left_out_with_a_note() -> None:
    links = [PathLink(node(a), node(b)) for a, b in (("in", "a"), ("a", "b"), ("b", "a"))]
    (path,) = propose_paths(links)
    assert [hop.resource for hop in path.hops] == ["in", "a", "b"]
    assert path.notes == ["lambda a leads to b, and back"]
    assert "# left out: lambda a leads to b, and back" in as_yaml([path], {ACCOUNT_ID})


def test_a_hop_in_another_account_and_region_names_its_account_and_region() -> None:
    remote = PathNode("sqs", "q", "999999999999", "us-east-1")
    text = as_yaml(propose_paths([PathLink(node("in"), remote)]), {ACCOUNT_ID, remote.account})
    parsed = parse_paths(text.encode(), "paths.yaml")
    assert parsed.model
    (path,) = parsed.model.paths
    assert (path.account, path.region) == (ACCOUNT_ID, REGION)
    assert (path.hops[1].account, path.hops[1].region) == (remote.account, remote.region)


def test_the_number_of_hops_and_the_number_of_paths_are_bounded() -> None:
    chain = [PathLink(node(f"f{n}"), node(f"f{n + 1}")) for n in range(2 * MAX_HOPS)]
    (path,) = propose_paths(chain)
    assert len(path.hops) == MAX_HOPS and path.notes
    many = [PathLink(node(f"a{n}"), node(f"b{n}")) for n in range(MAX_PATHS + 5)]
    text = as_yaml(propose_paths(many), {ACCOUNT_ID})
    assert parse_paths(text.encode(), "paths.yaml").problems == []
    assert "# 5 more paths are left out" in text


@pytest.mark.parametrize(
    "name", ["a: b", "x#y", "- z", "é", "'", '"', "a" * 300, "true", "12345", "%", "{{x}}"]
)
def test_names_that_yaml_would_misread_are_parsed_back_unchanged(name: str) -> None:
    links = [PathLink(PathNode("s3", name, ACCOUNT_ID, REGION), node("f"))]
    parsed = parse_paths(as_yaml(propose_paths(links), {ACCOUNT_ID}).encode(), "paths.yaml")
    assert parsed.model, parsed.problems
    assert parsed.model.paths[0].hops[0].resource == name


@pytest.mark.parametrize(
    ("arn", "service_and_resource"),  # None: no hop
    [
        (f"{LAMBDA}:f:PROD", ("lambda", "f")),
        (f"{QUEUE}:q.fifo", ("sqs", "q.fifo")),
        (f"arn:aws-cn:kinesis:cn-north-1:{ACCOUNT_ID}:stream/s/consumer/c:1", ("kinesis", "s")),
        (f"arn:aws:firehose:{REGION}:{ACCOUNT_ID}:deliverystream/d", ("firehose", "d")),
        (f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:m", ("states", "m")),
        (f"{BALANCER}/net/tcp/1", None),
        (f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:g", None),
        ("someone@example.org", None),
        ("", None),
        ("arn:aws:sqs:" + "x" * 5000, None),
    ],
)
def test_an_arn_is_resolved_to_a_hop_or_none(arn: str, service_and_resource: tuple[str, str] | None) -> None:
    found = node_of_arn(arn)
    assert (found and found[:2]) == service_and_resource


@pytest.mark.parametrize(
    ("address", "service_and_resource"),
    [
        (INVOKE, ("lambda", "api")),
        (f"arn:aws:apigateway:{REGION}:sqs:path/{ACCOUNT_ID}/jobs", ("sqs", "jobs")),
        (f"{LAMBDA}:f", ("lambda", "f")),
        (f"arn:aws:apigateway:{REGION}:s3:path/b", None),
        ("https://example.org/functions/x/invocations", None),
        (INVOKE.replace(":api/", ":${stageVariables.fn}/"), ("lambda", "${stageVariables.fn}")),
    ],
)
def test_an_integration_is_resolved_to_a_hop_or_none(
    address: str, service_and_resource: tuple[str, str] | None
) -> None:
    found = node_of_integration(address)
    assert (found and found[:2]) == service_and_resource


async def test_distributions_are_linked_to_their_apis_and_buckets() -> None:
    origin = {"Id": "1", "DomainName": "r1.execute-api.eu-west-1.amazonaws.com", "OriginPath": "/prod"}
    bucket = {"Id": "2", "DomainName": "media.s3.eu-west-1.amazonaws.com", "OriginPath": ""}
    other = {"Id": "3", "DomainName": "example.org"}
    item = {"Id": "E1", "Origins": {"Quantity": 3, "Items": [origin, bucket, other]}}
    answer = {"DistributionList": DISTRIBUTIONS | {"Items": [item]}}
    aws = FakeAws(malformed=True, region="us-east-1", list_distributions=answer)
    aws.cell.scope = READERS[-1].scope
    links, failures = await find_links([(aws.cell, ["cloudfront"])])
    assert failures == []
    assert [(link.target.service, link.target.resource, link.target.region) for link in links] == [
        ("apigateway", "r1/prod", "eu-west-1"),
        ("s3", "media", "eu-west-1"),
    ]
    parsed = parse_paths(as_yaml(propose_paths(links), {ACCOUNT_ID}).encode(), "paths.yaml")
    assert parsed.problems == [] and parsed.model
    assert parsed.model.paths[0].region is None and parsed.model.paths[0].hops[1].region == "eu-west-1"
