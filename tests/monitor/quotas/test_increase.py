"""A request for an increase of a quota: its checks, its command, and its call."""

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
QUOTA_PREFIX = "kinesis Shards per Region (L-0918CF54): "


def quota(value: float = 500.0, **fields: Any) -> dict[str, Any]:
    """Return a response of GetServiceQuota."""
    return {
        "Quota": {**CODES, "QuotaName": "Shards per Region", "Value": value, "Adjustable": True, **fields}
    }


def resource_quota(level: str) -> dict[str, Any]:
    """Return a response with a quota that holds for each resource, and that AWS increases at this level."""
    context = {"ContextScope": "RESOURCE", "ContextId": "*", "AdjustableAtLevel": level}
    return quota(QuotaContext=context, QuotaAppliedAtLevel="RESOURCE")


def service_quotas(*requests: Mapping[str, Any], **answers: Any) -> FakeAws:
    """Return a fake Service Quotas with a quota of 500 and these earlier requests."""
    history = {"RequestedQuotas": [*requests]}
    return FakeAws(
        **{"get_service_quota": quota(), "list_requested_service_quota_change_history": history, **answers}
    )


async def increase_of(aws: FakeAws, desired: float = 1000.0, arn: str = "") -> QuotaIncrease:
    """Prepare a request for a value, and return it."""
    return await prepare_increase(aws.cell, WANTED, desired, arn)


async def test_the_command_of_a_request_has_its_parameters() -> None:
    aws = service_quotas()
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


async def test_a_request_for_a_resource_has_its_arn() -> None:
    reads: list[dict[str, Any]] = []

    def get_service_quota(**params: Any) -> Any:
        reads.append(params)
        quota_of_all_resources = resource_quota("PER_RESOURCE")
        return denied("GetServiceQuota", NOT_FOUND) if "ContextId" in params else quota_of_all_resources

    aws = service_quotas(PENDING, get_service_quota=get_service_quota)
    increase = await increase_of(aws, arn=ARN)
    assert reads == [{**CODES, "ContextId": ARN}, CODES]
    assert f" --desired-value 1000 --context-id {ARN} --region " in increase.command()
    assert increase.params["ContextId"] == ARN


async def test_a_request_for_a_resource_is_compared_with_the_value_of_the_resource() -> None:
    def get_service_quota(**params: Any) -> Any:
        context = {"ContextScope": "RESOURCE", "ContextId": ARN, "AdjustableAtLevel": "ALL"}
        return quota(1000.0, QuotaContext=context) if "ContextId" in params else quota(500.0)

    aws = service_quotas(get_service_quota=get_service_quota)
    with pytest.raises(RequestRefusedError, match="1,000 is not above the value in force, 1,000"):
        await increase_of(aws, arn=ARN)


async def test_the_default_is_in_force_if_no_value_is_applied() -> None:
    aws = service_quotas(
        get_service_quota=denied("GetServiceQuota", NOT_FOUND), get_aws_default_service_quota=quota(200.0)
    )
    assert (await increase_of(aws, 201.0)).present.value == 200.0


async def test_a_global_quota_is_requested_in_the_home_region() -> None:
    aws = service_quotas(get_service_quota=quota(GlobalQuota=True))
    assert (await increase_of(aws)).region == "us-east-1"
    assert ("service-quotas", "us-east-1") in aws.regions


async def test_a_pending_request_for_another_resource_or_quota_is_ignored() -> None:
    for_other_resource = {**PENDING, "QuotaContext": {"ContextId": ARN}}
    for_other_quota = {**PENDING, "QuotaCode": "L-00000001"}
    assert await increase_of(service_quotas(for_other_resource, for_other_quota))


async def test_a_decided_request_is_ignored() -> None:
    decided = {**PENDING, "Status": "DENIED", "LastUpdated": datetime.now(UTC)}
    assert await increase_of(service_quotas(decided))


# By case: the Service Quotas, the desired value, the ARN, and the beginning of the error.
REFUSED_REQUESTS: dict[str, tuple[Callable[[], FakeAws], float, str, str]] = {
    "a request is pending": (
        lambda: service_quotas(PENDING),
        1000.0,
        "",
        "An increase to 900 was requested on 28 Nov 2026 and is pending.",
    ),
    "the value is in force": (service_quotas, 500.0, "", "500 is not above the value in force, 500"),
    "the value is lower": (service_quotas, 499.0, "", "499 is not above the value in force, 500"),
    "AWS never increases the quota": (
        lambda: service_quotas(get_service_quota=quota(Adjustable=False)),
        1000.0,
        "",
        "AWS does not increase it; it is 500; remedy: ",
    ),
    "the quota has no values of resources": (
        service_quotas,
        1000.0,
        ARN,
        "AWS increases it for the whole account: ",
    ),
    "AWS increases the quota only for the account": (
        lambda: service_quotas(get_service_quota=resource_quota("ACCOUNT")),
        1000.0,
        ARN,
        "AWS increases it for the whole account: leave --resource out",
    ),
    "AWS increases the quota only for a resource": (
        lambda: service_quotas(get_service_quota=resource_quota("PER_RESOURCE")),
        1000.0,
        "",
        "AWS increases it for one resource: name it with --resource",
    ),
}


