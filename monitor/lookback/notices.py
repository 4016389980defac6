"""Finds the notices that would have been sent for past samples: each change of an alert, with its minute."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from monitor.alerting.notice_builder import AlertLevel, kind_of_change
from monitor.fleet.fleet import Fleet, Series
from monitor.notifiers.notice import NoticeKind
from rules.alert_rules import WORST_FIRST, Rule, Severity
from rules.alert_states import Transitions
from rules.alerts import AlertState
from rules.band import ZONES, Zone

SeverityOf = Callable[[Series, Rule], Severity | None]  # None: the rule's alert is switched off
MAX_NOTICES = 1_000_000  # in the result; further notices are only counted


class PastNotice(NamedTuple):
    """A notice of a change of the alert on the series in a slot.

    minute: the minute of the sample that caused the notice; a running monitor sends the notice as soon as
    CloudWatch has published the sample. severity, zone: those of the alert, or its last ones if it resolved.
    """

    slot: int
    minute: int
    kind: NoticeKind
    severity: Severity
    zone: Zone


class AlertSpan(NamedTuple):
    """The minutes in which an alert fired, from `begin` up to `end`, None if it fired until the last minute.

    severity: the alert's highest severity.
    """

    slot: int
    begin: int
    end: int | None
    severity: Severity


class NoticeFinder:
    """Makes notices of transitions of alert states. Transitions must be added in the order of their minutes.

    notices: the notices so far, MAX_NOTICES at most. unlisted_notice_count: the number of notices beyond
    MAX_NOTICES.
    """

    def __init__(self, fleet: Fleet, severity_of: SeverityOf) -> None:
        self._fleet, self._severity_of = fleet, severity_of
        self.notices: list[PastNotice] = []
        self.unlisted_notice_count = 0
        self._states = np.zeros((len(Rule), fleet.size), np.int8)
        self._levels: dict[int, AlertLevel] = {}  # of each firing alert, by slot

    def add(self, transitions: Transitions) -> None:
        """Add transitions. All transitions of one series are of one minute."""
        if not transitions.slot.size:
            return
        self._states[transitions.rule, transitions.slot] = transitions.after
        is_notified = (transitions.before == AlertState.FIRING) | (transitions.after == AlertState.FIRING)
        minutes = dict(
            zip(transitions.slot[is_notified].tolist(), transitions.minute[is_notified].tolist(), strict=True)
        )
        for slot, minute in minutes.items():
            self._add_change(slot, minute)

    def _add_change(self, slot: int, minute: int) -> None:
        former_level, level = self._levels.get(slot), self._level(slot)
        kind = NoticeKind.RESOLVED if level is None else kind_of_change(former_level, level)
        if kind is None or (level is None and former_level is None):
            return
        if level is None:
            self._levels.pop(slot)
        else:
            self._levels[slot] = level
        severity, zone = level or former_level or (Severity.INFO, Zone.WITHIN)
        if len(self.notices) < MAX_NOTICES:
            self.notices.append(PastNotice(slot, minute, kind, severity, zone))
        else:
            self.unlisted_notice_count += 1

    def _level(self, slot: int) -> AlertLevel | None:
        """Return severity and zone of the worst firing rule that is not switched off; None without one."""
        firing = self._states[:, slot] == AlertState.FIRING
        for rule in WORST_FIRST if firing.any() else ():
            if firing[rule] and (severity := self._severity_of(self._fleet.by_slot[slot], rule)):
                return severity, ZONES[rule.word]
        return None


def alert_spans(notices: Sequence[PastNotice]) -> list[AlertSpan]:
    """Return the spans in which alerts fired, sorted by begin."""
    spans: list[AlertSpan] = []
    firing: dict[int, AlertSpan] = {}
    for notice in notices:
        slot = notice.slot
        if notice.kind is NoticeKind.RESOLVED:
            spans.append(firing.pop(slot)._replace(end=notice.minute))
            continue
        span = firing.get(slot) or AlertSpan(slot, notice.minute, None, notice.severity)
        severity = max(span.severity, notice.severity, key=lambda severity: severity.rank)
        firing[slot] = span._replace(severity=severity)
    return sorted([*spans, *firing.values()], key=lambda span: (span.begin, span.slot))
