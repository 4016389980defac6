"""Rings as they are documented, one row and one point at a time: what the columns are held against."""

import math
from dataclasses import dataclass, field

from collectors.base import Op
from monitor.formulas import ROUNDING, Formula
from monitor.rings import NEVER, RECENT, WINDOW

NAN = float("nan")

Point = tuple[int, int, float]  # row, minute, value


@dataclass
class Row:
    zero: bool
    read: int = NEVER
    points: dict[int, float] = field(default_factory=dict)

    def advance(self, minute: int) -> None:
        self.read = max(self.read, minute)
        self.points = {at: value for at, value in self.points.items() if at > self.read - WINDOW}

    def at(self, minute: int) -> float:
        if max(self.read - WINDOW, NEVER) < minute <= self.read:
            return self.points.get(minute, 0.0 if self.zero else NAN)
        return NAN

    @property
    def known(self) -> int | None:
        """The newest minute with a value."""
        if self.zero:
            return self.read if self.read != NEVER else None
        return max(self.points, default=None)

    @property
    def recent(self) -> float:
        if self.known is None:
            return NAN
        present = [self.at(self.known - ago) for ago in range(RECENT)]
        return max((value for value in present if not math.isnan(value)), default=NAN)


class Model:
    """The rows of some rings."""

    def __init__(self, zero: list[bool]) -> None:
        self.rows = [Row(flag) for flag in zero]

    def write(self, points: list[Point]) -> int:
        finite = [point for point in points if math.isfinite(point[2])]
        for row, minute, _ in finite:
            self.rows[row].advance(minute)
        kept = [point for point in finite if point[1] > self.rows[point[0]].read - WINDOW]
        for row, minute, value in kept:
            self.rows[row].points[minute] = value
        return len(points) - len(kept)

    def mark_read(self, chosen: list[int], minute: int) -> None:
        for row in chosen:
            self.rows[row].advance(minute)


def told(model: Model, formula: Formula) -> int:
    """The newest minute that can be told of a formula."""
    some = [model.rows[row] for row in formula.rows]
    known = [NEVER if row.known is None else row.known for row in some]
    if len(some) == 1:
        return known[0]
    if formula.op is Op.DIFFERENCE:
        return min(known)
    return min(max(known), *(row.read for row in some))


def result(model: Model, formula: Formula, minute: int) -> float:
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
        case Op.DIFFERENCE:
            if len(now) < len(formula.rows):
                return NAN
            left = sum(now)
            return left if left >= max(now[0], 0.0) * float(ROUNDING) else 0.0
        case Op.RISE:
            before = present(terms(minute - 1))
            return max(sum(now) - sum(before), 0.0) if now and before else NAN


def refused(model: Model, formula: Formula) -> tuple[int, float]:
    """The newest minute known, and the worst result of the few up to it."""
    known = [model.rows[row].known for row in formula.rows]
    minutes = [NEVER if minute is None else minute for minute in known]
    minute = min(minutes) if formula.op is Op.DIFFERENCE else max(minutes)
    lately = [result(model, formula, minute - back) for back in range(RECENT)]
    return minute, max(present(lately), default=NAN)


def present(values: list[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]
