"""A plain model of rings and formulas, one row and one point at a time, for tests of the columns."""

import math
from dataclasses import dataclass, field

import numpy as np

from collectors.base import Op, Usage
from monitor.fleet.formula import Formula
from monitor.fleet.namespaces import ALWAYS, NEVER, SILENT_AFTER
from monitor.fleet.operations import (
    LOOKBACK_MINUTES,
    MAX_GROWTH,
    ROUNDING_ERROR,
    SETTLED_AFTER,
    UNFINISHED_MINUTES,
)
from monitor.fleet.ring_columns import RECENT_MINUTES, WINDOW
from monitor.fleet.rings import IDLE_FOR, PROVISIONAL_FOR

NAN = float("nan")

Point = tuple[int, int, float]  # row, minute, value


@dataclass
class Namespace:
    """A namespace.

    watermark: its newest minute with a point. first_read: the last minute of its first poll. NEVER: none yet.
    """

    watermark: int = NEVER
    first_read: int = NEVER

    def is_silent_at(self, read_through: int) -> bool:
        """Return whether no point came for so long that the namespace counts as silent.

        read_through: the minute up to which it was read.
        """
        silent_since = self.first_read if self.watermark == NEVER else self.watermark
        return silent_since != NEVER and read_through - silent_since >= SILENT_AFTER


WITHOUT_NAMESPACE = Namespace(watermark=ALWAYS)


@dataclass
class Row:
    """A metric: its points, and its state under the names of `RingColumns`.

    oldest_rise: None if no value became greater than 0 since the last poll; `RingColumns` has -NEVER then.
    """

    zero_when_absent: bool
    namespace: Namespace = field(default_factory=lambda: WITHOUT_NAMESPACE)
    window_end: int = NEVER
    read_through: int = NEVER
    newest_point: int = NEVER
    idle: bool = False
    recent_minutes: int = RECENT_MINUTES
    oldest_rise: int | None = None
    points: dict[int, float] = field(default_factory=dict)

    def advance(self, minute: int) -> None:
        """Move the end of the window to a minute, if that is later."""
        self.window_end = max(self.window_end, minute)
        self.points = {
            earlier: value for earlier, value in self.points.items() if earlier > self.window_end - WINDOW
        }

    def put(self, minute: int, value: float) -> None:
        """Write a point."""
        if value > 0 and not self.points.get(minute, 0.0) > 0:
            self.oldest_rise = minute if self.oldest_rise is None else min(self.oldest_rise, minute)
        self.points[minute] = value

    def poll(self, minute: int) -> None:
        """Mark all minutes up to this one as read."""
        self.advance(minute)
        if self.namespace.first_read == NEVER:
            self.namespace.first_read = minute
        if self.read_through != NEVER:
            first_new = self.read_through + 1
            if self.oldest_rise is not None:
                first_new = min(first_new, self.oldest_rise)
            new_minutes = max(minute, self.newest_point) + 1 - first_new
            self.recent_minutes = min(max(new_minutes, RECENT_MINUTES), WINDOW)
        self.read_through, self.oldest_rise = max(self.read_through, minute), None

    def note_silence(self) -> None:
        """Store whether the metric was idle when its namespace fell silent."""
        if self.namespace.watermark < self.read_through and self.namespace.is_silent_at(self.read_through):
            minutes = [self.namespace.watermark - minutes_ago for minutes_ago in range(IDLE_FOR)]
            if minutes[-1] > self.window_end - WINDOW:
                self.idle = not any(self.points.get(minute, 0) > 0 for minute in minutes)
            else:
                self.idle |= self.newest_point <= max(minutes[-1] - 1, NEVER)

    @property
    def proven_through(self) -> int:
        """The minute up to which missing points are proven not to exist."""
        if not self.zero_when_absent or (self.namespace.is_silent_at(self.read_through) and self.idle):
            return self.read_through
        return min(self.read_through, self.namespace.watermark)

    def at(self, minute: int) -> float:
        """Return the value of a minute; NaN if there is none."""
        if max(self.window_end - WINDOW, NEVER) < minute <= self.window_end:
            return self.points.get(
                minute, 0.0 if self.zero_when_absent and minute <= self.proven_through else NAN
            )
        return NAN

    @property
    def newest_without_drops(self) -> int:
        """The newest minute with a point, except provisional points lower than that of `read_through`."""
        complete = self.at(self.read_through)
        if math.isnan(complete) or not 0 < self.newest_point - self.read_through <= PROVISIONAL_FOR:
            return self.newest_point
        return max(
            minute
            for minute in range(self.read_through, self.newest_point + 1)
            if self.at(minute) >= complete
        )

    @property
    def latest_minute(self) -> int | None:
        """The newest minute whose value is known; None if no value is known."""
        latest_minute = self.newest_without_drops
        if self.zero_when_absent:
            latest_minute = max(latest_minute, self.proven_through)
        return None if latest_minute == NEVER else latest_minute

    @property
    def complete_through(self) -> int:
        """The minute up to which points no longer change."""
        is_read_late = self.newest_point - self.read_through > PROVISIONAL_FOR
        return self.newest_point if is_read_late else self.read_through

    @property
    def recent_max(self) -> float:
        """The highest of the recent values."""
        if self.latest_minute is None:
            return NAN
        values = [self.at(self.latest_minute - minutes_ago) for minutes_ago in range(self.recent_minutes)]
        return max((value for value in values if not math.isnan(value)), default=NAN)


