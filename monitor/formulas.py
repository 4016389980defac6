"""Usage formulas of many series at once, grouped so that each group is a few array expressions."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from collectors.base import Op
from monitor.columns import Floats, Ints
from monitor.rings import NEVER, RECENT, Rings

NAN = np.float32(np.nan)
NOWHERE = -1
FIRST = 1024  # series to begin with; doubled when they do not suffice
ROUNDING = np.float32(1e-5)  # of a number: what float32 sums may be off by


@dataclass(frozen=True, slots=True)
class Formula:
    """`op` over the rings' rows, each times its weight in float32 (see `collectors.base.Usage`)."""

    op: Op
    rows: tuple[int, ...]
    weights: tuple[float, ...]


class Block:
    """The formulas of one operation over one number of terms: `rows[term, place]`, `weights[term, place]`."""

    def __init__(self, op: Op, terms: int) -> None:
        self.op, self.size = op, 0
        self._series = np.empty(16, np.int32)
        self._rows = np.empty((terms, 16), np.int32)
        self._weights = np.empty((terms, 16), np.float32)

    @property
    def series(self) -> Ints:
        return self._series[: self.size]

    @property
    def rows(self) -> Ints:
        return self._rows[:, : self.size]

    @property
    def weights(self) -> Floats:
        return self._weights[:, : self.size]

    def add(self, series: int, formula: Formula) -> int:
        """Append a formula; return its place."""
        if self.size == self._series.size:
            self._series = np.concatenate([self._series, np.empty_like(self._series)])
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)], axis=1)
            self._weights = np.concatenate([self._weights, np.empty_like(self._weights)], axis=1)
        self._series[self.size] = series
        self._rows[:, self.size] = formula.rows
        self._weights[:, self.size] = formula.weights
        self.size += 1
        return self.size - 1

    def remove(self, place: int) -> int:
        """Remove a formula, and move the last one to its place; return the series of the moved one."""
        self.size -= 1
        for column in (self._series, self._rows, self._weights):
            column[..., place] = column[..., self.size]
        return int(self._series[place])

    def evaluate(self, rings: Rings) -> tuple[Ints, Floats]:
        """The newest minute that can be told for each series, and the result there (NaN: none)."""
        minutes = self.told(rings)
        return minutes, result(rings, self.op, self.rows, self.weights, minutes)

    def told(self, rings: Rings, places: Ints | slice = slice(None)) -> Ints:
        """The newest minute that can be told for some of the formulas, or all."""
        rows = self.rows[:, places]
        known = rings.known[rows]
        if len(known) == 1:
            told: Ints = known[0]
        elif self.op is Op.DIFFERENCE:
            told = known.min(axis=0)
        else:  # of those present: the newest point, but no minute that one of the metrics was not read for
            told = np.minimum(known.max(axis=0), rings.read[rows].min(axis=0))
        return told

    def worst_recent(self, rings: Rings) -> tuple[Ints, Floats]:
        """The newest minute known, and the worst result of the `RECENT` ones up to it (NaN: none).

        A sum counts what is there: it is refused demand, and a metric that is behind does not undo it.
        """
        known = rings.known[self.rows]
        if len(known) == 1:
            return known[0], rings.recent[self.rows[0]] * self.weights[0]
        minutes: Ints = known.min(axis=0) if self.op is Op.DIFFERENCE else known.max(axis=0)
        worst: Floats = np.fmax.reduce(
            [result(rings, self.op, self.rows, self.weights, minutes - back) for back in range(RECENT)]
        )
        return minutes, worst

    def formula(self, place: int) -> Formula:
        rows, weights = self.rows[:, place], self.weights[:, place]
        return Formula(self.op, tuple(rows.tolist()), tuple(weights.tolist()))


