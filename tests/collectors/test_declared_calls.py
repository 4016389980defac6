"""Calls of declared services that are made for several resources, or not in each inventory."""

from collections.abc import Mapping
from typing import Any

from collectors.declaration_file import parse_declaration
from collectors.declared import collector_of
from tests.collectors.declared_cases import usage_text
from tests.collectors.declared_runs import by_parameter, not_found_error, run
from tests.fake_aws import FakeAws

SERVICES = """
service: demo
namespace: AWS/ECS
resources:
  cluster:
    list: {call: ecs.ListClusters, items: clusterArns}
  service:
    parent: cluster
    list: {call: ecs.ListServices, params: {cluster: "{cluster}"}, items: serviceArns}
    calls:
      - call: ecs.DescribeServices
        params: {cluster: "{cluster}", services: ["{service}"]}
        batch: 2
        items: services
        match: serviceArn
        facts: {running: runningCount}
signals:
  running: {resource: service, usage: running}
"""


class Ecs:
    """Clusters with services.

    clusters: by cluster and service, the number of running tasks; None: calls do not describe the service.
    requested: the cluster and the services of each call. not_found: services for which calls raise an error.
    """

    def __init__(self, **clusters: Mapping[str, int | None]) -> None:
        self.clusters = clusters
        self.requested: list[tuple[str, list[str]]] = []
        self.not_found: set[str] = set()

    def answers(self) -> dict[str, Any]:
        return {
            "list_clusters": {"clusterArns": list(self.clusters)},
            "list_services": lambda cluster: {"serviceArns": list(self.clusters[cluster])},
            "describe_services": self.describe,
        }

    def describe(self, cluster: str, services: list[str]) -> Any:
        self.requested.append((cluster, services))
        if not self.not_found.isdisjoint(services):
            return not_found_error("ClusterNotFoundException")
        result = {name: self.clusters[cluster][name] for name in services}
        return {
            "services": [
                {"serviceArn": name, "runningCount": count}
                for name, count in reversed(result.items())
                if count is not None
            ]
        }


async def test_a_batch_describes_several_resources_of_one_parent() -> None:
    ecs = Ecs(a={"a1": 1, "a2": 2, "a11": 3})
    result = await run(SERVICES, **ecs.answers())
    assert result.usage == {"running a/a1": 1, "running a/a2": 2, "running a/a11": 3}
    assert ecs.requested == [("a", ["a1", "a2"]), ("a", ["a11"])]
    assert result.failures == []


async def test_a_batch_never_has_resources_of_two_parents() -> None:
    ecs = Ecs(a={"a1": 1}, b={"b1": 4, "b2": 5})
    result = await run(SERVICES, **ecs.answers())
    assert result.usage == {"running a/a1": 1, "running b/b1": 4, "running b/b2": 5}
    assert {(cluster, name[0]) for cluster, names in ecs.requested for name in names} == {
        ("a", "a"),
        ("b", "b"),
    }


async def test_a_batch_leaves_out_resources_that_are_excluded_or_need_no_call() -> None:
    text = SERVICES.replace("        batch: 2", "        when: arn != 'a3'\n        batch: 5")
    list_without_a2 = """items: serviceArns}
    where: "@ != 'a2'"
    facts: {arn: "@"}"""
    ecs = Ecs(a={"a1": 1, "a2": 2, "a3": 3})
    result = await run(text.replace("items: serviceArns}", list_without_a2), **ecs.answers())
    assert result.usage == {"running a/a1": 1, "running a/a3": "unobservable: AWS returned no running"}
    assert ecs.requested == [("a", ["a1"])]


