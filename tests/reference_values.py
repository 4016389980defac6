"""The value of a usage in one minute, computed term by term: a reference for vectorised code."""

import math
from collections.abc import Mapping

from collectors.base import Metric, Op, Term, Usage

Points = Mapping[Metric, Mapping[int, float]]  # the values of a metric, by minute


def reference_value(term: Term, points: Points, minute: int) -> float:
    """Return the value of a term whose metrics all have points; Op.RISE also needs the minute before."""
    if isinstance(term, Metric):
        return points[term][minute]
    terms = _weighted_terms(term, points, minute)
    match term.op:
        case Op.SUM:
            found = sum(terms)
        case Op.MAX:
            found = max(terms)
        case Op.MIN:
            found = min(terms)
        case Op.DIFFERENCE | Op.COUNT_DIFFERENCE:
            found = max(sum(terms), 0.0)
        case Op.RATIO:
            found = terms[0] / terms[1] if terms[1] else math.nan
        case _:
            assert term.op is Op.RISE
            found = max(sum(terms) - sum(_weighted_terms(term, points, minute - 1)), 0.0)
    return found + term.offset


def _weighted_terms(usage: Usage, points: Points, minute: int) -> list[float]:
    """Return the value of each term of a usage, multiplied by the term's weight."""
    return [weight * reference_value(term, points, minute) for term, weight in usage.terms]
