"""Compares AWS's report of quota utilization with Headroom's values; a difference raises no alert."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from collectors.service_quotas.known_quotas import KnownQuotas
from collectors.service_quotas.utilization import REPORT_ACTIONS, ReportedQuota
from monitor.aws.failure import Failure, failure_from
from monitor.aws.failure_class import DENIAL_CLASSES
from monitor.fleet.key import CellKey
from monitor.lib.percent import format_percent

MAX_DIFFERENCE = 0.1  # of two utilizations; it is tolerated, as the report is older


def difference(
    reported: ReportedQuota, read_at: float, utilization: float | None, value: float | None
) -> str:
    """Return a sentence on how AWS's report differs from Headroom's values; empty if they agree.

    read_at: when the report was read, in epoch seconds. utilization: what Headroom measures now; None if it
    cannot be compared with the report. value: the quota's value in Service Quotas, in AWS's unit.
    """
    differences = []
    if utilization is not None and abs(reported.utilization - utilization) > MAX_DIFFERENCE:
        theirs, ours = format_percent(reported.utilization), format_percent(utilization)
        differences.append(f"a utilization of {theirs}, and Headroom sees {ours}")
    if reported.applied_value is not None and value is not None and reported.applied_value != value:
        differences.append(
            f"the value {reported.applied_value:,.12g}, and Service Quotas lists {value:,.12g}"
        )
    if not differences:
        return ""
    read_time = datetime.fromtimestamp(read_at, UTC)
    return f"AWS's report of {read_time:%-d %b %H:%M} UTC tells {'; '.join(differences)}."


def report_notes(known_quotas: Mapping[CellKey, KnownQuotas]) -> Iterator[str]:
    """Yield a line for each account and reason for which AWS's report could not be read."""
    regions_by_cause: dict[tuple[str, str], list[str]] = defaultdict(list)
    for account, region in sorted(known_quotas):
        if failure := known_quotas[account, region].report_failure:
            regions_by_cause[account, _reason(failure_from(failure))].append(region)
    for (account, reason), regions in regions_by_cause.items():
        yield f"{account}: AWS's report of utilization, a cross-check, {reason} ({', '.join(regions)})"


def _reason(failure: Failure) -> str:
    if failure.failure_class in DENIAL_CLASSES:
        return f"is not permitted: {' and '.join(REPORT_ACTIONS)}"
    return f"could not be read: {failure.sentence}"
