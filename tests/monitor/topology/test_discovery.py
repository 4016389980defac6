"""Request paths that AWS tells: what is read, what is proposed, and that the proposal can be read back."""

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
    """Both clients of API Gateway have an operation of this name."""
    if "restApiId" in params:
        return {"item": [{"stageName": "prod"}]}
    return {"Items": [{"StageName": "$default"}]}


def fake(**changed: Any) -> FakeAws:
    return FakeAws(**{**ANSWERS, "get_stages": stages, **changed})


async def proposed(aws: FakeAws, *services: str) -> tuple[PathFile, list[str]]:
    """The paths that are proposed, as they are read back from the file, and what could not be read."""
    links, failures = await find_links([(aws.cell, services or SERVICES)])
    read = parse_paths(as_yaml(propose_paths(links), {ACCOUNT_ID}).encode(), "paths.yaml")
    assert read.problems == [] and read.model
    return read.model, [*failures]


async def test_discovered_paths_are_proposed_in_a_file_that_can_be_read() -> None:
    file, failures = await proposed(fake())
    assert failures == []
    chains = {
        path.name: [f"{hop.service} {hop.resource}" for hop in path.ordered_hops] for path in file.paths
    }
    assert chains == {
        "mobile-$default".replace("$", "-").replace("--", "-"): ["apigateway h1/$default", "lambda feed"],
        "shop-prod": ["apigateway shop/prod", "lambda api"],
        "app-web-1": ["alb app/web/1", "autoscaling web"],
        "default-nightly": ["events default/nightly", "lambda report"],
        "default-hourly": ["scheduler default/hourly", "lambda report"],
        "media-in": ["s3 media/in/", "sns uploads", "sqs jobs", "lambda worker"],
    }
    assert {path.region for path in file.paths} == {REGION}
    assert {path.account for path in file.paths} == {None}


async def test_services_that_are_not_monitored_are_not_called() -> None:
    aws = fake()
    file, _ = await proposed(aws, "lambda")
    assert [path.name for path in file.paths] == ["jobs"]
    assert aws.calls == ["lambda:ListEventSourceMappings"] * 2


@pytest.mark.parametrize("reader", READERS, ids=lambda one: one.read.__name__)
async def test_a_reader_calls_what_it_declares_and_the_policy_allows(reader: Any) -> None:
    aws = fake(list_distributions={"DistributionList": DISTRIBUTIONS})
    aws.cell.scope = reader.scope
    await find_links([(aws.cell, [reader.service])])
    ours = [one for one in READERS if one.service == reader.service]
    declared = {":".join(call) for one in ours for call in one.calls}
    assert {*aws.calls} == declared
    assert aws.iam_actions == needed_actions([reader.service])


DISTRIBUTIONS = {
    "Marker": "",
    "MaxItems": 100,
    "IsTruncated": False,
    "Quantity": 0,
}


@pytest.mark.parametrize("reader", READERS, ids=lambda one: one.read.__name__)
async def test_each_denied_permission_is_one_sentence_and_the_others_are_read(reader: Any) -> None:
    denied = dict.fromkeys((name for _, name in reader.calls), None)
    answers = {name: fake().answers[name] for name in fake().answers}
    for operation in denied:
        answers[xform_name(operation)] = None
    aws = FakeAws(**answers)
    _, failures = await proposed(aws)
    if reader.service != "cloudfront":
        assert 0 < len(failures) <= 3
        assert all(one.startswith(f"{ACCOUNT_ID}/{REGION}: ") and "AccessDenied" in one for one in failures)
    assert len({*failures}) == len(failures)


async def test_calls_about_single_resources_are_bounded() -> None:
    aws = fake(list_rules={"Rules": [{"Name": f"r{number}"} for number in range(2 * MAX_CALLS)]})
    _, failures = await proposed(aws, "events")
    assert aws.calls.count("events:ListTargetsByRule") == MAX_CALLS
    assert failures == [f"{ACCOUNT_ID}/{REGION}: ListTargetsByRule was called {MAX_CALLS} times, and no more"]


async def test_odd_items_affect_only_themselves() -> None:
    odd = {
        "Subscriptions": [{"TopicArn": 5}, "text", {}, {"TopicArn": f"{TOPIC}:t", "Endpoint": f"{QUEUE}:q"}]
    }
    aws = FakeAws(malformed=True, list_subscriptions=odd)
    file, failures = await proposed(aws, "sns")
    assert [path.name for path in file.paths] == ["t"] and failures == []


