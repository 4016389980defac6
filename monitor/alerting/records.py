"""What the journal remembers, one struct a table: all of it small, and read back at start."""

from collections.abc import Mapping

import msgspec

from monitor.alerting.notice import Notice, Notification, Severity


class State(msgspec.Struct, frozen=True):
    """What somebody wants back after a restart, under a key of their own: the life of an alert, a group."""

    key: str
    value: bytes


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The last notice of an alert that fires. at: epoch seconds."""

    alert: str
    number: int
    severity: Severity
    at: float


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that a receiver is still to be told.

    group: the labels that its notices are grouped by. due: when the group may leave, in epoch seconds; the
    earliest of a group counts for all of it. id: given by the journal, grows with every row.
    """

    receiver: str
    group: Mapping[str, str]
    due: float
    notice: Notice
    id: int = 0


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that was given up, until somebody has it sent again.

    status: of the last answer, where there was one. at: when it was given up, in epoch seconds.
    """

    id: str
    receiver: str
    notification: Notification
    status: int | None
    sentence: str
    at: float


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts that match all of `matchers` are not told between two times in epoch seconds."""

    id: str
    matchers: tuple[str, ...]
    starts: float
    ends: float
    who: str
    why: str


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody takes care of an alert at this severity: it is told again only when it gets worse.

    until: epoch seconds; None: as long as the alert fires.
    """

    alert: str
    severity: Severity
    who: str
    why: str
    at: float
    until: float | None = None

    def lasts(self, now: float) -> bool:
        return self.until is None or now < self.until
