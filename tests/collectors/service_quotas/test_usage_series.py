"""Which series a quota with a metric of its usage has."""

from typing import Any

import pytest

from collectors.base import Metric, Usage, highest, per_second
from collectors.quotas import LIST_OPERATIONS
from collectors.service_quotas.call_budget import BudgetedCalls, CallBudget
from collectors.service_quotas.quota_list import ListedQuota, list_quotas
from collectors.service_quotas.usage_series import usage_series
from rules.limits import LimitSource, Quota
from tests.fake_aws import FakeAws, denied

DIMENSIONS = {"Service": "Kinesis", "Type": "API", "Resource": "ListShards", "Class": "None"}
CALLS = {"MetricNamespace": "AWS/Usage", "MetricName": "CallCount", "MetricDimensions": DIMENSIONS}
LEVEL = {**CALLS, "MetricName": "ResourceCount", "MetricStatisticRecommendation": "Sum"}
SORTED = tuple(sorted(DIMENSIONS.items()))
PUBLISHED = {("CallCount", SORTED), ("ResourceCount", SORTED), ("Bytes", SORTED)}


async def listed(service: str = "kinesis", **described: Any) -> ListedQuota:
    """A quota as Service Quotas describes it."""
    quota = {"QuotaCode": "L-00000001", "QuotaName": "Shards", "Value": 100.0, **described}
    aws = FakeAws(list_service_quotas={"Quotas": [quota]}, list_aws_default_service_quotas={"Quotas": []})
    (one,) = await list_quotas(BudgetedCalls(aws.scan, CallBudget()), service)
    return one


def metric(
    name: str, stat: str, period: int = 60, *, zero: bool = True, namespace: str = "AWS/Usage"
) -> Metric:
    return Metric(namespace, name, stat, zero, SORTED, period=period)


async def test_calls_are_a_sum_whatever_aws_recommends() -> None:
    one = await listed(UsageMetric={**CALLS, "MetricStatisticRecommendation": "Maximum"})
    observed = usage_series(one, PUBLISHED)
    assert observed
    assert (observed.signal, observed.usage) == ("calls", per_second(metric("CallCount", "Sum")))
    assert (observed.limit, observed.limit_source) == (100.0, LimitSource.APPLIED)
    assert observed.quota == Quota(service="kinesis", code="L-00000001")
    assert (observed.resource.path, observed.resource.display_name) == (
        ("kinesis", "L-00000001"),
        "kinesis/Shards",
    )


async def test_counts_are_levels_even_where_aws_recommends_a_sum() -> None:
    observed = usage_series(await listed(UsageMetric=LEVEL), PUBLISHED)
    assert observed
    level = metric("ResourceCount", "Maximum", 300, zero=False)
    assert (observed.signal, observed.usage, observed.throttled) == ("resources", highest(level), None)


PERIODS: dict[str, tuple[dict[str, Any], float]] = {
    "none": ({}, 1),
    "a second": ({"Period": {"PeriodValue": 1, "PeriodUnit": "SECOND"}}, 1),
    "five minutes": ({"Period": {"PeriodValue": 5, "PeriodUnit": "MINUTE"}}, 300),
    "in the name": ({"QuotaName": "Requests per minute"}, 60),
    "in the description": ({"Description": "How many calls per hour are allowed."}, 3600),
    "a unit that AWS adds later": ({"Period": {"PeriodValue": 1, "PeriodUnit": "SECOND"}, "Unit": "x"}, 1),
}


@pytest.mark.parametrize(("described", "seconds"), PERIODS.values(), ids=PERIODS)
async def test_calls_are_compared_over_the_period_of_the_quota(
    described: dict[str, Any], seconds: float
) -> None:
    observed = usage_series(await listed(UsageMetric=CALLS, **described), PUBLISHED)
    assert observed and isinstance(observed.usage, Usage)
    assert observed.signal == ("calls" if seconds == 1 else "calls_per_period")
    assert observed.limit == 100.0
    assert observed.usage == per_second(metric("CallCount", "Sum")).scaled(seconds)


async def test_refused_calls_are_throttled_demand_where_aws_publishes_them() -> None:
    one = await listed(UsageMetric=CALLS)
    without, observed = (
        usage_series(one, PUBLISHED),
        usage_series(one, {*PUBLISHED, ("ThrottleCount", SORTED)}),
    )
    assert without and observed
    assert without.throttled is None
    assert observed.throttled == per_second(metric("ThrottleCount", "Sum"))


