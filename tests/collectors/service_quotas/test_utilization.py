"""AWS's report of the utilization of quotas: waiting for the report, its errors, and its quotas."""

from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from collectors.service_quotas.call_budget import BudgetedCalls, CallBudget
from collectors.service_quotas.utilization import (
    COMPLETED,
    FAILED,
    POLL_DELAYS,
    ReportedQuota,
    UtilizationReport,
    UtilizationReportError,
    read_report,
)
from rules.signals import Quota
from tests.fake_aws import SERVICE_MODELS, FakeAws, denied

NOW = 1.8e9
NO_DELAYS = (0.0, 0.0, 0.0)


def entry(code: str = "L-00000001", percent: Any = 63.0, **members: Any) -> dict[str, Any]:
    """Return the entry of a quota in a report of utilization."""
    return {"ServiceCode": "ec2", "QuotaCode": code, "QuotaName": "Name", "Utilization": percent, **members}


async def read(aws: FakeAws) -> UtilizationReport:
    """Request and read a report."""
    return await read_report(BudgetedCalls(aws.scan, CallBudget()), NO_DELAYS)


def aws_with_report(
    *statuses: dict[str, Any], pages: Sequence[dict[str, Any]], malformed: bool = False
) -> FakeAws:
    """Return an AWS whose report has these statuses in turn, and is then ready and has these pages."""
    remaining_statuses = [*statuses]

    def answer(**params: Any) -> Any:
        assert params["ReportId"] == "r-1"
        asks_for_status = params["MaxResults"] == 1
        page = pages[int(params.get("NextToken", 0))]
        response = remaining_statuses.pop(0) if remaining_statuses and asks_for_status else page
        return {"ReportId": "r-1", "Status": COMPLETED, **response}

    return FakeAws(
        now=NOW,
        malformed=malformed,
        start_quota_utilization_report={"ReportId": "r-1", "Status": "PENDING"},
        get_quota_utilization_report=answer,
    )


async def test_all_pages_of_a_report_are_read_once_it_is_ready() -> None:
    pages: list[dict[str, Any]] = [
        {"Quotas": [entry(AppliedValue=100.0)], "NextToken": "1"},
        {"Quotas": [entry("L-00000002", 120.0)]},
    ]
    aws = aws_with_report({"Status": "PENDING"}, {"Status": "IN_PROGRESS"}, pages=pages)
    report = await read(aws)
    assert report.read_at == NOW
    assert report.quotas == {
        Quota(service="ec2", code="L-00000001"): ReportedQuota("Name", 0.63, 100.0),
        Quota(service="ec2", code="L-00000002"): ReportedQuota("Name", 1.2, None),
    }
    assert aws.calls == [
        "service-quotas:StartQuotaUtilizationReport",
        *["service-quotas:GetQuotaUtilizationReport"] * 5,
    ]


async def test_each_call_for_a_report_is_taken_from_the_call_budget() -> None:
    aws, budget = aws_with_report(pages=[{"Quotas": []}]), CallBudget(calls_left=10)
    await read_report(BudgetedCalls(aws.scan, budget), NO_DELAYS)
    assert budget.calls_left == 10 - len(aws.calls) == 7


MALFORMED_ENTRIES = {
    "an empty entry": {},
    "a malformed code": entry("L-1"),
    "no utilization": entry(percent=None),
    "a utilization that is a text": entry(percent="63"),
    "a utilization that is NaN": entry(percent=float("nan")),
    "a utilization that is a boolean": entry(percent=True),
    "no service code": entry(ServiceCode=None),
}


@pytest.mark.parametrize("malformed", MALFORMED_ENTRIES.values(), ids=MALFORMED_ENTRIES)
async def test_a_malformed_entry_is_left_out_and_affects_no_other_quota(malformed: dict[str, Any]) -> None:
    aws = aws_with_report(pages=[{"Quotas": [malformed, entry("L-00000002")]}], malformed=True)
    assert {quota.code for quota in (await read(aws)).quotas} == {"L-00000002"}


async def test_a_report_that_fails_or_is_never_ready_is_an_error() -> None:
    failed = {"Status": FAILED, "ErrorMessage": "too many quotas"}
    with pytest.raises(
        UtilizationReportError, match="could not make its report of utilization: too many quotas"
    ):
        await read(aws_with_report(failed, pages=[{}]))
    with pytest.raises(UtilizationReportError, match="was not ready after 0 s"):
        await read(aws_with_report(*[{"Status": "PENDING"}] * 3, pages=[{}]))


async def test_a_denied_report_raises_the_client_error_of_aws() -> None:
    aws = FakeAws(start_quota_utilization_report=denied("StartQuotaUtilizationReport"))
    with pytest.raises(ClientError):
        await read(aws)
    assert aws.calls == ["service-quotas:StartQuotaUtilizationReport"]


def test_the_delays_add_up_to_a_minute_at_most_and_the_statuses_exist_in_the_model() -> None:
    assert sum(POLL_DELAYS) <= 60
    model: Any = SERVICE_MODELS.get_service_model("service-quotas")
    assert {COMPLETED, FAILED} < {*model.shape_for("ReportStatus").enum}
