"""Tags of resources as labels of their series, in all services."""

from typing import Any

import pytest

from collectors.registry import TAGS
from collectors.tags import resource_type
from monitor.alerting.blind_text import iam_action
from monitor.config.config import Config
from monitor.fleet.key import Key
from monitor.lib.telemetry import ProcessTelemetry
from monitor.polling.cell_watcher import CellWatcher
from monitor.polling.reader import MetricReader
from tests.fake_aws import ACCOUNT_ID, denied
from tests.kinesis_answers import stream_summary
from tests.monitor.polling.inventories import (
    BY_SERVICE,
    FakeAccount,
    account_settings,
    functions,
    inventory_of,
    queues,
    quota,
    streams,
)
from tests.registries import METRIC_SERVICES, REGISTRY

REGION_AND_ACCOUNT = f"eu-west-1:{ACCOUNT_ID}"
SHARD = {
    "ShardId": "shardId-0",
    "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
    "SequenceNumberRange": {"StartingSequenceNumber": "0"},
}
ARNS = {
    "kinesis": f"arn:aws:kinesis:{REGION_AND_ACCOUNT}:stream/orders",
    "lambda": f"arn:aws:lambda:{REGION_AND_ACCOUNT}:function:orders",
    "sqs": f"arn:aws:sqs:{REGION_AND_ACCOUNT}:orders",
    "s3": "arn:aws:s3:::orders",
}
REST_APIS = {"items": [{"id": "r1", "name": "orders", "tags": {"team": "data"}}]}
STAGES = {"item": [{"stageName": "prod", "methodSettings": {"*/*": {"throttlingRateLimit": 9.0}}}]}
GROUP = {
    "AutoScalingGroupName": "orders",
    "MinSize": 1,
    "MaxSize": 9,
    "DesiredCapacity": 1,
    "DefaultCooldown": 0,
    "HealthCheckType": "EC2",
    "AvailabilityZones": ["a"],
    "CreatedTime": "2026-01-01T00:00:00Z",
    "Tags": [{"Key": "team", "Value": "data"}],
}
ANSWERS: dict[str, dict[str, Any]] = {
    "kinesis": streams(orders=1)
    | {
        "describe_stream_summary": lambda StreamName: stream_summary(
            StreamName, 1, EnhancedMonitoring=[{"ShardLevelMetrics": ["ALL"]}]
        ),
        "list_shards": {"Shards": [SHARD]},
    },
    "lambda": functions("orders") | {"get_account_settings": account_settings(1000)},
    "sqs": queues("orders"),
    "s3": {
        "list_buckets": {"Buckets": [{"Name": "orders", "BucketRegion": "eu-west-1"}]},
        "list_bucket_metrics_configurations": {
            "MetricsConfigurationList": [{"Id": "logs", "Filter": {"Prefix": "logs/"}}]
        },
    },
    "apigateway": {
        "get_account": {},
        "get_rest_apis": REST_APIS,
        "get_apis": {"Items": []},
        "get_stages": STAGES,
        "get_usage_plans": {"items": []},
    },
    "autoscaling": {
        "describe_account_limits": {},
        "describe_auto_scaling_groups": {"AutoScalingGroups": [GROUP]},
    },
}


def config(*tags: str) -> Config:
    return Config.model_validate({"tags": tags})


