"""A plain model of rings, as documented, one row and one point at a time, to compare columns with."""

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
    """Up to when AWS published something of a namespace, and up to when it was read at first."""

    watermark: int = NEVER
    first_read: int = NEVER

    def silent_at(self, read: int) -> bool:
        last = self.first_read if self.watermark == NEVER else self.watermark
        return last != NEVER and read - last >= SILENT_AFTER


ALONE = Namespace(watermark=ALWAYS)


@dataclass
class Row:
    """A metric: its points, and what is known of it."""

    zero: bool
    namespace: Namespace = field(default_factory=lambda: ALONE)
    end: int = NEVER
    read: int = NEVER
    newest: int = NEVER
    idle: bool = False
    span: int = RECENT_MINUTES
    risen: int | None = None
    points: dict[int, float] = field(default_factory=dict)

    def advance(self, minute: int) -> None:
        """Let the window end at a minute, if that is later."""
        self.end = max(self.end, minute)
        self.points = {at: value for at, value in self.points.items() if at > self.end - WINDOW}

    def put(self, minute: int, value: float) -> None:
        """Write a point."""
        if value > 0 and not self.points.get(minute, 0.0) > 0:
            self.risen = minute if self.risen is None else min(self.risen, minute)
        self.points[minute] = value

    def poll(self, minute: int) -> None:
        """Mark all minutes up to this one as read."""
        self.advance(minute)
        if self.namespace.first_read == NEVER:
            self.namespace.first_read = minute
        if self.read != NEVER:
            oldest = self.read + 1 if self.risen is None else min(self.read + 1, self.risen)
            self.span = min(max(max(minute, self.newest) + 1 - oldest, RECENT_MINUTES), WINDOW)
        self.read, self.risen = max(self.read, minute), None

    def note_silence(self) -> None:
        """Remember whether it was idle when its namespace fell silent."""
        if self.namespace.watermark < self.read and self.namespace.silent_at(self.read):
            minutes = [self.namespace.watermark - ago for ago in range(IDLE_FOR)]
            if minutes[-1] > self.end - WINDOW:
                self.idle = not any(self.points.get(minute, 0) > 0 for minute in minutes)
            else:
                self.idle |= self.newest <= max(minutes[-1] - 1, NEVER)

    @property
    def proved(self) -> int:
        """Up to when a missing point is a fact."""
        if not self.zero or (self.namespace.silent_at(self.read) and self.idle):
            return self.read
        return min(self.read, self.namespace.watermark)

    def at(self, minute: int) -> float:
        """Return the value of a minute; NaN where there is none."""
        if max(self.end - WINDOW, NEVER) < minute <= self.end:
            return self.points.get(minute, 0.0 if self.zero and minute <= self.proved else NAN)
        return NAN

    @property
    def steady(self) -> int:
        """The newest point; a provisional one only if it is no lower than the last complete minute."""
        complete = self.at(self.read)
        if math.isnan(complete) or not 0 < self.newest - self.read <= PROVISIONAL_FOR:
            return self.newest
        return max(at for at in range(self.read, self.newest + 1) if self.at(at) >= complete)

    @property
    def known(self) -> int | None:
        """The newest minute whose value is known."""
        known = max(self.steady, self.proved) if self.zero else self.steady
        return None if known == NEVER else known

    @property
    def final(self) -> int:
        """The minute up to which points do not change any more."""
        return self.newest if self.newest - self.read > PROVISIONAL_FOR else self.read

    @property
    def recent(self) -> float:
        """The highest of the recent values."""
        if self.known is None:
            return NAN
        values = [self.at(self.known - ago) for ago in range(self.span)]
        return max((value for value in values if not math.isnan(value)), default=NAN)


class Model:
    """The rows of some rings. share: all are of one namespace; else each is of none."""

    def __init__(self, zero: list[bool], share: bool = False) -> None:
        self.namespace = Namespace() if share else ALONE
        self.rows = [Row(flag, self.namespace) for flag in zero]

    def write(self, points: list[Point]) -> int:
        finite = [point for point in points if math.isfinite(point[2])]
        for row, minute, _ in finite:
            self.rows[row].advance(minute)
            self.rows[row].newest = max(self.rows[row].newest, minute)
            self.namespace.watermark = max(self.namespace.watermark, minute)
        kept = [point for point in finite if point[1] > self.rows[point[0]].end - WINDOW]
        for row, minute, value in kept:
            self.rows[row].put(minute, value)
        self._note_silence()
        return len(points) - len(kept)

    def mark_read(self, chosen: list[int], minute: int) -> None:
        for row in chosen:
            self.rows[row].poll(minute)
        self._note_silence()

    def _note_silence(self) -> None:
        for row in self.rows:
            row.note_silence()


