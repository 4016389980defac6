"""Hypothesis strategies for usages of any shape, and the conversion of a formula of the fleet to a usage."""

from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

from collectors.base import LAG_OPS, METRIC_OPS, RATIO_TERMS, Metric, Op, Term, Usage
from monitor.fleet.formula import Formula, Shape

OPERATIONS = [op for op in Op if op not in LAG_OPS]  # the lag operations have separate tests
OFFSETS = [0.0, 0.0, 100.0, -2.0]


def usages(metrics: Sequence[Metric], weights: Sequence[float], depth: int = 3) -> st.SearchStrategy[Usage]:
    """A strategy for usages over metrics, flat and nested."""
    terms: st.SearchStrategy[Term] = st.sampled_from(metrics)
    flat = strategy = _usages(metrics, weights, terms)
    for _ in range(depth - 1):
        strategy = _usages(metrics, weights, st.one_of(st.sampled_from(metrics), strategy))
    return st.one_of(flat, strategy)


@st.composite
def _usages(
    draw: st.DrawFn, metrics: Sequence[Metric], weights: Sequence[float], terms: st.SearchStrategy[Term]
) -> Usage:
    """Draw a usage of these terms."""
    op = draw(st.sampled_from(OPERATIONS))
    term_count = RATIO_TERMS if op is Op.RATIO else draw(st.integers(1, 3))
    term: st.SearchStrategy[Term] = st.sampled_from(metrics) if op in METRIC_OPS else terms
    weighted_terms = tuple((draw(term), draw(st.sampled_from(weights))) for _ in range(term_count))
    return Usage(op, weighted_terms, draw(st.sampled_from(OFFSETS)))


def usage_of(formula: Formula) -> Usage:
    """The usage of a formula, over metrics that are named by their rows."""
    return _usage(formula.shape, iter(formula.rows), iter(formula.weights), iter(formula.offsets))


def metric(row: int) -> Metric:
    """The metric that stands for a row."""
    return Metric("Test/Rows", str(row), "Sum")


def _usage(shape: Shape, rows: Iterator[int], weights: Iterator[float], offsets: Iterator[float]) -> Usage:
    """Return the usage of a shape. rows, weights, offsets: the values of its terms, in order."""
    own_weights = [next(weights) for _ in shape.terms]
    offset = next(offsets) if shape.has_offset else 0.0
    terms: list[Term | None] = [None if nested else metric(next(rows)) for nested in shape.terms]
    for n, nested in enumerate(shape.terms):
        if nested:
            terms[n] = _usage(nested, rows, weights, offsets)
    known_terms = [term for term in terms if term is not None]
    return Usage(shape.op, tuple(zip(known_terms, own_weights, strict=True)), offset)
