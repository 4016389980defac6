"""What an alert of a series says: a sentence with absolute numbers, and all that is needed to act."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from msgspec.structs import replace

from collectors.base import ACCOUNT
from monitor.alerting.notice import Kind, Notice, Severity
from monitor.alerting.phrases import place, span
from monitor.alerting.trend import Trend
from monitor.fleet import Key
from monitor.rows import Row, signal_of
from monitor.units import amount, percent
from rules.band import Zone
from rules.limits import catalogue

IDLE = (
    "Lower what is provisioned, or let it follow the load."  # what the catalogue advises is against too much
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What became of an alert: everything that the series itself does not tell. Times are epoch seconds.

    zone: the alert's, whatever the last sample's is. reason: of a resolution (see `limit_changed`).
    """

    alert: str
    number: int
    kind: Kind
    severity: Severity
    zone: Zone
    at: float
    since: float
    reason: str = ""
    account_name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


def notice(row: Row, moment: Moment, trend: Trend | None = None) -> Notice:
    """The notice of one alert of the series in `row`."""
    signal = signal_of(row.key)
    labels = {**moment.tags, **row.key._asdict(), "severity": str(moment.severity)}
    if moment.account_name:
        labels["account_name"] = moment.account_name
    remedy = (IDLE,) if moment.zone is Zone.BELOW else signal.remedy
    return Notice(
        alert=moment.alert,
        number=moment.number,
        kind=moment.kind,
        severity=moment.severity,
        zone=moment.zone.word,
        summary=_summary(row, moment, trend, remedy[0]),
        labels=labels,
        at=moment.at,
        since=moment.since,
        usage=row.usage,
        limit=row.limit,
        unit=row.unit,
        source=row.source or "",
        utilization=row.utilization,
        refused=row.refused,
        sampled=row.sampled,
        reason=moment.reason,
        remedy=remedy,
        docs=signal.docs[0],
        links=moment.links,
    )


def limit_changed(before: float | None, after: float | None, unit: str) -> str:
    """The reason of a resolution that a changed limit brought about; empty when it is the same."""
    if before is None or after is None or before == after:
        return ""
    how = "raised" if after > before else "lowered"
    return f"the limit was {how} from {amount(before, unit)} to {amount(after, unit)}"


def ended(key: Key, before: Notice, number: int, at: float, reason: str) -> Notice:
    """The end of an alert for a reason that has nothing to do with its usage."""
    subject = _subject(key, before.labels.get("account_name", ""))
    summary = f"{subject} is no longer an alert after {span(at - before.since)}: {reason}."
    return replace(before, number=number, kind=Kind.RESOLVED, summary=summary, at=at, reason=reason)


def _subject(key: Key, account_name: str) -> str:
    return f"{_named(key)} ({place({**key._asdict(), 'account_name': account_name})})"


def _summary(row: Row, moment: Moment, trend: Trend | None, remedy: str) -> str:
    subject = _subject(row.key, moment.account_name)
    if moment.kind is Kind.RESOLVED:
        reason = f"; {moment.reason}" if moment.reason else ""
        return f"{subject} is well again after {span(moment.at - moment.since)}: it {_usage(row)}{reason}."
    return f"{subject} {_usage(row)}{_course(row, moment, trend)}{_refusals(row, moment)}. Remedy: {remedy}"


def _named(key: Key) -> str:
    signal = signal_of(key)
    noun = signal.noun or catalogue()[key.service].title
    resource = " ".join(key.resource.replace("`", "'").split())
    return noun if key.resource == ACCOUNT else f"{noun} `{resource}`"


def _usage(row: Row) -> str:
    """What it does: `writes 3.6 MiB/s of 4 MiB/s (91 %)`."""
    if row.usage is None:
        return "has no sample at the moment"
    verb, used = signal_of(row.key).verb, amount(row.usage, row.unit)
    if row.limit is None:
        return f"{verb} {used}, and its limit is not known"
    limit = amount(row.limit, row.unit)
    number, _, unit = used.partition(" ")
    same = unit == limit.partition(" ")[2] and not row.unit.startswith("bytes")
    return f"{verb} {number if same else used} of {limit} ({percent(row.utilization)})"


def _course(row: Row, moment: Moment, trend: Trend | None) -> str:
    if row.usage is None:
        when = f"{datetime.fromtimestamp(row.sampled, UTC):%H:%M} UTC" if row.sampled else ""
        return f", the last one was at {when}" if when else ""
    if moment.zone is Zone.BELOW:
        return f", below its target band for {span(moment.at - moment.since)}: paid for and idle"
    return f", {trend.word} for {span(trend.minutes * 60)}" if trend else ""


def _refusals(row: Row, moment: Moment) -> str:
    """How much is refused; nothing where CloudWatch does not tell."""
    if row.refused is None or moment.zone is Zone.BELOW:
        return ""
    if row.refused > 0:
        return f"; {amount(row.refused, 'refused/s')}"
    return "; 0 refused at the moment" if moment.zone is Zone.SATURATED else "; 0 refused so far"
