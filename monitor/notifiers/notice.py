"""A notice is an alert at one moment. A notification contains the notices that a receiver gets together."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from collectors.base import Resource
from monitor.fleet.key import Key
from monitor.schema.annotations import EpochSeconds, JsonInteger
from rules.alert_rules import Severity

__all__ = [
    "MAX_LISTED_NOTICES",
    "Notice",
    "NoticeKind",
    "Notification",
    "NotificationReason",
    "Severity",
    "resource_of",
]

MAX_LISTED_NOTICES = 20  # in a notification; further ones are only counted


class NoticeKind(StrEnum):
    """The change of an alert."""

    FIRING = "firing"  # it started to fire
    WORSENED = "worsened"  # its severity or zone is higher, or it shows in more places
    EASED = "eased"  # its severity or zone is lower; it still fires
    RESOLVED = "resolved"  # it ended
    REPEATED = "repeated"  # nothing new: it still fires


class NotificationReason(StrEnum):
    """The reason why a receiver is notified of an alert, the most important one first.

    Acknowledgements and silences suppress notifications and never cause one: an alert that still fires when
    its silence ends is `first` or `repeated` for the receiver.
    """

    FIRST = "first"  # the receiver has not been notified of this alert yet
    ESCALATED = "escalated"  # the severity or zone is higher than the receiver knows
    GREW = "grew"  # a blind spot shows in more places, or a forecast is nearer, than the receiver knows
    RESOLVED = "resolved"  # the alert ended
    EASED = "eased"  # the severity or zone is lower than the receiver knows; it still fires
    REPEATED = "repeated"  # it still fires, and `repeat_interval` has passed
    KEEPALIVE = "keepalive"  # it still fires, and the receiver forgets alerts that are not repeated
    TEST = "test"  # somebody tests the receiver

    @property
    def kind(self) -> NoticeKind:
        """The kind of the notices that are sent for this reason."""
        return KIND_BY_REASON.get(self, NoticeKind.FIRING)

    @property
    def rank(self) -> int:
        """The importance: 0 is the most important."""
        return list(NotificationReason).index(self)


KIND_BY_REASON = {
    NotificationReason.ESCALATED: NoticeKind.WORSENED,
    NotificationReason.GREW: NoticeKind.WORSENED,
    NotificationReason.RESOLVED: NoticeKind.RESOLVED,
    NotificationReason.EASED: NoticeKind.EASED,
    NotificationReason.REPEATED: NoticeKind.REPEATED,
    NotificationReason.KEEPALIVE: NoticeKind.REPEATED,
}


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An alert at one moment, with all that is needed to act on it.

    Times are epoch seconds, utilization is 0.8 for 80 %, usage and limit are in `unit`. throttled: the
    throttled demand per second. sampled: the time of the sample from which these values are.

    alert: the id, stable over restarts. number: higher than that of every earlier notice. summary: a sentence
    with absolute numbers. labels of a series: account, region, service, signal, resource, severity and
    exported tags; `account_name` if configured, `resource_id` if `resource` is ambiguous. labels of a blind
    spot: account, signal, `cause` and severity. subject: the resource of a series; None for a blind spot.
    since: when the breach began. places: the number of places in which a blind spot shows; of a forecast, its
    `forecast_class`; otherwise 0.
    resolution_reason: why the alert ended ("the limit was raised from 1000 to 2000"); empty when the usage
    simply fell, or the alert fires. links: URLs by name (page, runbook, console, grafana).
    """

    alert: str
    number: JsonInteger
    kind: NoticeKind
    severity: Severity
    zone: str
    summary: str
    labels: Mapping[str, str]
    at: EpochSeconds
    since: EpochSeconds
    usage: float | None = None
    limit: float | None = None
    unit: str = ""
    source: str = ""
    utilization: float | None = None
    throttled: float | None = None
    sampled: EpochSeconds | None = None
    places: int = 0
    resolution_reason: str = ""
    remedy: tuple[str, ...] = ()
    docs: str = ""
    links: Mapping[str, str] = {}
    subject: Resource | None = None

    @property
    def firing(self) -> bool:
        """True unless the alert has ended."""
        return self.kind is not NoticeKind.RESOLVED

    @property
    def forecast_class(self) -> int:
        """The class of a forecast: 1 within 3 days, 2 within a day, 3 within 6 hours, 4 within an hour.

        Only of alerts about forecasts. Stored and shown as `places`, by which receivers learn that it grew.
        """
        return self.places

    @property
    def series_id(self) -> str:
        """The id of the series that the alert is about; empty for a blind spot."""
        if "service" not in self.labels or "resource" not in self.labels:
            return ""
        labels = self.labels
        resource = resource_of(self)
        return Key(labels["account"], labels["region"], labels["service"], labels["signal"], resource).id


def resource_of(notice: Notice) -> Resource:
    """Return the resource of an alert of a series; from its label if the notice has no `subject`."""
    return notice.subject or Resource("", (notice.labels["resource"],))


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """The notices of one group that one receiver gets together, the most urgent first.

    id: the same in every attempt, so that receivers can recognize repeated attempts. group: the labels by
    which the notices are grouped. more: the number of notices that are not listed, as they are beyond
    `MAX_LISTED_NOTICES`. at: epoch seconds. reason: why it is sent; of several reasons the most important.
    """

    id: str
    receiver: str
    group: Mapping[str, str]
    notices: tuple[Notice, ...]
    at: EpochSeconds
    more: int = 0
    reason: NotificationReason

    @property
    def firing(self) -> bool:
        """True while any of its alerts fires."""
        return any(notice.firing for notice in self.notices)

    @property
    def severity(self) -> Severity:
        """The highest severity of its notices."""
        return max((notice.severity for notice in self.notices), key=lambda severity: severity.rank)

    @property
    def title(self) -> str:
        """One line with the number of firing alerts, or `resolved`, and the labels of the group."""
        firing = sum(notice.firing for notice in self.notices) + self.more
        state = f"{firing} firing" if self.firing else "resolved"
        return f"[{state}] " + " ".join(self.group.values())
