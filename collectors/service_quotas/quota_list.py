"""The quotas of a service code as Service Quotas lists them.

API: https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ServiceQuota.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from collectors.quotas import NO_CONTEXT, NO_SUCH_QUOTA, QuotaContext, context_of, list_descriptions
from collectors.service_quotas.call_budget import BudgetedCalls
from rules.limits import LimitSource
from rules.signals import QUOTA_CODE, Quota

SECONDS_BY_UNIT: Mapping[str, float] = {  # by `PeriodUnit`
    "MICROSECOND": 1e-6,
    "MILLISECOND": 1e-3,
    "SECOND": 1,
    "MINUTE": 60,
    "HOUR": 3600,
    "DAY": 86_400,
    "WEEK": 604_800,
}
# Error codes with this prefix say that Service Quotas could not read a value from the service.
DEPENDENCY_ERRORS = "DEPENDENCY_"
# Seconds by the words that tell the period in the name or the description of a quota without `Period`.
NAMED_PERIODS: Mapping[str, float] = {"per minute": 60, "per hour": 3600, "per day": 86_400}

QuotaKey = tuple[Quota, str]  # a quota, and the ARN of a resource with its own value, or an empty text


@dataclass(frozen=True, slots=True)
class UsageMetric:
    """The metric of the usage of a quota, with its exact dimensions.

    statistic: the statistic that AWS recommends; empty without a recommendation.
    """

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str


@dataclass(frozen=True, slots=True)
class ListedQuota:
    """A quota of an account in a region.

    value: in AWS's unit; None where AWS returns none. source: APPLIED or DEFAULT. usage_metric: None where
    AWS publishes none. period: of a quota on a rate, the seconds over which `value` is allowed, as `Period`,
    the name or the description says; else None. is_global: the quota is the same in all regions.
    is_missing_for_now: Service Quotas could not read the value from the service this time. context: the
    resource that the value holds for; NO_CONTEXT for the account.
    """

    quota: Quota
    name: str
    value: float | None
    source: LimitSource
    usage_metric: UsageMetric | None
    period: float | None
    adjustable: bool
    is_global: bool
    is_missing_for_now: bool = False
    context: QuotaContext = NO_CONTEXT

    @property
    def key(self) -> QuotaKey:
        """The key of the quota, unique in the cell."""
        return self.quota, self.context.arn


async def list_quotas(calls: BudgetedCalls, service_code: str, found: dict[QuotaKey, ListedQuota]) -> None:
    """Put all quotas of a service code into `found`: applied values, and defaults where none is applied.

    Where quotas hold for each resource, the values of single resources are added. Raises the errors of the
    calls; quotas that were read before an error are in `found`.
    """
    await _list(calls, LimitSource.APPLIED, service_code, found)
    await _list(calls, LimitSource.DEFAULT, service_code, found)
    if any(listed.context.per_resource for listed in found.values()):
        await _list(calls, LimitSource.APPLIED, service_code, found, resource_level=True)


async def _list(
    calls: BudgetedCalls,
    source: LimitSource,
    service_code: str,
    found: dict[QuotaKey, ListedQuota],
    *,
    resource_level: bool = False,
) -> None:
    """Add the quotas of a list to `found`; applied values replace defaults there."""
    descriptions = list_descriptions(calls, source, service_code, resource_level=resource_level)
    try:
        async for description in descriptions:
            listed = listed_quota(service_code, description, source)
            if listed and _takes_precedence(listed, found.get(listed.key)):
                found[listed.key] = listed
    except ClientError as error:
        if error.response["Error"]["Code"] != NO_SUCH_QUOTA:
            raise


def _takes_precedence(listed: ListedQuota, earlier: ListedQuota | None) -> bool:
    """Return whether a quota replaces the one that an earlier list has; None: no earlier list has one."""
    if earlier is None:
        return True
    return listed.source is LimitSource.APPLIED and earlier.source is LimitSource.DEFAULT


def listed_quota(
    service_code: str, description: Mapping[str, Any], source: LimitSource
) -> ListedQuota | None:
    """Return a quota; None for an entry without a valid code, such as AWS may add later."""
    code = description.get("QuotaCode", "")
    if not re.match(QUOTA_CODE, code):
        return None
    value, error_reason = description.get("Value"), description.get("ErrorReason") or {}
    return ListedQuota(
        quota=Quota(service=service_code, code=code),
        name=description.get("QuotaName") or code,
        value=None if error_reason or value is None else float(value),
        source=source,
        usage_metric=_usage_metric(description.get("UsageMetric") or {}),
        period=_period(description),
        adjustable=bool(description.get("Adjustable")),
        is_global=bool(description.get("GlobalQuota")),
        is_missing_for_now=str(error_reason.get("ErrorCode")).startswith(DEPENDENCY_ERRORS),
        context=context_of(description),
    )


def _usage_metric(described: Mapping[str, Any]) -> UsageMetric | None:
    """Return the metric of the usage; None unless namespace, name and dimensions are all there."""
    namespace, name = described.get("MetricNamespace"), described.get("MetricName")
    dimensions = described.get("MetricDimensions")
    if not (namespace and name and dimensions):
        return None
    recommended = described.get("MetricStatisticRecommendation") or ""
    return UsageMetric(namespace, name, tuple(sorted(dimensions.items())), recommended)


def _period(description: Mapping[str, Any]) -> float | None:
    period = description.get("Period") or {}
    number, unit = period.get("PeriodValue"), SECONDS_BY_UNIT.get(period.get("PeriodUnit") or "")
    if number and unit:
        return float(number * unit)
    texts = f"{description.get('QuotaName')} {description.get('Description')}".lower()
    return next((seconds for words, seconds in NAMED_PERIODS.items() if words in texts), None)