class Model:
    """The rows of some rings. share_namespace: all rows are of one namespace; else they are of none."""

    def __init__(self, zero_when_absent: list[bool], share_namespace: bool = False) -> None:
        self.namespace = Namespace() if share_namespace else WITHOUT_NAMESPACE
        self.rows = [Row(flag, self.namespace) for flag in zero_when_absent]

    def write(self, points: list[Point]) -> int:
        """Write points, and return the number of points that are not finite or older than the window."""
        finite_points = [point for point in points if math.isfinite(point[2])]
        for row, minute, _ in finite_points:
            self.rows[row].advance(minute)
            self.rows[row].newest_point = max(self.rows[row].newest_point, minute)
            self.namespace.watermark = max(self.namespace.watermark, minute)
        points_in_window = [
            point for point in finite_points if point[1] > self.rows[point[0]].window_end - WINDOW
        ]
        for row, minute, value in points_in_window:
            self.rows[row].put(minute, value)
        self._note_silence()
        return len(points) - len(points_in_window)

    def mark_read(self, row_numbers: list[int], minute: int) -> None:
        for row in row_numbers:
            self.rows[row].poll(minute)
        self._note_silence()

    def _note_silence(self) -> None:
        for row in self.rows:
            row.note_silence()


def formula_of(usage: Usage) -> Formula:
    """Return the formula of a usage whose metrics are named by the numbers of their rows."""
    return Formula.of(usage, tuple(int(metric.name) for metric in usage.metrics))


def rows_of(model: Model, usage: Usage) -> list[Row]:
    """Return the rows of the metrics of a usage."""
    return [model.rows[int(metric.name)] for metric in usage.metrics]


def may_fall(usage: Usage) -> bool:
    """Return whether the result may fall when a metric grows."""
    has_negative_weight = any(weight < 0 for node in usage.nodes for _, weight in node.terms)
    return has_negative_weight or any(node.op not in (Op.SUM, Op.MAX, Op.MIN) for node in usage.nodes)


def has_count_difference(usage: Usage) -> bool:
    """Return whether a formula contains a difference of counts."""
    return any(node.op is Op.COUNT_DIFFERENCE for node in usage.nodes)


def newest_term_minute(model: Model, usage: Usage) -> int:
    """Return the newest minute in which all terms are known if the operation needs all, else one of them."""
    minutes = [
        newest_term_minute(model, term)
        if isinstance(term, Usage)
        else model.rows[int(term.name)].latest_minute or NEVER
        for term, _ in usage.terms
    ]
    return (min if usage.op in (Op.DIFFERENCE, Op.COUNT_DIFFERENCE, Op.RATIO) else max)(minutes)


