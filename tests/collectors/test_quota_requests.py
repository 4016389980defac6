"""Requests for an increase of quotas: the newest request for each quota, and sentences about requests."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors import quotas
from collectors.quota_requests import (
    DECIDED_PERIOD,
    PENDING_STATUSES,
    STATUS_TEXTS,
    QuotaRequest,
    newest_requests,
)
from rules.units import parse_unit
from tests.fake_aws import SERVICE_MODELS, FakeAws

REQUESTED = datetime(2026, 11, 1, 14, tzinfo=UTC)
DECIDED = REQUESTED + timedelta(days=2)
NOW = DECIDED + timedelta(days=1)
ARN = "arn:aws:es:eu-west-1:123456789012:domain/search"
CALLS = parse_unit("calls")


def described_request(code: str, desired: Any, status: str, **more: Any) -> dict[str, Any]:
    """Return a request as AWS describes it."""
    return {"ServiceCode": "lambda", "QuotaCode": code, "DesiredValue": desired, "Status": status, **more}


async def newest_of(
    *pages: list[dict[str, Any]], malformed: bool = False
) -> dict[tuple[str, str], QuotaRequest]:
    """Return the newest requests by code and ARN. pages: the pages of the history."""
    calls: list[dict[str, Any]] = []

    def list_history(**params: Any) -> dict[str, Any]:
        calls.append(params)
        return {"RequestedQuotas": pages[len(calls) - 1]}

    aws = FakeAws(
        now=NOW.timestamp(),
        malformed=malformed,
        list_requested_service_quota_change_history=[list_history] * len(pages),
    )
    newest = await newest_requests(aws.scan)
    assert calls == [{"MaxResults": 100, "QuotaRequestedAtLevel": "ALL"}] * len(pages)
    assert aws.iam_actions <= set(quotas.ACTIONS)
    return {(requested.quota.code, requested.arn): request for requested, request in newest.items()}


async def test_pending_and_lately_decided_requests_are_found_on_all_pages() -> None:
    pending = described_request("L-1", 2000.0, "PENDING", Created=REQUESTED)
    denied = described_request("L-2", 3.0, "DENIED", Created=REQUESTED, LastUpdated=DECIDED)
    assert await newest_of([pending, {"QuotaCode": "L-3", "Status": "PENDING"}, {}], [denied]) == {
        ("L-1", ""): QuotaRequest(2000.0, "PENDING", REQUESTED.timestamp()),
        ("L-2", ""): QuotaRequest(3.0, "DENIED", REQUESTED.timestamp(), DECIDED.timestamp()),
    }


async def test_requests_decided_long_ago_or_at_an_unknown_time_are_left_out() -> None:
    long_ago = NOW - timedelta(seconds=DECIDED_PERIOD)
    decided_long_ago = described_request("L-1", 2.0, "APPROVED", Created=REQUESTED, LastUpdated=long_ago)
    undated = described_request("L-2", 2.0, "APPROVED")
    waiting = described_request("L-3", 2.0, "CASE_OPENED", Created=long_ago, LastUpdated=long_ago)
    assert {*await newest_of([decided_long_ago, undated, waiting])} == {("L-3", "")}


async def test_the_pending_request_for_a_quota_is_returned_or_else_the_newest_request() -> None:
    first, second = (
        {"Created": REQUESTED + timedelta(hours=hours), "LastUpdated": DECIDED} for hours in (0, 1)
    )
    requests = [
        described_request("L-1", 2.0, "DENIED", **second),
        described_request("L-1", 1.0, "DENIED", **first),
        described_request("L-2", 1.0, "PENDING", **first),
        described_request("L-2", 2.0, "DENIED", **second),
    ]
    newest = await newest_of(requests)
    desired = {key: request.desired for key, request in newest.items()}
    assert desired == {("L-1", ""): 2.0, ("L-2", ""): 1.0}


async def test_a_request_for_a_single_resource_differs_from_a_request_for_all_resources() -> None:
    for_all = described_request(
        "L-1", 1.0, "PENDING", QuotaContext={"ContextId": "*", "ContextScope": "RESOURCE"}
    )
    for_domain = described_request(
        "L-1", 2.0, "PENDING", QuotaContext={"ContextId": ARN, "ContextScope": "RESOURCE"}
    )
    newest = await newest_of([for_all, for_domain])
    desired = {key: request.desired for key, request in newest.items()}
    assert desired == {("L-1", ""): 1.0, ("L-1", ARN): 2.0}


@pytest.mark.parametrize("desired", [None, "12", True, float("nan"), float("inf")], ids=str)
async def test_a_quota_request_without_a_number_is_left_out(desired: Any) -> None:
    assert await newest_of([described_request("L-1", desired, "PENDING")], malformed=True) == {}


def quota_request(status: str, **changes: Any) -> QuotaRequest:
    """Return a request that was made and decided in November 2026."""
    times = {"requested_at": REQUESTED.timestamp(), "updated_at": DECIDED.timestamp()}
    return QuotaRequest(**{"desired": 200.0, "status": status, **times, **changes})


SENTENCES: list[tuple[QuotaRequest, float | None, str]] = [
    (quota_request("PENDING"), 100.0, "was requested on 1 Nov 2026 and is pending."),
    (quota_request("PENDING", requested_at=None, updated_at=None), None, "was requested and is pending."),
    (quota_request("CASE_OPENED"), 100.0, "was requested on 1 Nov 2026 and is pending, with a support case."),
    (
        quota_request("PENDING", is_automatic=True),
        100.0,
        "was requested by AWS itself on 1 Nov 2026 and is pending.",
    ),
    (
        quota_request("DENIED"),
        100.0,
        "was requested on 1 Nov 2026 and was denied on 3 Nov 2026; the limit is still 100 calls.",
    ),
    (quota_request("DENIED"), None, "was requested on 1 Nov 2026 and was denied on 3 Nov 2026."),
    (
        quota_request("APPROVED"),
        200.0,
        "was requested on 1 Nov 2026 and was approved on 3 Nov 2026; the limit is 200 calls.",
    ),
    (
        quota_request("CASE_CLOSED"),
        100.0,
        "was requested on 1 Nov 2026 and has a support case that was closed on 3 Nov 2026; "
        "the limit is still 100 calls.",
    ),
    (quota_request("SHELVED"), None, "was requested on 1 Nov 2026 and has the status SHELVED on 3 Nov 2026."),
]


@pytest.mark.parametrize(("request_", "limit", "expected"), SENTENCES, ids=str)
def test_the_sentence_of_a_request_tells_its_status_and_the_limit(
    request_: QuotaRequest, limit: float | None, expected: str
) -> None:
    assert request_.sentence(CALLS.format, limit) == f"An increase to 200 calls {expected}"


def test_the_statuses_are_those_of_botocores_model() -> None:
    model: Any = SERVICE_MODELS.get_service_model("service-quotas")
    assert {*STATUS_TEXTS} == {*model.shape_for("RequestStatus").enum}
    assert {*PENDING_STATUSES} < {*STATUS_TEXTS}
