"""The exact calls that an inventory of a service makes, by what the account contains."""

from collections import Counter
from typing import Any

import pytest

from tests.monitor.polling.inventories import (
    BY_SERVICE,
    KINESIS,
    FakeAccount,
    account_settings,
    functions,
    queues,
    quota,
    streams,
)
from tests.monitor.polling.service_quotas import LIST, ServiceQuotas
from tests.registries import REGISTRY

FIFO_ATTRIBUTES = {"Attributes": {"DeduplicationScope": "queue"}}
# By case: the service, the answers of AWS, and the number of each call, without the calls for quotas.
CASES: dict[str, tuple[str, dict[str, Any], dict[str, int]]] = {
    "kinesis, no streams": (
        "kinesis",
        streams(),
        {"kinesis:ListStreams": 1},  # neither calls about the whole account nor for quotas
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
    "lambda, no functions": (
        "lambda",
        {**functions(), "get_account_settings": account_settings(1000)},
        {"lambda:ListFunctions": 1},
    ),
    "lambda, three functions": (
        "lambda",
        {**functions("a", "b", "c"), "get_account_settings": account_settings(1000)},
        {
            "lambda:GetAccountSettings": 1,
            "lambda:ListFunctions": 1,
            "lambda:GetFunctionConcurrency": 3,
            "lambda:ListProvisionedConcurrencyConfigs": 3,
        },
    ),
    "sqs, no call for a standard queue": ("sqs", queues("a", "b", "c"), {"sqs:ListQueues": 1}),
    "sqs, one call for a FIFO queue": (
        "sqs",
        {**queues("a", "b.fifo"), "get_queue_attributes": FIFO_ATTRIBUTES},
        {"sqs:ListQueues": 1, "sqs:GetQueueAttributes": 1},
    ),
    "s3, two buckets in the region and one in another": (
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
    "autoscaling, no groups": (
        "autoscaling",
        {
            "describe_account_limits": {"MaxNumberOfAutoScalingGroups": 500, "NumberOfAutoScalingGroups": 0},
            "describe_auto_scaling_groups": {"AutoScalingGroups": []},
        },
        {"autoscaling:DescribeAutoScalingGroups": 1},  # no group exists, so no other call is made
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


@pytest.mark.parametrize("name", CASES)
async def test_an_inventory_makes_exactly_these_calls(name: str) -> None:
    service, answers, calls = CASES[name]
    quotas = REGISTRY.quotas([service])
    account = FakeAccount(**answers, **ServiceQuotas(dict.fromkeys(quotas, 100.0)).answers)
    await account.run_inventory(BY_SERVICE[service])
    assert account.failures == []
    quota_calls = {LIST: len({quota.service for quota in quotas})} if quotas and account.names else {}
    assert Counter(account.aws.calls) == calls | quota_calls


async def test_a_second_inventory_repeats_all_calls_except_those_for_quotas() -> None:
    account = FakeAccount(**streams(a=1, b=2), get_service_quota=quota(100.0))
    await account.run_inventory(KINESIS)
    first_calls = Counter(call for call in account.aws.calls if not call.startswith("service-quotas"))
    account.aws.calls.clear()
    await account.run_inventory(KINESIS)
    assert Counter(account.aws.calls) == first_calls