def formula_of(usage: Usage) -> Formula:
    """The formula over the rows that the usage names."""
    return Formula.of(usage, tuple(int(one.name) for one in usage.metrics))


def rows_of(model: Model, usage: Usage) -> list[Row]:
    """Return the rows of the metrics of a usage."""
    return [model.rows[int(one.name)] for one in usage.metrics]


def may_fall(usage: Usage) -> bool:
    """Return whether a metric that grows may make the result less."""
    negative = any(weight < 0 for node in usage.nodes for _, weight in node.terms)
    return negative or any(node.op not in (Op.SUM, Op.MAX, Op.MIN) for node in usage.nodes)


def has_count_difference(usage: Usage) -> bool:
    """Return whether a difference of counts is in the usage."""
    return any(node.op is Op.COUNT_DIFFERENCE for node in usage.nodes)


def newest_of(model: Model, usage: Usage) -> int:
    """The newest minute of the terms; that of the term that is behind where all are needed."""
    minutes = [
        newest_of(model, term) if isinstance(term, Usage) else model.rows[int(term.name)].known or NEVER
        for term, _ in usage.terms
    ]
    return (min if usage.op in (Op.DIFFERENCE, Op.COUNT_DIFFERENCE, Op.RATIO) else max)(minutes)


def newest_minute(model: Model, usage: Usage) -> int:
    """Return the newest minute of which the value of a formula is known."""
    some, newest = rows_of(model, usage), newest_of(model, usage)
    if may_fall(usage):
        return min(newest, *(row.final for row in some))
    if len(some) == 1:
        return newest
    complete = min(newest, *(row.proved for row in some))
    shown, least = complete, result(model, usage, complete)
    reached = min(newest, *(max(row.proved, row.newest) for row in some))
    for minute in (reached, newest) if newest > complete else ():
        found = result(model, usage, minute)
        if not math.isnan(found) and not found < least:
            shown = minute
    return shown


def result(model: Model, usage: Usage, minute: int, lower_bounds: bool = False) -> float:
    """Return the value of a formula at a minute; NaN where it is absent or unknown."""
    found, unknown = computed(model, usage, minute)
    added_up = not may_fall(usage) and all(node.op in (Op.SUM, Op.MAX) for node in usage.nodes)
    return NAN if unknown and not (lower_bounds and added_up and found > 0) else found


def computed(model: Model, usage: Usage, minute: int) -> tuple[float, bool]:
    """Return the value of the terms that are there at a minute, and whether it is unknown."""
    terms, unknown = terms_at(model, usage, minute)
    now = present(terms)
    match usage.op:
        case Op.SUM:
            found = summed(now)
        case Op.MAX:
            found = max(now, default=NAN)
        case Op.MIN:
            found = min(now, default=NAN)
        case Op.RATIO:
            found = terms[0] / terms[1] if terms[1] else NAN
        case Op.POSITIVE:
            found = float(summed(now) > 0) if now else NAN
        case Op.DIFFERENCE | Op.COUNT_DIFFERENCE:
            found = difference_of(terms)
            if usage.op is Op.COUNT_DIFFERENCE and found > 0 and not settled(model, usage, minute, found):
                unknown = True
        case _:
            assert usage.op is Op.RISE
            before, was_unknown = terms_at(model, usage, minute - 1)
            found, unknown = max(summed(now) - summed(present(before)), 0.0), unknown or was_unknown
            found = found if now and present(before) else NAN
    return float(np.float32(found) + np.float32(usage.offset)), unknown or (math.isnan(found) and bool(now))


