"""Formulas of many series computed at once, against a plain model that computes each one alone."""

import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import (
    Op,
    Term,
    Usage,
    difference,
    highest,
    limit_minus,
    lowest,
    percent_used,
    ratio,
    total,
)
from monitor.fleet.formula import Formula
from monitor.fleet.formulas import Formulas
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import RECENT_MINUTES
from monitor.fleet.rings import Rings
from tests.monitor.fleet.points import NAN, Model, Point, formula_of, newest_minute, result, worst_recent
from tests.monitor.fleet.usages import metric, usages

START = 29_000_000
ROW_COUNT = 4
ZERO_WHEN_ABSENT = [False, True, False, True]

# Small whole numbers and halves are exact in float32, so that rings and model must agree exactly.
rows = st.integers(0, ROW_COUNT - 1)
minutes = st.integers(START, START + 12)
points = st.lists(st.tuples(rows, minutes, st.integers(0, 1000).map(float)), max_size=25)
reads = st.lists(st.tuples(rows, minutes), max_size=4)
formulas = usages([metric(row) for row in range(ROW_COUNT)], [1.0, -1.0, 0.5, 2.0, 0.0])


def rings_and_model(
    written_points: Iterable[Point], read_minutes: Iterable[tuple[int, int]] = ()
) -> tuple[Rings, Model]:
    """Return rings and a model with the same points."""
    rings, model = Rings(), Model(ZERO_WHEN_ABSENT)
    for flag in ZERO_WHEN_ABSENT:
        rings.zero_when_absent[rings.allocate()] = flag
    for row, minute, value in written_points:
        model.write([(row, minute, value)])
        rings.write(np.array([row]), np.array([minute]), np.array([value], np.float32))
    for row, minute in read_minutes:
        model.mark_read([row], minute)
        rings.mark_read(np.array([row]), minute)
    return rings, model


def results_of(stored_formulas: Formulas, rings: Rings) -> dict[int, tuple[int, float]]:
    """Return the minute and the value of each series that has a formula."""
    minute_and_value = {}
    for block in stored_formulas:
        newest = block.newest_minutes(rings)
        for series, minute, value in zip(
            block.slots, newest, block.at(rings, slice(None), newest), strict=True
        ):
            minute_and_value[int(series)] = int(minute), float(value)
    return minute_and_value


def is_same_result(computed: tuple[int, float], expected: tuple[int, float]) -> bool:
    """Return whether the minutes and values are equal; if the value is NaN, the minute does not matter."""
    if math.isnan(expected[1]):
        return math.isnan(computed[1])
    return computed == expected


@given(st.dictionaries(st.integers(0, 9), formulas), points, reads)
def test_many_series_are_computed_like_each_series_alone(
    usage_by_series: dict[int, Usage], written_points: list[Point], read_minutes: list[tuple[int, int]]
) -> None:
    rings, model = rings_and_model(written_points, read_minutes)
    stored_formulas = Formulas()
    for series, formula in usage_by_series.items():
        stored_formulas.put(series, formula_of(formula))
    results = results_of(stored_formulas, rings)
    for series, usage in usage_by_series.items():
        minute = newest_minute(model, usage)
        assert is_same_result(results[series], (minute, result(model, usage, minute)))


@given(st.dictionaries(st.integers(0, 9), formulas), points, reads)
def test_recent_throttled_demand_of_a_block_is_computed_like_each_series_alone(
    usage_by_series: dict[int, Usage], written_points: list[Point], read_minutes: list[tuple[int, int]]
) -> None:
    rings, model = rings_and_model(written_points, read_minutes)
    stored_formulas = Formulas(lower_bound_if_unknown=True)
    for series, formula in usage_by_series.items():
        stored_formulas.put(series, formula_of(formula))
    for block in stored_formulas:
        for series, minute, value in zip(block.slots, *block.worst_recent(rings), strict=True):
            assert is_same_result(
                (int(minute), float(value)), worst_recent(model, usage_by_series[int(series)])
            )


