"""What is told: one alert at one moment, and the notification that carries several to a receiver."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from rules.alerts import Severity

__all__ = ["WORST", "Kind", "Notice", "Notification", "Severity"]

WORST = 20  # notices that a notification spells out; the others are counted


class Kind(StrEnum):
    """Why a notice is told."""

    FIRING = "firing"  # it began
    WORSENED = "worsened"  # to a higher severity or zone
    EASED = "eased"  # to a lower one; it still fires
    RESOLVED = "resolved"  # it ended
    REPEATED = "repeated"  # it still fires, and was told long ago


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One alert at one moment, with all that is needed to act.

    Times are epoch seconds, utilization is 0.8 for 80 %, usage and limit are in `unit`.

    alert: the alert's id, stable over restarts. number: grows with every notice; orders those of an alert.
    summary: one sentence with absolute numbers. labels: account, region, service, signal, resource,
    severity, and exported tags; `account_name` where one is configured. since: when the breach began.
    reason: of a resolution, where it is not that usage fell ("the limit was raised from 1000 to 2000").
    links: named URLs (page, runbook, console, grafana).
    """

    alert: str
    number: int
    kind: Kind
    severity: Severity
    zone: str
    summary: str
    labels: Mapping[str, str]
    at: float
    since: float
    usage: float | None = None
    limit: float | None = None
    unit: str = ""
    source: str = ""
    utilization: float | None = None
    refused: float | None = None
    sampled: float | None = None
    reason: str = ""
    remedy: tuple[str, ...] = ()
    docs: str = ""
    links: Mapping[str, str] = {}

    @property
    def firing(self) -> bool:
        return self.kind is not Kind.RESOLVED


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """What one delivery carries: the notices of one group for one receiver, the most urgent first.

    id: the same in every attempt, so that a receiver can tell a repetition. group: the labels that the
    notices were grouped by. more: how many notices were left out beyond `WORST`. at: epoch seconds.
    """

    id: str
    receiver: str
    group: Mapping[str, str]
    notices: tuple[Notice, ...]
    at: float
    more: int = 0

    @property
    def firing(self) -> bool:
        """Whether one of its alerts fires."""
        return any(notice.firing for notice in self.notices)

    @property
    def severity(self) -> Severity:
        """The worst of its notices'."""
        return max((notice.severity for notice in self.notices), key=lambda severity: severity.rank)

    @property
    def title(self) -> str:
        """One line: how many fire or are resolved, and of what."""
        firing = sum(notice.firing for notice in self.notices) + self.more
        state = f"{firing} firing" if self.firing else "resolved"
        return f"[{state}] " + " ".join(self.group.values())
