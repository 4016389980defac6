"""Requests for an increase of a quota: checked against AWS's present values, shown as commands, and sent."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from collectors.quota_requests import (
    ACTIONS,
    REQUEST_OPERATION,
    RequestedQuota,
    newest_requests,
    request_from,
)
from collectors.quotas import (
    ACCOUNT_LEVEL,
    GET_OPERATIONS,
    NO_SUCH_QUOTA,
    RESOURCE_LEVEL,
    context_of,
    read_description,
    value_of,
)
from monitor.aws.cell import Cell
from monitor.aws.failure import AWS_ERRORS, error_code, error_message, failure_from
from monitor.aws.failure_class import FailureClass
from monitor.aws.scan import Scan
from monitor.lib.errors import HeadroomError
from monitor.quotas.wanted import RequestRefusedError, UnknownQuotaError, WantedQuota
from rules.limits import LimitSource

(REQUEST_ACTION,) = ACTIONS  # the IAM action of a request
# Errors by which AWS rejects a request. With any other error, the call failed.
REJECTIONS = (
    "IllegalArgumentException",
    "InvalidResourceStateException",
    "QuotaExceededException",
    "ResourceAlreadyExistsException",
)


class QuotaCallError(HeadroomError):
    """A call to Service Quotas failed."""


@dataclass(frozen=True, slots=True)
class PresentQuota:
    """A quota as Service Quotas returns it.

    value: in the quota's unit. source: whether the value is applied to the account or AWS's default. level:
    the level, account or resource, at which AWS increases the quota; empty if only accounts have it.
    """

    name: str
    value: float
    source: LimitSource
    adjustable: bool
    is_global: bool
    level: str


@dataclass(frozen=True, slots=True)
class QuotaIncrease:
    """A request that AWS may accept.

    region: the region to send it to. arn: the ARN of the resource; empty for the account. desired: the
    desired value, in the quota's unit.
    """

    wanted: WantedQuota
    region: str
    arn: str
    desired: float
    present: PresentQuota

    @property
    def params(self) -> Mapping[str, Any]:
        """The parameters of RequestServiceQuotaIncrease."""
        quota, context = self.wanted.quota, {"ContextId": self.arn} if self.arn else {}
        return {
            "ServiceCode": quota.service,
            "QuotaCode": quota.code,
            "DesiredValue": self.desired,
            **context,
        }

    def command(self, profile: str = "") -> str:
        """Return the AWS CLI command that sends the request. profile: the credentials' profile, if known."""
        quota, number = self.wanted.quota, self.desired
        options = {
            "service-code": quota.service,
            "quota-code": quota.code,
            "desired-value": f"{number:.0f}" if number.is_integer() else f"{number}",
            "context-id": self.arn,
            "region": self.region,
            "profile": profile,
        }
        words = [word for name, value in options.items() if value for word in (f"--{name}", value)]
        return shlex.join(["aws", "service-quotas", "request-service-quota-increase", *words])


async def prepare_increase(cell: Cell, wanted: WantedQuota, desired: float, arn: str = "") -> QuotaIncrease:
    """Return a request for the desired value, in the quota's unit, after checks that AWS may accept it now.

    arn: the ARN of the resource; empty for the account. Raises RequestRefusedError, UnknownQuotaError and
    QuotaCallError.
    """
    present = await _read_present(cell, wanted, arn)
    home_region = Scan(cell).home_region
    if present.is_global and cell.region != home_region:
        cell = cell.in_region(home_region)
        present = await _read_present(cell, wanted, arn)
    increase = QuotaIncrease(wanted, cell.region, arn, desired, present)
    _check_level(increase)
    with _explained_errors(wanted):
        requests = await newest_requests(Scan(cell), wanted.quota.service)
    request = requests.get(RequestedQuota(wanted.quota, arn))
    if request and request.pending:
        raise RequestRefusedError(
            _quota_prefix(wanted, present) + request.sentence(wanted.text, present.value)
        )
    if desired <= present.value:
        raise RequestRefusedError(
            f"{_quota_prefix(wanted, present)}{wanted.text(desired)} is not above the value in force, "
            f"{wanted.text(present.value)}"
        )
    return increase


