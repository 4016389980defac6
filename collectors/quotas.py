"""Service Quotas: the applied values of quotas, and AWS's defaults.

API: https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/Welcome.html
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from botocore.exceptions import ClientError

from collectors.base import Aws, Resource
from collectors.response_members import Members, are_texts, is_number, is_text, is_truth, members_of
from rules.limits import LimitSource
from rules.signals import Quota

QUOTAS_SERVICE = "quotas"  # the service of quotas without a signal of their own
ACTIONS = (
    "servicequotas:GetServiceQuota",
    "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:ListServiceQuotas",
    "servicequotas:ListAWSDefaultServiceQuotas",
    "servicequotas:ListRequestedServiceQuotaChangeHistory",
)
# Documented for an account and region are 5 per second of each Get and of the history, and 10 of each List;
# half of that is left to others.
# https://docs.aws.amazon.com/servicequotas/latest/userguide/reference_limits.html
RATES = {
    "service-quotas": 5,  # of all operations together that are not named
    "service-quotas:GetServiceQuota": 2,
    "service-quotas:GetAWSDefaultServiceQuota": 2,
    "service-quotas:ListServiceQuotas": 5,
    "service-quotas:ListAWSDefaultServiceQuotas": 5,
}

NO_SUCH_QUOTA = "NoSuchResourceException"
NO_VALUE = "NoQuotaValue"  # our code for an answer without a number
LIST_OPERATIONS = {
    LimitSource.APPLIED: "ListServiceQuotas",  # leaves out quotas that have only a default
    LimitSource.DEFAULT: "ListAWSDefaultServiceQuotas",
}
GET_OPERATIONS = {
    LimitSource.APPLIED: "GetServiceQuota",
    LimitSource.DEFAULT: "GetAWSDefaultServiceQuota",
}
PAGE_SIZE = 100  # the most that AWS allows
QUOTA_CONTEXT: Members = {"ContextId": is_text, "ContextScope": is_text, "AdjustableAtLevel": is_text}
QUOTA: Members = {  # what is read of a ServiceQuota
    "QuotaCode": is_text,
    "QuotaName": is_text,
    "Description": is_text,
    "Value": is_number,
    "Adjustable": is_truth,
    "GlobalQuota": is_truth,
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
ALL_RESOURCES = "*"  # as the resource of a quota: each that has no value of its own

ACCOUNT_LEVEL, RESOURCE_LEVEL = "ACCOUNT", "PER_RESOURCE"  # where AWS increases a quota

QuotaValues = Mapping[LimitSource, float]
Description = Mapping[str, Any]  # the members of a ServiceQuota


class Lists(Protocol):
    """A caller that lists quotas: a scan, or the calls of a budget."""

    def list_items(self, service: str, operation: str, key: str, **params: Any) -> AsyncIterator[Any]:
        """Yield the items under `key` of every page."""
        ...


def quota_resource(quota: Quota) -> Resource:
    """The resource for which a failure to read a quota is reported."""
    return Resource("quota", (quota.code,))


@dataclass(frozen=True, slots=True)
class QuotaContext:
    """The account or the resource that a quota, or one of its values, holds for.

    arn: the resource that has this value; empty for the account, or for all resources without one of their
    own. per_resource: the quota holds for each resource. level: where AWS increases it: ACCOUNT_LEVEL,
    RESOURCE_LEVEL or ALL; empty where AWS does not tell, as for most quotas of the account.
    """

    arn: str = ""
    per_resource: bool = False
    level: str = ""


NO_CONTEXT = QuotaContext()


class ListedValue(NamedTuple):
    """The value of a quota in a list; None where AWS does not return it."""

    code: str
    value: float | None
    context: QuotaContext
    description: Description


def context_of(description: Description) -> QuotaContext:
    """Return what a quota, or a value of it, holds for."""
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

    resource_level: the applied values of single resources, instead of those of the account.
    """
    async for description in list_descriptions(aws, source, service_code, resource_level=resource_level):
        code = description.get("QuotaCode") or ""
        yield ListedValue(code, _listed_value(description), context_of(description), description)


async def list_descriptions(
    aws: Lists, source: LimitSource, service_code: str, *, resource_level: bool = False
) -> AsyncIterator[Description]:
    """Yield the quotas of a service as AWS describes them; resource_level as in `list_values`."""
    level: dict[str, Any] = {"QuotaAppliedAtLevel": "RESOURCE"} if resource_level else {}
    descriptions = aws.list_items(
        "service-quotas",
        LIST_OPERATIONS[source],
        "Quotas",
        ServiceCode=service_code,
        MaxResults=PAGE_SIZE,
        **level,
    )
    async for description in descriptions:
        yield members_of(description, QUOTA)


async def read_value(aws: Aws, quota: Quota) -> QuotaValues:
    """Read the applied value of a quota, or its default if the account has no applied value."""
    source, description = await read_description(aws, quota)
    return {source: value_of(description, GET_OPERATIONS[source])}


async def read_description(aws: Aws, quota: Quota, arn: str = "") -> tuple[LimitSource, Description]:
    """Return what Service Quotas tells of a quota: its applied value, or else its default.

    arn: of the resource, for the value of this resource alone; where it has none, that of all resources is
    returned.
    """
    names = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    applied, default = GET_OPERATIONS.items()
    for source, operation, context in ((*applied, {"ContextId": arn}), (*applied, {}))[not arn :]:
        try:
            response = await aws.call("service-quotas", operation, **names, **context)
            return source, members_of(response.get("Quota"), QUOTA)
        except ClientError as error:
            if error.response["Error"]["Code"] != NO_SUCH_QUOTA:
                raise
    response = await aws.call("service-quotas", default[1], **names)
    return default[0], members_of(response.get("Quota"), QUOTA)


def _listed_value(description: Description) -> float | None:
    """The value of a quota in a list; None where AWS returns an error or nothing in its place."""
    value = description.get("Value")
    return None if value is None or description.get("ErrorReason") else float(value)


def value_of(description: Description, operation: str) -> float:
    """The value of a quota. Raises ClientError where AWS returns none, with its reason where it has one."""
    reason = description.get("ErrorReason") or {}
    value = description.get("Value")
    if reason or value is None:
        code, message = (
            reason.get("ErrorCode", NO_VALUE),
            reason.get("ErrorMessage", "the quota has no value"),
        )
        raise ClientError({"Error": {"Code": code, "Message": message}}, operation)
    return float(value)