async def test_a_parameter_that_resources_share_is_requested_once() -> None:
    text = SERVICES.replace('services: ["{service}"]', 'services: ["{shared}"]')
    text = text.replace(
        "items: serviceArns}",
        """items: serviceArns}
    facts: {shared: "before(@, '-')"}""",
    )
    ecs = Ecs(a={"a1-x": 0, "a1-y": 0, "a1-z": 0, "a1": 7})
    result = await run(text, **ecs.answers() | {"list_services": {"serviceArns": ["a1-x", "a1-y", "a1-z"]}})
    assert result.usage == {"running a/a1-x": 7, "running a/a1-y": 7, "running a/a1-z": 7}
    assert ecs.requested == [("a", ["a1"])]


async def test_calls_with_different_parameters_of_the_first_page_are_made_separately() -> None:
    text = """
service: demo
namespace: AWS/Kinesis
resources:
  stream:
    list: {call: kinesis.ListStreams, items: StreamNames}
    calls:
      - {call: kinesis.ListShards, first: {StreamName: "{stream}"}, items: Shards, facts: {shards: length(@)}}
signals:
  shards: {resource: stream, usage: shards}
"""
    keys = {"HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"}}
    shard = {"ShardId": "s", "SequenceNumberRange": {"StartingSequenceNumber": "0"}} | keys
    result = await run(
        text,
        list_streams={"StreamNames": ["a", "ab"], "HasMoreStreams": False},
        list_shards=lambda StreamName: {"Shards": [shard] * len(StreamName)},
    )
    assert result.usage == {"shards a": 1, "shards ab": 2}


async def test_a_resource_that_is_missing_in_the_response_counts_as_deleted() -> None:
    result = await run(SERVICES, **Ecs(a={"a1": 1, "a2": None}).answers())
    assert result.usage == {"running a/a1": 1}
    assert result.failures == []


TYPES = """
service: demo
namespace: AWS/EC2
resources:
  instance:
    list: {call: ec2.DescribeInstances, items: "Reservations[].Instances[]"}
    id: InstanceId
    facts: {type: InstanceType}
    calls:
      - call: ec2.DescribeInstanceTypes
        params: {InstanceTypes: ["{type}"]}
        batch: 100
        items: InstanceTypes
        match: InstanceType
        facts: {cores: VCpuInfo.DefaultVCpus}
signals:
  cores: {resource: instance, usage: cores}
"""


async def test_resources_whose_type_is_missing_in_the_response_do_not_count_as_deleted() -> None:
    names = {"i-1": "m5.large", "i-2": "x9.huge", "i-3": "m5.large"}
    described = [{"InstanceId": name, "InstanceType": type_} for name, type_ in names.items()]
    types = {"InstanceTypes": [{"InstanceType": "m5.large", "VCpuInfo": {"DefaultVCpus": 2}}]}
    result = await run(
        TYPES,
        describe_instances={"Reservations": [{"Instances": described}]},
        describe_instance_types=types,
    )
    unknown = "unobservable: AWS returned no cores"
    assert result.usage == {"cores i-1": 2, "cores i-2": unknown, "cores i-3": 2}
    assert result.calls.count("ec2:DescribeInstanceTypes") == 1


ADDRESSES = """
service: demo
namespace: AWS/EC2
resources:
  vpc:
    list: {call: ec2.DescribeVpcs, items: Vpcs}
    id: VpcId
    calls:
      - call: cloudwatch.GetMetricStatistics
        params:
          Namespace: AWS/EC2
          MetricName: NetworkAddressUsage
          Dimensions: [{Name: Per-VPC Metrics, Value: "{vpc}"}]
          StartTime: "{two_days_ago}"
          EndTime: "{now}"
          Period: 86400
          Statistics: [Maximum]
        facts: {addresses: "max(Datapoints[].Maximum)"}
signals:
  addresses: {resource: vpc, usage: addresses}
"""


