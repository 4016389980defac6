"""The series of a quota with a usage metric."""

import re
from typing import Any

import pytest

from collectors.base import Metric, Op, Usage, highest, per_second
from collectors.quotas import LIST_OPERATIONS
from collectors.service_quotas.call_budget import BudgetedCalls, CallBudget
from collectors.service_quotas.overrides import OverrideFile, ReadAs, override_of, read_overrides
from collectors.service_quotas.quota_list import DEPENDENCY_ERRORS, ListedQuota, QuotaKey, list_quotas
from collectors.service_quotas.usage_series import MAX_PARTS, NameAndDimensions, usage_series
from rules.limits import LimitSource
from rules.model_file import parse_model
from rules.signals import QUOTA_CODE, Quota
from tests.fake_aws import SERVICE_MODELS, FakeAws, denied

DIMENSIONS = {"Service": "Kinesis", "Type": "API", "Resource": "ListShards", "Class": "None"}
CALLS = {"MetricNamespace": "AWS/Usage", "MetricName": "CallCount", "MetricDimensions": DIMENSIONS}
RESOURCE_COUNT = {**CALLS, "MetricName": "ResourceCount", "MetricStatisticRecommendation": "Sum"}
SORTED_DIMENSIONS = tuple(sorted(DIMENSIONS.items()))
METRIC_NAMES = ("CallCount", "ResourceCount", "Bytes", "ThrottleCount", "ErrorCount")
PUBLISHED = {(name, SORTED_DIMENSIONS) for name in METRIC_NAMES}


async def list_quota(service: str = "kinesis", **members: Any) -> ListedQuota:
    """Return a quota as `list_quotas` reads it. members: those of its entry in the list."""
    entry = {"QuotaCode": "L-00000001", "QuotaName": "Shards", "Value": 100.0, **members}
    aws = FakeAws(list_service_quotas={"Quotas": [entry]}, list_aws_default_service_quotas={"Quotas": []})
    (quota,) = await list_quotas_of(aws, service)
    return quota


async def list_quotas_of(aws: FakeAws, service: str = "kinesis") -> list[ListedQuota]:
    """Return the quotas of a service as `list_quotas` reads them from a fake AWS."""
    quotas: dict[QuotaKey, ListedQuota] = {}
    await list_quotas(BudgetedCalls(aws.scan, CallBudget()), service, quotas)
    return [*quotas.values()]


def metric(
    name: str, stat: str, period: int = 60, *, zero_when_absent: bool = True, namespace: str = "AWS/Usage"
) -> Metric:
    """Return a usage metric with DIMENSIONS."""
    return Metric(namespace, name, stat, zero_when_absent, SORTED_DIMENSIONS, period=period)


async def test_calls_are_a_sum_whatever_statistic_aws_recommends() -> None:
    quota = await list_quota(UsageMetric={**CALLS, "MetricStatisticRecommendation": "Maximum"})
    observed = usage_series(quota, PUBLISHED)
    assert observed
    assert (observed.signal, observed.usage) == ("calls", per_second(metric("CallCount", "Sum")))
    assert (observed.limit, observed.limit_source) == (100.0, LimitSource.APPLIED)
    assert observed.quota == Quota(service="kinesis", code="L-00000001")
    assert (observed.resource.path, observed.resource.display_name) == (
        ("kinesis", "L-00000001"),
        "kinesis/Shards",
    )


async def test_numbers_of_resources_are_levels_even_if_aws_recommends_a_sum() -> None:
    observed = usage_series(await list_quota(UsageMetric=RESOURCE_COUNT), PUBLISHED)
    assert observed
    level = metric("ResourceCount", "Maximum", 300, zero_when_absent=False)
    assert (observed.signal, observed.usage, observed.throttled) == ("resources", highest(level), None)


# By the place of the period: members of the quota's entry, and the period in seconds.
PERIODS: dict[str, tuple[dict[str, Any], float]] = {
    "none": ({}, 1),
    "a second": ({"Period": {"PeriodValue": 1, "PeriodUnit": "SECOND"}}, 1),
    "five minutes": ({"Period": {"PeriodValue": 5, "PeriodUnit": "MINUTE"}}, 300),
    "in the name": ({"QuotaName": "Requests per minute"}, 60),
    "in the description": ({"Description": "How many calls per hour are allowed."}, 3600),
    "a second, beside an unknown member": (
        {"Period": {"PeriodValue": 1, "PeriodUnit": "SECOND"}, "Unit": "x"},
        1,
    ),
}