def tag_mapping(arn: str, **tags: str) -> dict[str, Any]:
    return {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def tags_answer(**tags: str) -> dict[str, Any]:
    """Return an answer of GetResources in which all resources called `orders` have these tags."""
    return {"get_resources": {"ResourceTagMappingList": [tag_mapping(arn, **tags) for arn in ARNS.values()]}}


def labels(account: FakeAccount) -> dict[str, dict[str, str]]:
    """Return the labels that come from tags, by resource and label."""
    return {key.resource: dict(series.settings.tags) for key, series in account.fleet.series.items()}


@pytest.mark.parametrize("service", sorted(ANSWERS))
@pytest.mark.parametrize("tags_first", [True, False], ids=["tags first", "inventory first"])
async def test_the_tag_of_a_resource_is_a_label_of_all_its_series(service: str, tags_first: bool) -> None:
    account = FakeAccount(
        config("team"), get_service_quota=quota(9.0), **ANSWERS[service], **tags_answer(team="data")
    )
    reads = [account.inventory.read_tags(REGISTRY.collectors), account.inventory.run(BY_SERVICE[service])]
    for read in reads if tags_first else reversed(reads):
        await read
    by_resource = labels(account)
    orders = {resource for resource in by_resource if resource.split("/")[0] == "orders"}
    assert orders
    assert all(by_resource[resource] == {"tag_team": "data"} for resource in orders)
    assert not any(by_resource[resource] for resource in by_resource.keys() - orders)


async def test_a_part_has_the_tags_of_its_parent() -> None:
    account = FakeAccount(
        config("team"), get_service_quota=quota(9.0), **ANSWERS["kinesis"], **tags_answer(team="data")
    )
    await account.run_inventory(BY_SERVICE["kinesis"])
    await account.inventory.read_tags(REGISTRY.collectors)
    assert labels(account)["orders/shardId-0"] == {"tag_team": "data"}


async def test_one_call_reads_the_configured_tags_of_all_services() -> None:
    requested: list[dict[str, Any]] = []

    def get_resources(**params: Any) -> dict[str, Any]:
        requested.append(params)
        return {"ResourceTagMappingList": []}

    for tags in (("team",), ("team", "cost-center")):
        account = FakeAccount(config(*tags), get_resources=[get_resources, get_resources])
        await account.inventory.read_tags(REGISTRY.collectors)
        assert account.aws.calls == ["resourcegroupstaggingapi:GetResources"] * 2  # two pages
    arns = (arn for collector in REGISTRY.collectors for arn in collector.arns.values())
    resource_types = sorted(map(resource_type, arns))
    assert {"dynamodb:table", "elasticloadbalancing:loadbalancer", "kinesis:stream", "s3", "sqs"} <= {
        *resource_types
    }
    request_for_all_tags = {"ResourceTypeFilters": resource_types, "ResourcesPerPage": 100}
    request_for_one_tag = {**request_for_all_tags, "TagFilters": [{"Key": "team"}]}
    # With a filter for each of two tags, AWS would return only resources that have both.
    assert requested == [request_for_one_tag] * 2 + [request_for_all_tags] * 2


@pytest.mark.parametrize(("tags", "services"), [((), BY_SERVICE), (("team",), ["apigateway", "autoscaling"])])
async def test_tags_are_not_requested_if_none_is_configured_or_no_collector_needs_them(
    tags: tuple[str, ...], services: Any
) -> None:
    account = FakeAccount(config(*tags))
    await account.inventory.read_tags([BY_SERVICE[service] for service in services])
    assert account.aws.calls == []
    assert account.inventory.statuses == {}


async def test_a_failed_read_of_tags_is_reported_once_and_changes_no_series_and_no_label() -> None:
    answers = {**ANSWERS["sqs"], **ANSWERS["lambda"], **tags_answer(team="data")}
    account = FakeAccount(config("team"), get_service_quota=quota(9.0), **answers)
    await account.inventory.read_tags(REGISTRY.collectors)
    account.aws.answers["get_resources"] = denied("GetResources")
    await account.inventory.read_tags(REGISTRY.collectors)
    for service in ("sqs", "lambda"):
        await account.run_inventory(BY_SERVICE[service])
        assert account.inventory.statuses[service].failures == ()
    assert labels(account)["orders"] == {"tag_team": "data"}
    assert account.failures == [("GetResources", "", "AccessDeniedException")]


async def test_a_changed_or_removed_tag_changes_the_label() -> None:
    account = FakeAccount(
        config("team"), get_service_quota=quota(9.0), **ANSWERS["sqs"], **tags_answer(team="data")
    )
    await account.inventory.read_tags(REGISTRY.collectors)
    await account.run_inventory(BY_SERVICE["sqs"])
    version = account.fleet.version
    await account.inventory.read_tags(REGISTRY.collectors)
    assert account.fleet.version == version  # unchanged tags change no series
    for answer, expected in ((tags_answer(team="web"), {"tag_team": "web"}), (tags_answer(), {})):
        account.aws.answers |= answer
        await account.inventory.read_tags(REGISTRY.collectors)
        assert labels(account)["orders"] == expected


async def test_after_a_reload_series_keep_the_labels_of_configured_tags_until_tags_are_read() -> None:
    account = FakeAccount(
        config("team"), get_service_quota=quota(9.0), **ANSWERS["sqs"], **tags_answer(team="data")
    )
    await account.inventory.read_tags(REGISTRY.collectors)
    await account.run_inventory(BY_SERVICE["sqs"])
    for tags, expected in ((("team", "env"), {"tag_team": "data"}), ((), {})):
        replacement = inventory_of(account.aws.cell, account.fleet, config(*tags))
        replacement.discovered |= account.inventory.discovered
        await replacement.run(BY_SERVICE["sqs"])
        assert labels(account)["orders"] == expected


async def test_a_tag_does_not_apply_to_resources_of_other_regions_or_services() -> None:
    arns = [f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:orders", f"arn:aws:sns:{REGION_AND_ACCOUNT}:orders"]
    answer = {"ResourceTagMappingList": [tag_mapping(arn, team="other") for arn in arns]}
    account = FakeAccount(
        config("team"), get_service_quota=quota(9.0), **ANSWERS["sqs"], get_resources=answer
    )
    await account.run_inventory(BY_SERVICE["sqs"])
    await account.inventory.read_tags(REGISTRY.collectors)
    assert labels(account) == {"orders": {}}


async def test_tags_are_found_by_the_arns_of_another_partition() -> None:
    account = FakeAccount(config("team"), get_service_quota=quota(9.0), **ANSWERS["sqs"])
    account.aws.cell.region = "cn-north-1"
    arn = f"arn:aws-cn:sqs:cn-north-1:{ACCOUNT_ID}:orders"
    account.aws.answers["get_resources"] = {"ResourceTagMappingList": [tag_mapping(arn, team="data")]}
    await account.run_inventory(BY_SERVICE["sqs"])
    await account.inventory.read_tags(REGISTRY.collectors)
    key = Key(ACCOUNT_ID, "cn-north-1", "sqs", "standard_in_flight", "orders")
    assert dict(account.fleet.series[key].settings.tags) == {"tag_team": "data"}


async def test_the_first_inventory_of_a_cell_includes_its_tags() -> None:
    """So the first alerts have the labels that routes match."""
    answers = {**ANSWERS["sqs"], **tags_answer(team="data")}
    account = FakeAccount(config("team"), get_service_quota=quota(9.0), **answers)
    reader = MetricReader(account.aws.cell, account.fleet, METRIC_SERVICES)
    watcher = CellWatcher(account.inventory, reader, [BY_SERVICE["sqs"]], ProcessTelemetry())
    await watcher.run_inventory()
    assert watcher.inventoried_once.is_set()
    assert labels(account)["orders"] == {"tag_team": "data"}


async def test_denied_tags_are_reported_with_the_name_of_the_permission() -> None:
    account = FakeAccount(config("team"), get_resources=denied("GetResources"))
    await account.inventory.read_tags(REGISTRY.collectors)
    (failure,) = account.inventory.statuses[TAGS].failures
    assert iam_action(TAGS, failure.operation, REGISTRY) == "tag:GetResources"
