"""The calls that an inventory of each service makes, exactly."""

from collections import Counter
from typing import Any

import pytest

from tests.monitor.polling.inventories import (
    BY_SERVICE,
    KINESIS,
    FakeAccount,
    functions,
    queues,
    quota,
    settings,
    streams,
)
from tests.monitor.polling.service_quotas import LIST, ServiceQuotas
from tests.registries import REGISTRY

FIFO = {"Attributes": {"DeduplicationScope": "queue"}}
WORLDS: dict[str, tuple[str, dict[str, Any], dict[str, int]]] = {
    "kinesis, empty": (
        "kinesis",
        streams(),
        {"kinesis:ListStreams": 1},  # nothing of the whole account, nor quotas
    ),
    "kinesis, three plain streams": (
        "kinesis",
        streams(a=1, b=2, c=3),
        {"kinesis:DescribeLimits": 1, "kinesis:ListStreams": 1, "kinesis:DescribeStreamSummary": 3},
    ),
    "kinesis, two pages of streams": (
        "kinesis",
        {
            **streams(a=1, b=2),
            "list_streams": [
                {"StreamNames": ["a"], "HasMoreStreams": True},
                {"StreamNames": ["b"], "HasMoreStreams": False},
            ],
        },
        {"kinesis:DescribeLimits": 1, "kinesis:ListStreams": 2, "kinesis:DescribeStreamSummary": 2},
    ),
    "lambda, empty": (
        "lambda",
        {**functions(), "get_account_settings": settings(1000)},
        {"lambda:ListFunctions": 1},
    ),
    "lambda, three functions": (
        "lambda",
        {**functions("a", "b", "c"), "get_account_settings": settings(1000)},
        {
            "lambda:GetAccountSettings": 1,
            "lambda:ListFunctions": 1,
            "lambda:GetFunctionConcurrency": 3,
            "lambda:ListProvisionedConcurrencyConfigs": 3,
        },
    ),
    "sqs, standard queues cost nothing each": ("sqs", queues("a", "b", "c"), {"sqs:ListQueues": 1}),
    "sqs, a FIFO queue costs one": (
        "sqs",
        {**queues("a", "b.fifo"), "get_queue_attributes": FIFO},
        {"sqs:ListQueues": 1, "sqs:GetQueueAttributes": 1},
    ),
    "s3, two buckets here and one elsewhere": (
        "s3",
        {
            "list_buckets": {
                "Buckets": [
                    {"Name": "a", "BucketRegion": "eu-west-1"},
                    {"Name": "b", "BucketRegion": "eu-west-1"},
                    {"Name": "c", "BucketRegion": "us-east-1"},
                ]
            },
            "list_bucket_metrics_configurations": {},
        },
        {"s3:ListBuckets": 1, "s3:ListBucketMetricsConfigurations": 2},
    ),
    "autoscaling": (
        "autoscaling",
        {
            "describe_account_limits": {"MaxNumberOfAutoScalingGroups": 500, "NumberOfAutoScalingGroups": 0},
            "describe_auto_scaling_groups": {"AutoScalingGroups": []},
        },
        {"autoscaling:DescribeAutoScalingGroups": 1},  # there is none, so nothing else is asked
    ),
    "apigateway, two REST APIs": (
        "apigateway",
        {
            "get_account": {"throttleSettings": {"rateLimit": 10_000.0}},
            "get_rest_apis": {"items": [{"id": "r1", "name": "a"}, {"id": "r2", "name": "b"}]},
            "get_apis": {},
            "get_stages": {},
            "get_usage_plans": {},
        },
        {
            "apigateway:GetAccount": 1,
            "apigateway:GetRestApis": 2,
            "apigatewayv2:GetApis": 2,
            "apigateway:GetStages": 2,
            "apigateway:GetUsagePlans": 1,
        },
    ),
}


@pytest.mark.parametrize("name", WORLDS)
async def test_an_inventory_makes_exactly_these_calls(name: str) -> None:
    service, answers, calls = WORLDS[name]
    quotas = REGISTRY.quotas([service])
    account = FakeAccount(**answers, **ServiceQuotas(dict.fromkeys(quotas, 100.0)).answers)
    await account.run_inventory(BY_SERVICE[service])
    assert account.failures == []
    requested = {LIST: len({one.service for one in quotas})} if quotas and account.names else {}
    assert Counter(account.aws.calls) == calls | requested


async def test_every_inventory_repeats_its_calls_and_requests_no_known_quota() -> None:
    account = FakeAccount(**streams(a=1, b=2), get_service_quota=quota(100.0))
    await account.run_inventory(KINESIS)
    first = Counter(call for call in account.aws.calls if not call.startswith("service-quotas"))
    account.aws.calls.clear()
    await account.run_inventory(KINESIS)
    assert Counter(account.aws.calls) == first