@pytest.mark.parametrize(("members", "seconds"), PERIODS.values(), ids=PERIODS)
async def test_calls_are_compared_over_the_period_of_the_quota(
    members: dict[str, Any], seconds: float
) -> None:
    observed = usage_series(await list_quota(UsageMetric=CALLS, **members), PUBLISHED)
    assert observed and isinstance(observed.usage, Usage)
    assert observed.signal == ("calls" if seconds == 1 else "calls_per_period")
    assert observed.limit == 100.0
    assert observed.usage == per_second(metric("CallCount", "Sum")).scaled(seconds)


async def test_throttled_calls_are_throttled_demand_if_aws_publishes_them() -> None:
    quota = await list_quota(UsageMetric=CALLS)
    observed = usage_series(quota, PUBLISHED)
    without_throttle_count = usage_series(quota, PUBLISHED - {("ThrottleCount", SORTED_DIMENSIONS)})
    assert without_throttle_count and observed
    assert without_throttle_count.throttled is None
    assert observed.throttled == per_second(metric("ThrottleCount", "Sum"))


async def test_throttled_calls_of_cloudwatch_logs_are_in_the_namespace_of_logs() -> None:
    dimensions = {**DIMENSIONS, "Service": "Logs"}
    quota = await list_quota("logs", UsageMetric={**CALLS, "MetricDimensions": dimensions})
    key = tuple(sorted(dimensions.items()))
    observed = usage_series(quota, {("CallCount", key)})
    assert observed and observed.throttled
    assert [(metric.namespace, metric.name) for metric in observed.throttled.metrics] == [
        ("AWS/Logs", "ThrottleCount")
    ]


async def test_messages_of_sns_are_a_flow_though_their_metric_is_a_count_of_resources() -> None:
    dimensions = {**DIMENSIONS, "Service": "SNS", "Resource": "NumberOfMessagesPublishedPerAccount"}
    quota = await list_quota("sns", UsageMetric={**RESOURCE_COUNT, "MetricDimensions": dimensions})
    key = tuple(sorted(dimensions.items()))
    observed = usage_series(quota, {("ResourceCount", key)})
    assert observed and isinstance(observed.usage, Usage)
    (metric_read,) = observed.usage.metrics
    assert (observed.signal, metric_read.stat, metric_read.period) == ("messages", "Sum", 60)


async def test_any_other_metric_has_the_recommended_statistic_or_else_the_maximum() -> None:
    for recommended, stat in (("Sum", "Sum"), (None, "Maximum"), ("Median", "Maximum")):
        members = {**CALLS, "MetricName": "Bytes"}
        if recommended:
            members["MetricStatisticRecommendation"] = recommended
        observed = usage_series(await list_quota(UsageMetric=members), PUBLISHED)
        assert observed and isinstance(observed.usage, Usage)
        assert (observed.signal, [metric.stat for metric in observed.usage.metrics]) == ("other", [stat])


WITHOUT_SERIES: dict[str, tuple[str, dict[str, Any]]] = {
    "no metric": ("kinesis", {}),
    "a metric without dimensions": ("kinesis", {"UsageMetric": {**CALLS, "MetricDimensions": {}}}),
    "a metric without a namespace": ("kinesis", {"UsageMetric": {**CALLS, "MetricNamespace": ""}}),
    "a metric that was never published": ("kinesis", {"UsageMetric": {**CALLS, "MetricName": "Size"}}),
    "a metric of throttled calls": ("kinesis", {"UsageMetric": {**CALLS, "MetricName": "ThrottleCount"}}),
    "a metric of errors": ("kinesis", {"UsageMetric": {**CALLS, "MetricName": "ErrorCount"}}),
    "a quota of 0": ("kinesis", {"UsageMetric": CALLS, "Value": 0.0}),
    "a value that AWS does not know": (
        "kinesis",
        {"UsageMetric": CALLS, "ErrorReason": {"ErrorCode": "SERVICE_QUOTA_NOT_AVAILABLE_ERROR"}},
    ),
    "a value that is not enforced": ("cognito-idp", {"UsageMetric": CALLS}),
}


