"""Service Quotas: the requests for an increase of quotas, pending ones and those decided lately.

API: https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_RequestedServiceQuotaChange.html
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isfinite
from typing import Any, NamedTuple

from collectors.base import Aws
from collectors.quotas import PAGE_SIZE, QUOTA_CONTEXT, context_of
from collectors.response_members import Members, is_number, is_text, is_time, is_truth, members_of
from collectors.times import epoch_seconds
from rules.signals import Quota

REQUEST_OPERATION = "RequestServiceQuotaIncrease"
ACTIONS = (f"servicequotas:{REQUEST_OPERATION}",)  # not needed to watch
# A request of any other status is decided.
PENDING_STATUSES = ("PENDING", "CASE_OPENED")
APPROVED = "APPROVED"
STATUS_TEXTS: Mapping[str, str] = {
    "PENDING": "is pending",
    "CASE_OPENED": "is pending, with a support case",
    APPROVED: "was approved",
    "DENIED": "was denied",
    "NOT_APPROVED": "was not approved",
    "CASE_CLOSED": "has a support case that was closed",
    "INVALID_REQUEST": "was rejected as invalid",
}
DECIDED_PERIOD = 30 * 86_400.0  # seconds for which a decided request is shown; AWS lists 90 days
REQUEST: Members = {  # what is read of a RequestedServiceQuotaChange
    "ServiceCode": is_text,
    "QuotaCode": is_text,
    "DesiredValue": is_number,
    "Status": is_text,
    "Created": is_time,
    "LastUpdated": is_time,
    "RequestType": is_text,
    "GlobalQuota": is_truth,
    "QuotaContext": QUOTA_CONTEXT,
}
AUTOMATIC = "AutomaticManagement"  # the type of a request that AWS made by itself


@dataclass(frozen=True, slots=True)
class QuotaRequest:
    """A request for an increase of a quota.

    desired: the requested value, in the quota's unit; of a series, in that of its signal. status: as in
    Service Quotas. since: when it was made; updated: when its status changed last; both in epoch seconds,
    None if AWS does not return it. automatic: AWS made it by itself. is_global: its quota is the same in all
    regions.
    """

    desired: float
    status: str
    since: float | None
    updated: float | None = None
    automatic: bool = False
    is_global: bool = False

    @property
    def pending(self) -> bool:
        """True until AWS has decided it."""
        return self.status in PENDING_STATUSES

    @property
    def decided_at(self) -> float | None:
        """The time of AWS's decision, in epoch seconds; None if it is pending, or AWS does not return it."""
        return None if self.pending else self.updated

    def in_unit_of(self, quota_unit: float) -> "QuotaRequest":
        """Return the request in another unit. quota_unit: what 1 of the quota is in that unit."""
        return replace(self, desired=self.desired * quota_unit)

    def sentence(self, text_of: Callable[[float], str], limit: float | None) -> str:
        """Return the request in words, with the day of its decision.

        text_of: an amount as text. limit: the one in force, in the unit of `desired`; None if it is unknown.
        """
        requester = " by AWS itself" if self.automatic else ""
        status = STATUS_TEXTS.get(self.status, f"has the status {self.status}")
        decided = "" if self.pending else _on(self.updated)
        return (
            f"An increase to {text_of(self.desired)} was requested{requester}{_on(self.since)}"
            f" and {status}{decided}{self._effect(text_of, limit)}."
        )

    def _effect(self, text_of: Callable[[float], str], limit: float | None) -> str:
        """Return what a decided request changed, as an end of its sentence."""
        if self.pending or limit is None:
            return ""
        return f"; the limit is {'still ' if limit < self.desired else ''}{text_of(limit)}"


class RequestedQuota(NamedTuple):
    """The subject of a request: a quota of the account, or of one resource. arn: the resource's, or empty."""

    quota: Quota
    arn: str = ""


def _on(time: float | None) -> str:
    return "" if time is None else f" on {datetime.fromtimestamp(time, UTC):%-d %b %Y}"


async def list_requests(
    aws: Aws, service_code: str = ""
) -> AsyncIterator[tuple[RequestedQuota, QuotaRequest]]:
    """Yield the requests of the account in the region that are pending or were decided in DECIDED_PERIOD.

    One list has those of the last 90 days, of the account and of single resources. service_code: for those
    of one service. Without it the list is taken to have those of all services, as the parameter is optional.
    """
    service_params: dict[str, Any] = {"ServiceCode": service_code} if service_code else {}
    requests = aws.list_items(
        "service-quotas",
        "ListRequestedServiceQuotaChangeHistory",
        "RequestedQuotas",
        MaxResults=PAGE_SIZE,
        QuotaRequestedAtLevel="ALL",
        **service_params,
    )
    async for description in requests:
        if request := request_from(description, aws.now):
            yield _requested_quota(members_of(description, REQUEST)), request


async def newest_requests(aws: Aws, service_code: str = "") -> dict[RequestedQuota, QuotaRequest]:
    """Return the newest request for each quota, a pending one before all others; see `list_requests`."""
    newest: dict[RequestedQuota, QuotaRequest] = {}
    async for quota, request in list_requests(aws, service_code):
        if quota not in newest or _rank(request) > _rank(newest[quota]):
            newest[quota] = request
    return newest


def request_from(description: Any, now: float) -> QuotaRequest | None:
    """Return a request as AWS describes it; None for one without a value, and for one decided long ago."""
    members = members_of(description, REQUEST)
    desired = members.get("DesiredValue")
    if desired is None or not isfinite(desired):
        return None
    request = QuotaRequest(
        float(desired),
        members.get("Status", ""),
        epoch_seconds(members.get("Created")),
        epoch_seconds(members.get("LastUpdated")),
        members.get("RequestType") == AUTOMATIC,
        members.get("GlobalQuota", False),
    )
    changed = request.updated or request.since or 0.0
    return request if request.pending or now - changed < DECIDED_PERIOD else None


def _requested_quota(description: Mapping[str, Any]) -> RequestedQuota:
    """Return what a request is for; the quota may be of any form, as it is only looked up."""
    quota = Quota.model_construct(
        service=description.get("ServiceCode", ""), code=description.get("QuotaCode", "")
    )
    return RequestedQuota(quota, context_of(description).arn)


def _rank(request: QuotaRequest) -> tuple[bool, float]:
    return request.pending, request.since or 0.0