async def test_refused_calls_of_cloudwatch_logs_are_in_its_own_namespace() -> None:
    dimensions = {**DIMENSIONS, "Service": "Logs"}
    one = await listed("logs", UsageMetric={**CALLS, "MetricDimensions": dimensions})
    key = tuple(sorted(dimensions.items()))
    observed = usage_series(one, {("CallCount", key)})
    assert observed and observed.throttled
    assert [(each.namespace, each.name) for each in observed.throttled.metrics] == [
        ("AWS/Logs", "ThrottleCount")
    ]


async def test_messages_of_sns_are_a_flow_though_aws_calls_them_resources() -> None:
    dimensions = {**DIMENSIONS, "Service": "SNS", "Resource": "NumberOfMessagesPublishedPerAccount"}
    one = await listed("sns", UsageMetric={**LEVEL, "MetricDimensions": dimensions})
    key = tuple(sorted(dimensions.items()))
    observed = usage_series(one, {("ResourceCount", key)})
    assert observed and isinstance(observed.usage, Usage)
    (read,) = observed.usage.metrics
    assert (observed.signal, read.stat, read.period) == ("messages", "Sum", 60)


async def test_any_other_metric_has_the_statistic_that_aws_recommends() -> None:
    for recommended, stat in (("Sum", "Sum"), ("", "Maximum"), ("Median", "Maximum")):
        described = {
            **CALLS,
            "MetricName": "Bytes",
            "MetricStatisticRecommendation": recommended or "Maximum",
        }
        observed = usage_series(await listed(UsageMetric=described), PUBLISHED)
        assert observed and isinstance(observed.usage, Usage)
        assert (observed.signal, [one.stat for one in observed.usage.metrics]) == ("other", [stat])


WITHOUT: dict[str, tuple[str, dict[str, Any]]] = {
    "no metric": ("kinesis", {}),
    "a metric without dimensions": ("kinesis", {"UsageMetric": {**CALLS, "MetricDimensions": {}}}),
    "a metric without a namespace": ("kinesis", {"UsageMetric": {**CALLS, "MetricNamespace": ""}}),
    "a metric that was never published": ("kinesis", {"UsageMetric": {**CALLS, "MetricName": "ErrorCount"}}),
    "a quota of 0": ("kinesis", {"UsageMetric": CALLS, "Value": 0.0}),
    "a value that AWS does not know": (
        "kinesis",
        {"UsageMetric": CALLS, "ErrorReason": {"ErrorCode": "SERVICE_QUOTA_NOT_AVAILABLE_ERROR"}},
    ),
    "a value that is not enforced": ("cognito-idp", {"UsageMetric": CALLS}),
}


@pytest.mark.parametrize(("service", "described"), WITHOUT.values(), ids=WITHOUT)
async def test_a_quota_without_a_series(service: str, described: dict[str, Any]) -> None:
    assert usage_series(await listed(service, **described), PUBLISHED) is None


# The list


async def test_a_default_stands_in_where_no_value_is_applied() -> None:
    one, other = ({"QuotaCode": f"L-0000000{n}", "QuotaName": "x", "Value": float(n)} for n in (1, 2))
    aws = FakeAws(
        list_service_quotas=[{"Quotas": [{**one, "Value": 9.0}]}, {"Quotas": []}],
        list_aws_default_service_quotas={"Quotas": [one, other, {"QuotaName": "without a code"}]},
    )
    found = await list_quotas(BudgetedCalls(aws.scan, CallBudget()), "kinesis")
    values = [(each.quota.code, each.value, each.source) for each in found]
    assert values == [("L-00000001", 9.0, LimitSource.APPLIED), ("L-00000002", 2.0, LimitSource.DEFAULT)]


async def test_a_service_without_applied_values_has_defaults() -> None:
    quota = {"QuotaCode": "L-00000001", "Value": 5.0}
    aws = FakeAws(
        list_service_quotas=denied("ListServiceQuotas", "NoSuchResourceException"),
        list_aws_default_service_quotas={"Quotas": [quota]},
    )
    (one,) = await list_quotas(BudgetedCalls(aws.scan, CallBudget()), "kinesis")
    assert (one.name, one.value, one.source) == ("L-00000001", 5.0, LimitSource.DEFAULT)
    assert set(LIST_OPERATIONS) == {LimitSource.APPLIED, LimitSource.DEFAULT}
