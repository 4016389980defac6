"""Simulates Service Quotas: quotas with their defaults, and the values applied and requested in a region.

The codes and defaults are from the pages of the services in the AWS General Reference.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from monitor.demo.metric import REPORTED_EACH_MINUTE, DemoMetric
from monitor.demo.region import AwsResponseError, DemoQuota, DemoRegion, DemoService, RequestParams
from monitor.demo.traffic import constant

SHARD_QUOTAS_BY_REGION = {"us-east-1": 20000, "us-west-2": 20000, "eu-west-1": 20000}
LAMBDA_USAGE = {
    "MetricNamespace": "AWS/Lambda",
    "MetricName": "ConcurrentExecutions",
    "MetricDimensions": {},
    "MetricStatisticRecommendation": "Maximum",
}
CLASSIC_LOAD_BALANCERS = 13  # number of load balancers in each region
# https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-cloudwatch-metrics.html
CLB_USAGE: Mapping[str, Any] = {
    "MetricNamespace": "AWS/Usage",
    "MetricName": "ResourceCount",
    "MetricDimensions": {
        "Service": "Elastic Load Balancing",
        "Type": "Resource",
        "Resource": "ClassicLoadBalancersPerRegion",
        "Class": "None",
    },
    "MetricStatisticRecommendation": "Maximum",
}
QUOTAS = (
    DemoQuota("apigateway", "L-8A5B8E43", "Throttle rate", 10000, per_second=True),
    DemoQuota("apigateway", "L-CDF5615A", "Throttle burst rate", 5000, adjustable=False),
    DemoQuota("apigateway", "L-46624B39", "API Payload Size", 10485760, adjustable=False),
    DemoQuota("apigateway", "L-E5AE38E3", "Maximum integration timeout in milliseconds", 29000),
    DemoQuota("apigateway", "L-9ED1E49A", "WebSocket new connections rate", 500, per_second=True),
    DemoQuota("apigateway", "L-E1465507", "WebSocket new connections burst rate", 500, adjustable=False),
    DemoQuota("apigateway", "L-FD0EB744", "WebSocket message payload size", 131072, adjustable=False),
    DemoQuota("apigateway", "L-A6CCE716", "Connection duration for WebSocket API", 7200, adjustable=False),
    DemoQuota("apigateway", "L-1D180A63", "API keys", 10000, adjustable=False),
    DemoQuota("apigateway", "L-E8693075", "Usage plans", 300),
    DemoQuota("apigateway", "L-985EB478", "Usage plans per API key", 10),
    DemoQuota("apigateway", "L-379E48B0", "Stages per API", 10),
    DemoQuota("apigateway", "L-A93447B8", "Custom Domain Names", 120),
    DemoQuota("apigateway", "L-824C9E42", "Client certificates", 60),
    DemoQuota("apigateway", "L-A4C7274F", "VPC links", 20),
    DemoQuota("apigateway", "L-608BDCD4", "VPC links(V2)", 10),
    DemoQuota("apigateway", "L-01C8A9E0", "Resources/Routes per REST/WebSocket API", 300),
    DemoQuota("apigateway", "L-65B5C802", "Routes per HTTP API", 300),
    DemoQuota("apigateway", "L-B97207D0", "Edge-optimized APIs", 120, adjustable=False),
    DemoQuota("elasticloadbalancing", "L-E9E9831D", "Classic Load Balancers per Region", 20, usage=CLB_USAGE),
    DemoQuota("elasticloadbalancing", "L-1A491844", "Listeners per Classic Load Balancer", 100),
    DemoQuota("lambda", "L-B99A9384", "Concurrent executions", 1000, usage=LAMBDA_USAGE),
    DemoQuota("lambda", "L-A1AFA3CF", "Concurrency scaling rate", 1000, adjustable=False),
    DemoQuota("lambda", "L-2ACBD22F", "Function and layer storage", 322122547200),
    DemoQuota("lambda", "L-9FEE3D26", "Elastic network interfaces per VPC", 500),
    DemoQuota("sqs", "L-C491D5A4", "In-flight messages per standard queue", 120000),
    DemoQuota("sqs", "L-49DA5CEC", "Message size", 1048576, adjustable=False),
    DemoQuota("sqs", "L-2DA3E3B2", "Message retention time", 345600, adjustable=False),
    DemoQuota("s3", "L-DC2B2D3D", "General purpose buckets", 10000),
    DemoQuota("kinesis", "L-0918CF54", "Shards per Region", 1000, by_region=SHARD_QUOTAS_BY_REGION),
    DemoQuota("autoscaling", "L-CDE20ADC", "Auto Scaling groups per region", 500),
    DemoQuota("autoscaling", "L-6B80B8FA", "Launch configurations per region", 200),
)
REQUEST_STATUS, MINUTES_PER_DAY = "CASE_OPENED", 24 * 60


def metrics(region: DemoRegion) -> Iterator[DemoMetric]:
    """Yield the usage metric of Classic Load Balancers, whose quota no signal declares."""
    usage = CLB_USAGE
    yield DemoMetric(
        usage["MetricNamespace"],
        usage["MetricName"],
        usage["MetricDimensions"],
        REPORTED_EACH_MINUTE,
        constant(CLASSIC_LOAD_BALANCERS),
    )


def quotas_of(region: DemoRegion) -> Mapping[str, DemoQuota]:
    """Return the quotas of a region by code."""
    return {quota.code: quota for quota in (*QUOTAS, *region.quotas)}


def quota_value(region: DemoRegion, code: str) -> float:
    """Return the applied value of a quota in a region; without an applied value, the region's default."""
    quota = quotas_of(region)[code]
    return region.applied_quotas.get(code, quota.by_region.get(region.name, quota.default))


