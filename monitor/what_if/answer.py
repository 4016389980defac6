"""The answer to a question: which series break, in which order, and what makes room."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from monitor.fleet.fleet import Series
from monitor.what_if.question import Question
from rules.signals import LimitKind, Quota, Signal
from rules.units import UnitKind


class Basis(StrEnum):
    """The data in which a peak was found."""

    FORTNIGHT = "fortnight"
    SHORT = "short"  # less than two days of the fortnight
    HOURS = "hours"  # the last three hours, as the past is not read yet, or not recorded
    NOW = "now"  # one sample


class Action(StrEnum):
    """A way to make room below a limit."""

    REQUEST = "request"  # ask AWS for a higher quota
    CHANGE = "change"  # raise what was bought or set
    REDESIGN = "redesign"  # the limit is fixed


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """A way to make room for a demand.

    text: in a few words.
    command: the AWS command; empty where there is none.
    needs_several_calls: one call of the command does not raise the limit far enough.
    pending: the pending request for an increase, in a sentence; empty if there is none.
    pending_is_enough: the pending increase makes enough room.
    """

    action: Action
    text: str
    command: str = ""
    needs_several_calls: bool = False
    pending: str = ""
    pending_is_enough: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StressedSeries:
    """A series under the demand of the question. Amounts are in the unit of its signal; None is unknown.

    breaking_factor: the factor at which demand reaches the limit or the effective ceiling; None without
        usage.
    breaking_factor_now: the factor at which the series' present traffic reaches the limit in force.
    is_broken: `factor` is at least `breaking_factor`.
    factor: the factor by which the question multiplies the usage.
    peak: the highest demand of the series itself.
    peak_at: the minute of the peak.
    p99: the 99th percentile of usage in the fortnight.
    peak_is_lower_bound: demand was throttled, so the peak may have been higher.
    received: the id of the series whose traffic this series receives; `demand` contains that traffic.
    sums_peaks: the peaks of this series and of `received` are added up, as their usage at one time is not
        known.
    demand: the demand under the question.
    utilization: `demand` divided by `limit`.
    limit_now: the limit in force.
    limit: the limit that the question sets, else the limit in force.
    ceiling: the effective ceiling; None if there is none.
    needed_limit: the limit with which demand is within the band; None if the series is not broken or its unit
        is percent.
    needed_factor: the needed limit divided by `limit`; None if the series is not broken.
    remedy: None if the series is not broken.
    """

    series: Series
    breaking_factor: float | None
    breaking_factor_now: float | None
    is_broken: bool
    factor: float
    peak: float
    peak_at: int | None
    p99: float | None
    peak_is_lower_bound: bool
    basis: Basis
    history_days: float
    received: str = ""
    sums_peaks: bool = False
    demand: float
    utilization: float
    limit_now: float
    limit: float
    ceiling: float | None
    needed_limit: float | None = None
    needed_factor: float | None = None
    remedy: Remedy | None = None

    @property
    def signal(self) -> Signal:
        """The signal of the series."""
        return self.series.settings.signal

    @property
    def kind(self) -> LimitKind:
        """The kind of the limit."""
        return self.signal.kind

    @property
    def needed_text(self) -> str:
        """The limit or the capacity that the series needs, in words; empty if it is not broken."""
        if self.needed_factor is None:
            return ""
        if self.needed_limit is None or self.signal.unit.kind is UnitKind.PERCENT:
            return f"{self.needed_factor:.2g} times the capacity"
        return self.signal.unit.format(self.needed_limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaToRequest:
    """An increase of a quota to ask for.

    value: the quota to ask for, in AWS's unit. series_count: the number of series that need it.
    pending, pending_is_enough: see `Remedy`.
    """

    account: str
    region: str
    quota: Quota
    signal: Signal
    value: float
    series_count: int
    command: str
    pending: str = ""
    pending_is_enough: bool = False


@dataclass(frozen=True, slots=True)
class NotAnswered:
    """A series whose answer is unknown, or whose traffic no series of the region that takes over carries.

    reason: why, as a part of a sentence.
    """

    series: Series
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a question.

    items: the first series that the question is about, in the order in which they break.
    total, broken: the number of all these series, and of those that break.
    broken_now: the number of all these series that break without any change.
    actions: the number of broken series for each way to make room.
    requests: the first quotas to ask for; requests_total: the number of all.
    unknown: the first series whose answer is unknown; unknown_total: the number of all.
    not_carried: the first series whose traffic no series of the region that takes over carries;
        not_carried_total: the number of all.
    not_growing: the number of series that are left out: they count things, which do not grow with traffic.
    now: the newest minute with samples; None if there is none.
    notes: sentences.
    """

    question: Question
    items: Sequence[StressedSeries]
    total: int
    broken: int
    broken_now: int
    actions: Mapping[Action, int]
    requests: Sequence[QuotaToRequest]
    requests_total: int
    unknown: Sequence[NotAnswered]
    unknown_total: int
    not_carried: Sequence[NotAnswered]
    not_carried_total: int
    not_growing: int
    now: int | None
    notes: Sequence[str]
