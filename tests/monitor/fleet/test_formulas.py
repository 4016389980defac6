"""Formulas of many series at once against each one alone."""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Op
from monitor.fleet.formulas import Formula, Formulas
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import RECENT_MINUTES
from monitor.fleet.rings import Rings
from tests.monitor.fleet.points import NAN, OPERATIONS, Model, Point, refused, result, told

START = 29_000_000
ROWS = 4
ZERO = [False, True, False, True]

# Small whole numbers and halves: exact in float32, so that the two ways can be held equal.
rows = st.integers(0, ROWS - 1)
minutes = st.integers(START, START + 12)
points = st.lists(st.tuples(rows, minutes, st.integers(0, 1000).map(float)), max_size=25)
reads = st.lists(st.tuples(rows, minutes), max_size=4)
weights = st.sampled_from([1.0, -1.0, 0.5, 2.0, 0.0])


@st.composite
def formulas(draw: st.DrawFn) -> Formula:
    terms = draw(st.lists(st.tuples(rows, weights), min_size=1, max_size=4))
    return Formula(draw(st.sampled_from(OPERATIONS)), *zip(*terms, strict=True))


def both(written: Iterable[Point], read: Iterable[tuple[int, int]] = ()) -> tuple[Rings, Model]:
    """Rings and their model with the same points in them."""
    rings, model = Rings(), Model(ZERO)
    for flag in ZERO:
        rings.zero_when_absent[rings.allocate()] = flag
    for row, minute, value in written:
        model.write([(row, minute, value)])
        rings.write(np.array([row]), np.array([minute]), np.array([value], np.float32))
    for row, minute in read:
        model.mark_read([row], minute)
        rings.mark_read(np.array([row]), minute)
    return rings, model


def told_of(all_of_them: Formulas, rings: Rings) -> dict[int, tuple[int, float]]:
    """Minute and result of each series that has a formula."""
    found = {}
    for block in all_of_them:
        minutes = block.newest_minutes(rings)
        for series, minute, value in zip(
            block.series, minutes, block.at(rings, slice(None), minutes), strict=True
        ):
            found[int(series)] = int(minute), float(value)
    return found


def alike(found: tuple[int, float], expected: tuple[int, float]) -> bool:
    """The same minute and number; without a number the minute tells nothing."""
    if math.isnan(expected[1]):
        return math.isnan(found[1])
    return found == expected


@given(st.dictionaries(st.integers(0, 9), formulas()), points, reads)
def test_many_series_are_computed_as_each_one_alone(
    wanted: dict[int, Formula], written: list[Point], read: list[tuple[int, int]]
) -> None:
    rings, model = both(written, read)
    some = Formulas()
    for series, formula in wanted.items():
        some.put(series, formula)
    found = told_of(some, rings)
    for series, formula in wanted.items():
        minute = told(model, formula)
        assert alike(found[series], (minute, result(model, formula, minute)))


def of_refusals(formula: Formula) -> Formula:
    """What refusals are declared by: a sum, or a difference, and the first term adds to it."""
    op = Op.DIFFERENCE if formula.op is Op.DIFFERENCE else Op.SUM
    return replace(formula, op=op, weights=(abs(formula.weights[0]), *formula.weights[1:]))


@given(st.dictionaries(st.integers(0, 9), formulas().map(of_refusals)), points, reads)
def test_what_was_refused_lately_is_computed_as_for_each_one_alone(
    wanted: dict[int, Formula], written: list[Point], read: list[tuple[int, int]]
) -> None:
    rings, model = both(written, read)
    some = Formulas(lower_bounds=True)
    for series, formula in wanted.items():
        some.put(series, formula)
    for block in some:
        for series, *found in zip(block.series, *block.worst_recent(rings), strict=True):
            minute, value = found
            assert alike((int(minute), float(value)), refused(model, wanted[int(series)]))


@given(st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), formulas())), max_size=40))
def test_setting_replacing_and_removing_in_any_order_leaves_what_was_said_last(
    turns: list[tuple[int, Formula | None]],
) -> None:
    some, expected = Formulas(), dict[int, Formula | None]()
    for series, formula in turns:
        some.put(series, formula)
        expected[series] = formula
        listed = {int(one): block.formula(place) for block in some for place, one in enumerate(block.series)}
        assert listed == {one: said for one, said in expected.items() if said}
        assert {one: some.get(one) for one in expected} == expected


@pytest.mark.parametrize(
    ("op", "weights", "written", "expected"),
    [
        pytest.param(Op.SUM, (1, 2), [(0, 5, 3), (2, 5, 4)], (5, 11), id="weighted sum"),
        pytest.param(Op.SUM, (1, 1), [(0, 5, 3)], (NEVER, NAN), id="sum waits for a metric never read"),
        pytest.param(
            Op.SUM, (1, 1), [(0, 5, 3), (2, 4, 9), (0, 4, 1)], (4, 10), id="sum where both were read"
        ),
        pytest.param(Op.MAX, (1, 2), [(0, 5, 3), (2, 5, 1)], (5, 3), id="highest of the weighted"),
        pytest.param(Op.DIFFERENCE, (1, -1), [(0, 5, 3), (2, 5, 1)], (5, 2), id="difference"),
        pytest.param(Op.DIFFERENCE, (1, -1), [(0, 5, 1), (2, 5, 3)], (5, 0), id="difference below nothing"),
        pytest.param(Op.DIFFERENCE, (1, -1), [(0, 5, 3), (2, 4, 1)], (4, NAN), id="difference with a gap"),
        pytest.param(
            Op.RISE, (1, 1), [(0, 4, 3), (2, 4, 1), (0, 5, 9), (2, 5, 2)], (5, 7), id="rise of the sum"
        ),
        pytest.param(Op.RISE, (1, 1), [(0, 4, 9), (2, 4, 1), (0, 5, 3), (2, 5, 2)], (5, 0), id="fall"),
        pytest.param(Op.RISE, (1, 1), [(0, 5, 3), (2, 5, 2)], (5, NAN), id="rise from nothing known"),
    ],
)
def test_operations(
    op: Op, weights: tuple[float, ...], written: list[Point], expected: tuple[int, float]
) -> None:
    rings, _ = both(written)
    some = Formulas()
    some.put(0, Formula(op, (0, 2), weights))
    assert alike(told_of(some, rings)[0], expected)


@pytest.mark.parametrize(("newer", "worst"), [(0.0, NAN), (2.0, 2.0)])
def test_a_metric_that_is_behind_does_not_add_its_old_refusals_to_newer_ones(
    newer: float, worst: float
) -> None:
    """What is there is the least that was refused; 0 of one metric says nothing of the other."""
    rings, _ = both([(1, START, 7.0), (3, START + RECENT_MINUTES, newer)])
    some = Formulas(lower_bounds=True)
    some.put(0, Formula(Op.SUM, (1, 3), (1.0, 1.0)))
    (block,) = some
    ((minute,), (found,)) = block.worst_recent(rings)
    assert minute == START + RECENT_MINUTES
    np.testing.assert_array_equal(found, worst)