@given(st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), formulas)), max_size=40))
def test_after_any_changes_each_series_has_the_formula_that_was_put_last(
    steps: list[tuple[int, Usage | None]],
) -> None:
    stored_formulas, expected = Formulas(), dict[int, Formula | None]()
    for series, usage in steps:
        expected[series] = formula_of(usage) if usage else None
        stored_formulas.put(series, expected[series])
        formula_by_slot = {
            int(slot): block.formula(n) for block in stored_formulas for n, slot in enumerate(block.slots)
        }
        assert formula_by_slot == {slot: formula for slot, formula in expected.items() if formula}
        assert {slot: stored_formulas.get(slot) for slot in expected} == expected


@pytest.mark.parametrize(
    ("op", "weights", "written_points", "expected"),
    [
        pytest.param(Op.SUM, (1, 2), [(0, 5, 3), (2, 5, 4)], (5, 11), id="weighted sum"),
        pytest.param(Op.SUM, (1, 1), [(0, 5, 3)], (NEVER, NAN), id="sum waits for a metric never read"),
        pytest.param(
            Op.SUM,
            (1, 1),
            [(0, 5, 3), (2, 4, 9), (0, 4, 1)],
            (4, 10),
            id="sum in the newest minute in which both have points",
        ),
        pytest.param(Op.MAX, (1, 2), [(0, 5, 3), (2, 5, 1)], (5, 3), id="highest weighted term"),
        pytest.param(Op.MIN, (1, 2), [(0, 5, 3), (2, 5, 1)], (5, 2), id="lowest weighted term"),
        pytest.param(Op.MIN, (1, 1), [(0, 5, 3)], (NEVER, NAN), id="lowest waits for a metric never read"),
        pytest.param(Op.DIFFERENCE, (1, -1), [(0, 5, 3), (2, 5, 1)], (5, 2), id="difference"),
        pytest.param(Op.DIFFERENCE, (1, -1), [(0, 5, 1), (2, 5, 3)], (5, 0), id="difference below 0"),
        pytest.param(Op.DIFFERENCE, (1, -1), [(0, 5, 3), (2, 4, 1)], (4, NAN), id="difference with a gap"),
        pytest.param(
            Op.RISE, (1, 1), [(0, 4, 3), (2, 4, 1), (0, 5, 9), (2, 5, 2)], (5, 7), id="rise of the sum"
        ),
        pytest.param(
            Op.RISE,
            (1, 1),
            [(0, 4, 9), (2, 4, 1), (0, 5, 3), (2, 5, 2)],
            (5, 0),
            id="rise of a sum that falls",
        ),
        pytest.param(Op.RISE, (1, 1), [(0, 5, 3), (2, 5, 2)], (5, NAN), id="rise from an unknown value"),
    ],
)
def test_each_operation_has_the_value_and_the_minute_that_its_definition_gives(
    op: Op, weights: tuple[float, ...], written_points: list[Point], expected: tuple[int, float]
) -> None:
    rings, _ = rings_and_model(written_points)
    stored_formulas = Formulas()
    stored_formulas.put(0, formula_of(Usage(op, ((metric(0), weights[0]), (metric(2), weights[1])))))
    assert is_same_result(results_of(stored_formulas, rings)[0], expected)


a, zero_if_absent, b, other_zero_if_absent = map(metric, range(ROW_COUNT))
ALL_ROWS_READ = [(row, 5) for row in range(ROW_COUNT)]


