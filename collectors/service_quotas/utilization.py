"""AWS's own report of the utilization of quotas.

The report has only quotas with a usage metric. It has one value of each quota for the whole account, and
tells neither dimensions nor the unit nor the time of the value. AWS makes a report within seconds, and
deletes it after 15 minutes.
API: https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetQuotaUtilizationReport.html
"""

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collectors.response_members import Members, is_number, is_text, members_of
from collectors.service_quotas.call_budget import BudgetedCalls
from monitor.lib.errors import HeadroomError
from rules.signals import QUOTA_CODE, Quota

START, GET = "StartQuotaUtilizationReport", "GetQuotaUtilizationReport"
REPORT_ACTIONS = (f"servicequotas:{START}", f"servicequotas:{GET}")
PAGE_SIZE = 1000  # the maximum that AWS allows
POLL_DELAYS = (2.0, 4.0, 8.0, 16.0, 30.0)  # seconds before each check whether the report is ready
ENTRY_MEMBERS: Members = {  # the members of QuotaUtilizationInfo that are read
    "ServiceCode": is_text,
    "QuotaCode": is_text,
    "QuotaName": is_text,
    "Utilization": is_number,
    "AppliedValue": is_number,
}
COMPLETED, FAILED = "COMPLETED", "FAILED"


class UtilizationReportError(HeadroomError):
    """AWS did not make the report of the utilization of quotas."""


@dataclass(frozen=True, slots=True)
class ReportedQuota:
    """A quota in a report.

    utilization: a ratio. applied_value: in AWS's unit; None if the report has none.
    """

    name: str
    utilization: float
    applied_value: float | None


@dataclass(frozen=True, slots=True)
class UtilizationReport:
    """AWS's report of the utilization of quotas. read_at: in epoch seconds."""

    read_at: float
    quotas: Mapping[Quota, ReportedQuota]


async def read_report(calls: BudgetedCalls, delays: Sequence[float] = POLL_DELAYS) -> UtilizationReport:
    """Request a report from AWS, wait until it is ready, and read it.

    delays: seconds before each check whether it is ready. Raises the errors of the calls, and
    UtilizationReportError if AWS fails to make the report, or it is not ready at the last check.
    """
    response = await calls.call("service-quotas", START)
    report_id = response["ReportId"]
    await _wait_until_ready(calls, report_id, delays)
    quotas: dict[Quota, ReportedQuota] = {}
    entries = calls.list_items("service-quotas", GET, "Quotas", ReportId=report_id, MaxResults=PAGE_SIZE)
    async for entry in entries:
        members = members_of(entry, ENTRY_MEMBERS)
        if quota := _reported_quota(members):
            quotas[Quota(service=members["ServiceCode"], code=members["QuotaCode"])] = quota
    return UtilizationReport(calls.aws.now, quotas)


async def _wait_until_ready(calls: BudgetedCalls, report_id: str, delays: Sequence[float]) -> None:
    for delay in delays:
        await asyncio.sleep(delay)
        response = await calls.call("service-quotas", GET, ReportId=report_id, MaxResults=1)
        if response.get("Status") == COMPLETED:
            return
        if response.get("Status") == FAILED:
            reason = response.get("ErrorMessage") or response.get("ErrorCode") or "no reason given"
            raise UtilizationReportError(f"AWS could not make its report of utilization: {reason}")
    raise UtilizationReportError(f"AWS's report of utilization was not ready after {sum(delays):.0f} s")


def _reported_quota(entry: Mapping[str, Any]) -> ReportedQuota | None:
    """Return a quota of a report; None for an entry without a code or a number."""
    code, percent = entry.get("QuotaCode", ""), entry.get("Utilization", math.nan)
    if not re.match(QUOTA_CODE, code) or not entry.get("ServiceCode") or not math.isfinite(percent):
        return None
    applied = entry.get("AppliedValue", math.nan)
    return ReportedQuota(
        entry.get("QuotaName") or code, percent / 100, float(applied) if math.isfinite(applied) else None
    )
