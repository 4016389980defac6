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
    functions,
    inventory_of,
    queues,
    quota,
    settings,
    streams,
)
from tests.registries import OWNERS, REGISTRY

HERE = f"eu-west-1:{ACCOUNT_ID}"
SHARD = {
    "ShardId": "shardId-0",
    "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
    "SequenceNumberRange": {"StartingSequenceNumber": "0"},
}
ARNS = {
    "kinesis": f"arn:aws:kinesis:{HERE}:stream/orders",
    "lambda": f"arn:aws:lambda:{HERE}:function:orders",
    "sqs": f"arn:aws:sqs:{HERE}:orders",
    "s3": "arn:aws:s3:::orders",
}
REST = {"items": [{"id": "r1", "name": "orders", "tags": {"team": "data"}}]}
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
    "lambda": functions("orders") | {"get_account_settings": settings(1000)},
    "sqs": queues("orders"),
    "s3": {
        "list_buckets": {"Buckets": [{"Name": "orders", "BucketRegion": "eu-west-1"}]},
        "list_bucket_metrics_configurations": {
            "MetricsConfigurationList": [{"Id": "logs", "Filter": {"Prefix": "logs/"}}]
        },
    },
    "apigateway": {
        "get_account": {},
        "get_rest_apis": REST,
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


def mapping(arn: str, **tags: str) -> dict[str, Any]:
    return {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def tagged(**tags: str) -> dict[str, Any]:
    """The answer of GetResources that everything called `orders` has these tags."""
    return {"get_resources": {"ResourceTagMappingList": [mapping(arn, **tags) for arn in ARNS.values()]}}


def labels(account: FakeAccount) -> dict[str, dict[str, str]]:
    """The labels of tags, by resource."""
    return {key.resource: dict(one.settings.tags) for key, one in account.fleet.series.items()}


@pytest.mark.parametrize("service", sorted(ANSWERS))
@pytest.mark.parametrize("tags_first", [True, False])
async def test_the_tag_of_a_resource_is_a_label_of_all_its_series(service: str, tags_first: bool) -> None:
    account = FakeAccount(
        config("team"), get_service_quota=quota(9.0), **ANSWERS[service], **tagged(team="data")
    )
    looks = [account.inventory.read_tags(REGISTRY.collectors), account.inventory.run(BY_SERVICE[service])]
    for look in looks if tags_first else reversed(looks):
        await look
    mine = {name: found for name, found in labels(account).items() if name.split("/")[0] == "orders"}
    assert mine
    assert set(map(str, mine.values())) == {str({"tag_team": "data"})}
    others = {name: found for name, found in labels(account).items() if name not in mine}
    assert not any(others.values())


async def test_a_part_has_the_tags_of_its_parent() -> None:
    account = FakeAccount(
        config("team"), get_service_quota=quota(9.0), **ANSWERS["kinesis"], **tagged(team="data")
    )
    await account.run_inventory(BY_SERVICE["kinesis"])
    await account.inventory.read_tags(REGISTRY.collectors)
    assert labels(account)["orders/shardId-0"] == {"tag_team": "data"}


async def test_one_call_reads_the_configured_tags_of_all_services() -> None:
    requested: list[dict[str, Any]] = []

    def get_resources(**params: Any) -> dict[str, Any]:
        requested.append(params)
        return {"ResourceTagMappingList": []}

    for wanted in (("team",), ("team", "cost-center")):
        account = FakeAccount(config(*wanted), get_resources=[get_resources, get_resources])
        await account.inventory.read_tags(REGISTRY.collectors)
        assert account.aws.calls == ["resourcegroupstaggingapi:GetResources"] * 2  # pages
    arns = (arn for collector in REGISTRY.collectors for arn in collector.arns.values())
    types = sorted(map(resource_type, arns))
    assert {"dynamodb:table", "elasticloadbalancing:loadbalancer", "kinesis:stream", "s3", "sqs"} <= {*types}
    everything = {"ResourceTypeFilters": types, "ResourcesPerPage": 100}
    one_key = {**everything, "TagFilters": [{"Key": "team"}]}
    assert requested == [one_key, one_key, everything, everything]  # several filters mean those that have all


@pytest.mark.parametrize(("tags", "services"), [((), BY_SERVICE), (("team",), ["apigateway", "autoscaling"])])
async def test_unused_tags_are_not_requested(tags: tuple[str, ...], services: Any) -> None:
    account = FakeAccount(config(*tags))
    await account.inventory.read_tags([BY_SERVICE[service] for service in services])
    assert account.aws.calls == []
    assert account.inventory.statuses == {}


async def test_tags_that_cannot_be_read_leave_series_and_labels_as_they_are_and_are_reported_once() -> None:
    answers = {**ANSWERS["sqs"], **ANSWERS["lambda"], **tagged(team="data")}
    account = FakeAccount(config("team"), get_service_quota=quota(9.0), **answers)
    await account.inventory.read_tags(REGISTRY.collectors)
    account.aws.answers["get_resources"] = denied("GetResources")
    await account.inventory.read_tags(REGISTRY.collectors)
    for service in ("sqs", "lambda"):
        await account.run_inventory(BY_SERVICE[service])
        assert account.inventory.statuses[service].failures == ()
    assert labels(account)["orders"] == {"tag_team": "data"}
    assert account.failures == [("GetResources", "", "AccessDeniedException")]


async def test_a_tag_that_changes_or_goes_is_followed() -> None:
    account = FakeAccount(
        config("team"), get_service_quota=quota(9.0), **ANSWERS["sqs"], **tagged(team="data")
    )
    await account.inventory.read_tags(REGISTRY.collectors)
    await account.run_inventory(BY_SERVICE["sqs"])
    version = account.fleet.version
    await account.inventory.read_tags(REGISTRY.collectors)
    assert account.fleet.version == version  # nothing is registered anew
    for answer, label in ((tagged(team="web"), {"tag_team": "web"}), (tagged(), {})):
        account.aws.answers |= answer
        await account.inventory.read_tags(REGISTRY.collectors)
        assert labels(account)["orders"] == label


async def test_an_inventory_that_replaces_another_keeps_the_labels_until_it_has_read_the_tags() -> None:
    account = FakeAccount(
        config("team"), get_service_quota=quota(9.0), **ANSWERS["sqs"], **tagged(team="data")
    )
    await account.inventory.read_tags(REGISTRY.collectors)
    await account.run_inventory(BY_SERVICE["sqs"])
    for wanted, label in ((("team", "env"), {"tag_team": "data"}), ((), {})):
        after = inventory_of(account.aws.cell, account.fleet, config(*wanted))
        after.discovered |= account.inventory.discovered
        await after.run(BY_SERVICE["sqs"])
        assert labels(account)["orders"] == label


async def test_a_tag_does_not_apply_to_resources_of_other_regions_or_services() -> None:
    others = [f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:orders", f"arn:aws:sns:{HERE}:orders"]
    answer = {"ResourceTagMappingList": [mapping(arn, team="other") for arn in others]}
    account = FakeAccount(
        config("team"), get_service_quota=quota(9.0), **ANSWERS["sqs"], get_resources=answer
    )
    await account.run_inventory(BY_SERVICE["sqs"])
    await account.inventory.read_tags(REGISTRY.collectors)
    assert labels(account) == {"orders": {}}


async def test_another_partition_has_other_arns() -> None:
    account = FakeAccount(config("team"), get_service_quota=quota(9.0), **ANSWERS["sqs"])
    account.aws.cell.region = "cn-north-1"
    arn = f"arn:aws-cn:sqs:cn-north-1:{ACCOUNT_ID}:orders"
    account.aws.answers["get_resources"] = {"ResourceTagMappingList": [mapping(arn, team="data")]}
    await account.run_inventory(BY_SERVICE["sqs"])
    await account.inventory.read_tags(REGISTRY.collectors)
    key = Key(ACCOUNT_ID, "cn-north-1", "sqs", "standard_in_flight", "orders")
    assert dict(account.fleet.series[key].settings.tags) == {"tag_team": "data"}


async def test_a_cell_is_inventoried_once_its_tags_were_read_too() -> None:
    """So the first poll, and with it the first alerts, have the labels that routes ask for."""
    answers = {**ANSWERS["sqs"], **tagged(team="data")}
    account = FakeAccount(config("team"), get_service_quota=quota(9.0), **answers)
    reader = MetricReader(account.aws.cell, account.fleet, OWNERS)
    watch = CellWatcher(account.inventory, reader, [BY_SERVICE["sqs"]], ProcessTelemetry())
    await watch.run_inventory()
    assert watch.inventoried_once.is_set()
    assert labels(account)["orders"] == {"tag_team": "data"}


async def test_tags_that_are_denied_are_reported_by_the_name_of_their_permission() -> None:
    account = FakeAccount(config("team"), get_resources=denied("GetResources"))
    await account.inventory.read_tags(REGISTRY.collectors)
    (failed,) = account.inventory.statuses[TAGS].failures
    assert iam_action(TAGS, failed.operation, REGISTRY) == "tag:GetResources"
