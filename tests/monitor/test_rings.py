"""Rings against a plain model: a dict of points a row, and the minute up to which it was read."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.columns import FIRST, Floats, Ints
from monitor.rings import NEVER, RECENT, WINDOW, Rings
from tests.monitor.points import NAN, Model, Point, Row

START = 29_000_000
ROWS = 3
rows = st.integers(0, ROWS - 1)
minutes = st.one_of(st.integers(START, START + 20), st.integers(START, START + 3 * WINDOW))
numbers = st.one_of(
    st.floats(0, 1e9, width=32), st.sampled_from([0.0, NAN, math.inf, -math.inf]), st.just(7.0)
)
writes = st.lists(st.tuples(rows, minutes, numbers), max_size=12)
reads = st.tuples(st.lists(rows, unique=True), minutes)
frees = rows


def ints(*values: int) -> Ints:
    return np.array(values, np.int32)


def floats(*values: float) -> Floats:
    return np.array(values, np.float32)


def write(rings: Rings, points: list[Point]) -> int:
    columns = list(zip(*points, strict=True)) or [(), (), ()]
    return rings.write(ints(*columns[0]), ints(*columns[1]), floats(*columns[2]))


def rings_of(*zero: bool) -> Rings:
    """Rings with a row for each flag, which says whether an absent point is 0."""
    rings = Rings()
    for flag in zero:
        rings.zero[rings.take()] = flag
    return rings


def same(found: Floats, expected: list[float]) -> None:
    np.testing.assert_array_equal(found, floats(*expected))


def agree(rings: Rings, model: Model) -> None:
    span = range(START - 5, START + 3 * WINDOW + 5)
    for number, row in enumerate(model.rows):
        found = rings.at(np.full(len(span), number, np.int32), ints(*span))
        same(found, [row.at(minute) for minute in span])
        same(rings.last[[number]], [NAN if row.known is None else row.at(row.known)])
        same(rings.recent[[number]], [row.recent])
        if row.known is not None:
            assert rings.known[number] == row.known
        assert rings.read[number] == row.read


@given(
    st.lists(st.booleans(), min_size=ROWS, max_size=ROWS),
    st.lists(st.one_of(writes, reads, frees), max_size=12),
)
def test_any_writes_and_reads_give_what_the_points_say(zero: list[bool], turns: list[object]) -> None:
    rings, model = rings_of(*zero), Model(zero)
    for turn in turns:
        match turn:
            case list():
                assert write(rings, turn) == model.write(turn)
            case (list() as chosen, int() as minute):
                rings.mark_read(ints(*chosen), minute)
                model.mark_read(chosen, minute)
            case int() as row:
                rings.give_back(row)
                assert rings.take() == row
                rings.zero[row] = zero[row]
                model.rows[row] = Row(zero[row])
        agree(rings, model)


@given(st.lists(st.tuples(rows, minutes, st.floats(0, 1e9, width=32)), unique_by=lambda point: point[:2]))
def test_the_order_of_the_points_does_not_matter(points: list[Point]) -> None:
    at_once, one_by_one = rings_of(False, True, False), rings_of(False, True, False)
    write(at_once, points)
    for point in reversed(points):
        write(one_by_one, [point])
    for column in ("read", "newest", "known", "last", "recent"):
        np.testing.assert_array_equal(getattr(at_once, column)[:ROWS], getattr(one_by_one, column)[:ROWS])


def test_a_later_write_replaces_an_earlier_one_and_a_nan_replaces_nothing() -> None:
    rings = rings_of(False)
    assert write(rings, [(0, START, 1.0), (0, START, 2.0), (0, START, NAN)]) == 1
    assert rings.last[0] == 2.0
    assert write(rings, [(0, START, 3.0)]) == 0
    assert rings.last[0] == 3.0


def test_a_minute_that_was_read_without_a_point_is_zero_only_where_it_is_declared() -> None:
    rings = rings_of(True, False)
    write(rings, [(0, START, 5.0), (1, START, 5.0)])
    rings.mark_read(ints(0, 1), START + 3)
    assert rings.known[:2].tolist() == [START + 3, START]
    assert rings.last[:2].tolist() == [0.0, 5.0]
    assert rings.recent[:2].tolist() == [5.0, 5.0]
    rings.mark_read(ints(0, 1), START + RECENT)
    assert rings.recent[0] == 0.0  # what was refused no longer shows


@pytest.mark.parametrize("zero", [False, True])
def test_a_metric_that_was_never_read_has_no_history(zero: bool) -> None:
    _, values = rings_of(zero).history(0)
    assert np.isnan(values).all()


def test_history_is_the_window_up_to_the_last_minute_read() -> None:
    rings = rings_of(False)
    write(rings, [(0, START, 1.0), (0, START + 2, 3.0)])
    rings.mark_read(ints(0), START + 4)
    found, values = rings.history(0)
    assert found.tolist() == list(range(START + 5 - WINDOW, START + 5))
    same(values[-5:], [1.0, NAN, 3.0, NAN, NAN])
    assert np.isnan(values[:-5]).all()


def test_nothing_written_is_no_error() -> None:
    rings = rings_of(False)
    assert write(rings, []) == 0
    rings.mark_read(ints(), START)
    assert rings.read[0] == NEVER


def test_rows_keep_their_points_when_the_columns_grow() -> None:
    rings = rings_of(*[False] * FIRST)
    write(rings, [(0, START, 1.0), (FIRST - 1, START, 2.0)])
    assert rings.take() == FIRST
    assert rings.last[[0, FIRST - 1]].tolist() == [1.0, 2.0]
    assert rings.known[FIRST] == NEVER
    assert np.isnan(rings.values[FIRST]).all()


def test_a_freed_row_is_used_again_before_a_new_one() -> None:
    rings = rings_of(False, False)
    rings.give_back(0)
    assert [rings.take(), rings.take()] == [0, 2]
