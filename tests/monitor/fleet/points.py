"""Rings as they are documented, one row and one point at a time: what the columns are held against."""

import math
from dataclasses import dataclass, field

from collectors.base import Op
from monitor.fleet.formulas import DIFFERENCES, MAY_FALL, Formula
from monitor.fleet.namespaces import ALWAYS, NEVER, SILENT_AFTER
from monitor.fleet.operations import (
    LOOKBACK_MINUTES,
    MAX_GROWTH,
    ROUNDING_ERROR,
    SETTLED_AFTER,
    SILENCE_OPS,
    UNFINISHED_MINUTES,
)
from monitor.fleet.ring_columns import RECENT_MINUTES, WINDOW
from monitor.fleet.rings import IDLE_FOR, PROVISIONAL_FOR

NAN = float("nan")
OPERATIONS = [op for op in Op if op not in SILENCE_OPS]  # those have tests of their own

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
        self.end = max(self.end, minute)
        self.points = {at: value for at, value in self.points.items() if at > self.end - WINDOW}

    def put(self, minute: int, value: float) -> None:
        if value > 0 and not self.points.get(minute, 0.0) > 0:
            self.risen = minute if self.risen is None else min(self.risen, minute)
        self.points[minute] = value

    def poll(self, minute: int) -> None:
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
        if max(self.end - WINDOW, NEVER) < minute <= self.end:
            return self.points.get(minute, 0.0 if self.zero and minute <= self.proved else NAN)
        return NAN

    @property
    def steady(self) -> int:
        """The newest point; a provisional one only where it says no less than the last complete minute."""
        complete = self.at(self.read)
        if math.isnan(complete) or not 0 < self.newest - self.read <= PROVISIONAL_FOR:
            return self.newest
        return max(at for at in range(self.read, self.newest + 1) if self.at(at) >= complete)

    @property
    def known(self) -> int | None:
        """The newest minute with a value that is told."""
        known = max(self.steady, self.proved) if self.zero else self.steady
        return None if known == NEVER else known

    @property
    def final(self) -> int:
        return self.newest if self.newest - self.read > PROVISIONAL_FOR else self.read

    @property
    def recent(self) -> float:
        if self.known is None:
            return NAN
        present = [self.at(self.known - ago) for ago in range(self.span)]
        return max((value for value in present if not math.isnan(value)), default=NAN)


class Model:
    """The rows of some rings; those that `share` are of one namespace, each other one is of none."""

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


def told(model: Model, formula: Formula) -> int:
    """The newest minute that can be told of a formula."""
    some = [model.rows[row] for row in formula.rows]
    known = [NEVER if row.known is None else row.known for row in some]
    if formula.op in MAY_FALL:
        newest = min(known) if formula.op in DIFFERENCES else max(known)
        return min(newest, *(row.final for row in some))
    if len(some) == 1:
        return known[0]
    newest = max(known)
    complete = min(newest, *(row.proved for row in some))
    told, least = complete, result(model, formula, complete)
    reached = min(newest, *(max(row.proved, row.newest) for row in some))
    for minute in (reached, newest) if newest > complete else ():
        found = result(model, formula, minute)
        if not math.isnan(found) and not found < least:
            told = minute
    return told


def result(model: Model, formula: Formula, minute: int, lower_bounds: bool = False) -> float:
    """What a formula gives at a minute; NaN where a metric's point may still come."""
    found = _result(model, formula, minute)
    ats = (minute, minute - 1) if formula.op is Op.RISE else (minute,)
    some = [model.rows[row] for row in formula.rows]
    open_ = len(some) > 1 and any(math.isnan(row.at(at)) and at > row.proved for row in some for at in ats)
    return NAN if open_ and not (lower_bounds and found > 0) else found