async def test_a_metric_of_one_point_a_day_is_read_by_a_call() -> None:
    points = {"vpc-1": [{"Maximum": 40.0}, {"Maximum": 50.0}], "vpc-12": []}
    result = await run(
        ADDRESSES,
        describe_vpcs={"Vpcs": [{"VpcId": name} for name in points]},
        get_metric_statistics=lambda Dimensions, **_: {"Datapoints": points[Dimensions[0]["Value"]]},
    )
    assert result.usage == {
        "addresses vpc-1": 50,
        "addresses vpc-12": "unobservable: AWS returned no addresses",
    }


async def test_a_deleted_resource_affects_no_other_of_its_batch() -> None:
    ecs = Ecs(a={"a1": 1, "a2": 2})
    ecs.not_found = {"a2"}
    result = await run(SERVICES, **ecs.answers())
    assert result.usage == {"running a/a1": 1}
    assert result.failures == []
    assert ecs.requested == [("a", ["a1", "a2"]), ("a", ["a1"]), ("a", ["a2"])]


async def test_a_resource_with_an_invalid_id_affects_no_other_of_its_batch() -> None:
    text = """
service: demo
namespace: AWS/ES
resources:
  domain:
    list: {call: opensearch.ListDomainNames, items: DomainNames}
    id: DomainName
    calls:
      - call: opensearch.DescribeDomains
        params: {DomainNames: ["{domain}"]}
        batch: 5
        items: DomainStatusList
        match: DomainName
        facts: {nodes: ClusterConfig.InstanceCount}
signals:
  nodes: {resource: domain, usage: nodes}
"""

    def describe(DomainNames: list[str]) -> Any:
        common = {"DomainId": "1", "ARN": "arn:aws:es:domain", "ClusterConfig": {"InstanceCount": 3}}
        return {"DomainStatusList": [common | {"DomainName": name} for name in DomainNames]}

    domains = {"DomainNames": [{"DomainName": "x"}, {"DomainName": "logs"}]}  # x is too short
    result = await run(text, malformed=True, list_domain_names=domains, describe_domains=describe)
    assert result.usage == {"nodes logs": 3.0}
    assert result.failures == ["x: ParamValidationError"]


async def test_a_batch_that_fails_is_reported_for_each_of_its_resources() -> None:
    answers = Ecs(a={"a1": 1, "a2": 2}).answers() | {"describe_services": None}
    result = await run(SERVICES, **answers)
    assert result.usage == {}
    assert sorted(result.failures) == ["a/a1: AccessDeniedException", "a/a2: AccessDeniedException"]


async def test_an_item_of_a_batch_whose_facts_cannot_be_read_affects_only_itself() -> None:
    text = SERVICES.replace("running: runningCount", "running: length(deployments)")
    items: list[dict[str, Any]] = [{"serviceArn": "a1", "deployments": [{}]}, {"serviceArn": "a2"}]
    answers = Ecs(a={"a1": 1, "a2": 2}).answers() | {"describe_services": {"services": items}}
    result = await run(text, **answers)
    assert result.usage == {"running a/a1": 1}
    assert [failure.partition(":")[0] for failure in result.failures] == ["a/a2"]


async def test_a_condition_of_a_batch_that_cannot_be_evaluated_affects_only_its_resource() -> None:
    text = SERVICES.replace(
        "        batch: 2",
        "        when: arn + arn > 'a' if starts_with(arn, 'a1') else arn > 1\n        batch: 2",
    )
    text = text.replace("items: serviceArns}", 'items: serviceArns}\n    facts: {arn: "@"}')
    result = await run(text, **Ecs(a={"a1": 1, "a2": 2}).answers())
    assert result.usage == {"running a/a1": 1}
    assert [failure.partition(":")[0] for failure in result.failures] == ["a/a2"]
    assert result.errors == []


async def test_a_parameter_of_a_batch_that_aws_does_not_return_affects_only_its_resource() -> None:
    text = SERVICES.replace('services: ["{service}"]', 'services: ["{arn}"]')
    text = text.replace(
        "items: serviceArns}",
        """items: serviceArns}
    facts: {arn: "before(@, '.') && @"}""",
    )
    result = await run(text, **Ecs(a={"a.1": 1, "a2": 2}).answers())
    assert result.usage == {"running a/a.1": 1}
    assert [failure.partition(":")[0] for failure in result.failures] == ["a/a2"]


