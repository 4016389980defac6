"""Inverts formulas: finds values of metrics that give a usage.

Several values give the same usage: 100 calls may be 50 + 50 or 100 + 0. Here the terms of a sum have equal
shares, the terms of a maximum or minimum are equal, a subtracted term is 0, and no metric is below 0.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from math import inf, isinf
from typing import NamedTuple

import numpy as np

from collectors.base import Metric, Op, Term, Usage
from monitor.demo.traffic import MINUTES_PER_DAY, Minutes
from monitor.lib.errors import HeadroomError
from rules.arrays import Float64s

MinuteFunction = Callable[[Minutes], Float64s]  # a value for each minute

MAX_DENOMINATOR = 1e9
DENOMINATOR = 1000.0  # of a ratio, unless it is already set or the target needs another
COUNTED_SINCE = -30 * MINUTES_PER_DAY  # the minute in which counters start, before minute 0 of the demo


class InversionError(HeadroomError):
    """No values of metrics are known that give a usage."""


class Bounds(NamedTuple):
    """The lowest and the highest value that a term can have, while no metric is below 0."""

    low: float
    high: float

    def scaled(self, weight: float) -> "Bounds":
        """Return the bounds of `weight` times the term."""
        low, high = sorted((_product(weight, self.low), _product(weight, self.high)))
        return Bounds(low, high)

    @property
    def nearest_to_zero(self) -> float:
        """The value within the bounds that is nearest to 0."""
        return min(max(self.low, 0.0), self.high)


@dataclass(frozen=True, slots=True)
class MetricValues:
    """The values of metrics. Each metric is set once; later formulas take its values as given."""

    functions: dict[Metric, MinuteFunction] = field(default_factory=dict)

    def evaluate(self, term: Term, minutes: Minutes) -> Float64s:
        """Return the value of a term in each minute.

        Raises KeyError if a metric of the term is not set, or for an operation that cannot be inverted.
        """
        if isinstance(term, Metric):
            return self.functions[term](minutes)
        terms = self._weighted_values(term.terms, minutes)
        if term.op is not Op.RISE:
            return _COMBINE[term.op](terms) + term.offset
        previous = self._weighted_values(term.terms, minutes - 1)
        return np.maximum(_present_sum(terms) - _present_sum(previous), 0.0) + term.offset

    def follow(self, usage: Usage, target: MinuteFunction) -> None:
        """Set the metrics of a usage that are not set yet, so that the usage becomes the target.

        A target that the metrics do not allow is approached as far as the terms allow.
        Raises InversionError for an operation that cannot be inverted.
        """
        if not self._is_open(usage):
            return
        if usage.op not in _SOLVERS:
            raise InversionError(f"no values of metrics are known that give a {usage.op}")
        offset = usage.offset
        _SOLVERS[usage.op](self, usage, lambda minutes: target(minutes) - offset)

    def _is_open(self, term: Term) -> bool:
        """Return whether a metric of a term is not set yet."""
        return any(metric not in self.functions for metric in _metrics(term))

    def _set(self, term: Term, target: MinuteFunction) -> None:
        if isinstance(term, Usage):
            self.follow(term, target)
        elif term not in self.functions:
            self.functions[term] = lambda minutes: np.maximum(target(minutes), 0.0)

    def _weighted_values(self, terms: Iterable[tuple[Term, float]], minutes: Minutes) -> Float64s:
        return np.array([weight * self.evaluate(term, minutes) for term, weight in terms])

    def _solve_sum(self, usage: Usage, target: MinuteFunction) -> None:
        """Set the terms so that their sum is the target: each is its base plus a share of the remainder."""
        terms = _merge_terms(usage.terms)
        fixed_terms = [(term, weight) for term, weight in terms if not self._is_open(term)]
        # Metrics first, so that a nested formula with the same metric takes its values as given.
        open_terms = sorted(
            ((term, weight) for term, weight in terms if self._is_open(term)),
            key=lambda term_and_weight: isinstance(term_and_weight[0], Usage),
        )
        bounds = [bounds_of(term).scaled(weight) for term, weight in open_terms]
        bases = [bound.nearest_to_zero for bound in bounds]
        shares_up = _shares([bound.high - base for bound, base in zip(bounds, bases, strict=True)])
        shares_down = _shares([base - bound.low for bound, base in zip(bounds, bases, strict=True)])

        def remainder(minutes: Minutes) -> Float64s:
            rest = target(minutes) - sum(bases)
            if fixed_terms:
                rest -= np.nan_to_num(_present_sum(self._weighted_values(fixed_terms, minutes)))
            return rest

        for (term, weight), base, up, down in zip(open_terms, bases, shares_up, shares_down, strict=True):
            self._set(term, partial(_base_plus_share, remainder, weight, base, (up, down)))

    def _solve_extreme(self, usage: Usage, target: MinuteFunction) -> None:
        """Set each term to the target, or as near to it as the bounds of the term allow."""
        for term, weight in usage.terms:
            low, high = bounds_of(term).scaled(weight)
            self._set(term, partial(_clipped, target, weight, low, high))

    def _solve_positive(self, usage: Usage, target: MinuteFunction) -> None:
        """Set the terms so that their sum is above 0 where the target is."""
        self._solve_sum(usage, lambda minutes: np.where(target(minutes) > 0, 1.0, 0.0))

    def _solve_ratio(self, usage: Usage, target: MinuteFunction) -> None:
        """Set the denominator to a constant, as nearly as the target allows; then set the numerator."""
        (numerator, numerator_weight), (denominator, denominator_weight) = usage.terms
        numerator_bounds = bounds_of(numerator).scaled(numerator_weight)
        denominator_bounds = bounds_of(denominator).scaled(denominator_weight)
        numerator_is_set = not self._is_open(numerator)

        def numerator_bounds_at(minutes: Minutes) -> tuple[float | Float64s, float | Float64s]:
            if not numerator_is_set:
                return numerator_bounds
            value = numerator_weight * self.evaluate(numerator, minutes)
            return value, value

        def denominator_at(minutes: Minutes) -> Float64s:
            ratio = target(minutes)
            numerator_low, numerator_high = numerator_bounds_at(minutes)
            with np.errstate(divide="ignore", invalid="ignore"):
                allowed = np.sort([numerator_low / ratio, numerator_high / ratio], axis=0)
            is_zero = ratio == 0  # a ratio that any denominator allows
            low = np.maximum(np.where(is_zero, -inf, allowed[0]), denominator_bounds.low)
            high = np.minimum(np.where(is_zero, inf, allowed[1]), denominator_bounds.high)
            nearest: Float64s = np.clip(DENOMINATOR, low, high)
            return nearest / denominator_weight

        def numerator_at(minutes: Minutes) -> Float64s:
            unweighted: Float64s = target(minutes) * self.evaluate(denominator, minutes)
            return unweighted * (denominator_weight / numerator_weight)

        self._set(denominator, denominator_at)
        self._set(numerator, numerator_at)

    def _solve_rise(self, usage: Usage, target: MinuteFunction) -> None:
        """Set the terms so that their sum is a counter that rises by the target in each minute."""
        self._solve_sum(usage, partial(_counter, target))


def bounds_of(term: Term) -> Bounds:
    """Return the bounds of a term whose metrics are independent of each other."""
    if isinstance(term, Metric):
        return Bounds(0.0, inf)
    parts = [bounds_of(part).scaled(weight) for part, weight in term.terms]
    match term.op:
        case Op.SUM:
            bounds = _sum_bounds(term.terms)
        case Op.MAX:
            bounds = Bounds(max(part.low for part in parts), max(part.high for part in parts))
        case Op.MIN:
            bounds = Bounds(min(part.low for part in parts), min(part.high for part in parts))
        case Op.DIFFERENCE | Op.COUNT_DIFFERENCE:
            bounds = Bounds(*(max(bound, 0.0) for bound in _sum_bounds(term.terms)))
        case Op.RATIO:
            bounds = _ratio_bounds(*parts)
        case Op.POSITIVE:
            bounds = Bounds(0.0, 1.0)
        case _:
            bounds = Bounds(0.0, inf)
    return Bounds(bounds.low + term.offset, bounds.high + term.offset)


def _sum_bounds(terms: Iterable[tuple[Term, float]]) -> Bounds:
    parts = [bounds_of(term).scaled(weight) for term, weight in terms]
    return Bounds(sum(part.low for part in parts), sum(part.high for part in parts))


def _ratio_bounds(numerator: Bounds, denominator: Bounds) -> Bounds:
    """Return the bounds of a ratio whose denominator is above 0 and at most MAX_DENOMINATOR."""
    high = numerator.high / denominator.low if denominator.low else inf
    if numerator.low == 0:
        return Bounds(0.0, high)
    divisor = min(denominator.high, MAX_DENOMINATOR) if numerator.low > 0 else denominator.low
    return Bounds(numerator.low / divisor if divisor else -inf, high)


def _metrics(term: Term) -> Iterable[Metric]:
    return term.metrics if isinstance(term, Usage) else (term,)


def _merge_terms(terms: Iterable[tuple[Term, float]]) -> list[tuple[Term, float]]:
    """Return each term once, with the sum of its weights."""
    weights: dict[Term, float] = {}
    for term, weight in terms:
        weights[term] = weights.get(term, 0.0) + weight
    return [(term, weight) for term, weight in weights.items() if weight]


def _product(weight: float, bound: float) -> float:
    return weight * bound if weight else 0.0  # instead of 0 * infinity


def _shares(room: Sequence[float]) -> list[float]:
    """Return each term's share of a remainder, in proportion to its room.

    If terms have infinite room, these have equal shares, and the others have none.
    """
    unlimited = sum(map(isinf, room))
    if unlimited:
        return [isinf(size) / unlimited for size in room]
    return [size / sum(room) if size else 0.0 for size in room]


def _base_plus_share(
    remainder: MinuteFunction, weight: float, base: float, shares: tuple[float, float], minutes: Minutes
) -> Float64s:
    """Return the values of a term that, times its weight, is its base plus a share of the remainder.

    shares: the share of a positive remainder, and the share of a negative remainder.
    """
    up, down = shares
    rest = remainder(minutes)
    value: Float64s = base + up * np.maximum(rest, 0.0) + down * np.minimum(rest, 0.0)
    return value / weight


def _clipped(target: MinuteFunction, weight: float, low: float, high: float, minutes: Minutes) -> Float64s:
    clipped: Float64s = np.clip(target(minutes), low, high)
    return clipped / weight


def _counter(rise: MinuteFunction, minutes: Minutes) -> Float64s:
    """Return a counter that rises by `rise` in each minute; NaN in minutes without data."""
    if not minutes.size:
        return np.zeros(0)
    first = min(COUNTED_SINCE, int(minutes.min()))
    rises = np.maximum(rise(np.arange(first, int(minutes.max()) + 1)), 0.0)
    count: Float64s = np.where(np.isnan(rises), np.nan, np.nancumsum(rises))
    return count[minutes - first]


def _present_sum(terms: Float64s) -> Float64s:
    """Return the sum of the terms with a value; NaN where no term has one."""
    return np.where(np.isnan(terms).all(axis=0), np.nan, np.nansum(terms, axis=0))


def _difference(terms: Float64s) -> Float64s:
    difference: Float64s = np.maximum(terms.sum(axis=0), 0.0)
    return difference


def _is_positive(values: Float64s) -> Float64s:
    return np.where(np.isnan(values), np.nan, (values > 0).astype(float))


def _ratio(terms: Float64s) -> Float64s:
    numerator, denominator = terms
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.nan, numerator / denominator)


_COMBINE: Mapping[Op, Callable[[Float64s], Float64s]] = {
    Op.SUM: _present_sum,
    Op.MAX: lambda terms: reduce(np.fmax, terms),
    Op.MIN: lambda terms: reduce(np.fmin, terms),
    Op.DIFFERENCE: _difference,
    Op.COUNT_DIFFERENCE: _difference,
    Op.RATIO: _ratio,
    Op.POSITIVE: lambda terms: _is_positive(_present_sum(terms)),
}
_SOLVERS: Mapping[Op, Callable[[MetricValues, Usage, MinuteFunction], None]] = {
    Op.SUM: MetricValues._solve_sum,
    Op.DIFFERENCE: MetricValues._solve_sum,
    Op.COUNT_DIFFERENCE: MetricValues._solve_sum,
    Op.MAX: MetricValues._solve_extreme,
    Op.MIN: MetricValues._solve_extreme,
    Op.RATIO: MetricValues._solve_ratio,
    Op.RISE: MetricValues._solve_rise,
    Op.POSITIVE: MetricValues._solve_positive,
}
