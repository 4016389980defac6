"""Resources that are deleted after they were listed."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import create_parser

from collectors.errors import ResourceNotFoundError
from monitor.aws.not_found import not_found_error
from tests.fake_aws import SERVICE_MODELS, denied
from tests.kinesis_answers import stream_summary
from tests.monitor.polling.inventories import (
    BY_SERVICE,
    KINESIS,
    LAMBDA,
    NO_QUOTAS,
    SQS,
    FakeAccount,
    account_settings,
    functions,
    queues,
    quota,
    streams,
)

QUOTAS: dict[str, Any] = {"get_service_quota": quota(1000.0)}
NO_SUCH_QUOTA = "NoSuchResourceException"
PREFIX_METRICS = {"MetricsConfigurationList": [{"Id": "logs", "Filter": {"Prefix": "logs/"}}]}
THROTTLE_SETTINGS = {"methodSettings": {"*/*": {"throttlingRateLimit": 100.0}}}
PLANS = [{"id": name, "name": name, "quota": {"limit": 9, "period": "DAY"}} for name in ("steady", "gone")]
SHARD = {
    "ShardId": "shardId-0",
    "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
    "SequenceNumberRange": {"StartingSequenceNumber": "0"},
}


def not_found_response(code: str) -> ClientError:
    """Return the error response for a resource that does not exist."""
    return ClientError({"Error": {"Code": code, "Message": "it does not exist"}}, "Describe")


def error_codes(service: str, operation: str) -> set[str]:
    """Return the codes of the errors that botocore's model names for an operation."""
    model: Any = SERVICE_MODELS.get_service_model(service)
    return {shape.error_code for shape in model.operation_model(operation).error_shapes}


def unless_gone(code: str, answer: Any) -> Any:
    """Return a method with this answer; for a resource called `gone`, it returns an error with this code."""

    def respond(**params: Any) -> Any:
        return not_found_response(code) if any("gone" in str(value) for value in params.values()) else answer

    return respond


def respond_to_get_stages(**params: Any) -> Any:
    """Return the response to GetStages of REST and HTTP APIs; an API called `gone` does not exist."""
    if "gone" in params.values():
        return not_found_response("NotFoundException")
    return {"item": [{"stageName": "prod", **THROTTLE_SETTINGS}]} if "restApiId" in params else {"Items": []}


APIS = {
    "get_account": {"throttleSettings": {"rateLimit": 100.0}},
    "get_rest_apis": {"items": [{"id": name, "name": name} for name in ("steady", "gone")]},
    "get_apis": {"Items": []},
    "get_stages": respond_to_get_stages,
    "get_usage_plans": {"items": PLANS},
    "get_usage": unless_gone("NotFoundException", {"items": {"key": [[1, 9]]}}),
}
# The service, and AWS's answers, by the call whose response is that the resource `gone` does not exist.
DELETIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "the first call for a function": (
        "lambda",
        functions("steady", "gone")
        | {"get_account_settings": account_settings(1000)}
        | {"get_function_concurrency": unless_gone("ResourceNotFoundException", {})},
    ),
    "the second call for a function": (
        "lambda",
        functions("steady", "gone")
        | {"get_account_settings": account_settings(1000)}
        | {"get_function_concurrency": {"ReservedConcurrentExecutions": 5}}
        | {
            "list_provisioned_concurrency_configs": unless_gone(
                "ResourceNotFoundException", {"ProvisionedConcurrencyConfigs": []}
            )
        },
    ),
    "a queue's attributes": (
        "sqs",
        queues("steady.fifo", "gone.fifo") | {"get_queue_attributes": unless_gone("QueueDoesNotExist", {})},
    ),
    "a queue's attributes with the former code": (
        "sqs",
        queues("steady.fifo", "gone.fifo")
        | {"get_queue_attributes": unless_gone("AWS.SimpleQueueService.NonExistentQueue", {})},
    ),
    "a stream's summary": (
        "kinesis",
        streams(steady=1, gone=1)
        | {"describe_stream_summary": unless_gone("ResourceNotFoundException", stream_summary("steady", 1))},
    ),
    "a stream's shards": (
        "kinesis",
        streams(steady=1, gone=1)
        | {
            "describe_stream_summary": lambda StreamName: stream_summary(
                StreamName, 1, EnhancedMonitoring=[{"ShardLevelMetrics": ["ALL"]}]
            ),
            "list_shards": unless_gone("ResourceNotFoundException", {"Shards": [SHARD]}),
        },
    ),
    "a bucket's location": (
        "s3",
        {
            "list_buckets": {"Buckets": [{"Name": name} for name in ("steady", "gone")]},
            "get_bucket_location": unless_gone("NoSuchBucket", {"LocationConstraint": "eu-west-1"}),
            "list_bucket_metrics_configurations": PREFIX_METRICS,
        },
    ),
    "an API's stages and a plan's usage": ("apigateway", APIS),
}


def resource_names(account: FakeAccount) -> set[str]:
    """Return the names of the account's resources that have series, without their parts."""
    return {resource.split("/")[0] for _, resource in account.names} - {""}


