"""The life of an alert: one rule on one series, judged sample by sample.

Time is the samples' own: whole minutes since the epoch, never the clock of the judge. What this file says of
one alert, `rules/lives.py` does for a million.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from rules.band import Flags, Floats

Ints = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.int8]
Index = npt.NDArray[np.integer[Any]] | slice

NEVER = -(2**30)  # a minute before all others, far enough from the limits of its type to subtract from

MARGIN = (
    0.05  # of the bound: how far a firing alert's utilization must be on the right side of it to be clear
)


class Severity(StrEnum):
    """How much an alert matters, from least to most."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class Rule(IntEnum):
    """What is watched on a series, the worst last; the number is the rule's row in columns."""

    BELOW = 0
    ABOVE = 1
    CRITICAL = 2
    SATURATED = 3

    @property
    def word(self) -> str:
        return self.name.lower()

    @property
    def severity(self) -> Severity:
        return SEVERITIES[self]


SEVERITIES: Mapping[Rule, Severity] = {
    Rule.BELOW: Severity.INFO,
    Rule.ABOVE: Severity.INFO,
    Rule.CRITICAL: Severity.WARNING,
    Rule.SATURATED: Severity.CRITICAL,
}

# Minutes. Nothing holds back the beginning of `saturated`, so its end is: for longer than the pause of a job
# that is refused every five minutes.
KEEP_FIRING_FOR: Mapping[Rule, int] = {
    Rule.BELOW: 5,
    Rule.ABOVE: 5,
    Rule.CRITICAL: 5,
    Rule.SATURATED: 10,
}


def holds(hold: int) -> Mapping[Rule, int]:
    """For how many minutes each rule's breach must last on a series of a signal with this `hold`.

    A refused request is a fact at once; capacity is idle when a whole day, with its peak, left it so.
    """
    return {Rule.BELOW: 24 * 60, Rule.ABOVE: hold, Rule.CRITICAL: hold, Rule.SATURATED: 0}


@dataclass(frozen=True, slots=True)
class Aligned:
    """Arrays whose last axis is one and the same list, mostly of series."""

    def of(self, index: Index) -> Self:
        """Some of the list, in the order of `index`; a slice gives views."""
        return replace(self, **{field.name: getattr(self, field.name)[..., index] for field in fields(self)})

    def put(self, index: Index, other: Self) -> None:
        """Overwrite some of the list."""
        for field in fields(self):
            getattr(self, field.name)[..., index] = getattr(other, field.name)


@dataclass(frozen=True, slots=True)
class Samples(Aligned):
    """Utilization, and refused demand per second, of each series in one minute; NaN is missing.

    Both missing, or nothing refused and no utilization, is no sample. With a utilization, a missing `refused`
    refuses nothing.
    """

    utilization: Floats
    refused: Floats

    @property
    def known(self) -> Flags:
        return (self.refused > 0) | ~np.isnan(self.utilization)


@dataclass(frozen=True, slots=True)
class Terms(Aligned):
    """What each series is judged by.

    low, high, critical: the band; `low` is NaN where being below it is no alert (all but provisioned limits).
    hold, keep_firing_for: minutes, a row a rule. stale_after: for how many minutes a sample counts.
    """

    low: Floats
    high: Floats
    critical: Floats
    hold: Ints
    keep_firing_for: Ints
    stale_after: Ints


def breached(samples: Samples, terms: Terms, margin: float = 0) -> Flags:
    """Whether each rule, a row each, is breached by each series' sample.

    What is worse breaches the lesser rule too, so that no alert ends because things got worse. With a margin,
    a part of the bound, a utilization that near the bound breaches too.
    """
    utilization = samples.utilization
    saturated = samples.refused > 0
    critical = saturated | (utilization >= terms.critical * (1 - margin))
    above = critical | (utilization > terms.high * (1 - margin))
    below = ~saturated & (utilization < terms.low * (1 + margin))
    return np.stack([below, above, critical, saturated])


class State(IntEnum):
    """Where an alert stands; the number is exported as `headroom_alert_state`."""

    INACTIVE = 0
    PENDING = 1
    FIRING = 2

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Alert:
    """The remembered state of one rule on one series; minutes, NEVER where there is none.

    since: when the breach began. clear_since: since when a firing alert is no longer breached.
    seen: the minute of the last sample.
    """

    state: State = State.INACTIVE
    since: int = NEVER
    clear_since: int = NEVER
    seen: int = NEVER


class Breach(NamedTuple):
    """Whether a sample breaches a rule: without a margin to `enter` an alert, with it to `stay` in one."""

    enter: bool
    stay: bool


class Pace(NamedTuple):
    """How fast an alert lives, in minutes (see `Terms`)."""

    hold: int
    keep_firing_for: int
    stale_after: int


def step(alert: Alert, minute: int, breach: Breach | None, pace: Pace) -> Alert:
    """The alert after the sample of `minute`, which is later than all before; None is a missing sample.

    It fires with the first breach at least `hold` minutes after the one it began with, and ends with the
    first sample at least `keep_firing_for` minutes after the first clear one. A missing one changes nothing.
    After a gap of more than `stale_after` minutes nobody knows that a pending breach lasted: it begins anew.
    A firing alert stays and its clear samples count across the gap, else one with rare samples would not end.
    """
    if breach is None:
        return alert
    if alert.state is State.FIRING:
        return _fired(alert, minute, breach.stay, pace.keep_firing_for)
    if not breach.enter:
        return Alert(seen=minute)
    lasting = alert.state is State.PENDING and minute - alert.seen <= pace.stale_after
    since = alert.since if lasting else minute
    return Alert(State.FIRING if minute - since >= pace.hold else State.PENDING, since, seen=minute)


def _fired(alert: Alert, minute: int, stays: bool, keep_firing_for: int) -> Alert:
    if stays:
        return replace(alert, clear_since=NEVER, seen=minute)
    clear_since = minute if alert.clear_since == NEVER else alert.clear_since
    if minute - clear_since >= keep_firing_for:
        return Alert(seen=minute)
    return replace(alert, clear_since=clear_since, seen=minute)


def worst(states: npt.NDArray[Any]) -> Bytes:
    """The worst firing rule of each series, from their states with a row a rule; -1 where none fires."""
    firing = states == State.FIRING
    rules = np.arange(len(Rule), dtype=np.int8)[:, None]
    highest: Bytes = np.where(firing, rules, np.int8(-1)).max(axis=0)
    return highest