@pytest.mark.parametrize(("service", "members"), WITHOUT_SERIES.values(), ids=WITHOUT_SERIES)
async def test_a_quota_without_a_value_or_a_usable_metric_has_no_series(
    service: str, members: dict[str, Any]
) -> None:
    assert usage_series(await list_quota(service, **members), PUBLISHED) is None


async def test_a_rate_below_1_whose_period_is_unknown_has_a_series_without_a_limit() -> None:
    per_minute = {"Period": {"PeriodValue": 1, "PeriodUnit": "MINUTE"}}
    cases: list[tuple[dict[str, Any], float | None]] = [({}, None), (per_minute, 0.5)]
    for members, limit in cases:
        observed = usage_series(await list_quota(UsageMetric=CALLS, Value=0.5, **members), PUBLISHED)
        assert observed and observed.limit == limit


def usage_metric_of(service: str, resource: str) -> dict[str, Any]:
    """Return the `UsageMetric` of a quota on calls, with these dimensions Service and Resource."""
    return {**CALLS, "MetricDimensions": {**DIMENSIONS, "Service": service, "Resource": resource}}


async def test_a_quota_on_a_group_of_kms_operations_is_per_second_whatever_its_description_says() -> None:
    members = {
        "Description": "How many per minute",
        "UsageMetric": usage_metric_of("KMS", "CryptographicOperationsRsa"),
    }
    observed = usage_series(await list_quota("kms", **members), published_metric(members))
    assert observed and observed.signal == "calls"
    members["UsageMetric"] = usage_metric_of("KMS", "ListKeys")
    observed = usage_series(await list_quota("kms", **members), published_metric(members))
    assert observed and observed.signal == "calls_per_period"


def published_metric(members: dict[str, Any], **further_dimensions: str) -> set[NameAndDimensions]:
    """Return the id of the usage metric of a quota's entry, with further dimensions."""
    usage_metric = members["UsageMetric"]
    return {
        (
            usage_metric["MetricName"],
            tuple(sorted({**usage_metric["MetricDimensions"], **further_dimensions}.items())),
        )
    }


async def test_the_usage_is_that_of_the_largest_part_if_each_part_has_a_metric() -> None:
    members = {"UsageMetric": usage_metric_of("ECR", "Images") | {"MetricName": "ResourceCount"}}
    parts = [f"repository-{number:03}" for number in range(MAX_PARTS + 1)]
    quota = await list_quota("ecr", **members)
    for number in (2, MAX_PARTS, MAX_PARTS + 1):
        published = set[NameAndDimensions]().union(
            *(published_metric(members, ResourceId=id_) for id_ in parts[:number])
        )
        observed = usage_series(quota, published | published_metric(members, Other="x"))
        assert observed and isinstance(observed.usage, Usage)
        resource_ids = [dict(metric.dimensions)["ResourceId"] for metric in observed.usage.metrics]
        assert (observed.usage.op, resource_ids) == (Op.MAX, parts[: min(number, MAX_PARTS)])
        assert bool(observed.bounded_because) is (number > MAX_PARTS)
    metric_of_unknown_part = {("ResourceCount", (*SORTED_DIMENSIONS, ("X", "y")))}
    assert usage_series(await list_quota(UsageMetric=RESOURCE_COUNT), metric_of_unknown_part) is None


async def test_an_override_matches_only_its_quota_or_metric() -> None:
    # By service code, quota code, and the dimensions Service and Resource: `read`, `period`, `throttled_in`.
    cases: dict[tuple[str, str, str, str], tuple[Any, ...]] = {
        ("emr-serverless", "L-D05C8A75", "", ""): (ReadAs.LEVEL, None, None),
        ("emr-serverless", "L-00000001", "", ""): (None, None, None),
        ("sns", "L-00000001", "SNS", "NumberOfMessagesPublishedPerAccount"): (ReadAs.FLOW, None, None),
        ("logs", "L-00000001", "Logs", "PutLogEvents"): (None, None, "AWS/Logs"),
        ("kms", "L-00000001", "KMS", "CryptographicOperationsSymmetric"): (None, 1, None),
        ("events", "L-00000001", "Events", "PutEvents"): (None, 1, None),
        ("cognito-idp", "L-00000001", "", ""): (ReadAs.NOTHING, None, None),
        ("kinesis", "L-00000001", "Kinesis", "ListShards"): (None, None, None),
    }
    for (service_code, code, service, resource), expected in cases.items():
        dimensions = {"Service": service, "Resource": resource}
        override = override_of(Quota(service=service_code, code=code), dimensions)
        assert (override.read, override.period, override.throttled_in) == expected
    quotas_of_overrides = [override.quota for override in read_overrides() if override.quota]
    assert all(
        re.fullmatch(QUOTA_CODE, name.partition("/")[2]) for name in quotas_of_overrides if "/" in name
    )


