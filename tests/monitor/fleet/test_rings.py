"""Rings against a plain model: for each row, a dict of points and the minute up to which it was read."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet.columns import INITIAL_CAPACITY
from monitor.fleet.namespaces import NEVER, NO_NAMESPACE
from monitor.fleet.ring_columns import RECENT_MINUTES, WINDOW
from monitor.fleet.rings import Rings
from rules.arrays import Floats, Ints
from tests.monitor.fleet.points import NAN, Model, Point, Row

START = 29_000_000
ROW_COUNT = 3
rows = st.integers(0, ROW_COUNT - 1)
minutes = st.one_of(st.integers(START, START + 20), st.integers(START, START + 3 * WINDOW))
numbers = st.one_of(
    st.floats(0, 1e9, width=32), st.sampled_from([0.0, NAN, math.inf, -math.inf]), st.just(7.0)
)
writes = st.lists(st.tuples(rows, minutes, numbers), max_size=12)
reads = st.tuples(st.lists(rows, unique=True), minutes)
freed_rows = rows  # rows to free


def ints(*values: int) -> Ints:
    return np.array(values, np.int32)


def floats(*values: float) -> Floats:
    return np.array(values, np.float32)


def write(rings: Rings, points: list[Point]) -> int:
    """Write points, and return the number of points that were not stored."""
    columns = list(zip(*points, strict=True)) or [(), (), ()]
    return rings.write(ints(*columns[0]), ints(*columns[1]), floats(*columns[2]))


def rings_of(*zero_when_absent: bool, share_namespace: bool = False) -> Rings:
    """Return rings with a row for each flag.

    share_namespace: all rows are of one namespace; else they are of none.
    """
    rings = Rings()
    namespace = rings.namespaces.number_of("AWS/Test") if share_namespace else NO_NAMESPACE
    for flag in zero_when_absent:
        rings.declare(rings.allocate(), namespace, flag)
    return rings


def assert_same(values: Floats, expected: list[float]) -> None:
    """Check that values are equal; NaN equals NaN."""
    np.testing.assert_array_equal(values, floats(*expected))


def assert_equals_model(rings: Rings, model: Model) -> None:
    """Check that rings and model have the same values and state of each metric."""
    all_minutes = range(START - 5, START + 3 * WINDOW + 5)
    for number, row in enumerate(model.rows):
        values = rings.at(np.full(len(all_minutes), number, np.int32), ints(*all_minutes))
        assert_same(values, [row.at(minute) for minute in all_minutes])
        latest_value = NAN if row.latest_minute is None else row.at(row.latest_minute)
        assert_same(rings.latest_value[[number]], [latest_value])
        assert_same(rings.recent_max[[number]], [row.recent_max])
        assert rings.recent_minutes[number] == row.recent_minutes
        if row.latest_minute is not None:
            assert rings.latest_minute[number] == row.latest_minute
        assert rings.read_through[number] == row.read_through
        assert rings.proven_through[number] == row.proven_through
        assert rings.complete_through(ints(number)) == row.complete_through


@given(
    st.lists(st.booleans(), min_size=ROW_COUNT, max_size=ROW_COUNT),
    st.booleans(),
    st.lists(st.one_of(writes, reads, freed_rows), max_size=12),
)
def test_any_writes_and_reads_agree_with_a_simple_model(
    zero_when_absent: list[bool], share_namespace: bool, steps: list[object]
) -> None:
    rings, model = (
        rings_of(*zero_when_absent, share_namespace=share_namespace),
        Model(zero_when_absent, share_namespace),
    )
    for step in steps:
        match step:
            case list():
                assert write(rings, step) == model.write(step)
            case (list() as row_numbers, int() as minute):
                rings.mark_read(ints(*row_numbers), minute)
                model.mark_read(row_numbers, minute)
            case int() as row:
                rings.free(row)
                assert rings.allocate() == row
                rings.declare(
                    row,
                    rings.namespaces.number_of("AWS/Test") if share_namespace else NO_NAMESPACE,
                    zero_when_absent[row],
                )
                model.rows[row] = Row(zero_when_absent[row], model.namespace)
        assert_equals_model(rings, model)


@given(st.lists(st.tuples(rows, minutes, st.floats(0, 1e9, width=32)), unique_by=lambda point: point[:2]))
def test_the_order_of_the_points_does_not_matter(points: list[Point]) -> None:
    rings_at_once, rings_one_by_one = rings_of(False, True, False), rings_of(False, True, False)
    write(rings_at_once, points)
    for point in reversed(points):
        write(rings_one_by_one, [point])
    for column in ("read_through", "newest_point", "latest_minute", "latest_value", "recent_max"):
        np.testing.assert_array_equal(
            getattr(rings_at_once, column)[:ROW_COUNT], getattr(rings_one_by_one, column)[:ROW_COUNT]
        )


def test_a_later_write_replaces_an_earlier_one_and_a_nan_replaces_nothing() -> None:
    rings = rings_of(False)
    assert write(rings, [(0, START, 1.0), (0, START, 2.0), (0, START, NAN)]) == 1
    assert rings.latest_value[0] == 2.0
    assert write(rings, [(0, START, 3.0)]) == 0
    assert rings.latest_value[0] == 3.0


def test_a_minute_that_was_read_without_a_point_is_zero_only_if_the_metric_is_zero_when_absent() -> None:
    rings = rings_of(True, False)
    write(rings, [(0, START, 5.0), (1, START, 5.0)])
    rings.mark_read(ints(0, 1), START + 3)
    assert rings.latest_minute[:2].tolist() == [START + 3, START]
    assert rings.latest_value[:2].tolist() == [0.0, 5.0]
    assert rings.recent_max[:2].tolist() == [5.0, 5.0]
    rings.mark_read(ints(0, 1), START + RECENT_MINUTES)
    assert rings.recent_max[0] == 0.0  # the value 5 is no longer recent


@pytest.mark.parametrize("interval", [1, 5, 15, 60])
def test_throttled_demand_since_the_previous_poll_counts_until_the_next_poll(interval: int) -> None:
    """It counts for at least RECENT_MINUTES minutes. If polls are rarer, it counts until the next poll."""
    rings = rings_of(True)
    rings.mark_read(ints(0), START)
    write(rings, [(0, START + 1, 50.0)])
    are_counted = []
    for minute in range(START + interval, START + interval + 2 * 60, interval):
        rings.mark_read(ints(0), minute)
        are_counted.append(bool(rings.recent_max[0] > 0))
    counting_polls = max(RECENT_MINUTES // interval, 1)
    assert are_counted == [True] * counting_polls + [False] * (len(are_counted) - counting_polls)


def test_a_poll_after_failed_polls_counts_the_throttled_demand_since_the_last_success() -> None:
    rings = rings_of(True)
    rings.mark_read(ints(0), START)
    write(rings, [(0, START + 2, 50.0)])
    rings.mark_read(ints(0), START + 45)
    assert rings.recent_max[0] == 50.0
    rings.mark_read(ints(0), START + 50)
    assert rings.recent_max[0] == 0.0


def test_throttled_demand_that_comes_late_counts_until_the_next_poll() -> None:
    rings = rings_of(True)
    rings.mark_read(ints(0), START)
    rings.mark_read(ints(0), START + 10)
    write(rings, [(0, START + 2, 50.0)])
    rings.mark_read(ints(0), START + 11)
    assert rings.recent_max[0] == 50.0
    rings.mark_read(ints(0), START + 12)
    assert rings.recent_max[0] == 0.0


def test_throttled_demand_of_the_first_poll_is_not_recent() -> None:
    rings = rings_of(True)
    write(rings, [(0, START - 100, 50.0)])
    rings.mark_read(ints(0), START)
    assert rings.recent_max[0] == 0.0


@pytest.mark.parametrize("zero_when_absent", [False, True])
def test_a_metric_that_was_never_read_has_no_history(zero_when_absent: bool) -> None:
    _, values = rings_of(zero_when_absent).history(0)
    assert np.isnan(values).all()


def test_history_is_the_window_up_to_the_last_minute_read() -> None:
    rings = rings_of(False)
    write(rings, [(0, START, 1.0), (0, START + 2, 3.0)])
    rings.mark_read(ints(0), START + 4)
    history_minutes, values = rings.history(0)
    assert history_minutes.tolist() == list(range(START + 5 - WINDOW, START + 5))
    assert_same(values[-5:], [1.0, NAN, 3.0, NAN, NAN])
    assert np.isnan(values[:-5]).all()


def test_an_empty_write_changes_nothing() -> None:
    rings = rings_of(False)
    assert write(rings, []) == 0
    rings.mark_read(ints(), START)
    assert rings.read_through[0] == NEVER


def test_rows_keep_their_points_when_the_columns_grow() -> None:
    rings = rings_of(*[False] * INITIAL_CAPACITY)
    write(rings, [(0, START, 1.0), (INITIAL_CAPACITY - 1, START, 2.0)])
    assert rings.allocate() == INITIAL_CAPACITY
    assert rings.latest_value[[0, INITIAL_CAPACITY - 1]].tolist() == [1.0, 2.0]
    assert rings.latest_minute[INITIAL_CAPACITY] == NEVER
    assert np.isnan(rings.history(INITIAL_CAPACITY)[1]).all()


def test_a_freed_row_is_reused_before_a_new_row() -> None:
    rings = rings_of(False, False)
    rings.free(0)
    assert [rings.allocate(), rings.allocate()] == [0, 2]
