"""Operations that compute usage from the values of metrics, for many formulas at once."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from collectors.base import Op
from monitor.fleet.formula import InnerFormula, Shape
from monitor.fleet.reader_silence import unread_ages, unread_durations
from monitor.fleet.rings import Rings
from rules.arrays import Flags, Floats, Ints

NAN = np.float32(np.nan)
SETTLED_AFTER = 10  # minutes after which CloudWatch usually no longer revises a count
UNFINISHED_MINUTES = 2  # newest minutes, in which one count may be published before the other
LOOKBACK_MINUTES = 15  # the counts of these newest minutes bound how much a count may still grow
# A count may still grow by this many times its value: at first at least 30 % of it are published, so that at
# most 70 % are missing, 2.33 times as much; rounded up.
MAX_GROWTH = np.float32(2.5)
ROUNDING_ERROR = np.float32(1e-5)  # relative error of float32 sums

LAG_FUNCTIONS: Final = {Op.READER_LAG: unread_ages, Op.UNREAD_DURATION: unread_durations}
PRESENT_OPS: Final = (Op.SUM, Op.MAX, Op.MIN)  # they leave out absent terms


@dataclass(frozen=True, slots=True)
class FormulaTerms:
    """Formulas of one shape: their rows, weights and offsets as columns, [index, position].

    lower_bound_if_unknown: a result above 0 with an unknown term is returned, as a lower bound.
    """

    shape: Shape
    rows: Ints
    weights: Floats
    offsets: Floats
    lower_bound_if_unknown: bool = False

    def result(self, rings: Rings, minutes: Ints) -> Floats:
        """Return the result of each formula in its minute; NaN where it is absent or unknown."""
        result, is_unknown = self._compute(rings, minutes, is_inner=False)
        if is_unknown.any():
            result[is_unknown & ~(result > 0) if self.lower_bound_if_unknown else is_unknown] = NAN
        return result

    def _compute(self, rings: Rings, minutes: Ints, is_inner: bool) -> tuple[Floats, Flags]:
        """Return the results, computed from the known terms, and whether each has an unknown term.

        is_inner: the formula is a term of another formula; then a NaN result with a term that is known, such
        as a division by 0, is marked as unknown, too.
        """
        op = self.shape.op
        if op in LAG_FUNCTIONS:
            result = LAG_FUNCTIONS[op](rings, self.rows, minutes)
            is_unknown = np.isnan(result) if is_inner else np.zeros(minutes.shape, np.bool_)
        else:
            terms, is_unknown = self._terms(rings, minutes, is_inner)
            result = self._combined(rings, minutes, terms, is_unknown)
            if is_inner and op not in PRESENT_OPS:
                is_unknown |= np.isnan(result) & ~np.isnan(terms).all(axis=0)
        if self.shape.has_offset:
            result = result + self.offsets[0]
        return result, is_unknown

    def _combined(self, rings: Rings, minutes: Ints, terms: Floats, is_unknown: Flags) -> Floats:
        """Return the result of the operation on its terms. Marks further unknown results in `is_unknown`."""
        result: Floats
        match self.shape.op:
            case Op.SUM:
                result = _present_sum(terms)
            case Op.MAX:
                result = np.fmax.reduce(terms, axis=0)
            case Op.MIN:
                result = np.fmin.reduce(terms, axis=0)
            case Op.DIFFERENCE:
                result = _difference(terms)
            case Op.RATIO:
                result = _ratio(terms)
            case Op.POSITIVE:
                result = _is_positive(_present_sum(terms))
            case Op.COUNT_DIFFERENCE:
                result = _difference(terms)
                is_unknown |= self._are_unsettled(rings, minutes, result)
            case _:  # RISE
                period = self._longest_periods(rings)
                before, was_unknown = self._terms(rings, minutes - period)
                rise = (_present_sum(terms) - _present_sum(before)) / period.astype(np.float32)
                result = np.maximum(rise, np.float32(0))
                is_unknown |= was_unknown
        return result

    def _terms(self, rings: Rings, minutes: Ints, is_inner: bool = False) -> tuple[Floats, Flags]:
        """Return the weighted terms, [term, position], and flags of the formulas with an unknown term.

        A metric that is the only term of a whole formula counts as absent where it is missing: either way
        there is no result.
        """
        shape = self.shape
        metric_count = len(shape.metric_terms)
        missing_is_absent = metric_count == 1 and not (is_inner or shape.inner_formulas)
        terms, is_unknown = _values(rings, self.rows[:metric_count], minutes, missing_is_absent)
        if shape.inner_formulas:
            values, terms = terms, np.empty((len(shape.terms), *minutes.shape), np.float32)
            terms[list(shape.metric_terms)] = values
            for inner in shape.inner_formulas:
                values, is_inner_unknown = self._inner_terms(inner)._compute(rings, minutes, is_inner=True)
                terms[inner.term] = values
                is_unknown |= is_inner_unknown
        terms *= self.weights[: len(shape.terms)]
        return terms, is_unknown

    def _inner_terms(self, inner: InnerFormula) -> "FormulaTerms":
        columns = self.rows[inner.rows], self.weights[inner.weights], self.offsets[inner.offsets]
        return FormulaTerms(inner.shape, *columns)

    def _longest_periods(self, rings: Rings) -> Ints:
        """Return the longest period of the metrics of each formula, in minutes."""
        periods: Ints = rings.period[self.rows].max(axis=0).astype(np.int32)
        return periods

    def _are_unsettled(self, rings: Rings, minutes: Ints, difference: Floats) -> Flags:
        """Return which differences may be above 0 only because the counts are published one after another.

        It is assumed that the subtracted counts grow by no more than MAX_GROWTH times their recent values.
        """
        newest = rings.latest_minute[self.rows].max(axis=0)
        unsettled: Flags = (difference > 0) & (minutes > newest - SETTLED_AFTER) & (len(self.rows) > 1)
        indices = np.flatnonzero(unsettled)
        if indices.size:
            earlier = newest[indices] - np.arange(LOOKBACK_MINUTES, dtype=np.int32)[:, np.newaxis]
            subtracted = np.tile(self.rows[1:, indices], LOOKBACK_MINUTES)
            weights = np.tile(self.weights[1:, indices], LOOKBACK_MINUTES)
            counts = _values(rings, subtracted, earlier.ravel(), missing_is_absent=True)[0] * weights
            recent_sums = _present_sum(counts).reshape(earlier.shape)
            may_be_growth = difference[indices] <= -np.fmin.reduce(recent_sums) * MAX_GROWTH
            unfinished = UNFINISHED_MINUTES + self._longest_periods(rings)[indices] - 1
            unsettled[indices] = may_be_growth | (minutes[indices] > newest[indices] - unfinished)
        return unsettled


def _difference(terms: Floats) -> Floats:
    """Return the sum of the terms, of which all but the first are negative or 0; 0 if the sum is below 0."""
    difference: Floats = terms.sum(axis=0)
    rounding_error = np.maximum(terms[0], 0) * ROUNDING_ERROR
    difference[difference < rounding_error] = 0  # equal numbers may differ by rounding
    return difference


def _ratio(terms: Floats) -> Floats:
    """Return the first term divided by the second; NaN if the second is 0, or the ratio too large."""
    is_defined: Flags = terms[1] != 0
    with np.errstate(over="ignore"):
        ratio: Floats = np.divide(terms[0], terms[1], out=np.full_like(terms[0], NAN), where=is_defined)
    ratio[np.isinf(ratio)] = NAN
    return ratio


def _is_positive(values: Floats) -> Floats:
    """Return 1 for values above 0, and 0 for other values; NaN for NaN."""
    positive: Floats = np.where(np.isnan(values), NAN, (values > 0).astype(np.float32))
    return positive


def _values(rings: Rings, rows: Ints, minutes: Ints, missing_is_absent: bool) -> tuple[Floats, Flags]:
    """Return the value of each metric, and flags of the formulas that lack a value that may still come.

    missing_is_absent: missing values count as absent, and set no flag.
    """
    values = rings.latest_value.take(rows)  # `take` is twice as fast as an index
    is_other_minute = rings.latest_minute.take(rows) != minutes
    if is_other_minute.all():
        values = rings.at(rows, minutes)
    elif is_other_minute.any():
        other = np.nonzero(is_other_minute)
        values[other] = rings.at(rows[other], minutes[other[1]])
    is_unknown = np.zeros(minutes.shape, np.bool_)
    if not missing_is_absent:
        missing = np.nonzero(np.isnan(values))
        is_unproven = minutes[missing[1]] > rings.proven_through[rows[missing]]
        is_unknown[missing[1][is_unproven]] = True
    return values, is_unknown


def _present_sum(terms: Floats) -> Floats:
    """Return the sum over the first axis without NaN; NaN if all are NaN."""
    summed: Floats
    if len(terms) == 1:
        summed = terms[0]
        return summed
    summed = np.nansum(terms, axis=0)
    summed[np.isnan(terms).all(axis=0)] = NAN
    return summed