def result(rings: Rings, op: Op, rows: Ints, weights: Floats, minutes: Ints) -> Floats:
    """The result of formulas, `rows[term, place]` and `weights[term, place]`, each at its minute."""
    terms = _terms(rings, rows, minutes) * weights
    match op:
        case Op.SUM:
            return _present_sum(terms)
        case Op.MAX:
            highest: Floats = np.fmax.reduce(terms, axis=0)
            return highest
        case Op.DIFFERENCE:
            left: Floats = terms.sum(axis=0)
            least = np.maximum(terms[0], 0) * ROUNDING
            left[left < least] = 0  # less than nothing, and what rounding leaves of equal numbers
            return left
        case Op.RISE:
            before = _terms(rings, rows, minutes - 1) * weights
            risen: Floats = np.maximum(_present_sum(terms) - _present_sum(before), np.float32(0))
            return risen


def _terms(rings: Rings, rows: Ints, minutes: Ints) -> Floats:
    terms = rings.last[rows]
    other = np.nonzero(rings.known[rows] != minutes)
    if other[0].size:
        terms[other] = rings.at(rows[other], minutes[other[1]])
    return terms


def _present_sum(terms: Floats) -> Floats:
    """The sum over the first axis of those present; NaN when none is."""
    summed: Floats
    if len(terms) == 1:
        summed = terms[0]
        return summed
    summed = np.nansum(terms, axis=0)
    summed[np.isnan(terms).all(axis=0)] = NAN
    return summed


class Formulas:
    """The formulas of one column of the series: blocks by operation and number of terms."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._numbers: dict[tuple[Op, int], int] = {}  # of the blocks
        self._of = np.full(FIRST, NOWHERE, np.int16)  # by series: the number of its block
        self._places = np.zeros(FIRST, np.int32)  # by series: where in its block

    def __iter__(self) -> Iterator[Block]:
        return iter(self._blocks)

    def get(self, series: int) -> Formula | None:
        """The formula of a series; None when it has none."""
        number = self._of[series] if series < self._of.size else NOWHERE
        return None if number == NOWHERE else self._blocks[number].formula(int(self._places[series]))

    def put(self, series: int, formula: Formula | None) -> None:
        """Set, replace or (None) remove the formula of a series."""
        if formula == self.get(series):
            return
        self._reach(series)
        self._remove(series)
        if formula:
            number = self._number(formula)
            self._of[series] = number
            self._places[series] = self._blocks[number].add(series, formula)

    def told(self, rings: Rings, series: Ints) -> Ints:
        """The newest minute that can be told of some series; NEVER for one without a formula or a point."""
        found = np.full(series.size, NEVER, np.int32)
        for block, chosen, places in self._parts(series):
            found[chosen] = block.told(rings, places)
        return found

    def at(self, rings: Rings, series: Ints, minutes: Ints) -> Floats:
        """The result for some series, each at its minute; NaN where there is none."""
        found = np.full(series.size, NAN)
        for block, chosen, places in self._parts(series):
            rows, weights = block.rows[:, places], block.weights[:, places]
            found[chosen] = result(rings, block.op, rows, weights, minutes[chosen])
        return found

    def _parts(self, series: Ints) -> Iterator[tuple[Block, Ints, Ints]]:
        """Some series by block: which of them, and their places in it."""
        self._reach(int(series.max(initial=0)))
        numbers = self._of[series]
        for number in np.unique(numbers[numbers != NOWHERE]).tolist():
            chosen = np.flatnonzero(numbers == number).astype(np.int32)
            yield self._blocks[number], chosen, self._places[series[chosen]]

    def _number(self, formula: Formula) -> int:
        key = formula.op, len(formula.rows)
        if key not in self._numbers:
            self._numbers[key] = len(self._blocks)
            self._blocks.append(Block(*key))
        return self._numbers[key]

    def _remove(self, series: int) -> None:
        if self._of[series] != NOWHERE:
            place = int(self._places[series])
            self._places[self._blocks[self._of[series]].remove(place)] = place
            self._of[series] = NOWHERE

    def _reach(self, series: int) -> None:
        while series >= self._of.size:
            self._of = np.concatenate([self._of, np.full_like(self._of, NOWHERE)])
            self._places = np.concatenate([self._places, np.zeros_like(self._places)])