@pytest.mark.parametrize(
    ("usage", "written_points", "read_minutes", "expected"),
    [
        pytest.param(percent_used(a), [(0, 5, 30)], ALL_ROWS_READ, (5, 70), id="percent used"),
        pytest.param(
            percent_used(a),
            [(0, 5, 30), (0, 6, 20)],
            ALL_ROWS_READ,
            (5, 70),
            id="percent used, with a newer provisional point",
        ),
        pytest.param(limit_minus(8, a), [(0, 5, 3)], ALL_ROWS_READ, (5, 5), id="limit_minus"),
        pytest.param(
            percent_used(a).scaled(0.5), [(0, 5, 30)], ALL_ROWS_READ, (5, 35), id="offset is scaled"
        ),
        pytest.param(ratio(a, b), [(0, 5, 3), (2, 5, 6)], ALL_ROWS_READ, (5, 0.5), id="ratio"),
        pytest.param(
            ratio(a, b).scaled(100), [(0, 5, 3), (2, 5, 6)], ALL_ROWS_READ, (5, 50), id="scaled ratio"
        ),
        pytest.param(ratio(a, b), [(0, 5, 3), (2, 5, 0)], ALL_ROWS_READ, (5, NAN), id="ratio to 0"),
        pytest.param(ratio(a, b), [(0, 5, 0), (2, 5, 0)], ALL_ROWS_READ, (5, NAN), id="ratio of 0 to 0"),
        pytest.param(
            ratio(a, zero_if_absent), [(0, 5, 3)], ALL_ROWS_READ, (5, NAN), id="ratio to a proven 0"
        ),
        pytest.param(ratio(a, b), [(0, 5, 3)], ALL_ROWS_READ, (NEVER, NAN), id="ratio to an unknown value"),
        pytest.param(
            ratio(a, b),
            [(0, 5, 1e38), (2, 5, 1e-38)],
            ALL_ROWS_READ,
            (5, NAN),
            id="ratio too large for float32",
        ),
        pytest.param(
            highest(ratio(a, zero_if_absent), ratio(b, other_zero_if_absent)),
            [(0, 5, 1), (1, 5, 2), (2, 5, 3), (3, 5, 4)],
            ALL_ROWS_READ,
            (5, 0.75),
            id="highest of ratios",
        ),
        pytest.param(
            highest(ratio(a, zero_if_absent), ratio(b, other_zero_if_absent)),
            [(0, 5, 1), (2, 5, 3), (3, 5, 4)],
            ALL_ROWS_READ,
            (5, NAN),
            id="a ratio to 0 is unknown, not absent",
        ),
        pytest.param(
            highest(ratio(a, zero_if_absent), difference(b, b)),
            [(0, 5, 1), (1, 5, 2)],
            ALL_ROWS_READ,
            (5, 0.5),
            id="highest of the present terms, while one is absent",
        ),
        pytest.param(
            total(difference(a, b), zero_if_absent),
            [(0, 5, 7), (1, 5, 2)],
            ALL_ROWS_READ,
            (5, NAN),
            id="a difference that lacks a term",
        ),
        pytest.param(
            total(difference(a, b), zero_if_absent),
            [(1, 5, 2)],
            ALL_ROWS_READ,
            (5, 2),
            id="a difference that is absent",
        ),
        pytest.param(
            total(difference(a, b), zero_if_absent),
            [(1, 5, 2)],
            ALL_ROWS_READ[1:],
            (NEVER, NAN),
            id="a difference that may still come",
        ),
        pytest.param(
            lowest(total(a, b), total(zero_if_absent)),
            [(0, 5, 7), (2, 5, 1), (1, 5, 9)],
            ALL_ROWS_READ,
            (5, 8),
            id="lowest of sums",
        ),
        pytest.param(
            difference(total(a, b), lowest(zero_if_absent, other_zero_if_absent)),
            [(0, 5, 7), (2, 5, 1), (1, 5, 9), (3, 5, 2)],
            ALL_ROWS_READ,
            (5, 6),
            id="difference of inner formulas",
        ),
        pytest.param(
            Usage(Op.RISE, ((ratio(a, b), 1.0),)),
            [(0, 4, 1), (2, 4, 4), (0, 5, 3), (2, 5, 4)],
            ALL_ROWS_READ,
            (5, 0.5),
            id="rise of a ratio",
        ),
        pytest.param(
            Usage(Op.SUM, ((limit_minus(9, total(a, b)), 2.0), (zero_if_absent, 1.0)), offset=0.5),
            [(0, 5, 1), (2, 5, 3), (1, 5, 4)],
            ALL_ROWS_READ,
            (5, 14.5),
            id="three levels with weights and offsets",
        ),
    ],
)
def test_a_nested_formula_has_the_value_that_its_terms_give(
    usage: Usage,
    written_points: list[Point],
    read_minutes: list[tuple[int, int]],
    expected: tuple[int, float],
) -> None:
    rings, _ = rings_and_model(written_points, read_minutes)
    stored_formulas = Formulas()
    stored_formulas.put(0, formula_of(usage))
    assert is_same_result(results_of(stored_formulas, rings)[0], expected)


