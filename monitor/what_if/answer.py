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
    SHORT = "short"  # less than two days of it
    HOURS = "hours"  # the last three hours, as its past was not read yet, or is not kept
    NOW = "now"  # one sample


class Action(StrEnum):
    """The way to make room."""

    REQUEST = "request"  # ask AWS for a higher quota
    CHANGE = "change"  # raise what was bought or set
    REDESIGN = "redesign"  # the limit is fixed


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """A way to make room for a demand.

    text: in a few words. command: the AWS command; empty where there is none. is_step: one call does not
    raise the limit far enough. pending: the pending request for an increase, in a sentence; empty without
    one. pending_is_enough: what is pending makes room.
    """

    action: Action
    text: str
    command: str = ""
    is_step: bool = False
    pending: str = ""
    pending_is_enough: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StressedSeries:
    """A series under the asked demand; amounts are in the unit of its signal, and None is unknown.

    breaks_at: the factor at which it reaches the limit or the effective ceiling; None where it has no usage.
    breaks_at_now: the same without a failing region and another limit. is_broken: `factor` is at least that.
    factor: what its usage is multiplied by. peak: its own highest demand; peak_at: the minute. p99: the 99th
    percentile of the fortnight. peak_is_lower_bound: demand was throttled, so that the peak may
    have been higher.
    received: it receives the traffic of the series with this id; `demand` contains it. sums_peaks: the two
    peaks are added up, as it is not known whether they were at one time.
    demand: under the question. utilization: demand divided by the limit. limit_now: the one in force.
    limit: the asked one, else that in force. ceiling: the effective one; None without one.
    needed_limit: with which it is within its band again; None where it is not broken, and of percentages.
    needed_factor: the same divided by the limit. remedy: None where it is not broken.
    """

    series: Series
    breaks_at: float | None
    breaks_at_now: float | None
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
        """Its signal."""
        return self.series.settings.signal

    @property
    def kind(self) -> LimitKind:
        """The kind of its limit."""
        return self.signal.kind

    @property
    def needed_text(self) -> str:
        """The limit or the capacity that it needs, in words; empty where it is not broken."""
        if self.needed_factor is None:
            return ""
        if self.needed_limit is None or self.signal.unit.kind is UnitKind.PERCENT:
            return f"{self.needed_factor:.2g} times the capacity"
        return self.signal.unit.format(self.needed_limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaToRequest:
    """An increase of a quota to ask for. value: in AWS's unit. series: how many series need it.

    pending, pending_is_enough: see `Remedy`.
    """

    account: str
    region: str
    quota: Quota
    signal: Signal
    value: float
    series: int
    command: str
    pending: str = ""
    pending_is_enough: bool = False


@dataclass(frozen=True, slots=True)
class NotAnswered:
    """A series of which the answer is not known, or whose traffic nothing carries.

    reason: why, as a part of a sentence.
    """

    series: Series
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a question.

    items: the first of all series that the question is about, in the order in which they break. total,
    broken, broken_now: of all of them, how many there are, break, and break without any change. actions: of
    the broken ones, by what makes room. requests: the quotas to ask for; requests_total: with those that are
    not listed. unknown, left: see `NotAnswered`; with their totals. not_growing: series that count things,
    which do not grow with traffic. now: the newest minute; None before there is one. notes: sentences.
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
    left: Sequence[NotAnswered]
    left_total: int
    not_growing: int
    now: int | None
    notes: Sequence[str]