async def send_increase(cell: Cell, increase: QuotaIncrease) -> str:
    """Send a request once, and return AWS's answer as a sentence.

    Raises RequestRefusedError if AWS does not accept the request, and QuotaCallError if the call failed.
    """
    # A repeated call would be a second request.
    cell_without_retries = replace(cell.in_region(increase.region), max_attempts=1)
    with _explained_errors(increase.wanted):
        response = await cell_without_retries.call("service-quotas", REQUEST_OPERATION, **increase.params)
    wanted = increase.wanted
    request = request_from(response.get("RequestedQuota"), cell_without_retries.clock.now())
    if request:
        answer = request.sentence(wanted.text, None)
    else:
        answer = f"AWS has accepted the request for {wanted.text(increase.desired)}."
    return _quota_prefix(wanted, increase.present) + answer


async def _read_present(cell: Cell, wanted: WantedQuota, arn: str) -> PresentQuota:
    with _explained_errors(wanted):
        source, description = await read_description(Scan(cell), wanted.quota, arn)
        return PresentQuota(
            name=description.get("QuotaName") or wanted.quota.code,
            value=value_of(description, GET_OPERATIONS[source]),
            source=source,
            adjustable=bool(description.get("Adjustable")),
            is_global=bool(description.get("GlobalQuota")),
            level=context_of(description).level,
        )


def _check_level(increase: QuotaIncrease) -> None:
    """Raise RequestRefusedError if AWS does not increase the quota, or not at this level."""
    wanted, present = increase.wanted, increase.present
    prefix = _quota_prefix(wanted, present)
    if not present.adjustable:
        remedy = f"; remedy: {wanted.signal.remedy[0]}" if wanted.signal else ""
        raise RequestRefusedError(
            f"{prefix}AWS does not increase it; it is {wanted.text(present.value)}{remedy}"
        )
    if increase.arn and present.level in ("", ACCOUNT_LEVEL):
        raise RequestRefusedError(f"{prefix}AWS increases it for the whole account: leave --resource out")
    if not increase.arn and present.level == RESOURCE_LEVEL:
        raise RequestRefusedError(f"{prefix}AWS increases it for one resource: name it with --resource")


def _quota_prefix(wanted: WantedQuota, present: PresentQuota) -> str:
    return f"{wanted.quota.service} {present.name} ({wanted.quota.code}): "


@contextmanager
def _explained_errors(wanted: WantedQuota) -> Iterator[None]:
    """Raise QuotaCallError, RequestRefusedError or UnknownQuotaError in place of the error of a call."""
    try:
        yield
    except AWS_ERRORS as error:
        operation = getattr(error, "operation_name", "")
        quota = f"{wanted.quota.service}/{wanted.quota.code}"
        if error_code(error) == NO_SUCH_QUOTA:
            raise UnknownQuotaError(f"Service Quotas has no quota {quota} in this region") from error
        failure = failure_from(error)
        if failure.failure_class is FailureClass.ORGANIZATION:
            raise QuotaCallError(f"the organization denies servicequotas:{operation}") from error
        if failure.failure_class is FailureClass.DENIED:
            remedy = "; `headroom iam-policy --quota-requests` prints a policy that allows it"
            raise QuotaCallError(
                f"the credentials lack servicequotas:{operation}"
                f"{remedy if operation == REQUEST_OPERATION else ''}"
            ) from error
        if error_code(error) in REJECTIONS:
            raise RequestRefusedError(
                f"AWS does not accept the request for {quota}: {error_message(error)}"
            ) from error
        raise QuotaCallError(failure.sentence) from error
