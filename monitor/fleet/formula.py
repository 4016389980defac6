"""Formulas over the rows of the rings, and the properties that follow from a formula's shape alone.

In each minute, a term (a metric or an inner formula) is in one of three states:

- known: it has a value;
- absent: each of its metrics is proven to have no point;
- unknown: anything else, as when a point may still come, a difference lacks a term or a ratio divides by 0.

SUM, MAX, MIN, POSITIVE and RISE leave out absent terms. The operations in NEED_ALL_TERMS have a result only
if all terms are known. A result is absent if all terms are. LAG_OPS interpret missing points themselves. An
unknown term makes the result unknown, for unknown is never zero. There is one exception: if a formula of
throttled demand is made of SUM and MAX and no weight is below 0, the result of its known terms is returned,
as a lower bound.

Values of recent minutes may still grow. A result may then fall if an operation is in MAY_FALL, or if a weight
is below 0; such a result is taken from complete minutes only. MIN is not in MAY_FALL: its result falls only
when a term gets its first point, and until then the term is unknown, and so is the result. An offset never
makes a result fall. Any other result may be taken from a newer minute, if all metrics have a point there and
the result is no lower than the result of the newest complete minute. A result is complete in each minute in
which all of its metrics are complete.
"""

from array import array
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from collectors.base import LAG_OPS, Op, Usage
from rules.arrays import Ints

DIFFERENCES = (Op.DIFFERENCE, Op.COUNT_DIFFERENCE)
NEED_ALL_TERMS = (*DIFFERENCES, Op.RATIO)
MAX_SHARED_SHAPES = 1024
# Operations whose result may fall when a metric grows.
MAY_FALL = (*NEED_ALL_TERMS, Op.RISE, Op.POSITIVE, *LAG_OPS)


@dataclass(frozen=True)
class InnerFormula:
    """A formula that is a term of an outer formula.

    term: the index of the term. rows, weights, offsets: its slices of the rows, weights and offsets of the
    outer formula.
    """

    term: int
    shape: "Shape"
    rows: slice
    weights: slice
    offsets: slice


@dataclass(frozen=True)
class Shape:
    """The operations of a formula. Each of its `terms` is a metric (None) or the shape of an inner formula.

    The rows, weights and offsets of a formula are in this order: first for its own terms, then for each inner
    formula. has_offset: an offset other than 0 is added to the result of `op`.
    """

    op: Op
    terms: tuple["Shape | None", ...]
    has_offset: bool = False

    @classmethod
    def of(cls, usage: Usage) -> "Shape":
        """Return the shape of a usage."""
        terms = tuple([cls.of(term) if isinstance(term, Usage) else None for term, _ in usage.terms])
        return _shared_shape(usage.op, terms, usage.offset != 0)

    @cached_property
    def nodes(self) -> tuple["Shape", ...]:
        """This shape and the shapes of inner formulas at any depth, each before its own inner formulas."""
        return (self, *(node for shape in self.terms if shape for node in shape.nodes))

    @cached_property
    def operations(self) -> frozenset[Op]:
        """The operations of all `nodes`."""
        return frozenset(node.op for node in self.nodes)

    @cached_property
    def may_fall(self) -> bool:
        """True if an operation may make the result fall when a metric grows."""
        return not self.operations.isdisjoint(MAY_FALL)

    @cached_property
    def has_lag_operation(self) -> bool:
        """True if one of the operations is in LAG_OPS."""
        return not self.operations.isdisjoint(LAG_OPS)

    @cached_property
    def metric_terms(self) -> tuple[int, ...]:
        """The indices of the terms that are metrics."""
        return tuple(index for index, shape in enumerate(self.terms) if shape is None)

    @cached_property
    def metric_count(self) -> int:
        """The number of metrics, with inner formulas."""
        return sum(len(node.metric_terms) for node in self.nodes)

    @cached_property
    def weight_count(self) -> int:
        """The number of weights, with inner formulas."""
        return sum(len(node.terms) for node in self.nodes)

    @cached_property
    def offset_count(self) -> int:
        """The number of offsets, with inner formulas."""
        return sum(node.has_offset for node in self.nodes)

    @cached_property
    def inner_formulas(self) -> tuple[InnerFormula, ...]:
        """The terms that are formulas."""
        inner, row, weight, offset = [], len(self.metric_terms), len(self.terms), int(self.has_offset)
        for index, shape in enumerate(self.terms):
            if shape is not None:
                ends = row + shape.metric_count, weight + shape.weight_count, offset + shape.offset_count
                inner.append(InnerFormula(index, shape, *map(slice, (row, weight, offset), ends)))
                row, weight, offset = ends
        return tuple(inner)

    def newest_minute(self, metric_minutes: Ints) -> Ints:
        """Return the newest minute that may have a result, of each formula.

        metric_minutes: the newest known minute of each metric, [metric, position].
        """
        term_minutes = metric_minutes
        if self.inner_formulas:
            inner_minutes = [
                inner.shape.newest_minute(metric_minutes[inner.rows]) for inner in self.inner_formulas
            ]
            term_minutes = np.vstack([metric_minutes[: len(self.metric_terms)], *inner_minutes])
        newest: Ints = term_minutes.min(axis=0) if self.op in NEED_ALL_TERMS else term_minutes.max(axis=0)
        return newest


@lru_cache(maxsize=MAX_SHARED_SHAPES)
def _shared_shape(op: Op, terms: tuple[Shape | None, ...], has_offset: bool) -> Shape:
    """Return the shape that equal formulas share, so that its properties are computed once."""
    return Shape(op, terms, has_offset)


@dataclass(frozen=True, slots=True)
class Formula:
    """A usage over rows of the rings, with its numbers in float32, in the order that its shape defines."""

    shape: Shape
    rows: tuple[int, ...]
    weights: tuple[float, ...]
    offsets: tuple[float, ...] = ()

    @classmethod
    def of(cls, usage: Usage, rows: tuple[int, ...]) -> "Formula":
        """Return the formula of a usage. rows: the rows of `usage.metrics`."""
        nodes = usage.nodes
        weights = [weight for node in nodes for _, weight in node.terms]
        offsets = [node.offset for node in nodes if node.offset]
        return cls(Shape.of(usage), rows, _in_float32(weights), _in_float32(offsets))

    @property
    def may_fall(self) -> bool:
        """True if the result may fall when a metric grows."""
        return self.shape.may_fall or min(self.weights) < 0


def _in_float32(numbers: list[float]) -> tuple[float, ...]:
    return tuple(array("f", numbers)) if numbers else ()  # several times as fast as numpy for a few numbers
