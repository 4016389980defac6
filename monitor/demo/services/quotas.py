"""Service Quotas: the codes of the six services, a default each, and what a region was granted beyond it.

Codes and defaults: the AWS General Reference's page of each service.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.demo.region import AwsError, Params, Region, Service


@dataclass(frozen=True, slots=True)
class Quota:
    service: str
    code: str
    name: str
    default: float
    adjustable: bool = True
    by_region: Mapping[str, float] = field(default_factory=dict)
    per_second: bool = False
    usage: Mapping[str, Any] = field(default_factory=dict)


MANY_SHARDS = {"us-east-1": 20000, "us-west-2": 20000, "eu-west-1": 20000}
LAMBDA_USAGE = {
    "MetricNamespace": "AWS/Lambda",
    "MetricName": "ConcurrentExecutions",
    "MetricDimensions": {},
    "MetricStatisticRecommendation": "Maximum",
}
QUOTAS = (
    Quota("apigateway", "L-8A5B8E43", "Throttle rate", 10000, per_second=True),
    Quota("apigateway", "L-CDF5615A", "Throttle burst rate", 5000, adjustable=False),
    Quota("apigateway", "L-46624B39", "API Payload Size", 10485760, adjustable=False),
    Quota("apigateway", "L-E5AE38E3", "Maximum integration timeout in milliseconds", 29000),
    Quota("apigateway", "L-9ED1E49A", "WebSocket new connections rate", 500, per_second=True),
    Quota("apigateway", "L-E1465507", "WebSocket new connections burst rate", 500, adjustable=False),
    Quota("apigateway", "L-FD0EB744", "WebSocket message payload size", 131072, adjustable=False),
    Quota("apigateway", "L-A6CCE716", "Connection duration for WebSocket API", 7200, adjustable=False),
    Quota("lambda", "L-B99A9384", "Concurrent executions", 1000, usage=LAMBDA_USAGE),
    Quota("lambda", "L-A1AFA3CF", "Concurrency scaling rate", 1000, adjustable=False),
    Quota("lambda", "L-2ACBD22F", "Function and layer storage", 322122547200),
    Quota("lambda", "L-9FEE3D26", "Elastic network interfaces per VPC", 500),
    Quota("sqs", "L-C491D5A4", "In-flight messages per standard queue", 120000),
    Quota("sqs", "L-49DA5CEC", "Message size", 1048576, adjustable=False),
    Quota("sqs", "L-2DA3E3B2", "Message retention time", 345600, adjustable=False),
    Quota("s3", "L-DC2B2D3D", "General purpose buckets", 10000),
    Quota("kinesis", "L-0918CF54", "Shards per Region", 1000, by_region=MANY_SHARDS),
    Quota("autoscaling", "L-CDE20ADC", "Auto Scaling groups per region", 500),
    Quota("autoscaling", "L-6B80B8FA", "Launch configurations per region", 200),
)
BY_CODE = {quota.code: quota for quota in QUOTAS}


def quota(region: Region, code: str) -> float:
    """The limit in force: what the region was granted, or the default there."""
    declared = BY_CODE[code]
    return region.quotas.get(code, declared.by_region.get(region.name, declared.default))


def shown(region: Region, declared: Quota, value: float) -> dict[str, Any]:
    return {
        "ServiceCode": declared.service,
        "ServiceName": declared.service,
        "QuotaArn": region.arn("servicequotas", f"{declared.service}/{declared.code}"),
        "QuotaCode": declared.code,
        "QuotaName": declared.name,
        "Value": value,
        "Unit": "None",
        "Adjustable": declared.adjustable,
        "GlobalQuota": False,
        **({"UsageMetric": declared.usage} if declared.usage else {}),
        **({"Period": {"PeriodValue": 1, "PeriodUnit": "SECOND"}} if declared.per_second else {}),
    }


def applied(region: Region, declared: Quota) -> dict[str, Any]:
    return shown(region, declared, quota(region, declared.code))


def default(region: Region, declared: Quota) -> dict[str, Any]:
    return shown(region, declared, declared.by_region.get(region.name, declared.default))


def found(params: Params) -> Quota:
    declared = BY_CODE.get(params["QuotaCode"])
    if declared is None or declared.service != params["ServiceCode"]:
        raise AwsError("NoSuchResourceException", "The request failed: no such quota.")
    return declared


def get_service_quota(region: Region, params: Params, _: float) -> Mapping[str, Any]:
    """Only adjustable quotas have an applied value here, so that the way back to the default is used too."""
    if not found(params).adjustable:
        raise AwsError("NoSuchResourceException", "The request failed: no applied value.")
    return {"Quota": applied(region, found(params))}


def get_default(region: Region, params: Params, _: float) -> Mapping[str, Any]:
    return {"Quota": default(region, found(params))}


def list_applied(region: Region, params: Params, _: float) -> Mapping[str, Any]:
    of_service = [quota for quota in QUOTAS if quota.service == params["ServiceCode"]]
    return {"Quotas": [applied(region, quota) for quota in of_service if quota.adjustable]}


def list_defaults(region: Region, params: Params, _: float) -> Mapping[str, Any]:
    return {"Quotas": [default(region, quota) for quota in QUOTAS if quota.service == params["ServiceCode"]]}


SERVICE = Service(
    name="service-quotas",
    answers={
        "GetServiceQuota": get_service_quota,
        "GetAWSDefaultServiceQuota": get_default,
        "ListServiceQuotas": list_applied,
        "ListAWSDefaultServiceQuotas": list_defaults,
    },
)