def newest_minute(model: Model, usage: Usage) -> int:
    """Return the newest minute in which the result of a formula is known."""
    rows, newest = rows_of(model, usage), newest_term_minute(model, usage)
    if may_fall(usage):
        return min(newest, *(row.complete_through for row in rows))
    if len(rows) == 1:
        return newest
    complete = min(newest, *(row.proven_through for row in rows))
    newest_known, complete_result = complete, result(model, usage, complete)
    known_through = min(newest, *(max(row.proven_through, row.newest_point) for row in rows))
    for minute in (known_through, newest) if newest > complete else ():
        provisional_result = result(model, usage, minute)
        if not math.isnan(provisional_result) and not provisional_result < complete_result:
            newest_known = minute
    return newest_known


def result(model: Model, usage: Usage, minute: int, lower_bound_if_unknown: bool = False) -> float:
    """Return the value of a formula at a minute; NaN if it is absent or unknown.

    lower_bound_if_unknown: return the value of the known terms, if it is a lower bound, instead of NaN.
    """
    value, is_unknown = compute(model, usage, minute)
    can_bound = not may_fall(usage) and all(node.op in (Op.SUM, Op.MAX) for node in usage.nodes)
    return NAN if is_unknown and not (lower_bound_if_unknown and can_bound and value > 0) else value


def compute(model: Model, usage: Usage, minute: int) -> tuple[float, bool]:
    """Return the value of the known terms in a minute, and whether the value of all terms is unknown."""
    terms, is_unknown = terms_at(model, usage, minute)
    known_terms = known_values(terms)
    match usage.op:
        case Op.SUM:
            value = sum_of(known_terms)
        case Op.MAX:
            value = max(known_terms, default=NAN)
        case Op.MIN:
            value = min(known_terms, default=NAN)
        case Op.RATIO:
            value = terms[0] / terms[1] if terms[1] else NAN
        case Op.POSITIVE:
            value = float(sum_of(known_terms) > 0) if known_terms else NAN
        case Op.DIFFERENCE | Op.COUNT_DIFFERENCE:
            value = difference_of(terms)
            if usage.op is Op.COUNT_DIFFERENCE and value > 0 and not is_settled(model, usage, minute, value):
                is_unknown = True
        case _:
            assert usage.op is Op.RISE
            earlier_terms, was_unknown = terms_at(model, usage, minute - 1)
            known_earlier = known_values(earlier_terms)
            is_unknown |= was_unknown
            can_compare = known_terms and known_earlier
            value = max(sum_of(known_terms) - sum_of(known_earlier), 0.0) if can_compare else NAN
    is_unknown |= math.isnan(value) and bool(known_terms)
    return float(np.float32(value) + np.float32(usage.offset)), is_unknown


def terms_at(model: Model, usage: Usage, minute: int) -> tuple[list[float], bool]:
    """Return each term times its weight, and whether any is unknown; other terms that are NaN are absent."""
    values, has_unknown = [], False
    for term, weight in usage.terms:
        if isinstance(term, Usage):
            value, is_unknown = compute(model, term, minute)
        else:
            row = model.rows[int(term.name)]
            value = row.at(minute)
            is_unknown = math.isnan(value) and minute > row.proven_through
        values.append(float(np.float32(value) * np.float32(weight)))
        has_unknown |= is_unknown
    return values, has_unknown


def sum_of(terms: list[float]) -> float:
    """Return the sum, added up in float32 term by term; NaN without terms."""
    return float(sum(map(np.float32, terms[1:]), np.float32(terms[0]))) if terms else NAN


def difference_of(terms: list[float]) -> float:
    """Return the difference of terms; 0 if it is no more than a rounding error."""
    difference = sum_of(terms)
    return difference if not difference < max(terms[0], 0.0) * float(ROUNDING_ERROR) else 0.0


