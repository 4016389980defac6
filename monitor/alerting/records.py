"""The rows of the journal: a struct for each table.

When the journal is opened, it reads all rows except those of the history.
"""

from collections.abc import Mapping

import msgspec

from monitor.notifiers.notice import Notice, Notification, NotificationReason, Severity
from monitor.schema.annotations import AnnotationText, EpochSeconds, JsonInteger


class SavedState(msgspec.Struct, frozen=True):
    """A part of the alert engine's state, such as the state of one alert or group (see `engine_state`)."""

    key: str
    value: bytes


class PendingNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that a receiver must still be notified of.

    group: the labels of the notice's group. due: when to send the notice, in epoch seconds; all notices of a
    group are sent when the first of them is due. id: assigned by the store; a later row has a higher
    id. reason: why the receiver is notified.
    """

    receiver: str
    group: Mapping[str, str]
    due: EpochSeconds
    notice: Notice
    id: JsonInteger = 0
    reason: NotificationReason


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An undeliverable notification, which is stored until somebody replays it.

    status: the HTTP or SMTP status of the last attempt, if there was a response. sentence: why it was not
    delivered. at: when Headroom gave up, in epoch seconds.
    """

    id: str
    receiver: str
    notification: Notification
    status: int | None
    sentence: str
    at: EpochSeconds


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A silence of the alerts that all matchers match. starts, ends: epoch seconds."""

    id: str
    matchers: tuple[str, ...]
    starts: EpochSeconds
    ends: EpochSeconds
    author: AnnotationText
    comment: AnnotationText


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """An acknowledgement: the alert is not repeated while its severity is at most `severity`.

    at: when it was made. until: when it ends; None if it lasts as long as the alert fires. Both are epoch
    seconds. replaced: the acknowledgement that this one replaced, which is restored if this one is undone.
    """

    alert: str
    severity: Severity
    author: AnnotationText
    comment: AnnotationText
    at: EpochSeconds
    until: EpochSeconds | None = None
    replaced: "Acknowledgement | None" = None

    def active_at(self, now: float) -> bool:
        """Return true if the acknowledgement is in force at `now`, in epoch seconds."""
        return self.until is None or now < self.until

    def covers(self, severity: Severity, now: float) -> bool:
        """Return true if the acknowledgement is in force at `now` for an alert of this severity."""
        return self.active_at(now) and severity.rank <= self.severity.rank

    def with_replaced_up_to(self, depth: int) -> "Acknowledgement":
        """Return a copy that keeps at most `depth` of the acknowledgements that were replaced before it."""
        replaced = self.replaced.with_replaced_up_to(depth - 1) if self.replaced and depth else None
        return msgspec.structs.replace(self, replaced=replaced)

    def acknowledgement_to_restore(self, now: float) -> "Acknowledgement | None":
        """Return the newest replaced acknowledgement that is in force at `now`; None if there is none."""
        if self.replaced is None or self.replaced.active_at(now):
            return self.replaced
        return self.replaced.acknowledgement_to_restore(now)


class SentNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that was put into a receiver's outbox, for the history of notifications.

    number: the notice's number. reason: why the receiver is notified. at: when the notice was due, in epoch
    seconds.
    """

    alert: str
    number: JsonInteger
    receiver: str
    reason: NotificationReason
    at: EpochSeconds


class UnusableRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that could not be used, stored so that people can examine it.

    name: the name of the row's table. key: the row's key there. row: the repr of the columns. at: when the
    row was read, in epoch seconds.
    """

    id: str
    name: str
    key: str
    reason: str
    row: str
    at: EpochSeconds