GROUPS = """
service: demo
namespace: AWS/RDS
resources:
  instance:
    list: {call: rds.DescribeDBInstances, items: DBInstances}
    id: DBInstanceIdentifier
    facts: {group: "DBParameterGroups[0].DBParameterGroupName"}
    calls:
      - call: rds.DescribeDBParameters
        params: {DBParameterGroupName: "{group}"}
        items: Parameters
        facts: {parameters: length(@)}
signals:
  parameters: {resource: instance, usage: parameters}
"""


def instances(**groups: str) -> dict[str, Any]:
    """Return a response of DescribeDBInstances: each instance with its parameter group."""
    return {
        "DBInstances": [
            {"DBInstanceIdentifier": name, "DBParameterGroups": [{"DBParameterGroupName": group}]}
            for name, group in groups.items()
        ]
    }


async def test_equal_calls_are_made_once() -> None:
    sizes = {"large": 3, "small": 1}
    result = await run(
        GROUPS,
        describe_db_instances=instances(a="large", b="small", c="large", d="none", e="none"),
        describe_db_parameters=lambda DBParameterGroupName: (
            {"Parameters": [{}] * sizes[DBParameterGroupName]} if DBParameterGroupName in sizes else None
        ),
    )
    assert result.usage == {"parameters a": 3, "parameters b": 1, "parameters c": 3}
    assert sorted(result.failures) == ["d: AccessDeniedException", "e: AccessDeniedException"]
    assert result.calls.count("rds:DescribeDBParameters") == 3


SNAPSHOTS = """
service: demo
namespace: AWS/EBS
resources:
  account:
    calls:
      - call: ec2.DescribeSnapshots
        items: Snapshots
        every: 86400
        facts: {snapshots: length(@)}
signals:
  snapshots: {usage: snapshots}
"""


async def test_a_call_with_every_is_repeated_only_after_so_many_seconds() -> None:
    aws = FakeAws(now=1e9, describe_snapshots={"Snapshots": [{}, {}]})
    (scan,) = collector_of(parse_declaration(SNAPSHOTS.encode(), "demo.yaml")).scans
    usages = []
    # The seconds since the previous scan, and the number of snapshots at this scan.
    for seconds, number in ((0, 2), (86_000, 3), (400, 4), (1, 5)):
        aws.now = (aws.now or 0) + seconds
        aws.answers["describe_snapshots"] = {"Snapshots": [{}] * number}
        usages += [observed.usage async for observed in scan(aws.scan)]
    assert usages == [2, 2, 4, 4]
    assert len(aws.calls) == 2


async def test_the_next_scan_repeats_a_failed_call() -> None:
    aws = FakeAws(now=1e9)
    (scan,) = collector_of(parse_declaration(SNAPSHOTS.encode(), "demo.yaml")).scans
    assert [observed.usage async for observed in scan(aws.scan)] != [2]
    aws.answers["describe_snapshots"] = {"Snapshots": [{}, {}]}
    assert [observed.usage async for observed in scan(aws.scan)] == [2]


INTERFACES = """
service: demo
namespace: AWS/EC2
metrics:
  Exceeded: {stat: Sum, dimensions: {Interface: "{interface}"}}
  Credits: {stat: Minimum}
resources:
  instance:
    list: {call: ec2.DescribeInstances, items: "Reservations[].Instances[]"}
    id: InstanceId
    facts: {interfaces: NetworkInterfaces}
    dimensions: {InstanceId: "{instance}"}
  interface:
    parent: instance
    list: {fact: interfaces}
    id: NetworkInterfaceId
signals:
  exceeded:
    resource: instance
    usage: sum(rise(one.Exceeded) for one in interface)
    throttled: sum(rise(one.Exceeded) for one in interface)
    published_limit: 100 if Credits > 0 else 10
"""