def _result(model: Model, formula: Formula, minute: int) -> float:
    """What a formula gives at a minute."""

    def terms(at: int) -> list[float]:
        return [
            model.rows[row].at(at) * weight for row, weight in zip(formula.rows, formula.weights, strict=True)
        ]

    now = present(terms(minute))
    match formula.op:
        case Op.SUM:
            return sum(now) if now else NAN
        case Op.MAX:
            return max(now, default=NAN)
        case Op.DIFFERENCE | Op.COUNT_DIFFERENCE:
            if len(now) < len(formula.rows):
                return NAN
            left = sum(now)
            left = left if left >= max(now[0], 0.0) * float(ROUNDING_ERROR) else 0.0
            if formula.op is Op.COUNT_DIFFERENCE and left > 0 and not settled(model, formula, minute, left):
                return NAN
            return left
        case _:
            assert formula.op is Op.RISE
            before = present(terms(minute - 1))
            return max(sum(now) - sum(before), 0.0) if now and before else NAN


def settled(model: Model, formula: Formula, minute: int, left: float) -> bool:
    """Whether what is left of counts cannot be because some have grown and others have not yet."""
    newest = max(NEVER if row.known is None else row.known for row in (model.rows[n] for n in formula.rows))
    if len(formula.rows) == 1 or minute <= newest - SETTLED_AFTER:
        return True
    others = list(zip(formula.rows[1:], formula.weights[1:], strict=True))
    lately = [
        -sum(present([model.rows[row].at(newest - back) * weight for row, weight in others]))
        for back in range(LOOKBACK_MINUTES)
        if present([model.rows[row].at(newest - back) for row, _ in others])
    ]
    return minute <= newest - UNFINISHED_MINUTES and not (lately and left <= max(lately) * float(MAX_GROWTH))


def refused(model: Model, formula: Formula, used_at: int = NEVER) -> tuple[int, float]:
    """The newest minute known, and the worst result of the recent ones up to it or `used_at`."""
    known = [model.rows[row].known for row in formula.rows]
    minutes = [NEVER if minute is None else minute for minute in known]
    minute = min(minutes) if formula.op in DIFFERENCES else max(minutes)
    terms = [(model.rows[row], weight) for row, weight in zip(formula.rows, formula.weights, strict=True)]
    positive = len(terms) == 1 or any(row.recent * weight > 0 for row, weight in terms)
    span = max(row.span for row, _ in terms) if positive else RECENT_MINUTES
    lately = [result(model, formula, minute - back, lower_bounds=True) for back in range(span)]
    if formula.op is Op.COUNT_DIFFERENCE and len(terms) > 1 and any(map(math.isnan, lately[:RECENT_MINUTES])):
        lately += [
            result(model, formula, minute - back)
            for back in range(RECENT_MINUTES, SETTLED_AFTER + RECENT_MINUTES)
        ]
    worst, first = max(present(lately), default=NAN), first_recent(model, formula, minute, used_at)
    if minute <= used_at - RECENT_MINUTES and not worst > 0:
        return minute, NAN
    if worst > 0 and first > minute - max(row.span for row, _ in terms) + 1:
        lately = [result(model, formula, at, lower_bounds=True) for at in range(first, minute + 1)]
        worst = max(present(lately), default=NAN)
    return minute, worst


def first_recent(model: Model, formula: Formula, minute: int, used_at: int) -> int:
    """The first minute in which refusals known up to `minute` count beside a usage at `used_at`."""
    ahead = formula.op is not Op.COUNT_DIFFERENCE or minute <= used_at - RECENT_MINUTES
    end = max(minute, used_at) if ahead else minute
    return end - max(model.rows[row].span for row in formula.rows) + 1


def counts(
    model: Model, formula: Formula, used_at: int, served: Formula | None, tolerated: tuple[float, float]
) -> bool:
    """Whether the refusals of one of the recent minutes are more than is tolerated."""
    (newest, _), (rate, share) = refused(model, formula), tolerated
    first = first_recent(model, formula, newest, used_at)
    lately = [result(model, formula, newest - back, lower_bounds=True) for back in range(RECENT_MINUTES)]
    if formula.op is Op.COUNT_DIFFERENCE and any(map(math.isnan, lately)):
        first = min(first, newest - RECENT_MINUTES + 1 - SETTLED_AFTER)
    for minute in range(first, newest + 1):
        now = result(model, formula, minute, lower_bounds=True)
        passed = NAN
        if served:
            last = told(model, served)
            passed = result(model, served, last if 0 < minute - last < RECENT_MINUTES else minute)
        if now > 0 and now >= rate and not now < share * (now + passed):
            return True
    return False


def present(values: list[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]
