"""A request for an increase: when it makes sense, what it is as a command, and how it is sent."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from monitor.quotas.increase import (
    QuotaCallError,
    QuotaIncrease,
    prepare_increase,
    send_increase,
)
from monitor.quotas.wanted import RequestRefusedError, UnknownQuotaError, WantedQuota, find_quota
from rules.signals import Quota
from tests.fake_aws import FakeAws, denied
from tests.registries import REGISTRY

WANTED = find_quota("kinesis.shards_per_region", REGISTRY)
CODES = {"ServiceCode": "kinesis", "QuotaCode": "L-0918CF54"}
NOT_FOUND = "NoSuchResourceException"
ARN = "arn:aws:es:eu-west-1:123456789012:domain/search"
PENDING = {
    **CODES,
    "DesiredValue": 900.0,
    "Status": "PENDING",
    "Created": datetime(2026, 11, 28, 14, tzinfo=UTC),
}
NAMED = "kinesis Shards per Region (L-0918CF54): "


def quota(value: float = 500.0, **more: Any) -> dict[str, Any]:
    """Return a response of GetServiceQuota."""
    described = {"QuotaName": "Shards per Region", "Value": value, "Adjustable": True, **more}
    return {"Quota": {**CODES, **described}}


def per_resource(level: str) -> dict[str, Any]:
    """Return a quota that holds for each resource."""
    context = {"ContextScope": "RESOURCE", "ContextId": "*", "AdjustableAtLevel": level}
    return quota(QuotaContext=context, QuotaAppliedAtLevel="RESOURCE")


def aws_with(*requests: Mapping[str, Any], **answers: Any) -> FakeAws:
    """A Service Quotas with a value of 500 and these requests."""
    history = {"RequestedQuotas": [*requests]}
    return FakeAws(
        **{"get_service_quota": quota(), "list_requested_service_quota_change_history": history, **answers}
    )


async def increase_of(aws: FakeAws, desired: float = 1000.0, arn: str = "") -> QuotaIncrease:
    """Return the increase that a request for a value would be."""
    return await prepare_increase(aws.cell, WANTED, desired, arn)


async def test_a_request_as_a_command() -> None:
    aws = aws_with()
    increase = await increase_of(aws)
    request = (
        "aws service-quotas request-service-quota-increase --service-code kinesis --quota-code L-0918CF54"
        " --desired-value 1000"
    )
    assert increase.command() == f"{request} --region eu-west-1"
    assert increase.command("my profile") == f"{request} --region eu-west-1 --profile 'my profile'"
    assert aws.calls == [
        "service-quotas:GetServiceQuota",
        "service-quotas:ListRequestedServiceQuotaChangeHistory",
    ]


async def test_a_value_of_one_resource_names_it() -> None:
    sent: list[dict[str, Any]] = []

    def get(**params: Any) -> Any:
        sent.append(params)
        found = per_resource("PER_RESOURCE")
        return denied("GetServiceQuota", NOT_FOUND) if "ContextId" in params else found

    increase = await increase_of(aws_with(PENDING, get_service_quota=get), arn=ARN)
    assert sent == [{**CODES, "ContextId": ARN}, CODES]
    assert f" --desired-value 1000 --context-id {ARN} --region " in increase.command()
    assert increase.params["ContextId"] == ARN


async def test_the_value_of_a_resource_is_the_one_in_force_for_it() -> None:
    def get(**params: Any) -> Any:
        context = {"ContextScope": "RESOURCE", "ContextId": ARN, "AdjustableAtLevel": "ALL"}
        return quota(1000.0, QuotaContext=context) if "ContextId" in params else quota(500.0)

    aws = aws_with(get_service_quota=get)
    with pytest.raises(RequestRefusedError, match="1,000 is not above the value in force, 1,000"):
        await increase_of(aws, arn=ARN)


async def test_a_default_is_in_force_where_no_value_is_applied() -> None:
    aws = aws_with(
        get_service_quota=denied("GetServiceQuota", NOT_FOUND), get_aws_default_service_quota=quota(200.0)
    )
    assert (await increase_of(aws, 201.0)).present.value == 200.0


async def test_a_global_quota_is_requested_in_the_home_region() -> None:
    aws = aws_with(get_service_quota=quota(GlobalQuota=True))
    assert (await increase_of(aws)).region == "us-east-1"
    assert ("service-quotas", "us-east-1") in aws.regions


async def test_a_request_for_another_resource_does_not_count() -> None:
    other = {**PENDING, "QuotaContext": {"ContextId": ARN}}
    assert await increase_of(aws_with(other, {**PENDING, "QuotaCode": "L-00000001"}))


async def test_a_decided_request_does_not_count() -> None:
    decided = {**PENDING, "Status": "DENIED", "LastUpdated": datetime.now(UTC)}
    assert await increase_of(aws_with(decided))


REFUSED: dict[str, tuple[Callable[[], FakeAws], float, str, str]] = {
    "one is pending": (
        lambda: aws_with(PENDING),
        1000.0,
        "",
        "An increase to 900 was requested on 28 Nov 2026 and is pending.",
    ),
    "the value is in force": (aws_with, 500.0, "", "500 is not above the value in force, 500"),
    "the value is lower": (aws_with, 499.0, "", "499 is not above the value in force, 500"),
    "AWS never increases it": (
        lambda: aws_with(get_service_quota=quota(Adjustable=False)),
        1000.0,
        "",
        "AWS does not increase it; it is 500; remedy: ",
    ),
    "it is one of the account": (aws_with, 1000.0, ARN, "AWS increases it for the whole account: "),
    "it is increased for the account": (
        lambda: aws_with(get_service_quota=per_resource("ACCOUNT")),
        1000.0,
        ARN,
        "AWS increases it for the whole account: leave --resource out",
    ),
    "it is increased for a resource": (
        lambda: aws_with(get_service_quota=per_resource("PER_RESOURCE")),
        1000.0,
        "",
        "AWS increases it for one resource: name it with --resource",
    ),
}


@pytest.mark.parametrize(("aws", "desired", "arn", "expected"), REFUSED.values(), ids=REFUSED)
async def test_a_request_that_makes_no_sense(
    aws: Callable[[], FakeAws], desired: float, arn: str, expected: str
) -> None:
    with pytest.raises(RequestRefusedError) as refused:
        await increase_of(aws(), desired, arn)
    assert str(refused.value).startswith(NAMED + expected)


def denied_by_organization() -> ClientError:
    message = "not authorized to perform this with an explicit deny in a service control policy"
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, "GetServiceQuota")


FAILED: dict[str, tuple[dict[str, Any], str]] = {
    "the quota may not be read": (
        {"get_service_quota": denied("GetServiceQuota")},
        "the credentials lack servicequotas:GetServiceQuota",
    ),
    "requests may not be listed": (
        {"list_requested_service_quota_change_history": denied("ListRequestedServiceQuotaChangeHistory")},
        "the credentials lack servicequotas:ListRequestedServiceQuotaChangeHistory",
    ),
    "the organization denies it": (
        {"get_service_quota": denied_by_organization()},
        "the organization denies servicequotas:GetServiceQuota",
    ),
    "AWS does not know the value": (
        {"get_service_quota": quota(ErrorReason={"ErrorCode": "X", "ErrorMessage": "no answer of Kinesis"})},
        "GetServiceQuota: no answer of Kinesis (X)",
    ),
    "too many calls": (
        {"get_service_quota": denied("GetServiceQuota", "TooManyRequestsException")},
        "GetServiceQuota: not authorized to perform GetServiceQuota (TooManyRequestsException)",
    ),
}


@pytest.mark.parametrize(("answers", "expected"), FAILED.values(), ids=FAILED)
async def test_a_call_that_fails_is_a_sentence(answers: dict[str, Any], expected: str) -> None:
    with pytest.raises(QuotaCallError) as failed:
        await increase_of(aws_with(**answers))
    assert str(failed.value) == expected


async def test_a_quota_that_aws_does_not_know() -> None:
    unknown = WantedQuota(Quota(service="kinesis", code="L-00000000"))
    missing = denied("GetServiceQuota", NOT_FOUND)
    aws = aws_with(get_service_quota=missing, get_aws_default_service_quota=missing)
    with pytest.raises(UnknownQuotaError, match="Service Quotas has no quota kinesis/L-00000000"):
        await prepare_increase(aws.cell, unknown, 5.0)


# Sending


def answer(**params: Any) -> dict[str, Any]:
    """Respond to RequestServiceQuotaIncrease."""
    requested = {**CODES, "DesiredValue": params["DesiredValue"], "Status": "PENDING", "Id": "r-1"}
    return {"RequestedQuota": {**requested, "Created": datetime(2026, 11, 29, 9, tzinfo=UTC)}}


async def test_a_request_is_sent_once_with_the_parameters_of_its_command() -> None:
    sent: list[dict[str, Any]] = []

    def request(**params: Any) -> dict[str, Any]:
        sent.append(params)
        return answer(**params)

    aws = aws_with(request_service_quota_increase=request)
    requested = await send_increase(aws.cell, await increase_of(aws))
    assert requested == f"{NAMED}An increase to 1,000 was requested on 29 Nov 2026 and is pending."
    assert sent == [{**CODES, "DesiredValue": 1000.0}]


async def test_a_request_whose_answer_says_nothing_is_accepted() -> None:
    aws = aws_with(request_service_quota_increase={})
    sent = await send_increase(aws.cell, await increase_of(aws))
    assert sent == f"{NAMED}AWS has accepted the request for 1,000."


async def test_a_request_is_never_sent_again() -> None:
    throttled = denied("RequestServiceQuotaIncrease", "TooManyRequestsException")
    aws = aws_with(request_service_quota_increase=throttled)
    aws.cell.max_attempts = 4
    with pytest.raises(QuotaCallError, match="TooManyRequestsException"):
        await send_increase(aws.cell, await increase_of(aws))
    assert aws.calls.count("service-quotas:RequestServiceQuotaIncrease") == 1


async def test_a_request_that_is_not_permitted_names_the_permission_and_where_it_comes_from() -> None:
    aws = aws_with(request_service_quota_increase=denied("RequestServiceQuotaIncrease"))
    with pytest.raises(
        QuotaCallError, match="lack servicequotas:RequestServiceQuotaIncrease; `headroom iam-"
    ):
        await send_increase(aws.cell, await increase_of(aws))


async def test_a_request_that_aws_does_not_accept() -> None:
    aws = aws_with(
        request_service_quota_increase=denied("RequestServiceQuotaIncrease", "ResourceAlreadyExistsException")
    )
    with pytest.raises(RequestRefusedError, match="AWS does not accept the request for kinesis/L-0918CF54"):
        await send_increase(aws.cell, await increase_of(aws))