def quota_description(region: DemoRegion, quota: DemoQuota, value: float) -> dict[str, Any]:
    """Return the description of a quota as AWS returns it, with this value."""
    return {
        "ServiceCode": quota.service,
        "ServiceName": quota.service,
        "QuotaArn": region.arn("servicequotas", f"{quota.service}/{quota.code}"),
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Value": value,
        "Unit": "None",
        "Adjustable": quota.adjustable,
        "GlobalQuota": False,
        **({"UsageMetric": quota.usage} if quota.usage else {}),
        **({"Period": {"PeriodValue": 1, "PeriodUnit": "SECOND"}} if quota.per_second else {}),
    }


def applied_quota(region: DemoRegion, quota: DemoQuota) -> dict[str, Any]:
    """Return the description of a quota with its applied value."""
    return quota_description(region, quota, quota_value(region, quota.code))


def default_quota(region: DemoRegion, quota: DemoQuota) -> dict[str, Any]:
    """Return the description of a quota with its default."""
    return quota_description(region, quota, quota.by_region.get(region.name, quota.default))


def find_quota(region: DemoRegion, params: RequestParams) -> DemoQuota:
    """Return the quota that the parameters name. Raises AwsResponseError if there is none."""
    quota = quotas_of(region).get(params["QuotaCode"])
    if quota is None or quota.service != params["ServiceCode"]:
        raise AwsResponseError("NoSuchResourceException", "The request failed: no such quota.")
    return quota


def get_service_quota(region: DemoRegion, params: RequestParams, _: float) -> Mapping[str, Any]:
    """Answer GetServiceQuota; in the demo, only adjustable quotas have an applied value."""
    if not find_quota(region, params).adjustable:
        raise AwsResponseError("NoSuchResourceException", "The request failed: no applied value.")
    return {"Quota": applied_quota(region, find_quota(region, params))}


def get_default_quota(region: DemoRegion, params: RequestParams, _: float) -> Mapping[str, Any]:
    """Answer GetAWSDefaultServiceQuota."""
    return {"Quota": default_quota(region, find_quota(region, params))}


