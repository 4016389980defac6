"""The series of quotas with a usage metric.

The statistics and the meaning of a point follow AWS's pages and the observed behaviour of the metrics:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/aws-api-usage-metrics.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-usage-metrics.html
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from collectors.base import (
    Dimensions,
    Metric,
    Observed,
    Resource,
    Unobservable,
    Usage,
    highest,
    per_second,
    total,
)
from collectors.service_quotas.overrides import Override, ReadAs, override_of
from collectors.service_quotas.quota_list import ListedQuota, UsageMetric
from collectors.usage import USAGE_NAMESPACE

CALLS, THROTTLED, RESOURCES = "CallCount", "ThrottleCount", "ResourceCount"
LEVEL_PERIOD = 300  # seconds: many metrics of levels have one point in five minutes
STATISTICS = frozenset({"Sum", "SampleCount", "Maximum", "Minimum", "Average"})

FAILED_CALL_METRICS = frozenset({THROTTLED, "ErrorCount"})  # these metrics never measure usage
MAX_PARTS = 100  # of one quota: each part is a metric that is billed

NameAndDimensions = tuple[str, Dimensions]  # of a metric


def usage_series(listed: ListedQuota, published_metrics: Collection[NameAndDimensions]) -> Observed | None:
    """Return the series of a quota; None if it has no value or no usage metric that can be read.

    published_metrics: the metrics of the cell in USAGE_NAMESPACE that had points in the last two weeks. A
    quota whose metric is not among them was not used. A quota of 0 has no series: AWS raises it on request.
    """
    usage_metric, override = listed.usage_metric, override_of_listed(listed)
    if (
        not usage_metric
        or not listed.value
        or override.read is ReadAs.NOTHING
        or usage_metric.name in FAILED_CALL_METRICS
    ):
        return None
    all_dimensions = _dimensions_of_metrics(usage_metric, override, published_metrics)
    if not all_dimensions:
        return None
    period = override.period or listed.period
    # A rate without a period is per second, unless it is below 1: AWS allows no less than one call a second.
    is_limit_known = usage_metric.name != CALLS or period is not None or listed.value >= 1
    signal, formula = _signal_and_formula(usage_metric, override, all_dimensions[:MAX_PARTS], period or 1.0)
    return Observed(
        signal=signal,
        resource=quota_resource(listed),
        usage=formula,
        limit=listed.value if is_limit_known else None,
        limit_source=listed.source,
        quota=listed.quota,
        quota_arn=listed.context.arn,
        bounded_because=_bounded_because(len(all_dimensions)),
        throttled=(
            _throttled(usage_metric, override, published_metrics) if usage_metric.name == CALLS else None
        ),
    )


def override_of_listed(listed: ListedQuota) -> Override:
    """Return how the metric of a quota is read."""
    return override_of(listed.quota, dict(listed.usage_metric.dimensions) if listed.usage_metric else {})


def _dimensions_of_metrics(
    usage_metric: UsageMetric, override: Override, published_metrics: Collection[NameAndDimensions]
) -> list[Dimensions]:
    """Return the dimensions of each metric to read: the quota's own metric, or the metrics of its parts."""
    is_published = (usage_metric.name, usage_metric.dimensions) in published_metrics
    if usage_metric.namespace != USAGE_NAMESPACE or is_published:
        return [usage_metric.dimensions]
    if not override.parts:
        return []

    def is_part(dimensions: Dimensions) -> bool:
        """Return whether only the dimension that tells parts apart is missing, added or different."""
        differences = {*dimensions} ^ {*usage_metric.dimensions}
        return {name for name, _ in differences} == {override.parts}

    return sorted(
        dimensions
        for name, dimensions in published_metrics
        if name == usage_metric.name and is_part(dimensions)
    )


def _bounded_because(metric_count: int) -> Unobservable | None:
    """Return why the usage is a lower bound: parts are not read; None if all are read."""
    if metric_count <= MAX_PARTS:
        return None
    return Unobservable(f"only {MAX_PARTS} of {metric_count:,} metrics are read, because each is billed")


def quota_resource(listed: ListedQuota) -> Resource:
    """Return the resource of a quota's series: the quota itself, or the resource with its own value."""
    quota, arn = listed.quota, listed.context.arn
    account_quota = Resource(
        "quota", (quota.service, quota.code), (quota.service, listed.name), parent_kinds=("service",)
    )
    return account_quota.child("resource", arn, arn.split(":", 5)[-1]) if arn else account_quota


def _signal_and_formula(
    usage_metric: UsageMetric, override: Override, all_dimensions: Sequence[Dimensions], period: float
) -> tuple[str, Usage]:
    """Return the signal and the usage of the metrics with these dimensions.

    period: the seconds over which the value of a quota on a rate counts calls.
    """
    rates = [
        Metric(usage_metric.namespace, usage_metric.name, "Sum", dimensions=dimensions, zero_when_absent=True)
        for dimensions in all_dimensions
    ]
    if override.read is ReadAs.FLOW:
        return "messages", per_second(*rates)
    if usage_metric.name == CALLS:  # always a sum, whatever AWS recommends: each sample counts one call
        return "calls" if period == 1 else "calls_per_period", per_second(*rates).scaled(period)
    levels = [replace(rate, stat="Maximum", period=LEVEL_PERIOD, zero_when_absent=False) for rate in rates]
    if usage_metric.name == RESOURCES:  # always levels, even where AWS recommends a sum
        return "resources", highest(*levels)
    is_level = override.read is ReadAs.LEVEL or usage_metric.statistic not in STATISTICS
    stat = "Maximum" if is_level else usage_metric.statistic
    return "other", total(*(replace(level, stat=stat) for level in levels))


def _throttled(
    usage_metric: UsageMetric, override: Override, published_metrics: Collection[NameAndDimensions]
) -> Usage | None:
    """Return the formula of throttled calls; None where AWS publishes no metric for them."""
    namespace = override.throttled_in or usage_metric.namespace
    if namespace == USAGE_NAMESPACE and (THROTTLED, usage_metric.dimensions) not in published_metrics:
        return None
    return per_second(
        Metric(namespace, THROTTLED, "Sum", dimensions=usage_metric.dimensions, zero_when_absent=True)
    )
