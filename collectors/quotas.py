"""Reads Service Quotas: the applied values of quotas, and AWS's default values.

API: https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/Welcome.html
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from botocore.exceptions import ClientError

from collectors.base import Aws, Resource
from collectors.response_members import Members, are_texts, is_boolean, is_number, is_text, members_of
from rules.limits import LimitSource
from rules.signals import Quota

QUOTAS_SERVICE = "quotas"  # the service to which quotas without a signal of their own belong
ACTIONS = (
    "servicequotas:GetServiceQuota",
    "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:ListServiceQuotas",
    "servicequotas:ListAWSDefaultServiceQuotas",
    "servicequotas:ListRequestedServiceQuotaChangeHistory",
)
# Calls per second. AWS documents 5 per account and region for each Get operation and the history of requests,
# and 10 for each List operation. About half of this rate is left to other callers.
# https://docs.aws.amazon.com/servicequotas/latest/userguide/reference_limits.html
RATES = {
    "service-quotas": 5,  # for all operations together that have no rate below
    "service-quotas:GetServiceQuota": 2,
    "service-quotas:GetAWSDefaultServiceQuota": 2,
    "service-quotas:ListServiceQuotas": 5,
    "service-quotas:ListAWSDefaultServiceQuotas": 5,
}

NO_SUCH_QUOTA = "NoSuchResourceException"
NO_VALUE = "NoQuotaValue"  # Headroom's error code for an answer without a number
LIST_OPERATIONS = {
    LimitSource.APPLIED: "ListServiceQuotas",  # does not list quotas that have only a default
    LimitSource.DEFAULT: "ListAWSDefaultServiceQuotas",
}
GET_OPERATIONS = {
    LimitSource.APPLIED: "GetServiceQuota",
    LimitSource.DEFAULT: "GetAWSDefaultServiceQuota",
}
PAGE_SIZE = 100  # the largest page that AWS allows
QUOTA_CONTEXT: Members = {"ContextId": is_text, "ContextScope": is_text, "AdjustableAtLevel": is_text}
QUOTA: Members = {  # the members of a ServiceQuota that are read
    "QuotaCode": is_text,
    "QuotaName": is_text,
    "Description": is_text,
    "Value": is_number,
    "Adjustable": is_boolean,
    "GlobalQuota": is_boolean,
    "Period": {"PeriodValue": is_number, "PeriodUnit": is_text},
    "ErrorReason": {"ErrorCode": is_text, "ErrorMessage": is_text},
    "UsageMetric": {
        "MetricNamespace": is_text,
        "MetricName": is_text,
        "MetricDimensions": are_texts,
        "MetricStatisticRecommendation": is_text,
    },
    "QuotaContext": QUOTA_CONTEXT,
}
ALL_RESOURCES = "*"  # the ContextId of a value for all resources without a value of their own

ACCOUNT_LEVEL, RESOURCE_LEVEL = "ACCOUNT", "PER_RESOURCE"  # levels at which AWS increases a quota

QuotaValues = Mapping[LimitSource, float]
QuotaDescription = Mapping[str, Any]  # the members of a ServiceQuota


class QuotaLister(Protocol):
    """A caller of AWS that can list quotas."""

    def list_items(self, service: str, operation: str, key: str, **params: Any) -> AsyncIterator[Any]:
        """Yield the items under `key` of every page."""
        ...


def failure_resource(quota: Quota) -> Resource:
    """Return the resource under which a failure to read a quota is reported."""
    return Resource("quota", (quota.code,))


@dataclass(frozen=True, slots=True)
class QuotaContext:
    """The account or the resource that a quota, or a value of a quota, applies to.

    arn: the resource that has this value; empty if the value applies to the account, or to all resources
    without a value of their own. per_resource: the quota applies to each resource. level: where AWS increases
    the quota: ACCOUNT_LEVEL, RESOURCE_LEVEL or ALL; empty if AWS does not say, as for most account quotas.
    """

    arn: str = ""
    per_resource: bool = False
    level: str = ""


NO_CONTEXT = QuotaContext()


class ListedValue(NamedTuple):
    """A quota in a list, with its value; the value is None if AWS does not return it."""

    code: str
    value: float | None
    context: QuotaContext
    description: QuotaDescription


def context_of(description: QuotaDescription) -> QuotaContext:
    """Return the account or the resource that a quota, or a value of a quota, applies to."""
    context = description.get("QuotaContext") or {}
    arn = context.get("ContextId") or ""
    return QuotaContext(
        "" if arn == ALL_RESOURCES else arn,
        context.get("ContextScope") == "RESOURCE",
        context.get("AdjustableAtLevel") or "",
    )


async def list_values(
    aws: Aws, source: LimitSource, service_code: str, *, resource_level: bool = False
) -> AsyncIterator[ListedValue]:
    """Yield the values of the quotas of a service.

    resource_level: yield the applied values of single resources, instead of the values of the account.
    """
    async for description in list_descriptions(aws, source, service_code, resource_level=resource_level):
        code = description.get("QuotaCode") or ""
        yield ListedValue(code, _listed_value(description), context_of(description), description)


async def list_descriptions(
    aws: QuotaLister, source: LimitSource, service_code: str, *, resource_level: bool = False
) -> AsyncIterator[QuotaDescription]:
    """Yield AWS's descriptions of the quotas of a service. resource_level: see `list_values`."""
    level_params: dict[str, Any] = {"QuotaAppliedAtLevel": "RESOURCE"} if resource_level else {}
    descriptions = aws.list_items(
        "service-quotas",
        LIST_OPERATIONS[source],
        "Quotas",
        ServiceCode=service_code,
        MaxResults=PAGE_SIZE,
        **level_params,
    )
    async for description in descriptions:
        yield members_of(description, QUOTA)


async def read_value(aws: Aws, quota: Quota) -> QuotaValues:
    """Return the applied value of a quota; its default value if the account has no applied value."""
    source, description = await read_description(aws, quota)
    return {source: value_of(description, GET_OPERATIONS[source])}


async def read_description(aws: Aws, quota: Quota, arn: str = "") -> tuple[LimitSource, QuotaDescription]:
    """Return AWS's description of a quota with its applied value, or else with its default value.

    arn: a resource, whose own value is returned. If the resource has no value of its own, the value for all
    resources is returned.
    """
    names = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    contexts: list[dict[str, str]] = [{"ContextId": arn}, {}] if arn else [{}]
    for context in contexts:
        try:
            operation = GET_OPERATIONS[LimitSource.APPLIED]
            response = await aws.call("service-quotas", operation, **names, **context)
            return LimitSource.APPLIED, members_of(response.get("Quota"), QUOTA)
        except ClientError as error:
            if error.response["Error"]["Code"] != NO_SUCH_QUOTA:
                raise
    response = await aws.call("service-quotas", GET_OPERATIONS[LimitSource.DEFAULT], **names)
    return LimitSource.DEFAULT, members_of(response.get("Quota"), QUOTA)


def _listed_value(description: QuotaDescription) -> float | None:
    """Return the value in a quota's description; None if AWS returned an error, or no value."""
    value = description.get("Value")
    return None if value is None or description.get("ErrorReason") else float(value)


def value_of(description: QuotaDescription, operation: str) -> float:
    """Return the value in a quota's description. Raises ClientError with AWS's reason if it has no value."""
    reason = description.get("ErrorReason") or {}
    value = description.get("Value")
    if reason or value is None:
        code = reason.get("ErrorCode", NO_VALUE)
        message = reason.get("ErrorMessage", "the quota has no value")
        raise ClientError({"Error": {"Code": code, "Message": message}}, operation)
    return float(value)
