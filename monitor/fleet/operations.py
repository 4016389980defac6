"""Operations that compute usage from the values of metrics, for many formulas at once."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from collectors.base import Op
from monitor.fleet.columns import Flags, Floats, Ints
from monitor.fleet.reader_silence import ages, unread
from monitor.fleet.rings import Rings

NAN = np.float32(np.nan)
SETTLED = 10  # minutes until CloudWatch has revised a count for the last time, as a rule
UNFINISHED = 2  # minutes, the newest ones, in which one count may be there before the other
EXPLAINED = 15  # minutes whose counts say by how much the newest ones may still grow
GROWTH = np.float32(2.5)  # times a count, that may still be added to it: at first, at least 30 % is there
ROUNDING = np.float32(1e-5)  # of a number: what float32 sums may be off by
SILENCE_OPS: Final = {
    Op.READER_LAG: ages,
    Op.UNREAD_DURATION: unread,
}  # operations that understand what a missing point says


@dataclass(frozen=True, slots=True)
class FormulaTerms:
    """Formulas of one operation: `rows[term, place]`, `weights[term, place]`; `lower_bounds` as a Block's."""

    op: Op
    rows: Ints
    weights: Floats
    lower_bounds: bool = False

    def result(self, rings: Rings, minutes: Ints) -> Floats:
        """Return the result of each formula in its minute.

        NaN where a metric has no point yet and is not proven to have none; with `lower_bounds`, the sum of
        the metrics that have one, where it is positive.
        """
        if self.op in SILENCE_OPS:
            return SILENCE_OPS[self.op](rings, self.rows, minutes)
        terms, is_open = _terms(rings, self.rows, minutes)
        terms *= self.weights
        match self.op:
            case Op.SUM:
                found = _present_sum(terms)
            case Op.MAX:
                found = np.fmax.reduce(terms, axis=0)
            case Op.DIFFERENCE:
                found = _difference(terms)
            case Op.COUNT_DIFFERENCE:
                found = _difference(terms)
                is_open |= self._are_unsettled(rings, minutes, found)
            case _:  # RISE
                before, was_open = _terms(rings, self.rows, minutes - 1)
                risen = _present_sum(terms) - _present_sum(before * self.weights)
                found = np.maximum(risen, np.float32(0))
                is_open |= was_open
        if is_open.any():
            found[is_open & ~(found > 0) if self._may_be_bounds else is_open] = NAN
        return found

    @property
    def _may_be_bounds(self) -> bool:
        return self.lower_bounds and self.op is not Op.COUNT_DIFFERENCE

    def _are_unsettled(self, rings: Rings, minutes: Ints, left: Floats) -> Flags:
        """Return which differences of counts may exist only because the counts grow one after the other.

        The subtracted counts are taken to grow by no more than GROWTH times what they came to lately.
        """
        newest = rings.latest_minute[self.rows].max(axis=0)
        unsettled: Flags = (left > 0) & (minutes > newest - SETTLED) & (len(self.rows) > 1)
        some = np.flatnonzero(unsettled)
        if some.size:
            others, weights = self.rows[1:, some], self.weights[1:, some]
            lately = [
                _present_sum(_terms(rings, others, newest[some] - back)[0] * weights)
                for back in range(EXPLAINED)
            ]
            explained = left[some] <= -np.fmin.reduce(lately) * GROWTH
            unsettled[some] = explained | (minutes[some] > newest[some] - UNFINISHED)
        return unsettled


def _difference(terms: Floats) -> Floats:
    """The sum over the first axis, of which all but the first are negative."""
    left: Floats = terms.sum(axis=0)
    least = np.maximum(terms[0], 0) * ROUNDING
    left[left < least] = 0  # less than nothing, and what rounding leaves of equal numbers
    return left


def _terms(rings: Rings, rows: Ints, minutes: Ints) -> tuple[Floats, Flags]:
    """The value of each metric, and of which formulas one may still come that is not there."""
    terms = rings.latest_value.take(rows)  # `take` is twice as fast as an index
    differs = rings.latest_minute.take(rows) != minutes
    if differs.any():
        other = np.nonzero(differs)
        terms[other] = rings.at(rows[other], minutes[other[1]])
    is_open = np.zeros(minutes.shape, np.bool_)
    if len(rows) > 1:
        missing = np.nonzero(np.isnan(terms))
        yet = minutes[missing[1]] > rings.proven_through[rows[missing]]
        is_open[missing[1][yet]] = True
    return terms, is_open


def _present_sum(terms: Floats) -> Floats:
    """The sum over the first axis of those present; NaN when none is."""
    summed: Floats
    if len(terms) == 1:
        summed = terms[0]
        return summed
    summed = np.nansum(terms, axis=0)
    summed[np.isnan(terms).all(axis=0)] = NAN
    return summed
