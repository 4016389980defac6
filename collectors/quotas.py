"""Service Quotas: the applied value of a quota over its default, by code.

API: https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html
"""

from collections.abc import Iterable, Mapping

from botocore.exceptions import ClientError

from collectors.base import Aws
from rules.limits import Quota, Source

ACTIONS = ("servicequotas:GetServiceQuota", "servicequotas:GetAWSDefaultServiceQuota")
RATES = {"service-quotas": 5}  # documented for GetServiceQuota, per account and region

Values = Mapping[Source, float]


async def read(aws: Aws, quotas: Iterable[Quota]) -> dict[Quota, Values]:
    """The value of each quota that can be read, by the source that told it; failures are noted by code."""

    async def ask(quota: Quota) -> Values:
        return await value(aws, quota)

    return {quota: told async for quota, told in aws.each(quotas, ask, lambda quota: quota.code)}


async def value(aws: Aws, quota: Quota) -> Values:
    """The applied value; the default where the account has none applied, as AWS answers for some quotas."""
    names = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    try:
        answer = await aws.call("service-quotas", "GetServiceQuota", **names)
        return {Source.APPLIED: answer["Quota"]["Value"]}
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchResourceException":
            raise
    answer = await aws.call("service-quotas", "GetAWSDefaultServiceQuota", **names)
    return {Source.DEFAULT: answer["Quota"]["Value"]}
