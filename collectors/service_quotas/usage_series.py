"""The series of quotas with a metric of their usage.

Which statistic holds, and what a point means, is as AWS documents and as its metrics were seen to behave:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/aws-api-usage-metrics.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-usage-metrics.html
"""

from collections.abc import Collection
from dataclasses import replace

from collectors.base import Metric, Observed, Resource, Usage, highest, per_second, total
from collectors.service_quotas.quota_list import ListedQuota, UsageMetric

USAGE_NAMESPACE = "AWS/Usage"
CALLS, THROTTLED, RESOURCES = "CallCount", "ThrottleCount", "ResourceCount"
LEVEL_PERIOD = 300  # seconds: many counts have a point in five minutes
STATISTICS = frozenset({"Sum", "SampleCount", "Maximum", "Minimum", "Average"})

# A ResourceCount is a level; these are messages, which SNS adds up by the minute.
FLOWS = frozenset({("SNS", "NumberOfMessagesPublishedPerAccount")})
# The metrics of refused calls are in a namespace of their own.
THROTTLE_NAMESPACES = {"Logs": "AWS/Logs"}
# The value in Service Quotas is not what is enforced: cognito-idp.GetProvisionedLimit is.
NOT_ENFORCED = frozenset({"cognito-idp"})

MetricId = tuple[str, tuple[tuple[str, str], ...]]  # the name and the sorted dimensions


def usage_series(listed: ListedQuota, published: Collection[MetricId]) -> Observed | None:
    """Return the series of a quota; None where it has none.

    published: the metrics of the cell in USAGE_NAMESPACE that had points in the last two weeks. A quota whose
    metric is not among them was not used. A quota of 0 is one that AWS grants on request.
    """
    usage = listed.usage
    if not usage or not listed.value or listed.quota.service in NOT_ENFORCED:
        return None
    if usage.namespace == USAGE_NAMESPACE and (usage.name, usage.dimensions) not in published:
        return None
    signal, formula = _usage(usage, listed.period or 1.0)
    return Observed(
        signal=signal,
        resource=quota_resource(listed),
        usage=formula,
        limit=listed.value,
        limit_source=listed.source,
        quota=listed.quota,
        throttled=_throttled(usage, published) if usage.name == CALLS else None,
    )


def quota_resource(listed: ListedQuota) -> Resource:
    """The resource of a quota's series: the quota itself, a part of its service."""
    quota = listed.quota
    return Resource(
        "quota", (quota.service, quota.code), (quota.service, listed.name), parent_kinds=("service",)
    )


def _usage(usage: UsageMetric, period: float) -> tuple[str, Usage]:
    """Return the signal and the formula of a metric. period: seconds for which a rate holds."""
    dimensions = dict(usage.dimensions)
    is_flow = (dimensions.get("Service"), dimensions.get("Resource")) in FLOWS
    rate = Metric(usage.namespace, usage.name, "Sum", dimensions=usage.dimensions, zero_when_absent=True)
    if is_flow:
        return "messages", per_second(rate)
    if usage.name == CALLS:  # whatever statistic AWS recommends: each point counts one call
        return "calls" if period == 1 else "calls_per_period", per_second(rate).scaled(period)
    level = replace(rate, stat="Maximum", period=LEVEL_PERIOD, zero_when_absent=False)
    if usage.name == RESOURCES:  # counts are levels, even where AWS recommends their sum
        return "resources", highest(level)
    recommended = usage.statistic if usage.statistic in STATISTICS else "Maximum"
    return "other", total(replace(level, stat=recommended))


def _throttled(usage: UsageMetric, published: Collection[MetricId]) -> Usage | None:
    """The refused calls; None where AWS publishes no metric of them."""
    namespace = THROTTLE_NAMESPACES.get(dict(usage.dimensions).get("Service", ""), usage.namespace)
    if namespace == USAGE_NAMESPACE and (THROTTLED, usage.dimensions) not in published:
        return None
    return per_second(Metric(namespace, THROTTLED, "Sum", dimensions=usage.dimensions, zero_when_absent=True))