@pytest.mark.parametrize(
    "line", ["{why: x}", "{quota: a, metric: {Service: b, Resource: c}, why: x}", "{quota: a, reed: flow}"]
)
def test_an_invalid_override_is_reported_with_its_line(line: str) -> None:
    file = parse_model(f"- {line}".encode(), "overrides.yaml", OverrideFile)
    assert file.model is None and file.problems[0].startswith("overrides.yaml:1")


# The list of quotas


async def test_a_value_that_service_quotas_could_not_read_from_the_service_is_missing_for_now() -> None:
    for code, expected in (
        ("DEPENDENCY_THROTTLING_ERROR", True),
        ("SERVICE_QUOTA_NOT_AVAILABLE_ERROR", False),
    ):
        quota = await list_quota(ErrorReason={"ErrorCode": code})
        assert (quota.value, quota.is_missing_for_now) == (None, expected)
    model: Any = SERVICE_MODELS.get_service_model("service-quotas")
    codes = model.shape_for("ErrorCode").enum
    assert [code for code in codes if code.startswith(DEPENDENCY_ERRORS)] and codes != []


async def test_a_quota_without_an_applied_value_has_the_default() -> None:
    first, second = ({"QuotaCode": f"L-0000000{n}", "QuotaName": "x", "Value": float(n)} for n in (1, 2))
    aws = FakeAws(
        list_service_quotas=[{"Quotas": [{**first, "Value": 9.0}]}, {"Quotas": []}],
        list_aws_default_service_quotas={"Quotas": [first, second, {"QuotaName": "without a code"}]},
    )
    quotas = await list_quotas_of(aws)
    values = [(quota.quota.code, quota.value, quota.source) for quota in quotas]
    assert values == [("L-00000001", 9.0, LimitSource.APPLIED), ("L-00000002", 2.0, LimitSource.DEFAULT)]


async def test_a_service_without_applied_values_has_defaults() -> None:
    entry = {"QuotaCode": "L-00000001", "Value": 5.0}
    aws = FakeAws(
        list_service_quotas=denied("ListServiceQuotas", "NoSuchResourceException"),
        list_aws_default_service_quotas={"Quotas": [entry]},
    )
    (quota,) = await list_quotas_of(aws)
    assert (quota.name, quota.value, quota.source) == ("L-00000001", 5.0, LimitSource.DEFAULT)
    assert set(LIST_OPERATIONS) == {LimitSource.APPLIED, LimitSource.DEFAULT}


ARN = "arn:aws:es:eu-west-1:123456789012:domain/search"


def quota_of_resource(arn: str, value: float, **members: Any) -> dict[str, Any]:
    """Return a quota as AWS lists it for one resource, or as the default for all resources (`*`)."""
    context = {"ContextScope": "RESOURCE", "ContextId": arn, "AdjustableAtLevel": "ALL"}
    return {
        "QuotaCode": "L-00000001",
        "QuotaName": "Nodes",
        "Value": value,
        "QuotaContext": context,
        **members,
    }


async def test_values_of_resources_are_listed_if_a_quota_holds_for_each_resource() -> None:
    params_of_lists: list[dict[str, Any]] = []

    def applied(**params: Any) -> dict[str, Any]:
        params_of_lists.append(params)
        resource_values = [quota_of_resource("*", 6.0), quota_of_resource(ARN, 9.0)]
        return {"Quotas": resource_values if "QuotaAppliedAtLevel" in params else []}

    aws = FakeAws(
        list_service_quotas=applied, list_aws_default_service_quotas={"Quotas": [quota_of_resource("*", 5.0)]}
    )
    values = [(quota.context.arn, quota.value, quota.source) for quota in await list_quotas_of(aws, "es")]
    assert values == [("", 6.0, LimitSource.APPLIED), (ARN, 9.0, LimitSource.APPLIED)]
    levels = [params.get("QuotaAppliedAtLevel") for params in params_of_lists]
    assert levels == [None, "RESOURCE"]
