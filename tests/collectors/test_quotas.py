from typing import Any

import pytest

from collectors import quotas
from rules.limits import LimitSource, Quota
from tests.fake_aws import FakeAws, denied

CONCURRENCY = Quota(service="lambda", code="L-B99A9384")
SCALING = Quota(service="lambda", code="L-A1AFA3CF")


def quota(value: float) -> dict[str, Any]:
    return {"Quota": {"Value": value}}


def by_code(**answers: Any) -> Any:
    """Answers by the quota's code, with `_` for its dash."""

    def answer(**params: Any) -> Any:
        return answers[params["QuotaCode"].replace("-", "_")]

    return answer


async def test_the_applied_value_is_requested_by_code_and_needs_no_second_call() -> None:
    asked: list[dict[str, Any]] = []

    def applied(**params: Any) -> dict[str, Any]:
        asked.append(params)
        return quota(3000.0)

    aws = FakeAws(get_service_quota=applied)
    assert await quotas.read(aws.scan, [CONCURRENCY]) == {CONCURRENCY: {LimitSource.APPLIED: 3000.0}}
    assert asked == [{"ServiceCode": "lambda", "QuotaCode": "L-B99A9384"}]
    assert aws.calls == ["service-quotas:GetServiceQuota"]


async def test_a_quota_that_is_not_applied_has_the_default_of_aws() -> None:
    aws = FakeAws(
        get_service_quota=denied("GetServiceQuota", "NoSuchResourceException"),
        get_aws_default_service_quota=quota(1000.0),
    )
    assert await quotas.read(aws.scan, [CONCURRENCY]) == {CONCURRENCY: {LimitSource.DEFAULT: 1000.0}}
    assert aws.scan.failures == []
    assert aws.iam_actions == set(quotas.ACTIONS)


@pytest.mark.parametrize(
    ("answers", "operation"),
    [
        ({"get_service_quota": denied("GetServiceQuota")}, "GetServiceQuota"),
        (
            {"get_service_quota": denied("GetServiceQuota", "NoSuchResourceException")},
            "GetAWSDefaultServiceQuota",
        ),
    ],
)
async def test_a_refused_quota_is_unknown_and_the_reason_is_reported_by_its_code(
    answers: dict[str, Any], operation: str
) -> None:
    aws = FakeAws(**answers)
    assert await quotas.read(aws.scan, [CONCURRENCY]) == {}
    assert [(one.operation, one.resource, one.code) for one in aws.scan.failures] == [
        (operation, "L-B99A9384", "AccessDeniedException")
    ]


async def test_one_quota_that_fails_does_not_hide_the_others() -> None:
    aws = FakeAws(get_service_quota=by_code(L_B99A9384=denied("GetServiceQuota"), L_A1AFA3CF=quota(1000.0)))
    assert await quotas.read(aws.scan, [CONCURRENCY, SCALING]) == {SCALING: {LimitSource.APPLIED: 1000.0}}
    assert [one.resource for one in aws.scan.failures] == ["L-B99A9384"]


async def test_a_response_without_a_number_affects_only_its_quota_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    aws = FakeAws(get_service_quota=by_code(L_B99A9384={"Quota": {}}, L_A1AFA3CF=quota(1000.0)))
    assert set(await quotas.read(aws.scan, [CONCURRENCY, SCALING])) == {SCALING}
    assert [(one.resource, one.code) for one in aws.scan.failures] == [("L-B99A9384", "KeyError")]
    assert "unexpected response" in caplog.text
