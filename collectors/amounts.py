"""Arithmetic with numbers, metrics and usages: where an operand depends on metrics, the result is a usage.

The functions raise TypeError for operands of the wrong type, and OverflowError for a result that no float can
hold.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

from collectors.base import PER_MINUTE, Metric, Op, Term, Usage

Amount = float | Metric | Usage
WeightedTerm = tuple[Term, float]


def depends_on_metrics(value: Any) -> bool:
    """Return whether an amount depends on metrics."""
    return isinstance(value, Metric | Usage)


def usage_of(value: Metric | Usage) -> Usage:
    """Return a metric as a usage."""
    return Usage(Op.SUM, ((value, 1.0),)) if isinstance(value, Metric) else value


def add(left: Any, right: Any) -> Any:
    """Return the sum of two amounts, or of two texts."""
    if depends_on_metrics(left) and depends_on_metrics(right):
        return _sum([left, right])
    if depends_on_metrics(right):
        left, right = right, left
    if depends_on_metrics(left):
        return _add_offset(left, _number(right))
    return left + right if _are_texts(left, right) else _finite(_number(left) + _number(right))


def subtract(left: Any, right: Any) -> Any:
    """Return the first amount minus the second. If both depend on metrics, the result is never below 0."""
    if depends_on_metrics(left) and depends_on_metrics(right):
        (first, weight), (second, other_weight) = _term(left), _term(right)
        return Usage(Op.DIFFERENCE, ((first, weight), (second, -other_weight)))
    if depends_on_metrics(left):
        return _add_offset(left, -_number(right))
    if depends_on_metrics(right):
        term, weight = _term(right)
        return Usage(Op.SUM, ((term, -weight),), offset=_number(left))
    return _finite(_number(left) - _number(right))


def multiply(left: Any, right: Any) -> Any:
    """Return the product of two amounts. At most one of them may depend on metrics."""
    if depends_on_metrics(right):
        left, right = right, left
    if depends_on_metrics(left):
        return _scale(left, _number(right))
    return _finite(_number(left) * _number(right))


def divide(left: Any, right: Any) -> Any:
    """Return the quotient of two amounts; None where the second is the number 0."""
    if depends_on_metrics(left) and depends_on_metrics(right):
        (first, weight), (second, other_weight) = _term(left), _term(right)
        return Usage(Op.RATIO, ((first, weight), (second, other_weight)))
    divisor = _number(right)
    if depends_on_metrics(left):
        return _scale(left, 1 / divisor) if divisor else None
    dividend = _number(left)
    return _finite(dividend / divisor) if divisor else None


def rate(value: Any) -> Usage:
    """Return one-minute sums as a mean rate per second."""
    return _usage_of_metric(value).scaled(PER_MINUTE)


def rise(value: Any) -> Usage:
    """Return the increase of a counter since the previous minute; 0 where it fell."""
    return Usage(Op.RISE, tuple(_flat_terms(_usage_of_metric(value))))


def is_above(left: Any, right: Any) -> Usage:
    """Return 1 in each minute in which the first amount is above the second, and 0 in all others."""
    return Usage(Op.POSITIVE, ((usage_of(_signed_difference(left, right)), 1.0),))


def is_not_above(left: Any, right: Any) -> Usage:
    """Return 1 in each minute in which the first amount is at most the second, and 0 in all others."""
    return Usage(Op.SUM, ((is_above(left, right), -1.0),), offset=1.0)


def choose(condition: Any, chosen: Any, other: Any) -> Usage:
    """Return one of two numbers in each minute: `chosen` where the condition is 1, and `other` where it is 0.

    condition: a result of `is_above` or `is_not_above`. Raises TypeError for anything else.
    """
    usages = (_usage_of_metric(condition), *_inner_usages(condition))
    if not any(usage.op is Op.POSITIVE for usage in usages):
        raise TypeError("expected a comparison, found a metric")
    return _add_offset(_scale(condition, _number(chosen) - _number(other)), _number(other))


def sum_of(first: Any, *others: Any) -> Any:
    """Return the sum of amounts; 0 for an empty list, None if an amount is unknown."""
    return _reduce((first, *others), _sum, sum, empty=0)


def highest_of(first: Any, *others: Any) -> Any:
    """Return the highest of amounts; None for an empty list, or if an amount is unknown."""
    return _reduce((first, *others), lambda items: Usage(Op.MAX, tuple(map(_term, items))), max)


def lowest_of(first: Any, *others: Any) -> Any:
    """Return the lowest of amounts; None for an empty list, or if an amount is unknown."""
    return _reduce((first, *others), lambda items: Usage(Op.MIN, tuple(map(_term, items))), min)


def _reduce(
    values: tuple[Any, ...],
    reduce_metrics: Callable[[list[Any]], Usage],
    reduce_numbers: Callable[[Iterable[Any]], Any],
    empty: float | None = None,
) -> Any:
    """Return the reduction of values, or of the items of a single list; None if a value is unknown.

    empty: the result for an empty list.
    """
    items = values[0] if len(values) == 1 and isinstance(values[0], list | None) else list(values)
    if items is None or None in items:
        return None
    if any(map(depends_on_metrics, items)):
        return reduce_metrics(items)
    return reduce_numbers(items) if items else empty


def _sum(items: list[Any]) -> Usage:
    usages = list(map(_usage_of_metric, items))
    terms = (term for usage in usages for term in _flat_terms(usage))
    # A usage that is no sum becomes a single term, which includes its offset.
    offset = sum(usage.offset for usage in usages if usage.op is Op.SUM)
    return Usage(Op.SUM, tuple(terms), offset=offset)


def _inner_usages(value: Metric | Usage) -> Iterable[Usage]:
    """Return the usages among the terms of a usage."""
    return [term for term, _ in usage_of(value).terms if isinstance(term, Usage)]


def _signed_difference(left: Any, right: Any) -> Usage:
    """Return the first amount minus the second, which may be below 0; one or both depend on metrics."""
    if not depends_on_metrics(right):
        return _add_offset(left, -_number(right))
    subtracted = _scale(right, -1)
    return _sum([left, subtracted]) if depends_on_metrics(left) else _add_offset(subtracted, _number(left))


def _flat_terms(value: Usage) -> Iterable[WeightedTerm]:
    """Return the terms of a sum, or any other usage as a single term."""
    return value.terms if value.op is Op.SUM else [(value, 1.0)]


def _term(value: Any) -> WeightedTerm:
    """Return a metric or usage as one weighted term; a sum of one term without offset is that term."""
    usage = _usage_of_metric(value)
    if usage.op is Op.SUM and len(usage.terms) == 1 and not usage.offset:
        return usage.terms[0]
    return usage, 1.0


def _add_offset(value: Any, offset: float) -> Usage:
    usage = usage_of(value)
    return Usage(usage.op, usage.terms, usage.offset + offset)


def _usage_of_metric(value: Any) -> Usage:
    if not depends_on_metrics(value):
        raise TypeError(f"expected a metric, found {type(value).__name__}")
    return usage_of(value)


def _scale(value: Metric | Usage, factor: float) -> Usage:
    """Return a usage times a factor.

    With a negative factor, a usage that is no sum becomes the only term of a sum, and the factor is its
    weight. As weights of a maximum's terms, negative factors would turn the maximum into a minimum.
    """
    usage = usage_of(value)
    if factor > 0 or usage.op is Op.SUM:
        return usage.scaled(factor)
    return Usage(Op.SUM, ((usage, factor),))


def _are_texts(*values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, found {type(value).__name__}")
    return value


def _finite(value: int | float) -> int | float:
    """Return a number. Raises OverflowError for one that no float can hold."""
    if not math.isfinite(float(value)):
        raise OverflowError("expected a finite number")
    return value
