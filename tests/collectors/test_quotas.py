"""Reading Service Quotas: a single quota by its code, and the lists of a service code."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, PaginationError

from collectors import quotas
from collectors.quotas import NO_CONTEXT, ListedValue, QuotaContext
from rules.limits import LimitSource
from rules.signals import Quota
from tests.fake_aws import SERVICE_MODELS, FakeAws, denied

CONCURRENCY = Quota(service="lambda", code="L-B99A9384")


def quota(value: float) -> dict[str, Any]:
    """Return a response of GetServiceQuota."""
    return {"Quota": {"Value": value}}


# A single quota


async def test_the_applied_value_of_a_quota_is_requested_by_code_in_one_call() -> None:
    requested: list[dict[str, Any]] = []

    def applied(**params: Any) -> dict[str, Any]:
        requested.append(params)
        return quota(3000.0)

    aws = FakeAws(get_service_quota=applied)
    assert await quotas.read_value(aws.scan, CONCURRENCY) == {LimitSource.APPLIED: 3000.0}
    assert requested == [{"ServiceCode": "lambda", "QuotaCode": "L-B99A9384"}]
    assert aws.calls == ["service-quotas:GetServiceQuota"]


async def test_a_quota_without_an_applied_value_has_its_default_value() -> None:
    aws = FakeAws(
        get_service_quota=denied("GetServiceQuota", "NoSuchResourceException"),
        get_aws_default_service_quota=quota(1000.0),
    )
    assert await quotas.read_value(aws.scan, CONCURRENCY) == {LimitSource.DEFAULT: 1000.0}
    assert aws.iam_actions <= set(quotas.ACTIONS)


@pytest.mark.parametrize("operation", ["GetServiceQuota", "GetAWSDefaultServiceQuota"])
async def test_a_value_with_an_error_reason_raises_the_reason(operation: str) -> None:
    reason = {"ErrorCode": "DEPENDENCY_THROTTLING_ERROR", "ErrorMessage": "Lambda throttles Service Quotas."}
    with_reason = {"Quota": {"ErrorReason": reason, "Value": 0.0}}
    no_applied_value = denied("GetServiceQuota", "NoSuchResourceException")
    answer: Any = with_reason if operation == "GetServiceQuota" else no_applied_value
    aws = FakeAws(get_service_quota=answer, get_aws_default_service_quota=with_reason)
    with pytest.raises(ClientError, match="Lambda throttles Service Quotas") as raised:
        await quotas.read_value(aws.scan, CONCURRENCY)
    assert raised.value.operation_name == operation


# The list of a service code


@pytest.mark.parametrize(
    ("source", "operation"),
    [(LimitSource.APPLIED, "list_service_quotas"), (LimitSource.DEFAULT, "list_aws_default_service_quotas")],
)
async def test_lists_are_requested_in_pages_of_a_hundred_quotas(source: LimitSource, operation: str) -> None:
    requested: list[dict[str, Any]] = []

    def page(**params: Any) -> dict[str, Any]:
        requested.append(params)
        return {"Quotas": [{"QuotaCode": f"L-{len(requested)}", "Value": float(len(requested))}]}

    aws = FakeAws()
    aws.answers[operation] = [page, page]
    found = [listed async for listed in quotas.list_values(aws.scan, source, "lambda")]
    assert found == [
        ListedValue(code, value, NO_CONTEXT, {"QuotaCode": code, "Value": value})
        for code, value in (("L-1", 1.0), ("L-2", 2.0))
    ]
    assert requested == [{"ServiceCode": "lambda", "MaxResults": 100}] * 2
    assert aws.iam_actions <= set(quotas.ACTIONS)


@pytest.mark.parametrize(
    "without_value",
    [{}, {"Value": 5.0, "ErrorReason": {"ErrorCode": "SERVICE_QUOTA_NOT_AVAILABLE_ERROR"}}],
    ids=str,
)
async def test_a_quota_may_be_listed_without_a_value_or_a_code(without_value: dict[str, Any]) -> None:
    described = [{"QuotaCode": "L-1", **without_value}, {"QuotaCode": "L-2", "Value": 2.0}, {"Value": 3.0}]
    aws = FakeAws(list_service_quotas={"Quotas": described})
    values = quotas.list_values(aws.scan, LimitSource.APPLIED, "lambda")
    found = [(listed.code, listed.value) async for listed in values]
    assert found == [("L-1", None), ("L-2", 2.0), ("", 3.0)]


ARN = "arn:aws:es:eu-west-1:123456789012:domain/search"
CONTEXTS: list[tuple[dict[str, Any], QuotaContext]] = [
    ({}, NO_CONTEXT),
    ({"ContextScope": "ACCOUNT"}, NO_CONTEXT),
    (
        {"ContextScope": "RESOURCE", "ContextId": "*", "AdjustableAtLevel": "ALL"},
        QuotaContext("", True, "ALL"),
    ),
    (
        {"ContextScope": "RESOURCE", "ContextId": ARN, "AdjustableAtLevel": "PER_RESOURCE"},
        QuotaContext(ARN, True, "PER_RESOURCE"),
    ),
]


@pytest.mark.parametrize(("described", "expected"), CONTEXTS, ids=str)
async def test_the_values_of_single_resources_are_requested_with_their_level(
    described: dict[str, Any], expected: QuotaContext
) -> None:
    requested: list[dict[str, Any]] = []

    def page(**params: Any) -> dict[str, Any]:
        requested.append(params)
        return {"Quotas": [{"QuotaCode": "L-1", "Value": 1.0, "QuotaContext": described}]}

    aws = FakeAws(list_service_quotas=page)
    values = quotas.list_values(aws.scan, LimitSource.APPLIED, "es", resource_level=True)
    found = [(listed.code, listed.value, listed.context) async for listed in values]
    assert found == [("L-1", 1.0, expected)]
    assert requested == [{"ServiceCode": "es", "MaxResults": 100, "QuotaAppliedAtLevel": "RESOURCE"}]


@pytest.mark.parametrize("answer", [{}, {"Value": None}, {"Value": "120"}], ids=str)
async def test_a_quota_that_is_read_by_code_and_has_no_number_is_an_error(answer: dict[str, Any]) -> None:
    aws = FakeAws(malformed=True, get_service_quota={"Quota": answer})
    with pytest.raises(ClientError, match="the quota has no value"):
        await quotas.read_value(aws.scan, CONCURRENCY)


async def test_pages_that_never_end_are_an_error() -> None:
    aws = FakeAws(list_service_quotas={"Quotas": [], "NextToken": "again"})
    with pytest.raises(PaginationError):
        [listed async for listed in quotas.list_values(aws.scan, LimitSource.APPLIED, "lambda")]


def test_the_actions_and_the_page_size_are_those_of_botocores_model() -> None:
    model: Any = SERVICE_MODELS.get_service_model("service-quotas")
    assert {action.partition(":")[2] for action in quotas.ACTIONS} <= {*model.operation_names}
    assert model.shape_for("MaxResults").metadata["max"] == quotas.PAGE_SIZE
