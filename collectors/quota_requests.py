"""Service Quotas: the requests for an increase of quotas that are pending or were decided lately.

API: https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_RequestedServiceQuotaChange.html
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isfinite
from typing import Any, NamedTuple

from collectors.base import Aws
from collectors.quotas import PAGE_SIZE, QUOTA_CONTEXT, context_of
from collectors.response_members import Members, is_boolean, is_number, is_text, is_time, members_of
from collectors.times import epoch_seconds
from rules.signals import Quota

REQUEST_OPERATION = "RequestServiceQuotaIncrease"
ACTIONS = (f"servicequotas:{REQUEST_OPERATION}",)  # needed to request an increase, and not to watch quotas
PENDING_STATUSES = ("PENDING", "CASE_OPENED")  # a request with any other status is decided
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
REQUEST: Members = {  # the members of a RequestedServiceQuotaChange that are read
    "ServiceCode": is_text,
    "QuotaCode": is_text,
    "DesiredValue": is_number,
    "Status": is_text,
    "Created": is_time,
    "LastUpdated": is_time,
    "RequestType": is_text,
    "GlobalQuota": is_boolean,
    "QuotaContext": QUOTA_CONTEXT,
}
AUTOMATIC = "AutomaticManagement"  # the type of a request that AWS made by itself


@dataclass(frozen=True, slots=True)
class QuotaRequest:
    """A request for an increase of a quota.

    desired: the requested value in the quota's unit; after `in_signal_unit`, in a signal's unit. status: the
    status in Service Quotas. requested_at: when the request was made; updated_at: when its status changed
    last; both in epoch seconds, None if AWS does not return the time. is_automatic: AWS made the request by
    itself. is_global: the quota is the same in all regions.
    """

    desired: float
    status: str
    requested_at: float | None
    updated_at: float | None = None
    is_automatic: bool = False
    is_global: bool = False

    @property
    def pending(self) -> bool:
        """True until AWS has decided the request."""
        return self.status in PENDING_STATUSES

    @property
    def decided_at(self) -> float | None:
        """The time of AWS's decision in epoch seconds; None if there is none yet, or AWS returns no time."""
        return None if self.pending else self.updated_at

    def in_signal_unit(self, quota_unit: float) -> "QuotaRequest":
        """Return the request in a signal's unit. quota_unit: the quota's value 1 in the signal's unit."""
        return replace(self, desired=self.desired * quota_unit)

    def sentence(self, text_of: Callable[[float], str], limit: float | None) -> str:
        """Return the request in words, with the day of its decision.

        text_of: formats an amount. limit: the limit in force, in the unit of `desired`; None if unknown.
        """
        requester = " by AWS itself" if self.is_automatic else ""
        status = STATUS_TEXTS.get(self.status, f"has the status {self.status}")
        decided = "" if self.pending else _on_day(self.updated_at)
        return (
            f"An increase to {text_of(self.desired)} was requested{requester}{_on_day(self.requested_at)}"
            f" and {status}{decided}{self._effect(text_of, limit)}."
        )

    def _effect(self, text_of: Callable[[float], str], limit: float | None) -> str:
        """Return the end of the sentence of a decided request: the limit that is in force."""
        if self.pending or limit is None:
            return ""
        return f"; the limit is {'still ' if limit < self.desired else ''}{text_of(limit)}"


class RequestedQuota(NamedTuple):
    """The quota that a request is for. arn: the resource that the request is for; empty for the account."""

    quota: Quota
    arn: str = ""


def _on_day(time: float | None) -> str:
    return "" if time is None else f" on {datetime.fromtimestamp(time, UTC):%-d %b %Y}"


async def list_requests(
    aws: Aws, service_code: str = ""
) -> AsyncIterator[tuple[RequestedQuota, QuotaRequest]]:
    """Yield the account's requests in the region that are pending or were decided within DECIDED_PERIOD.

    AWS lists the requests of the last 90 days, for the account and for single resources. service_code: yield
    only the requests of this service. If it is empty, AWS is assumed to list the requests of all services,
    because the parameter is optional.
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
    """Return the pending request for each quota, or else the newest one; see `list_requests`."""
    newest: dict[RequestedQuota, QuotaRequest] = {}
    async for quota, request in list_requests(aws, service_code):
        if quota not in newest or _rank(request) > _rank(newest[quota]):
            newest[quota] = request
    return newest


def request_from(description: Any, now: float) -> QuotaRequest | None:
    """Parse a request; None if it has no finite value, or was decided longer than DECIDED_PERIOD ago."""
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
    changed_at = request.updated_at or request.requested_at or 0.0
    return request if request.pending or now - changed_at < DECIDED_PERIOD else None


def _requested_quota(description: Mapping[str, Any]) -> RequestedQuota:
    """Return the quota that a request is for. Its codes are only looked up, so they are not validated."""
    quota = Quota.model_construct(
        service=description.get("ServiceCode", ""), code=description.get("QuotaCode", "")
    )
    return RequestedQuota(quota, context_of(description).arn)


def _rank(request: QuotaRequest) -> tuple[bool, float]:
    """Return a key that sorts requests for one quota: decided before pending ones, then by time."""
    return request.pending, request.requested_at or 0.0
