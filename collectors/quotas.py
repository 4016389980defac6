"""Service Quotas: the applied value of each quota, or its default if there is no applied value.

API: https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html
"""

from collections.abc import Iterable, Mapping

from botocore.exceptions import ClientError

from collectors.base import Aws, Resource
from rules.limits import LimitSource, Quota

ACTIONS = ("servicequotas:GetServiceQuota", "servicequotas:GetAWSDefaultServiceQuota")
RATES = {"service-quotas": 5}  # documented for GetServiceQuota, per account and region

QuotaValues = Mapping[LimitSource, float]


async def read(aws: Aws, quotas: Iterable[Quota]) -> dict[Quota, QuotaValues]:
    """Read quotas: the value of each by its source. A quota that cannot be read is left out and reported."""

    async def call(quota: Quota) -> QuotaValues:
        return await read_value(aws, quota)

    return {quota: values async for quota, values in aws.map(quotas, call, _resource)}


def _resource(quota: Quota) -> Resource:
    return Resource("quota", (quota.code,))


async def read_value(aws: Aws, quota: Quota) -> QuotaValues:
    """Read the applied value of a quota, or its default if the account has no applied value."""
    names = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    try:
        response = await aws.call("service-quotas", "GetServiceQuota", **names)
        return {LimitSource.APPLIED: response["Quota"]["Value"]}
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchResourceException":
            raise
    response = await aws.call("service-quotas", "GetAWSDefaultServiceQuota", **names)
    return {LimitSource.DEFAULT: response["Quota"]["Value"]}