def node(name: str) -> PathNode:
    return PathNode("lambda", name, ACCOUNT_ID, REGION)


names = st.integers(0, 8).map(str)


@given(st.lists(st.tuples(names, names), max_size=40))
def test_any_links_make_paths_that_can_be_read_and_have_no_cycle(pairs: list[tuple[str, str]]) -> None:
    links = [PathLink(node(source), node(target)) for source, target in pairs if source != target]
    paths = propose_paths(links)
    read = parse_paths(as_yaml(paths, {ACCOUNT_ID}).encode(), "paths.yaml")
    assert read.problems == [] and read.model
    assert len(read.model.paths) == len(paths)
    told = {(source.resource, target.resource) for source, target in links}
    for path in read.model.paths:
        assert {(one, name) for name, before in path.before.items() for one in before} <= told


def test_a_cycle_is_left_out_of_a_path_with_a_remark() -> None:
    links = [PathLink(node(a), node(b)) for a, b in (("in", "a"), ("a", "b"), ("b", "a"))]
    (path,) = propose_paths(links)
    assert [one.resource for one in path.hops] == ["in", "a", "b"]
    assert path.notes == ["lambda a leads to b, and back"]
    assert "# left out: lambda a leads to b, and back" in as_yaml([path], {ACCOUNT_ID})


def test_paths_of_several_accounts_and_regions_name_them() -> None:
    far = PathNode("sqs", "q", "999999999999", "us-east-1")
    text = as_yaml(propose_paths([PathLink(node("in"), far)]), {ACCOUNT_ID, far.account})
    read = parse_paths(text.encode(), "paths.yaml")
    assert read.model
    (path,) = read.model.paths
    assert (path.account, path.region) == (ACCOUNT_ID, REGION)
    assert (path.hops[1].account, path.hops[1].region) == (far.account, far.region)


def test_very_long_and_very_many_paths_are_bounded() -> None:
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
def test_odd_names_are_read_back(name: str) -> None:
    links = [PathLink(PathNode("s3", name, ACCOUNT_ID, REGION), node("f"))]
    read = parse_paths(as_yaml(propose_paths(links), {ACCOUNT_ID}).encode(), "paths.yaml")
    assert read.model, read.problems
    assert read.model.paths[0].hops[0].resource == name


@pytest.mark.parametrize(
    ("arn", "found"),
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
def test_an_arn_names_a_hop_or_none(arn: str, found: tuple[str, str] | None) -> None:
    assert (one := node_of_arn(arn)) is None or one[:2] == found
    assert (one is None) == (found is None)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        (INVOKE, ("lambda", "api")),
        (f"arn:aws:apigateway:{REGION}:sqs:path/{ACCOUNT_ID}/jobs", ("sqs", "jobs")),
        (f"{LAMBDA}:f", ("lambda", "f")),
        (f"arn:aws:apigateway:{REGION}:s3:path/b", None),
        ("https://example.org/functions/x/invocations", None),
        (INVOKE.replace(":api/", ":${stageVariables.fn}/"), ("lambda", "${stageVariables.fn}")),
    ],
)
def test_an_integration_names_a_hop_or_none(address: str, found: tuple[str, str] | None) -> None:
    one = node_of_integration(address)
    assert (one is None) == (found is None)
    assert one is None or one[:2] == found


async def test_distributions_lead_to_apis_and_buckets() -> None:
    origin = {"Id": "1", "DomainName": "r1.execute-api.eu-west-1.amazonaws.com", "OriginPath": "/prod"}
    bucket = {"Id": "2", "DomainName": "media.s3.eu-west-1.amazonaws.com", "OriginPath": ""}
    other = {"Id": "3", "DomainName": "example.org"}
    item = {"Id": "E1", "Origins": {"Quantity": 3, "Items": [origin, bucket, other]}}
    answer = {"DistributionList": DISTRIBUTIONS | {"Items": [item]}}
    aws = FakeAws(malformed=True, region="us-east-1", list_distributions=answer)
    aws.cell.scope = READERS[-1].scope
    links, failures = await find_links([(aws.cell, ["cloudfront"])])
    assert failures == []
    assert [(one.target.service, one.target.resource, one.target.region) for one in links] == [
        ("apigateway", "r1/prod", "eu-west-1"),
        ("s3", "media", "eu-west-1"),
    ]
    read = parse_paths(as_yaml(propose_paths(links), {ACCOUNT_ID}).encode(), "paths.yaml")
    assert read.problems == [] and read.model
    assert read.model.paths[0].region is None and read.model.paths[0].hops[1].region == "eu-west-1"
