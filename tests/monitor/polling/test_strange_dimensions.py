"""Resource names that CloudWatch does not accept as a dimension's value, in services of several kinds.

Such a name makes only the series of its own resource unobservable.
"""

import json
from typing import Any

import pytest

from collectors.base import Unobservable
from monitor.fleet.metric_query import without_abbreviations
from tests.fake_aws import ACCOUNT_ID
from tests.monitor.polling.inventories import (
    BY_SERVICE,
    FakeAccount,
    account_settings,
    functions,
    queues,
    quota,
    streams,
)

CELL = ACCOUNT_ID, "eu-west-1"
NAMES = ["plain", "two words", " ", "注文", "注文 管理", "two\nlines", "half\ud800", "x" * 2000]
ACCEPTED_NAMES = {"plain", "two words"}


def groups(*names: str) -> dict[str, Any]:
    """Return the answers of Auto Scaling with these groups."""
    fields = {
        "MinSize": 0,
        "MaxSize": 9,
        "DesiredCapacity": 1,
        "DefaultCooldown": 0,
        "HealthCheckType": "EC2",
        "AvailabilityZones": ["a"],
        "CreatedTime": "2026-01-01T00:00:00Z",
    }
    entries = [{"AutoScalingGroupName": name, **fields} for name in names]
    return {"describe_auto_scaling_groups": {"AutoScalingGroups": entries}, "describe_account_limits": {}}


def apis(*names: str) -> dict[str, Any]:
    """Return the answers of API Gateway with these REST APIs."""
    stage_settings = {"methodSettings": {"*/*": {"throttlingRateLimit": 100.0}}}
    return {
        "get_account": {},
        "get_rest_apis": {"items": [{"id": f"r{n}", "name": name} for n, name in enumerate(names)]},
        "get_apis": {"Items": []},
        "get_stages": lambda **_: {"item": [{"stageName": "prod", **stage_settings}]},
        "get_usage_plans": {"items": []},
    }


def buckets(*names: str) -> dict[str, Any]:
    """Return the answers of S3 with these buckets."""
    entries = [{"Name": name, "BucketRegion": "eu-west-1"} for name in names]
    configurations = [{"Id": "logs", "Filter": {"Prefix": "logs/"}}]
    return {
        "list_buckets": {"Buckets": entries},
        "list_bucket_metrics_configurations": {"MetricsConfigurationList": configurations},
    }


ANSWERS: dict[str, dict[str, Any]] = {
    "autoscaling": groups(*NAMES),
    "apigateway": apis(*NAMES),
    "kinesis": streams(**dict.fromkeys(NAMES, 1)),
    "lambda": functions(*NAMES) | {"get_account_settings": account_settings(1000)},
    "s3": buckets(*NAMES),
    "sqs": queues(*NAMES),
}


def is_accepted(value: str) -> bool:
    """Return whether CloudWatch accepts a dimension's value."""
    return bool(value.strip()) and value.isascii() and value.isprintable() and len(value) <= 1024


@pytest.mark.parametrize("service", sorted(ANSWERS))
async def test_exactly_the_dimensions_that_cloudwatch_accepts_are_requested(service: str) -> None:
    account = FakeAccount(get_service_quota=quota(1000.0), **ANSWERS[service])
    await account.run_inventory(BY_SERVICE[service])
    requested = [
        json.loads(without_abbreviations(metric))["Metric"] for metric in account.fleet.metrics(CELL)
    ]
    values = {dimension["Value"] for metric in requested for dimension in metric["Dimensions"]}
    assert all(map(is_accepted, values))
    assert values >= ACCEPTED_NAMES
    keys_with_usage = [
        key for key, series in account.fleet.series.items() if account.fleet.usages.get(series.slot)
    ]
    assert {key.resource.split("/")[0] for key in keys_with_usage} >= ACCEPTED_NAMES


async def test_the_reason_why_a_name_cannot_be_requested_is_reported() -> None:
    account = FakeAccount(get_service_quota=quota(1000.0), **queues("two\nlines"))
    await account.run_inventory(BY_SERVICE["sqs"])
    (series,) = account.fleet.series.values()
    reason = "CloudWatch takes no QueueName that has control characters: 'two\\nlines'"
    assert series.unobservable == Unobservable(reason)