def is_settled(model: Model, usage: Usage, minute: int, difference: float) -> bool:
    """Return whether counts that still grow cannot be the cause of a difference of counts."""
    rows = rows_of(model, usage)
    newest = max(row.latest_minute or NEVER for row in rows)
    if len(rows) == 1 or minute <= newest - SETTLED_AFTER:
        return True
    subtracted_rows, weights = rows[1:], [weight for _, weight in usage.terms[1:]]
    sums = []
    for minutes_ago in range(LOOKBACK_MINUTES):
        subtrahends = [
            row.at(newest - minutes_ago) * weight
            for row, weight in zip(subtracted_rows, weights, strict=True)
        ]
        if known_values(subtrahends):
            sums.append(-sum(known_values(subtrahends)))
    is_explained = bool(sums) and difference <= max(sums) * float(MAX_GROWTH)
    return minute <= newest - UNFINISHED_MINUTES and not is_explained


def worst_recent(model: Model, usage: Usage, used_at: int = NEVER) -> tuple[int, float]:
    """Return the newest known minute, and the worst result of the recent minutes up to it or `used_at`."""
    rows, minute = rows_of(model, usage), newest_term_minute(model, usage)
    if may_fall(usage) and not has_count_difference(usage):
        minute = min(minute, *(row.complete_through for row in rows))
    may_be_positive = any(row.recent_max > 0 for row in rows) or any(node.offset for node in usage.nodes)
    span = max(row.recent_minutes for row in rows) if may_be_positive else RECENT_MINUTES
    recent_results = [
        result(model, usage, minute - minutes_ago, lower_bound_if_unknown=True) for minutes_ago in range(span)
    ]
    if has_count_difference(usage) and any(map(math.isnan, recent_results[:RECENT_MINUTES])):
        recent_results += [
            result(model, usage, minute - minutes_ago)
            for minutes_ago in range(RECENT_MINUTES, SETTLED_AFTER + RECENT_MINUTES)
        ]
    worst, first = max(known_values(recent_results), default=NAN), first_recent(model, usage, minute, used_at)
    if minute <= used_at - RECENT_MINUTES and not worst > 0:
        return minute, NAN
    if worst > 0 and first > minute - max(row.recent_minutes for row in rows) + 1:
        recent_results = [
            result(model, usage, recent, lower_bound_if_unknown=True) for recent in range(first, minute + 1)
        ]
        worst = max(known_values(recent_results), default=NAN)
    return minute, worst


def first_recent(model: Model, usage: Usage, minute: int, used_at: int) -> int:
    """Return the first minute whose throttled demand counts as recent.

    minute: the newest minute in which throttled demand is known. used_at: the minute of the usage.
    """
    ends_with_usage = not has_count_difference(usage) or minute <= used_at - RECENT_MINUTES
    end = max(minute, used_at) if ends_with_usage else minute
    return end - max(row.recent_minutes for row in rows_of(model, usage)) + 1


def exceeds_tolerance(
    model: Model, usage: Usage, used_at: int, served: Usage | None, tolerated: tuple[float, float]
) -> bool:
    """Return whether throttled demand exceeds the tolerance in a recent minute.

    served: the formula of served demand; None if there is none. tolerated: the rate a second and the share.
    """
    (newest, _), (rate, share) = worst_recent(model, usage), tolerated
    first = first_recent(model, usage, newest, used_at)
    recent_results = [
        result(model, usage, newest - minutes_ago, lower_bound_if_unknown=True)
        for minutes_ago in range(RECENT_MINUTES)
    ]
    if has_count_difference(usage) and any(map(math.isnan, recent_results)):
        first = min(first, newest - RECENT_MINUTES + 1 - SETTLED_AFTER)
    for minute in range(first, newest + 1):
        throttled = result(model, usage, minute, lower_bound_if_unknown=True)
        served_demand = NAN
        if served:
            last = newest_minute(model, served)
            served_demand = result(model, served, last if 0 < minute - last < RECENT_MINUTES else minute)
        if throttled > 0 and throttled >= rate and not throttled < share * (throttled + served_demand):
            return True
    return False


def known_values(values: list[float]) -> list[float]:
    """Return the values that are not NaN."""
    return [value for value in values if not math.isnan(value)]
