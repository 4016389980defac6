"""The breach of alert rules by samples, and the state machine of one rule on one series.

Minutes are counted from the epoch and come from the samples; the clock is never read.
`rules/alert_states.py` applies the same state machine to columns of a million alerts.
"""

from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
import numpy.typing as npt

from rules.arrays import Flags, Floats, Ints
from rules.band import is_above, is_below, is_near
from rules.word_enum import WordEnum

Index = npt.NDArray[np.integer[Any]] | slice
Scalar = TypeVar("Scalar", bound=np.generic)

NEVER = -(2**30)  # before every minute; far enough from the smallest int32 to subtract from it

# Hysteresis: while an alert fires, its bound is relaxed by this share of the bound.
MARGIN = 0.05


def entries_at(column: npt.NDArray[Scalar], index: Index) -> npt.NDArray[Scalar]:
    """Return the entries of a column's last axis at `index`; a slice returns a view."""
    if isinstance(index, slice) or not column.flags.c_contiguous:
        return column[..., index]
    # `take` is several times as fast as an index, but copies a whole column that is not contiguous.
    return column.take(index, axis=-1)


@dataclass(frozen=True, slots=True)
class ColumnGroup:
    """Arrays with the same last axis, such as one entry for each series."""

    def take(self, index: Index) -> Self:
        """Return the entries of `index`, in its order; a slice returns views."""
        return type(self)(*[entries_at(getattr(self, name), index) for name in self._names()])

    def put(self, index: Index, other: Self) -> None:
        """Overwrite the entries of `index`, in its order, with the entries of `other`."""
        for name in self._names():
            getattr(self, name)[..., index] = getattr(other, name)

    @classmethod
    @cache
    def _names(cls) -> tuple[str, ...]:
        return tuple(field.name for field in fields(cls))


@dataclass(frozen=True, slots=True)
class Samples(ColumnGroup):
    """The samples of many series in one minute; NaN is missing.

    utilization, upper_bound: the same number where usage is measured, else a lower and an upper bound. The
        upper bound is infinite in a minute that is not complete, whose sums still grow.
    throttled: throttled demand per second beyond the tolerance (see `rules.band.excess`); 0 where AWS
        publishes no throttled demand.
    highest_other_ratio_to_low: the highest ratio of utilization to `low` of its band, among the other series
        of the same purchase; infinite where one of them is unknown or throttled, NaN where there are no other
        series.
    throttled_alone: only throttled demand is judged, and utilization is not. Known throttled demand is then a
        sample, which neither begins nor ends an alert on usage.

    Any other series without a utilization and without throttled demand has no sample. Where there is a
    utilization, a missing `throttled` is unknown: it cannot end an alert on throttling.
    """

    utilization: Floats
    upper_bound: Floats
    throttled: Floats
    highest_other_ratio_to_low: Floats
    throttled_alone: Flags

    @classmethod
    def of_measured(cls, utilization: Floats, throttled: Floats) -> Self:
        """Return the samples of series whose usage is measured, and whose purchases have no other series."""
        no_others, all_false = np.full_like(utilization, np.nan), np.zeros(utilization.shape, np.bool_)
        return cls(utilization, utilization, throttled, no_others, throttled_alone=all_false)

    @property
    def provisional(self) -> Flags:
        """True for each sample whose minute is incomplete."""
        return np.isposinf(self.upper_bound)

    @property
    def has_sample(self) -> Flags:
        """True for each series that has a sample."""
        has_sample = (self.throttled > 0) | ~np.isnan(self.utilization) | ~np.isnan(self.upper_bound)
        return has_sample | (self.throttled_alone & ~np.isnan(self.throttled))


@dataclass(frozen=True, slots=True)
class AlertCriteria(ColumnGroup):
    """The bounds and durations that decide about the alerts of many series.

    low, high: the target band; `low` is NaN where usage below it raises no alert (all but provisioned
        limits).
    near: the utilization from which a series is near its limit.
    pending_for, keep_firing_for: minutes, one row per rule.
    stale_after: minutes until a sample is stale.
    """

    low: Floats
    high: Floats
    near: Floats
    pending_for: Ints
    keep_firing_for: Ints
    stale_after: Ints