def service_quotas(region: DemoRegion, params: RequestParams) -> list[DemoQuota]:
    """Return the quotas of the service that the parameters name."""
    return [quota for quota in quotas_of(region).values() if quota.service == params["ServiceCode"]]


def list_applied_quotas(region: DemoRegion, params: RequestParams, _: float) -> Mapping[str, Any]:
    """Answer ListServiceQuotas."""
    return {
        "Quotas": [
            applied_quota(region, quota) for quota in service_quotas(region, params) if quota.adjustable
        ]
    }


def list_default_quotas(region: DemoRegion, params: RequestParams, _: float) -> Mapping[str, Any]:
    """Answer ListAWSDefaultServiceQuotas."""
    return {"Quotas": [default_quota(region, quota) for quota in service_quotas(region, params)]}


def list_services(region: DemoRegion, params: RequestParams, _: float) -> Mapping[str, Any]:
    """Answer ListServices with the services that have quotas."""
    services = sorted({quota.service for quota in quotas_of(region).values()})
    return {"Services": [{"ServiceCode": service, "ServiceName": service} for service in services]}


def list_increase_requests(region: DemoRegion, params: RequestParams, _: float) -> Mapping[str, Any]:
    """Answer ListRequestedServiceQuotaChangeHistory; in the demo, every request has an open support case."""
    status_matches = params.get("Status", REQUEST_STATUS) == REQUEST_STATUS
    requests = region.requested_quotas.items() if status_matches else ()
    return {"RequestedQuotas": [increase_request(region, code, desired) for code, desired in requests]}


def increase_request(region: DemoRegion, code: str, desired: float) -> dict[str, Any]:
    """Return the description of a request to increase a quota, made a day before the demo starts."""
    made_at = datetime.fromtimestamp((region.start - MINUTES_PER_DAY) * 60, UTC)
    return {
        "Id": f"demo-{code}",
        "ServiceCode": quotas_of(region)[code].service,
        "QuotaCode": code,
        "QuotaName": quotas_of(region)[code].name,
        "DesiredValue": desired,
        "Status": REQUEST_STATUS,
        "Created": made_at,
        "LastUpdated": made_at,
    }


def request_increase(region: DemoRegion, params: RequestParams, _: float) -> Mapping[str, Any]:
    """Answer RequestServiceQuotaIncrease; the demo accepts a request, but does not store it."""
    quota = find_quota(region, params)
    if params["QuotaCode"] in region.requested_quotas:
        raise AwsResponseError(
            "ResourceAlreadyExistsException", "Only one open request for a quota is allowed."
        )
    request = increase_request(region, quota.code, params["DesiredValue"])
    return {"RequestedQuota": {**request, "Status": "PENDING"}}


def start_report(region: DemoRegion, params: RequestParams, _: float) -> Mapping[str, Any]:
    """Answer StartQuotaUtilizationReport; in the demo, the report is ready at once."""
    return {"ReportId": f"demo-{region.name}", "Status": "PENDING"}


def get_report(region: DemoRegion, params: RequestParams, now: float) -> Mapping[str, Any]:
    """Answer GetQuotaUtilizationReport with no quotas; AWS's own report names only a few."""
    generated_at = datetime.fromtimestamp(now, UTC)
    content = {"TotalCount": 0, "Quotas": [], "GeneratedAt": generated_at}
    return {"ReportId": params["ReportId"], "Status": "COMPLETED", **content}


SERVICE = DemoService(
    name="service-quotas",
    metrics=metrics,
    operations={
        "GetServiceQuota": get_service_quota,
        "GetAWSDefaultServiceQuota": get_default_quota,
        "ListServiceQuotas": list_applied_quotas,
        "ListServices": list_services,
        "ListAWSDefaultServiceQuotas": list_default_quotas,
        "ListRequestedServiceQuotaChangeHistory": list_increase_requests,
        "RequestServiceQuotaIncrease": request_increase,
        "StartQuotaUtilizationReport": start_report,
        "GetQuotaUtilizationReport": get_report,
    },
)
