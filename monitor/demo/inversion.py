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
from monitor.demo.traffic import MINUTES_PER_DAY, Floats, Minutes
from monitor.lib.errors import HeadroomError

Values = Callable[[Minutes], Floats]  # a value for each minute

MAX_DENOMINATOR = 1e9
DENOMINATOR = 1000.0  # the denominator of a ratio, if unset before and allowed by the goal
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

    functions: dict[Metric, Values] = field(default_factory=dict)

    def evaluate(self, term: Term, minutes: Minutes) -> Floats:
        """Return the value of a term in each minute.

        Raises KeyError if a metric of the term is not set, or its operation cannot be inverted.
        """
        if isinstance(term, Metric):
            return self.functions[term](minutes)
        terms = self._weighted(term.terms, minutes)
        if term.op is not Op.RISE:
            return _COMBINED[term.op](terms) + term.offset
        previous = self._weighted(term.terms, minutes - 1)
        return np.maximum(_present_sum(terms) - _present_sum(previous), 0.0) + term.offset

    def follow(self, usage: Usage, target: Values) -> None:
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

    def _set(self, term: Term, target: Values) -> None:
        if isinstance(term, Usage):
            self.follow(term, target)
        elif term not in self.functions:
            self.functions[term] = lambda minutes: np.maximum(target(minutes), 0.0)

    def _weighted(self, terms: Iterable[tuple[Term, float]], minutes: Minutes) -> Floats:
        return np.array([weight * self.evaluate(term, minutes) for term, weight in terms])

    def _solve_sum(self, usage: Usage, goal: Values) -> None:
        """Set the terms so that their sum is the goal: each is its base plus a share of the remainder."""
        terms = _merged(usage.terms)
        settled = [(term, weight) for term, weight in terms if not self._is_open(term)]
        # Metrics first, so that a nested formula with the same metric takes its values as given.
        open_terms = sorted(
            ((term, weight) for term, weight in terms if self._is_open(term)),
            key=lambda weighted: isinstance(weighted[0], Usage),
        )
        bounds = [bounds_of(term).scaled(weight) for term, weight in open_terms]
        bases = [bound.nearest_to_zero for bound in bounds]
        upward = _shares([bound.high - base for bound, base in zip(bounds, bases, strict=True)])
        downward = _shares([base - bound.low for bound, base in zip(bounds, bases, strict=True)])

        def remainder(minutes: Minutes) -> Floats:
            missing = goal(minutes) - sum(bases)
            if settled:
                missing -= np.nan_to_num(_present_sum(self._weighted(settled, minutes)))
            return missing

        for (term, weight), base, up, down in zip(open_terms, bases, upward, downward, strict=True):
            self._set(term, partial(_filled, remainder, weight, base, (up, down)))

    def _solve_extreme(self, usage: Usage, goal: Values) -> None:
        """Set each term to the goal, or as near to it as the bounds of the term allow."""
        for term, weight in usage.terms:
            low, high = bounds_of(term).scaled(weight)
            self._set(term, partial(_clipped, goal, weight, low, high))

    def _solve_positive(self, usage: Usage, goal: Values) -> None:
        """Set the terms so that their sum is above 0 where the goal is."""
        self._solve_sum(usage, lambda minutes: np.where(goal(minutes) > 0, 1.0, 0.0))

    def _solve_ratio(self, usage: Usage, goal: Values) -> None:
        """Set the denominator to a constant, or as near to it as the goal allows; then set the numerator."""
        (part, part_weight), (whole, whole_weight) = usage.terms
        part_bounds, whole_bounds = bounds_of(part).scaled(part_weight), bounds_of(whole).scaled(whole_weight)
        is_given = not self._is_open(part)

        def whole_at(minutes: Minutes) -> Floats:
            ratio = goal(minutes)
            given = part_weight * self.evaluate(part, minutes) if is_given else None
            part_low, part_high = part_bounds if given is None else (given, given)
            with np.errstate(divide="ignore", invalid="ignore"):
                ends = np.sort([part_low / ratio, part_high / ratio], axis=0)
            is_zero = ratio == 0  # for any denominator
            low = np.maximum(np.where(is_zero, -inf, ends[0]), whole_bounds.low)
            high = np.minimum(np.where(is_zero, inf, ends[1]), whole_bounds.high)
            nearest: Floats = np.clip(DENOMINATOR, low, high)
            return nearest / whole_weight

        def part_at(minutes: Minutes) -> Floats:
            share: Floats = goal(minutes) * self.evaluate(whole, minutes)
            return share * (whole_weight / part_weight)

        self._set(whole, whole_at)
        self._set(part, part_at)

    def _solve_rise(self, usage: Usage, goal: Values) -> None:
        """Set the terms so that their sum is a counter that rises by the goal in each minute."""
        self._solve_sum(usage, partial(_counter, goal))


