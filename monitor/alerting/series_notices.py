"""Builds the notices of series. Their summaries have usage and limit in the signal's unit, and the remedy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from collectors.registry import Registry
from monitor.alerting.trend import Trend
from monitor.fleet.key import Key
from monitor.fleet.rows import Row
from monitor.lib.durations import format_duration
from monitor.lib.locations import format_location
from monitor.lib.partitions import partition_of
from monitor.lib.percent import format_percent
from monitor.notifiers.notice import Notice, NoticeKind, Severity
from rules.band import Zone
from rules.units import PER_SECOND, PERCENT, THROTTLED, Unit

# The remedy for usage below the band. The remedies of the catalogue are for usage that is too high.
IDLE_REMEDY = "Lower the provisioned capacity, or scale it with the load."

PERCENTAGE = PERCENT, 100.0  # unit and limit of a usage in percent; texts leave out this limit


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeDetails:
    """The contents of a notice that do not come from the row of its series. Times are epoch seconds.

    zone: the zone of the alert, which can differ from the zone of the last sample. resolution_reason: why the
    alert ended (see `limit_change`); empty when the usage simply fell.
    """

    alert: str
    number: int
    kind: NoticeKind
    severity: Severity
    zone: Zone
    at: float
    since: float
    resolution_reason: str = ""
    account_name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


def series_notice(row: Row, details: NoticeDetails, registry: Registry, trend: Trend | None = None) -> Notice:
    """Return the notice of an alert of the series in `row`."""
    labels = {**details.tags, **row.key.labels, "severity": str(details.severity)}
    if details.account_name:
        labels["account_name"] = details.account_name
    remedy = (IDLE_REMEDY,) if details.zone is Zone.BELOW else row.signal.remedy
    return Notice(
        alert=details.alert,
        number=details.number,
        kind=details.kind,
        severity=details.severity,
        zone=details.zone.word,
        summary=_summary(row, details, trend, remedy[0], registry),
        labels=labels,
        at=details.at,
        since=details.since,
        usage=row.usage,
        limit=row.limit,
        unit=row.unit.name,
        source=row.source or "",
        utilization=row.utilization,
        throttled=None if row.signal.saturation_is_state else row.throttled,
        sampled=row.sample_time,
        resolution_reason=details.resolution_reason,
        remedy=remedy,
        docs=partition_of(row.aws_region).localized_url(row.signal.docs[0]),
        links=details.links,
        subject=row.key.subject,
    )


def current_usage(row: Row) -> str:
    """Return the present usage of a series, such as `writes 48 B/s of 100 B/s (48 %); 0 throttled/s`."""
    throttled = "" if row.throttled is None else f"; {throttled_text(row, row.throttled)}"
    return f"{usage_text(row)}{throttled}"


def limit_change(before: float | None, after: float | None, unit: Unit) -> str:
    """Return how a limit changed, as a `resolution_reason`; empty if it did not change."""
    if before is None or after is None or before == after:
        return ""
    change = "raised" if after > before else "lowered"
    return f"the limit was {change} from {unit.format(before)} to {unit.format(after)}"


def ended_summary(key: Key, last_notice: Notice, at: float, reason: str, registry: Registry) -> str:
    """Return the summary of an alert that ended for a reason other than usage."""
    subject = subject_of(key, last_notice.labels.get("account_name", ""), registry)
    return f"{subject} is no longer alerting after {format_duration(at - last_notice.since)}: {reason}."


def subject_of(key: Key, account_name: str, registry: Registry) -> str:
    """Return the resource, account and region of a series, as the subject of a sentence."""
    return (
        f"{_resource_name(key, registry)} ({format_location({**key.labels, 'account_name': account_name})})"
    )


def _summary(row: Row, details: NoticeDetails, trend: Trend | None, remedy: str, registry: Registry) -> str:
    subject = subject_of(row.key, details.account_name, registry)
    if details.kind is NoticeKind.RESOLVED:
        reason = f"; {details.resolution_reason}" if details.resolution_reason else ""
        duration = format_duration(details.at - details.since)
        usage = current_usage(row) if row.unobservable else usage_text(row)
        return f"{subject} recovered after {duration}: it {usage}{reason}."
    suffixes = _trend_suffix(row, details, trend) + _throttled_suffix(row, details)
    suffixes += f"; the largest is {_quote(row.largest_resource)}" if row.largest_resource else ""
    unverified = f" Unverified: {row.signal.unverified}" if row.signal.unverified else ""
    remedies = f"{remedy}{_request_sentence(row, details)}"
    return f"{subject} {usage_text(row)}{suffixes}. Remedy: {remedies}{unverified}"


def _request_sentence(row: Row, details: NoticeDetails) -> str:
    """Return a space and a sentence on the increase of the quota that was requested; empty if none was.

    The text is also empty below the band, where an increase does not help.
    """
    request = None if details.zone is Zone.BELOW else row.quota_request
    return f" {request.sentence(row.unit.format, row.limit)}" if request else ""


def _resource_name(key: Key, registry: Registry) -> str:
    noun = registry.signal(key.service, key.signal).noun or registry.title(key.service)
    return noun if key.is_of_account else f"{noun} {_quote(key.resource)}"


def _quote(name: str) -> str:
    words = " ".join(name.replace("`", "'").split())
    return f"`{words}`"


def usage_text(row: Row) -> str:
    """Return usage and limit as a predicate: `writes 3.6 MiB/s of 4 MiB/s (91 %)`."""
    if row.usage is None:
        return "has no observable usage" if row.unobservable else "has no sample at the moment"
    verb, unit = row.signal.verb, row.unit
    if row.limit is None:
        return f"{verb} {unit.format(row.usage)}, and its limit is not known"
    if (unit, row.limit) == PERCENTAGE:
        return f"{verb} {unit.format(row.usage)}"
    if row.bounded:
        usage = unit.format_range(row.usage, row.upper_bound, row.bounded)
        return f"{verb} {usage} of {unit.format(row.limit)}"
    return f"{verb} {unit.format_fraction(row.usage, row.limit)} ({format_percent(row.utilization)})"


def _trend_suffix(row: Row, details: NoticeDetails, trend: Trend | None) -> str:
    if row.usage is None and row.unobservable:
        return ""
    if row.usage is None:
        last_at = f"{datetime.fromtimestamp(row.sample_time, UTC):%H:%M} UTC" if row.sample_time else ""
        return f", the last one was at {last_at}" if last_at else ""
    if details.zone is Zone.BELOW:
        return f", below its target band for {format_duration(details.at - details.since)}: paid for and idle"
    return f", {trend.direction} for {format_duration(trend.minutes * 60)}" if trend else ""


def throttled_text(row: Row, throttled: float) -> str:
    """Return throttled demand and its main cause, such as `2.4 throttled/s (2.1 /s of it: hot key range)`."""
    if row.signal.saturation_is_state:
        return "demand is throttled" if throttled > 0 else "no demand is throttled"
    cause, rate = next(iter(row.throttled_by_cause.items()), ("", 0.0))
    main_cause = f" ({PER_SECOND.format(rate)} of it: {cause})" if rate > 0 else ""
    return f"{THROTTLED.format(throttled)}{main_cause}"


def _throttled_suffix(row: Row, details: NoticeDetails) -> str:
    """Return a semicolon and the throttled demand; empty if it is not known, or below the band."""
    if row.throttled is None or details.zone is Zone.BELOW:
        return ""
    if row.throttled > 0:
        return f"; {throttled_text(row, row.throttled)}"
    return "; 0 throttled at the moment" if details.zone is Zone.SATURATED else "; 0 throttled so far"