@pytest.mark.parametrize(("service", "answers"), DELETIONS.values(), ids=DELETIONS)
async def test_a_resource_deleted_before_its_query_has_no_series_and_is_no_failure(
    service: str, answers: dict[str, Any]
) -> None:
    account = FakeAccount(**QUOTAS, **answers)
    await account.run_inventory(BY_SERVICE[service])
    status = account.inventory.statuses[service]
    assert {name.removesuffix(".fifo") for name in resource_names(account)} == {"steady"}
    assert (status.failures, status.succeeded_at is not None) == ((), True)


async def test_the_series_of_a_resource_are_dropped_by_the_inventory_that_finds_it_deleted() -> None:
    answers: dict[str, Any] = {
        "describe_stream_summary": unless_gone("ResourceNotFoundException", stream_summary("steady", 1))
    }
    account = FakeAccount(**streams(steady=1, gone=1), **NO_QUOTAS)
    await account.run_inventory(KINESIS)
    assert resource_names(account) == {"steady", "gone"}
    metric_count_before = len(account.fleet.metrics(account.aws.cell.key))
    await account.run_inventory(KINESIS, **answers)
    assert resource_names(account) == {"steady"}
    metric_count = len(account.fleet.metrics(account.aws.cell.key))
    assert metric_count < metric_count_before  # the metrics of `gone` are no longer requested


async def test_a_deleted_resource_is_dropped_although_the_scan_fails_later() -> None:
    answers: dict[str, Any] = functions("steady", "gone") | {"get_account_settings": account_settings(1000)}
    account = FakeAccount(**answers, **QUOTAS)
    await account.run_inventory(LAMBDA)
    # Another revision makes the inventory call Lambda again for each function.
    functions_of_inventory = [
        function | {"RevisionId": "2"} for function in answers["list_functions"]["Functions"]
    ]
    await account.run_inventory(
        LAMBDA,
        list_functions={"Functions": functions_of_inventory},
        get_function_concurrency=unless_gone("ResourceNotFoundException", {}),
        list_provisioned_concurrency_configs=denied(),
    )
    assert resource_names(account) == {"steady"}
    assert {code for _, _, code in account.failures} == {"AccessDeniedException"}


async def test_a_not_found_error_of_a_list_is_a_failure_and_drops_nothing() -> None:
    account = FakeAccount(**streams(orders=1), **NO_QUOTAS)
    await account.run_inventory(KINESIS)
    await account.run_inventory(KINESIS, list_streams=not_found_response("ResourceNotFoundException"))
    assert resource_names(account) == {"orders"}
    assert ("Describe", "", "ResourceNotFoundException") in account.failures


async def test_a_missing_quota_is_a_failure() -> None:
    missing = denied("GetServiceQuota", NO_SUCH_QUOTA)
    account = FakeAccount(
        **queues("jobs"),
        get_service_quota=missing,
        get_aws_default_service_quota=not_found_response(NO_SUCH_QUOTA),
    )
    await account.run_inventory(SQS)
    assert [code for _, _, code in account.failures] == [NO_SUCH_QUOTA]


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("apigateway", "GetStages", "NotFoundException"),
        ("dynamodb", "DescribeTable", "ResourceNotFoundException"),
        ("ec2", "DescribeVolumes", "InvalidVolume.NotFound"),
        ("elbv2", "DescribeListeners", "LoadBalancerNotFound"),
        ("iam", "GetRole", "NoSuchEntity"),
        ("rds", "DescribeDBClusters", "DBClusterNotFoundFault"),
        ("s3", "ListBucketMetricsConfigurations", "NoSuchBucket"),
        ("stepfunctions", "DescribeStateMachine", "StateMachineDoesNotExist"),
    ],
)
def test_error_codes_for_a_missing_resource_are_read_from_the_model_of_the_operation(
    service: str, operation: str, code: str
) -> None:
    assert isinstance(
        not_found_error(service, not_found_response(code), error_codes(service, operation)),
        ResourceNotFoundError,
    )


def test_sqs_reports_a_missing_queue_by_the_code_of_its_former_protocol() -> None:
    """Botocore gives the code in the header precedence over the code in the body."""
    model: Any = SERVICE_MODELS.get_service_model("sqs")
    parsed = create_parser("json").parse(
        {
            "status_code": 400,
            "headers": {"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"},
            "body": b'{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no such queue"}',
        },
        model.operation_model("GetQueueAttributes").output_shape,
    )
    error = ClientError(parsed, "GetQueueAttributes")
    codes = error_codes("sqs", "GetQueueAttributes")
    assert isinstance(not_found_error("sqs", error, codes), ResourceNotFoundError)


@pytest.mark.parametrize("code", ["AccessDeniedException", "KMSNotFoundException", "ThrottlingException"])
def test_other_error_codes_do_not_mean_that_the_resource_is_missing(code: str) -> None:
    codes = error_codes("kinesis", "GetRecords")
    assert not_found_error("kinesis", not_found_response(code), codes) is None
    assert not_found_error("kinesis", TimeoutError(), codes) is None
    gone = not_found_response("ResourceNotFoundException")
    assert not_found_error("cloudwatch", gone, error_codes("cloudwatch", "GetMetricData")) is None
