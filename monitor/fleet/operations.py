"""Operations that compute usage from the values of metrics, for many formulas at once."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from collectors.base import Op
from monitor.fleet.columns import Flags, Floats, Ints
from monitor.fleet.reader_silence import unread_ages, unread_durations
from monitor.fleet.rings import Rings

NAN = np.float32(np.nan)
SETTLED_AFTER = 10  # minutes after which CloudWatch usually no longer revises a count
UNFINISHED_MINUTES = 2  # newest minutes, in which one count may be published before the other
LOOKBACK_MINUTES = 15  # minutes whose counts bound by how much the newest counts may still grow
MAX_GROWTH = np.float32(2.5)  # growth of a count, as a multiple of it: at least 30 % is published at first
ROUNDING_ERROR = np.float32(1e-5)  # relative error of float32 sums

# Operations that interpret missing points themselves.
SILENCE_OPS: Final = {Op.READER_LAG: unread_ages, Op.UNREAD_DURATION: unread_durations}


@dataclass(frozen=True, slots=True)
class FormulaTerms:
    """Formulas of one operation. rows, weights: [term, position]. lower_bounds: see `formulas.Block`."""

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
                result = _present_sum(terms)
            case Op.MAX:
                result = np.fmax.reduce(terms, axis=0)
            case Op.DIFFERENCE:
                result = _difference(terms)
            case Op.COUNT_DIFFERENCE:
                result = _difference(terms)
                is_open |= self._are_unsettled(rings, minutes, result)
            case _:  # RISE
                before, was_open = _terms(rings, self.rows, minutes - 1)
                risen = _present_sum(terms) - _present_sum(before * self.weights)
                result = np.maximum(risen, np.float32(0))
                is_open |= was_open
        if is_open.any():
            result[is_open & ~(result > 0) if self._returns_lower_bounds else is_open] = NAN
        return result

    @property
    def _returns_lower_bounds(self) -> bool:
        return self.lower_bounds and self.op is not Op.COUNT_DIFFERENCE

    def _are_unsettled(self, rings: Rings, minutes: Ints, difference: Floats) -> Flags:
        """Return which differences may be above 0 only because the counts are published one after another.

        It is assumed that the subtracted counts grow by no more than MAX_GROWTH times their recent values.
        """
        newest = rings.latest_minute[self.rows].max(axis=0)
        unsettled: Flags = (difference > 0) & (minutes > newest - SETTLED_AFTER) & (len(self.rows) > 1)
        indices = np.flatnonzero(unsettled)
        if indices.size:
            earlier = newest[indices] - np.arange(LOOKBACK_MINUTES, dtype=np.int32)[:, np.newaxis]
            others = np.tile(self.rows[1:, indices], LOOKBACK_MINUTES)
            weights = np.tile(self.weights[1:, indices], LOOKBACK_MINUTES)
            counts = _terms(rings, others, earlier.ravel())[0] * weights
            lately = _present_sum(counts).reshape(earlier.shape)
            explained = difference[indices] <= -np.fmin.reduce(lately) * MAX_GROWTH
            unsettled[indices] = explained | (minutes[indices] > newest[indices] - UNFINISHED_MINUTES)
        return unsettled


def _difference(terms: Floats) -> Floats:
    """Return the sum over the first axis, whose entries but the first are negative; 0 instead of less."""
    difference: Floats = terms.sum(axis=0)
    smallest = np.maximum(terms[0], 0) * ROUNDING_ERROR
    difference[difference < smallest] = 0  # equal numbers may differ by rounding
    return difference


def _terms(rings: Rings, rows: Ints, minutes: Ints) -> tuple[Floats, Flags]:
    """Return the value of each metric, and which formulas miss a value that may still be published."""
    terms = rings.latest_value.take(rows)  # `take` is twice as fast as an index
    differs = rings.latest_minute.take(rows) != minutes
    if differs.any():
        other = np.nonzero(differs)
        terms[other] = rings.at(rows[other], minutes[other[1]])
    is_open = np.zeros(minutes.shape, np.bool_)
    if len(rows) > 1:
        missing = np.nonzero(np.isnan(terms))
        is_unproven = minutes[missing[1]] > rings.proven_through[rows[missing]]
        is_open[missing[1][is_unproven]] = True
    return terms, is_open


def _present_sum(terms: Floats) -> Floats:
    """Return the sum over the first axis without NaN; NaN if all are NaN."""
    summed: Floats
    if len(terms) == 1:
        summed = terms[0]
        return summed
    summed = np.nansum(terms, axis=0)
    summed[np.isnan(terms).all(axis=0)] = NAN
    return summed