async def test_a_usage_may_sum_metrics_of_parts_and_a_limit_may_depend_on_a_metric() -> None:
    described = [
        {"InstanceId": "i-1", "NetworkInterfaces": [{"NetworkInterfaceId": id_} for id_ in ("e1", "e2")]},
        {"InstanceId": "i-12", "NetworkInterfaces": []},
    ]
    result = await run(INTERFACES, describe_instances={"Reservations": [{"Instances": described}]})
    assert result.usage == {
        "exceeded i-1": "sum(rise(Exceeded{Interface=e1}), rise(Exceeded{Interface=e2}))",
        "exceeded i-12": 0,
    }
    assert result.observed["exceeded i-1"].throttled == result.observed["exceeded i-1"].usage
    assert result.observed["exceeded i-12"].throttled is None
    assert usage_text(result.observed["exceeded i-1"].published_limit or 0) == (
        "10 + 90 * positive(Credits{InstanceId=i-1})"
    )


REPOSITORIES = """
service: demo
namespace: AWS/ECR
resources:
  repository:
    list: {call: ecr.DescribeRepositories, items: repositories}
    id: repositoryName
    calls:
      - call: ecr.GetLifecyclePolicy
        params: {repositoryName: "{repository}"}
        none_when: [LifecyclePolicyNotFoundException]
        facts: {policy: repositoryName}
signals:
  repositories: {usage: count(repository)}
  without_policy: {resource: repository, when: not policy, usage: 1}
"""


async def test_an_error_code_in_none_when_means_that_nothing_is_configured() -> None:
    answers = {"api": {"repositoryName": "api"}, "web": not_found_error("LifecyclePolicyNotFoundException")}
    result = await run(
        REPOSITORIES,
        describe_repositories={
            "repositories": [{"repositoryName": name} for name in ("api", "web", "web-old")]
        },
        get_lifecycle_policy=by_parameter(answers),
    )
    assert result.usage == {"repositories": 3, "without_policy web": 1}
    assert result.failures == ["web-old: AccessDeniedException"]
    assert result.deleted == set()


DOMAINS = """
service: demo
namespace: AWS/ES
metrics:
  IopsThrottle: {stat: Maximum, dimensions: {DomainName: "{domain}"}}
resources:
  domain:
    list: {call: opensearch.ListDomainNames, items: DomainNames}
    id: DomainName
signals:
  iops: {resource: domain, usage: IopsThrottle, saturated: IopsThrottle > 0}
"""


async def test_a_metric_may_show_that_demand_is_throttled_but_not_how_much() -> None:
    result = await run(DOMAINS, list_domain_names={"DomainNames": [{"DomainName": "logs"}]})
    throttled = result.observed["iops logs"].throttled
    assert throttled and usage_text(throttled) == "positive(IopsThrottle{DomainName=logs})"


EDGE = """
service: demo
namespace: AWS/Lambda
resources:
  function:
    list: {call: lambda.ListFunctions, region: home, items: Functions}
    id: FunctionName
    calls:
      - call: lambda.GetFunctionConcurrency
        params: {FunctionName: "{function}"}
        facts: {reserved: ReservedConcurrentExecutions}
signals:
  reserved: {resource: function, usage: reserved}
"""


async def test_a_list_with_region_home_is_requested_in_the_home_region() -> None:
    aws = FakeAws(
        list_functions={"Functions": [{"FunctionName": "auth"}]},
        get_function_concurrency={"ReservedConcurrentExecutions": 5},
    )
    (scan,) = collector_of(parse_declaration(EDGE.encode(), "demo.yaml")).scans
    assert [observed.usage async for observed in scan(aws.scan)] == [5]
    assert aws.regions == {("lambda", "us-east-1"), ("lambda", "eu-west-1")}