def terms_at(model: Model, usage: Usage, minute: int) -> tuple[list[float], bool]:
    """Each term times its weight, and whether one of them is unknown; others without a value are absent."""
    values, unknown = [], False
    for term, weight in usage.terms:
        if isinstance(term, Usage):
            value, is_unknown = computed(model, term, minute)
        else:
            row = model.rows[int(term.name)]
            value = row.at(minute)
            is_unknown = math.isnan(value) and minute > row.proved
        values.append(float(np.float32(value) * np.float32(weight)))
        unknown |= is_unknown
    return values, unknown


def summed(terms: list[float]) -> float:
    """The sum in float32, one after another; NaN of none."""
    return float(sum(map(np.float32, terms[1:]), np.float32(terms[0]))) if terms else NAN


def difference_of(terms: list[float]) -> float:
    """Return the difference of terms; 0 where only rounding leaves something."""
    left = summed(terms)
    return left if not left < max(terms[0], 0.0) * float(ROUNDING_ERROR) else 0.0


def settled(model: Model, usage: Usage, minute: int, left: float) -> bool:
    """Return whether a difference of counts is settled, and not left because some have not grown yet."""
    some = rows_of(model, usage)
    newest = max(row.known or NEVER for row in some)
    if len(some) == 1 or minute <= newest - SETTLED_AFTER:
        return True
    others = list(zip(some[1:], [weight for _, weight in usage.terms[1:]], strict=True))
    lately = [
        -sum(present([row.at(newest - back) * weight for row, weight in others]))
        for back in range(LOOKBACK_MINUTES)
        if present([row.at(newest - back) for row, _ in others])
    ]
    return minute <= newest - UNFINISHED_MINUTES and not (lately and left <= max(lately) * float(MAX_GROWTH))


def refused(model: Model, usage: Usage, used_at: int = NEVER) -> tuple[int, float]:
    """The newest minute known, and the worst result of the recent ones up to it or `used_at`."""
    some, minute = rows_of(model, usage), newest_of(model, usage)
    if may_fall(usage) and not has_count_difference(usage):
        minute = min(minute, *(row.final for row in some))
    positive = any(row.recent > 0 for row in some) or any(node.offset for node in usage.nodes)
    span = max(row.span for row in some) if positive else RECENT_MINUTES
    lately = [result(model, usage, minute - back, lower_bounds=True) for back in range(span)]
    if has_count_difference(usage) and any(map(math.isnan, lately[:RECENT_MINUTES])):
        lately += [
            result(model, usage, minute - back)
            for back in range(RECENT_MINUTES, SETTLED_AFTER + RECENT_MINUTES)
        ]
    worst, first = max(present(lately), default=NAN), first_recent(model, usage, minute, used_at)
    if minute <= used_at - RECENT_MINUTES and not worst > 0:
        return minute, NAN
    if worst > 0 and first > minute - max(row.span for row in some) + 1:
        lately = [result(model, usage, at, lower_bounds=True) for at in range(first, minute + 1)]
        worst = max(present(lately), default=NAN)
    return minute, worst


def first_recent(model: Model, usage: Usage, minute: int, used_at: int) -> int:
    """The first minute whose throttled demand, known up to `minute`, counts beside a usage at `used_at`."""
    ahead = not has_count_difference(usage) or minute <= used_at - RECENT_MINUTES
    end = max(minute, used_at) if ahead else minute
    return end - max(row.span for row in rows_of(model, usage)) + 1


def exceeds_tolerance(
    model: Model, usage: Usage, used_at: int, served: Usage | None, tolerated: tuple[float, float]
) -> bool:
    """Return whether the throttled demand of one of the recent minutes is more than is tolerated."""
    (newest, _), (rate, share) = refused(model, usage), tolerated
    first = first_recent(model, usage, newest, used_at)
    lately = [result(model, usage, newest - back, lower_bounds=True) for back in range(RECENT_MINUTES)]
    if has_count_difference(usage) and any(map(math.isnan, lately)):
        first = min(first, newest - RECENT_MINUTES + 1 - SETTLED_AFTER)
    for minute in range(first, newest + 1):
        now = result(model, usage, minute, lower_bounds=True)
        passed = NAN
        if served:
            last = newest_minute(model, served)
            passed = result(model, served, last if 0 < minute - last < RECENT_MINUTES else minute)
        if now > 0 and now >= rate and not now < share * (now + passed):
            return True
    return False


def present(values: list[float]) -> list[float]:
    """Return the values that are not NaN."""
    return [value for value in values if not math.isnan(value)]