@pytest.mark.parametrize(
    ("usage", "newest"),
    [
        pytest.param(total(a, b), START + 1, id="a sum that has grown"),
        pytest.param(lowest(a, b), START + 1, id="the lowest grows with either"),
        pytest.param(highest(total(a, b), a), START + 1, id="the highest of sums"),
        pytest.param(Usage(Op.SUM, ((a, 1.0), (b, 1.0)), offset=-50), START + 1, id="a sum with an offset"),
        pytest.param(ratio(a, b), START, id="a ratio may fall"),
        pytest.param(total(ratio(a, b), a), START, id="a sum with a ratio may fall"),
        pytest.param(Usage(Op.MAX, ((a, 1.0), (b, -1.0))), START, id="a weight below 0"),
        pytest.param(total(a, limit_minus(100, b)), START, id="a weight below 0 in an inner formula"),
    ],
)
def test_only_a_result_that_may_fall_waits_for_the_complete_minute(usage: Usage, newest: int) -> None:
    written_points = [(row, minute, 5.0 + minute - START) for row in (0, 2) for minute in (START, START + 1)]
    rings, _ = rings_and_model(written_points, [(0, START), (2, START)])
    stored_formulas = Formulas()
    stored_formulas.put(0, formula_of(usage))
    assert results_of(stored_formulas, rings)[0][0] == newest


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param(total(a, b), 5.0, id="sum"),
        pytest.param(total(highest(a, zero_if_absent), b), 5.0, id="sum of the highest"),
        pytest.param(lowest(a, b), NAN, id="lowest"),
        pytest.param(Usage(Op.SUM, ((a, 1.0), (b, -1.0))), NAN, id="a weight below 0"),
        pytest.param(total(ratio(a, a), b), NAN, id="sum with a ratio"),
    ],
)
def test_known_throttled_demand_is_a_lower_bound_only_in_sums_and_maxima_with_weights_above_0(
    usage: Usage, expected: float
) -> None:
    rings, _ = rings_and_model([(0, START, 5.0), (1, START, 5.0)], [(0, START), (1, START)])
    stored_formulas = Formulas(lower_bound_if_unknown=True)
    stored_formulas.put(0, formula_of(usage))
    slots, newest = np.array([0], np.int32), np.array([START], np.int32)
    np.testing.assert_array_equal(stored_formulas.at(rings, slots, newest), [expected])


@pytest.mark.parametrize(
    ("op", "terms"),
    [
        pytest.param(Op.RATIO, (a,), id="a ratio of one term"),
        pytest.param(Op.COUNT_DIFFERENCE, (a, total(b)), id="a count difference of a formula"),
        pytest.param(Op.READER_LAG, (total(a), b), id="a reader lag of a formula"),
    ],
)
def test_terms_that_an_operation_cannot_compute_are_refused(op: Op, terms: tuple[Term, ...]) -> None:
    with pytest.raises(ValueError, match=r"a ratio has two terms|the terms of .* are metrics"):
        Usage(op, tuple((term, 1.0) for term in terms))


@pytest.mark.parametrize(("newer_demand", "worst_demand"), [(0.0, NAN), (2.0, 2.0)])
def test_the_old_throttled_demand_of_a_late_metric_is_not_added_to_newer_throttled_demand(
    newer_demand: float, worst_demand: float
) -> None:
    """The known metrics are a lower bound of throttled demand, unless they are 0."""
    rings, _ = rings_and_model([(1, START, 7.0), (3, START + RECENT_MINUTES, newer_demand)])
    stored_formulas = Formulas(lower_bound_if_unknown=True)
    stored_formulas.put(0, formula_of(total(metric(1), metric(3))))
    (block,) = stored_formulas
    ((minute,), (demand,)) = block.worst_recent(rings)
    assert minute == START + RECENT_MINUTES
    np.testing.assert_array_equal(demand, worst_demand)
