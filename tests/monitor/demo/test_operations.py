"""Every operation that collectors use, called with a real client over HTTP."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters

from monitor.aws.iam import PolicyOptions, policy
from monitor.topology.discovery import needed_actions
from rules.signals import Quota
from tests.monitor.demo.conftest import ClientFactory
from tests.registries import REGISTRY

DENIED_REGION = "ap-southeast-2"
OPTIONS = PolicyOptions(all_regions=True, tags=True, path_actions=needed_actions(REGISTRY.service_names))
POLICY_ACTIONS = {
    action
    for statement in policy(REGISTRY.collectors, OPTIONS)["Statement"]
    for action in statement["Action"]
}
NOT_IN_POLICY = ("DescribePolicies", "RequestServiceQuotaIncrease")  # no collector calls them
DENIAL_CODES = {  # by service; all others: AccessDeniedException
    "ec2": "UnauthorizedOperation",
    "autoscaling": "AccessDenied",
    "elbv2": "AccessDenied",
    "s3": "AccessDenied",
}


@dataclass(frozen=True)
class OperationCase:
    """A call. A parameter `<name>` stands for the id of the API or usage plan with this name.

    shows: a text that the response contains.
    """

    service: str
    operation: str
    params: dict[str, Any] = field(default_factory=dict)
    shows: str = ""

    def __str__(self) -> str:
        return f"{self.service}:{self.operation}"


STREAM = {"StreamName": "payments"}
TELEMETRY = {"StreamARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/telemetry"}
PLAN = {"usagePlanId": "<partner-gold>"}
DATES = {"startDate": "2026-01-01", "endDate": "2026-01-03"}
OPERATIONS = (
    OperationCase("sts", "GetCallerIdentity", shows="123456789012"),
    OperationCase("ec2", "DescribeRegions", shows=DENIED_REGION),
    OperationCase(
        "service-quotas", "GetServiceQuota", {"ServiceCode": "lambda", "QuotaCode": "L-B99A9384"}, "1000.0"
    ),
    OperationCase(
        "service-quotas",
        "GetAWSDefaultServiceQuota",
        {"ServiceCode": "kinesis", "QuotaCode": "L-0918CF54"},
        "20000.0",
    ),
    OperationCase("service-quotas", "ListServiceQuotas", {"ServiceCode": "autoscaling"}, "L-CDE20ADC"),
    OperationCase(
        "service-quotas", "ListAWSDefaultServiceQuotas", {"ServiceCode": "apigateway"}, "L-CDF5615A"
    ),
    OperationCase("service-quotas", "ListServices", shows="elasticloadbalancing"),
    OperationCase(
        "service-quotas", "ListRequestedServiceQuotaChangeHistory", {"Status": "CASE_OPENED"}, "[]"
    ),
    OperationCase(
        "service-quotas",
        "RequestServiceQuotaIncrease",
        {"ServiceCode": "lambda", "QuotaCode": "L-B99A9384", "DesiredValue": 2000.0},
        "2000.0",
    ),
    OperationCase("service-quotas", "StartQuotaUtilizationReport", shows="demo-"),
    OperationCase("service-quotas", "GetQuotaUtilizationReport", {"ReportId": "demo-eu-west-1"}, "COMPLETED"),
    OperationCase("apigateway", "GetAccount", shows="'rateLimit': 10000.0"),
    OperationCase("apigateway", "GetRestApis", shows="storefront"),
    OperationCase("apigateway", "GetStages", {"restApiId": "<storefront>"}, "'throttlingRateLimit': 1500.0"),
    OperationCase(
        "apigateway", "GetStage", {"restApiId": "<storefront>", "stageName": "prod"}, "~1checkout/POST"
    ),
    OperationCase("apigateway", "GetUsagePlans", shows="'limit': 1000000"),
    OperationCase("apigateway", "GetUsagePlanKeys", PLAN, "acme"),
    OperationCase(
        "apigateway", "GetUsage", PLAN | DATES, "[[850000, 150000], [850000, 150000], [850000, 150000]]"
    ),
    OperationCase(
        "cloudwatch",
        "ListMetrics",
        {
            "Namespace": "AWS/ApiGateway",
            "MetricName": "Count",
            "Dimensions": [{"Name": "ApiName", "Value": "storefront"}, {"Name": "Method"}],
            "RecentlyActive": "PT3H",
        },
        "/products",
    ),
    OperationCase("cloudwatch", "ListMetrics", {"Namespace": "AWS/Kinesis"}, "clickstream"),
    OperationCase("apigatewayv2", "GetApis", shows="WEBSOCKET"),
    OperationCase("apigatewayv2", "GetStages", {"ApiId": "<mobile>"}, "'ThrottlingRateLimit': 2000.0"),
    OperationCase("apigatewayv2", "GetRoutes", {"ApiId": "<mobile>"}, "POST /orders"),
    OperationCase("lambda", "GetAccountSettings", shows="'UnreservedConcurrentExecutions': 630"),
    OperationCase("lambda", "ListFunctions", shows="nightly-report"),
    OperationCase("lambda", "ListEventSourceMappings", shows="EventSourceMappings"),
    OperationCase(
        "apigateway", "GetResources", {"restApiId": "<storefront>", "embed": ["methods"]}, "AWS_PROXY"
    ),
    OperationCase("lambda", "GetFunctionConcurrency", {"FunctionName": "checkout"}, "300"),
    OperationCase(
        "lambda", "ListProvisionedConcurrencyConfigs", {"FunctionName": "recommendations"}, ":live"
    ),
    OperationCase("sqs", "ListQueues", shows="partner-callbacks"),
    OperationCase(
        "sqs",
        "GetQueueAttributes",
        {"QueueUrl": "http://sqs/123456789012/events.fifo", "AttributeNames": ["All"]},
        "'FifoThroughputLimit': 'perMessageGroupId'",
    ),
    OperationCase("s3", "ListBuckets", shows="legal-archive"),
    OperationCase("s3", "GetBucketLocation", {"Bucket": "backups"}, "eu-west-1"),
    OperationCase(
        "s3", "GetBucketNotificationConfiguration", {"Bucket": "media-uploads"}, "function:thumbnails"
    ),
    OperationCase("s3", "ListBucketMetricsConfigurations", {"Bucket": "data-lake"}, "'Prefix': 'raw/'"),
    OperationCase("dynamodb", "ListTables", shows="inventory"),
    OperationCase("dynamodb", "DescribeTable", {"TableName": "customers"}, "'ReadCapacityUnits': 600"),
    OperationCase("elbv2", "DescribeLoadBalancers", shows="'LoadBalancerName': 'checkout'"),
    OperationCase("elbv2", "DescribeTrustStores", shows="[]"),
    OperationCase("kinesis", "DescribeLimits", shows="'OpenShardCount': 18"),
    OperationCase("kinesis", "ListStreams", shows="clickstream"),
    OperationCase("kinesis", "DescribeStreamSummary", STREAM, "IteratorAgeMilliseconds"),
    OperationCase("kinesis", "DescribeStreamSummary", TELEMETRY, "'ConsumerCount': 2"),
    OperationCase("kinesis", "ListShards", STREAM, "shardId-000000000003"),
    OperationCase("kinesis", "ListStreamConsumers", TELEMETRY, "dashboard"),
    OperationCase("autoscaling", "DescribeAutoScalingGroups", shows="'WeightedCapacity': '4'"),
    OperationCase("autoscaling", "DescribePolicies", {"AutoScalingGroupName": "api"}, "'TargetValue': 55.0"),
    OperationCase("autoscaling", "DescribeAccountLimits", shows="'NumberOfAutoScalingGroups': 6"),
)


async def ids_by_parameter(aws: ClientFactory) -> dict[str, str]:
    """Return the ids of APIs and usage plans by their names in angle brackets, as in OPERATIONS."""
    async with aws("apigateway") as client:
        rest_apis = (await client.get_rest_apis())["items"]
        usage_plans = (await client.get_usage_plans())["items"]
    async with aws("apigatewayv2") as client:
        http_apis = (await client.get_apis())["Items"]
    ids = {f"<{item['name']}>": item["id"] for item in (*rest_apis, *usage_plans)}
    return ids | {f"<{item['Name']}>": item["ApiId"] for item in http_apis}


@pytest.mark.parametrize("case", OPERATIONS, ids=str)
async def test_each_response_has_the_shape_of_botocores_model(
    aws: ClientFactory, case: OperationCase
) -> None:
    id_by_parameter = await ids_by_parameter(aws) if "<" in str(case.params) else {}
    params = {
        name: id_by_parameter.get(value, value) if isinstance(value, str) else value
        for name, value in case.params.items()
    }
    async with aws(case.service) as client:
        answer = await getattr(client, xform_name(case.operation))(**params)
        model = client.meta.service_model.operation_model(case.operation)
    del answer["ResponseMetadata"]
    validate_parameters(answer, model.output_shape)
    assert case.shows in str(answer)


@pytest.mark.parametrize(
    ("service", "operation"), [("apigateway", "GetClientCertificates"), ("sqs", "ListMessageMoveTasks")]
)
async def test_calls_that_the_demo_cannot_answer_are_denied(
    aws: ClientFactory, service: str, operation: str
) -> None:
    params = {"SourceArn": "arn:aws:sqs:eu-west-1:123456789012:a"} if service == "sqs" else {}
    async with aws(service) as client:
        with pytest.raises(ClientError, match="not authorized to perform"):
            await getattr(client, xform_name(operation))(**params)


@pytest.mark.parametrize("case", OPERATIONS[1:], ids=str)
async def test_every_call_in_the_denied_region_is_denied(aws: ClientFactory, case: OperationCase) -> None:
    async with aws(case.service, DENIED_REGION) as client:
        with pytest.raises(ClientError) as error_info:
            await getattr(client, xform_name(case.operation))(**case.params)
    assert error_info.value.response["Error"]["Code"] == DENIAL_CODES.get(
        case.service, "AccessDeniedException"
    )
    assert error_info.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    action = str(error_info.value).partition("to perform: ")[2].split()[0]
    assert action in POLICY_ACTIONS or case.operation in NOT_IN_POLICY


# Calls of clients that sign with another name than their own, so that the demo does not find them.
UNKNOWN_CALLS = (
    ("efs", "describe_file_systems", "AccessDeniedException"),
    ("opensearch", "list_domain_names", "AccessDeniedException"),
    ("stepfunctions", "list_state_machines", "AccessDeniedException"),
    ("elb", "describe_load_balancers", "AccessDenied"),
    ("emr", "list_clusters", "AccessDeniedException"),
)


@pytest.mark.parametrize(("service", "method", "code"), UNKNOWN_CALLS)
async def test_calls_of_services_that_the_demo_does_not_know_are_denied_in_the_denied_region_only(
    aws: ClientFactory, service: str, method: str, code: str
) -> None:
    async with aws(service, DENIED_REGION) as client:
        with pytest.raises(ClientError, match="not authorized to perform") as error_info:
            await getattr(client, method)()
    assert error_info.value.response["Error"]["Code"] == code
    assert error_info.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


async def test_get_caller_identity_is_answered_in_the_region_that_denies_all_other_calls(
    aws: ClientFactory,
) -> None:
    async with aws("sts", DENIED_REGION) as client:
        assert (await client.get_caller_identity())["Account"] == "123456789012"


NOT_APPLIED = {"ServiceCode": "lambda", "QuotaCode": "L-A1AFA3CF"}
CODE_OF_ANOTHER_SERVICE = {"ServiceCode": "sqs", "QuotaCode": "L-B99A9384"}
MISSING_RESOURCES = (
    (OperationCase("service-quotas", "GetServiceQuota", NOT_APPLIED), "NoSuchResourceException"),
    (
        OperationCase("service-quotas", "GetAWSDefaultServiceQuota", CODE_OF_ANOTHER_SERVICE),
        "NoSuchResourceException",
    ),
    (
        OperationCase("lambda", "GetFunctionConcurrency", {"FunctionName": "nobody"}),
        "ResourceNotFoundException",
    ),
    (OperationCase("s3", "ListBucketMetricsConfigurations", {"Bucket": "nobody"}), "NoSuchBucket"),
    (OperationCase("apigateway", "GetUsage", {"usagePlanId": "nobody"} | DATES), "NotFoundException"),
    (
        OperationCase("kinesis", "DescribeStreamSummary", {"StreamName": "nobody"}),
        "ResourceNotFoundException",
    ),
)


@pytest.mark.parametrize(("case", "code"), MISSING_RESOURCES, ids=str)
async def test_a_missing_resource_has_the_error_code_of_aws(
    aws: ClientFactory, case: OperationCase, code: str
) -> None:
    async with aws(case.service) as client:
        with pytest.raises(ClientError) as error_info:
            await getattr(client, xform_name(case.operation))(**case.params)
    assert error_info.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(("status", "codes"), [("CASE_OPENED", ["L-8A5B8E43"]), ("PENDING", [])])
async def test_the_request_for_an_increase_in_us_east_1_is_listed_by_its_status(
    aws: ClientFactory, status: str, codes: list[str]
) -> None:
    async with aws("service-quotas", "us-east-1") as client:
        answer = await client.list_requested_service_quota_change_history(Status=status)
    assert [request["QuotaCode"] for request in answer["RequestedQuotas"]] == codes


async def test_a_group_has_the_size_that_its_load_needs(aws: ClientFactory) -> None:
    async with aws("autoscaling") as client:
        groups = (await client.describe_auto_scaling_groups())["AutoScalingGroups"]
    sizes = {
        group["AutoScalingGroupName"]: (group["DesiredCapacity"], len(group["Instances"])) for group in groups
    }
    assert sizes["web"] == (12, 12)
    assert sizes["gpu"] == (8, 5)
    desired, instances = sizes["mixed"]
    assert desired == 4 * instances
    assert {group["AutoScalingGroupName"] for group in groups if not group["EnabledMetrics"]} == {"workers"}


async def test_a_paginator_of_botocore_reads_all_pages(aws: ClientFactory) -> None:
    async with aws("dynamodb") as client:
        pages = [page["TableNames"] async for page in client.get_paginator("list_tables").paginate()]
    assert pages == [["customers", "inventory", "orders"], ["products", "reviews-archive"]]


async def test_a_call_that_a_story_denies_is_denied(aws: ClientFactory) -> None:
    async with aws("elbv2") as client:
        balancers = (await client.describe_load_balancers())["LoadBalancers"]
        arns = {balancer["LoadBalancerName"]: balancer["LoadBalancerArn"] for balancer in balancers}
        with pytest.raises(
            ClientError, match="not authorized to perform: elasticloadbalancing:"
        ) as error_info:
            await client.describe_listeners(LoadBalancerArn=arns["partner-gateway"])
    assert error_info.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


async def test_the_quotas_of_a_declared_service_have_the_values_of_the_catalogue_or_of_stories(
    aws: ClientFactory,
) -> None:
    async with aws("service-quotas") as client:
        quotas = (await client.list_service_quotas(ServiceCode="elasticloadbalancing"))["Quotas"]
    values = {quota["QuotaCode"]: quota["Value"] for quota in quotas}
    assert values["L-7EED9B64"] == 100
    assert values["L-8A66D0E6"] == 2000  # from the stories, as the catalogue has no default


async def test_the_quotas_of_all_signals_are_listed_in_the_unit_of_service_quotas(aws: ClientFactory) -> None:
    declared_quotas = REGISTRY.quotas(REGISTRY.service_names)
    listed_values: dict[Quota, float] = {}
    async with aws("service-quotas") as client:
        for service in sorted({quota.service for quota in declared_quotas}):
            quotas = (await client.list_aws_default_service_quotas(ServiceCode=service))["Quotas"]
            listed_values |= {
                Quota(service=service, code=quota["QuotaCode"]): quota["Value"] for quota in quotas
            }
    assert declared_quotas <= listed_values.keys()
    gp3_storage = REGISTRY.signal("ebs", "storage_gp3")
    assert gp3_storage.quota and gp3_storage.default
    assert listed_values[gp3_storage.quota] * 2**40 == gp3_storage.default.value  # TiB and bytes


async def test_the_credentials_of_a_role_read_the_resources_of_its_account(aws: ClientFactory) -> None:
    async with aws("sts") as client:
        role = "arn:aws:iam::210987654321:role/headroom"
        assumed_role = await client.assume_role(RoleArn=role, RoleSessionName="test")
    credentials = assumed_role["Credentials"]
    keys = {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }
    async with aws("kinesis", **keys) as client:
        names = (await client.list_streams())["StreamNames"]
    assert sorted(names) == ["load-test-2025", "orders-staging"]
    async with aws("ec2", "us-east-1", **keys) as client:
        regions = {region["RegionName"] for region in (await client.describe_regions())["Regions"]}
    assert regions == {"eu-west-1", "us-east-1"}
    async with aws("kinesis", DENIED_REGION, **keys) as client:
        with pytest.raises(ClientError, match="explicit deny"):
            await client.list_streams()