def breaches(samples: Samples, criteria: AlertCriteria, margin: float = 0) -> Flags:
    """Return which samples breach which rules, as flags with one row per rule.

    A sample that breaches `saturated` or `near` also breaches the milder rules on high usage, so that their
    alerts do not end when usage gets worse; where only throttled demand is judged, it breaches no other rule.
    margin: a share of the bound, by which the bound is relaxed. Usage that is known only within bounds
    breaches the rules that its bounds prove, as in `rules.band.bounded_zones`.
    """
    utilization, saturated = samples.utilization, samples.throttled > 0
    near = (saturated & ~samples.throttled_alone) | is_near(utilization, criteria.near * (1 - margin))
    above = near | is_above(utilization, criteria.high * (1 - margin))
    is_other_busy = samples.highest_other_ratio_to_low >= 1 + margin
    idle = is_below(samples.upper_bound, criteria.low * (1 + margin)) & ~is_other_busy
    below = ~saturated & idle
    return np.stack([below, above, near, saturated])


class AlertState(WordEnum):
    """The state of an alert. The number is exported as `headroom_alert_state`."""

    INACTIVE = 0
    PENDING = 1
    FIRING = 2


@dataclass(frozen=True, slots=True)
class Alert:
    """The state of one rule on one series. Times are minutes, or NEVER.

    since: when the breach began. clear_since: when the breach of a firing alert ended.
    last_sample: the minute of the last sample.
    """

    state: AlertState = AlertState.INACTIVE
    since: int = NEVER
    clear_since: int = NEVER
    last_sample: int = NEVER


class Breach(NamedTuple):
    """The breach of a rule by a sample: `enter` without the margin, `stay` with the margin of a firing alert.

    certain: False while the minute is incomplete, as a sample without a breach may still grow into one; for
    `saturated` also where throttled demand is unknown.
    """

    enter: bool
    stay: bool
    certain: bool = True


class AlertDurations(NamedTuple):
    """The durations of one rule on one series, in minutes (see `AlertCriteria`)."""

    pending_for: int
    keep_firing_for: int
    stale_after: int


def step(alert: Alert, minute: int, breach: Breach | None, durations: AlertDurations) -> Alert:
    """Return the alert after the sample of `minute`. Minutes must increase from step to step.

    - A pending alert fires at a breach that is at least `pending_for` minutes after its first breach.
    - A firing alert ends at a clear sample at least `keep_firing_for` minutes after its first clear sample.
    - A missing sample (breach is None) changes nothing.
    - After a gap of more than `stale_after` minutes a pending alert starts again: the breach may have ended
      in between. A firing alert keeps firing, and its clear samples count across the gap; otherwise an alert
      with rare samples would never end.
    - A sample that is not certain can begin an alert, and cannot end one.
    """
    if breach is None:
        return alert
    if not (breach.certain or (breach.stay if alert.state is AlertState.FIRING else breach.enter)):
        return replace(alert, last_sample=minute)
    if alert.state is AlertState.FIRING:
        return _step_firing(alert, minute, breach.stay, durations.keep_firing_for)
    if not breach.enter:
        return Alert(last_sample=minute)
    continues = alert.state is AlertState.PENDING and minute - alert.last_sample <= durations.stale_after
    since = alert.since if continues else minute
    state = AlertState.FIRING if minute - since >= durations.pending_for else AlertState.PENDING
    return Alert(state, since, last_sample=minute)


def _step_firing(alert: Alert, minute: int, stays: bool, keep_firing_for: int) -> Alert:
    if stays:
        return replace(alert, clear_since=NEVER, last_sample=minute)
    clear_since = minute if alert.clear_since == NEVER else alert.clear_since
    if minute - clear_since >= keep_firing_for:
        return Alert(last_sample=minute)
    return replace(alert, clear_since=clear_since, last_sample=minute)