@pytest.mark.parametrize(
    ("make_aws", "desired", "arn", "error_start"), REFUSED_REQUESTS.values(), ids=REFUSED_REQUESTS
)
async def test_a_request_that_aws_would_not_accept_is_refused(
    make_aws: Callable[[], FakeAws], desired: float, arn: str, error_start: str
) -> None:
    with pytest.raises(RequestRefusedError) as refused:
        await increase_of(make_aws(), desired, arn)
    assert str(refused.value).startswith(QUOTA_PREFIX + error_start)


def denied_by_organization() -> ClientError:
    message = "not authorized to perform this with an explicit deny in a service control policy"
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, "GetServiceQuota")


# By case: the failing answer, and the error.
FAILED_CALLS: dict[str, tuple[dict[str, Any], str]] = {
    "the quota may not be read": (
        {"get_service_quota": denied("GetServiceQuota")},
        "the credentials lack servicequotas:GetServiceQuota",
    ),
    "requests may not be listed": (
        {"list_requested_service_quota_change_history": denied("ListRequestedServiceQuotaChangeHistory")},
        "the credentials lack servicequotas:ListRequestedServiceQuotaChangeHistory",
    ),
    "the organization denies the call": (
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


@pytest.mark.parametrize(("answers", "expected"), FAILED_CALLS.values(), ids=FAILED_CALLS)
async def test_a_failed_call_raises_an_error_with_a_sentence(answers: dict[str, Any], expected: str) -> None:
    with pytest.raises(QuotaCallError) as failed:
        await increase_of(service_quotas(**answers))
    assert str(failed.value) == expected


async def test_a_quota_that_aws_does_not_know_is_an_error() -> None:
    unknown = WantedQuota(Quota(service="kinesis", code="L-00000000"))
    missing = denied("GetServiceQuota", NOT_FOUND)
    aws = service_quotas(get_service_quota=missing, get_aws_default_service_quota=missing)
    with pytest.raises(UnknownQuotaError, match="Service Quotas has no quota kinesis/L-00000000"):
        await prepare_increase(aws.cell, unknown, 5.0)


# Sending


def increase_response(**params: Any) -> dict[str, Any]:
    """Return a response of RequestServiceQuotaIncrease."""
    requested = {**CODES, "DesiredValue": params["DesiredValue"], "Status": "PENDING", "Id": "r-1"}
    return {"RequestedQuota": {**requested, "Created": datetime(2026, 11, 29, 9, tzinfo=UTC)}}


async def test_a_request_is_sent_once_with_the_parameters_of_its_command() -> None:
    sent: list[dict[str, Any]] = []

    def request_increase(**params: Any) -> dict[str, Any]:
        sent.append(params)
        return increase_response(**params)

    aws = service_quotas(request_service_quota_increase=request_increase)
    sentence = await send_increase(aws.cell, await increase_of(aws))
    assert sentence == f"{QUOTA_PREFIX}An increase to 1,000 was requested on 29 Nov 2026 and is pending."
    assert sent == [{**CODES, "DesiredValue": 1000.0}]


async def test_a_request_with_an_empty_response_is_reported_as_accepted() -> None:
    aws = service_quotas(request_service_quota_increase={})
    sentence = await send_increase(aws.cell, await increase_of(aws))
    assert sentence == f"{QUOTA_PREFIX}AWS has accepted the request for 1,000."


async def test_a_throttled_request_is_not_retried() -> None:
    throttled = denied("RequestServiceQuotaIncrease", "TooManyRequestsException")
    aws = service_quotas(request_service_quota_increase=throttled)
    aws.cell.max_attempts = 4
    with pytest.raises(QuotaCallError, match="TooManyRequestsException"):
        await send_increase(aws.cell, await increase_of(aws))
    assert aws.calls.count("service-quotas:RequestServiceQuotaIncrease") == 1


async def test_a_denied_request_names_the_missing_permission_and_the_command_that_prints_it() -> None:
    aws = service_quotas(request_service_quota_increase=denied("RequestServiceQuotaIncrease"))
    with pytest.raises(
        QuotaCallError, match="lack servicequotas:RequestServiceQuotaIncrease; `headroom iam-"
    ):
        await send_increase(aws.cell, await increase_of(aws))


async def test_a_request_that_aws_rejects_is_refused() -> None:
    aws = service_quotas(
        request_service_quota_increase=denied("RequestServiceQuotaIncrease", "ResourceAlreadyExistsException")
    )
    with pytest.raises(RequestRefusedError, match="AWS does not accept the request for kinesis/L-0918CF54"):
        await send_increase(aws.cell, await increase_of(aws))