def bounds_of(term: Term) -> Bounds:
    """Return the bounds of a term whose metrics are independent of each other."""
    if isinstance(term, Metric):
        return Bounds(0.0, inf)
    parts = [bounds_of(part).scaled(weight) for part, weight in term.terms]
    match term.op:
        case Op.SUM:
            found = _sum_bounds(term.terms)
        case Op.MAX:
            found = Bounds(max(part.low for part in parts), max(part.high for part in parts))
        case Op.MIN:
            found = Bounds(min(part.low for part in parts), min(part.high for part in parts))
        case Op.DIFFERENCE | Op.COUNT_DIFFERENCE:
            found = Bounds(*(max(bound, 0.0) for bound in _sum_bounds(term.terms)))
        case Op.RATIO:
            found = _ratio_bounds(*parts)
        case Op.POSITIVE:
            found = Bounds(0.0, 1.0)
        case _:
            found = Bounds(0.0, inf)
    return Bounds(found.low + term.offset, found.high + term.offset)


def _sum_bounds(terms: Iterable[tuple[Term, float]]) -> Bounds:
    parts = [bounds_of(term).scaled(weight) for term, weight in terms]
    return Bounds(sum(part.low for part in parts), sum(part.high for part in parts))


def _ratio_bounds(part: Bounds, whole: Bounds) -> Bounds:
    """Return the bounds of a ratio whose denominator is above 0 and at most MAX_DENOMINATOR."""
    high = part.high / whole.low if whole.low else inf
    if part.low == 0:
        return Bounds(0.0, high)
    divisor = min(whole.high, MAX_DENOMINATOR) if part.low > 0 else whole.low
    return Bounds(part.low / divisor if divisor else -inf, high)


def _metrics(term: Term) -> Iterable[Metric]:
    return term.metrics if isinstance(term, Usage) else (term,)


def _merged(terms: Iterable[tuple[Term, float]]) -> list[tuple[Term, float]]:
    """Return each term once, with the sum of its weights."""
    weights: dict[Term, float] = {}
    for term, weight in terms:
        weights[term] = weights.get(term, 0.0) + weight
    return [(term, weight) for term, weight in weights.items() if weight]


def _product(weight: float, bound: float) -> float:
    return weight * bound if weight else 0.0  # instead of 0 * infinity


def _shares(room: Sequence[float]) -> list[float]:
    """Return the terms' shares of a remainder: in proportion to their room, or equal if it is infinite."""
    unlimited = sum(map(isinf, room))
    if unlimited:
        return [isinf(size) / unlimited for size in room]
    return [size / sum(room) if size else 0.0 for size in room]


def _filled(
    remainder: Values, weight: float, base: float, shares: tuple[float, float], minutes: Minutes
) -> Floats:
    """Return the values of a term that, times its weight, is its base plus a share of the remainder.

    shares: the share of a positive remainder, and the share of a negative remainder.
    """
    up, down = shares
    missing = remainder(minutes)
    value: Floats = base + up * np.maximum(missing, 0.0) + down * np.minimum(missing, 0.0)
    return value / weight


def _clipped(goal: Values, weight: float, low: float, high: float, minutes: Minutes) -> Floats:
    clipped: Floats = np.clip(goal(minutes), low, high)
    return clipped / weight


def _counter(rise: Values, minutes: Minutes) -> Floats:
    """Return a counter that rises by `rise` in each minute; NaN in minutes without data."""
    if not minutes.size:
        return np.zeros(0)
    first = min(COUNTED_SINCE, int(minutes.min()))
    risen = np.maximum(rise(np.arange(first, int(minutes.max()) + 1)), 0.0)
    counted: Floats = np.where(np.isnan(risen), np.nan, np.nancumsum(risen))
    return counted[minutes - first]


def _present_sum(terms: Floats) -> Floats:
    """Return the sum of the terms with a value; NaN where no term has one."""
    return np.where(np.isnan(terms).all(axis=0), np.nan, np.nansum(terms, axis=0))


def _difference(terms: Floats) -> Floats:
    difference: Floats = np.maximum(terms.sum(axis=0), 0.0)
    return difference


def _is_positive(values: Floats) -> Floats:
    return np.where(np.isnan(values), np.nan, (values > 0).astype(float))


def _ratio(terms: Floats) -> Floats:
    part, whole = terms
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole == 0, np.nan, part / whole)


_COMBINED: Mapping[Op, Callable[[Floats], Floats]] = {
    Op.SUM: _present_sum,
    Op.MAX: lambda terms: reduce(np.fmax, terms),
    Op.MIN: lambda terms: reduce(np.fmin, terms),
    Op.DIFFERENCE: _difference,
    Op.COUNT_DIFFERENCE: _difference,
    Op.RATIO: _ratio,
    Op.POSITIVE: lambda terms: _is_positive(_present_sum(terms)),
}
_SOLVERS: Mapping[Op, Callable[[MetricValues, Usage, Values], None]] = {
    Op.SUM: MetricValues._solve_sum,
    Op.DIFFERENCE: MetricValues._solve_sum,
    Op.COUNT_DIFFERENCE: MetricValues._solve_sum,
    Op.MAX: MetricValues._solve_extreme,
    Op.MIN: MetricValues._solve_extreme,
    Op.RATIO: MetricValues._solve_ratio,
    Op.RISE: MetricValues._solve_rise,
    Op.POSITIVE: MetricValues._solve_positive,
}
