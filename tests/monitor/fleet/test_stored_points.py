"""Stored points, compared with a plain table of floats."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet.stored_points import MAX_SMALL, StoredPoints

ROWS, WIDTH = 6, 5
VALUES = st.sampled_from([0.0, 1.0, 254.0, 255.0, 0.5, -1.0, 1e-30, 3e38, 70_000.0]) | st.floats(
    width=32, allow_nan=False, allow_infinity=False
)
POINTS = st.tuples(st.integers(0, ROWS - 1), st.integers(0, WIDTH - 1), VALUES)
CHANGES = st.lists(
    st.tuples(st.just("put"), st.lists(POINTS, max_size=8))
    | st.tuples(st.sampled_from(["remove", "remove all"]), st.lists(POINTS, max_size=3)),
    max_size=12,
)
Point = tuple[int, int, float]


def empty_store(rows: int = ROWS) -> StoredPoints:
    points = StoredPoints(WIDTH)
    points.grow_to(rows)
    return points


def put(stored_points: StoredPoints, points: Sequence[Point]) -> None:
    rows, minutes, values = (np.array([point[n] for point in points]) for n in range(3))
    stored_points.put(rows.astype(np.int32), minutes.astype(np.int32), values.astype(np.float32))


def all_points(points: StoredPoints) -> list[list[float]]:
    table: list[list[float]] = points.get(np.arange(ROWS)[:, None], np.arange(WIDTH)).tolist()
    return table


@given(CHANGES)
def test_points_are_returned_until_they_are_removed(changes: list[tuple[str, list[Point]]]) -> None:
    points, table = empty_store(), np.full((ROWS, WIDTH), np.nan, np.float32)
    for change, change_points in changes:
        rows = np.array([point[0] for point in change_points], np.int32)
        minutes = np.array([point[1] for point in change_points], np.int32)
        if change == "put":
            put(points, change_points)
            for row, minute, value in change_points:
                table[row, minute] = value
        elif change == "remove":
            points.remove(rows, minutes)
            table[rows, minutes] = np.nan
        else:
            points.remove_all(rows)
            table[rows] = np.nan
        assert np.array_equal(all_points(points), table, equal_nan=True)


def test_a_row_read_alone_has_the_same_points_as_among_all_rows() -> None:
    points = empty_store()
    put(points, [(0, 1, 3.0), (1, 1, 0.25), (1, 2, 7.0), (3, 4, 1e9)])
    points_by_row = [points.get(np.array([row]), np.arange(WIDTH)).tolist() for row in range(ROWS)]
    assert np.array_equal(points_by_row, all_points(points), equal_nan=True)


@pytest.mark.parametrize(
    ("values", "bytes_per_point"),
    [((0.0,), 1), ((0.0, float(MAX_SMALL)), 1), ((0.0, 0.5), 4), ((1e6, 0.0), 4)],
)
def test_a_point_takes_one_byte_until_its_row_gets_a_value_that_needs_four(
    values: Sequence[float], bytes_per_point: int
) -> None:
    points = empty_store()
    bytes_before = points.allocated_bytes
    for minute, value in enumerate(values):
        put(points, [(2, minute, value)])
    # A row that gets four bytes a point leaves its row of one byte a point, which still counts as allocated.
    freed_bytes = WIDTH if bytes_per_point == 4 and values[0] == 0 else 0
    assert points.allocated_bytes - bytes_before - freed_bytes == bytes_per_point * WIDTH


def test_rows_without_points_take_no_memory_and_freed_memory_is_used_again() -> None:
    points = empty_store(1000)
    bytes_before = points.allocated_bytes
    for _ in range(3):
        put(points, [(row, 0, 1.0 if row % 2 else 0.5) for row in range(10)])
        bytes_with_points = points.allocated_bytes
        points.remove_all(np.arange(10, dtype=np.int32))
    put(points, [(row, 1, 0.5 if row % 2 else 1.0) for row in range(10)])
    assert points.allocated_bytes == bytes_with_points
    assert bytes_with_points - bytes_before == 5 * WIDTH + 5 * 4 * WIDTH  # one or four bytes a point


def test_a_row_removed_twice_in_one_call_is_reused_once() -> None:
    points = empty_store()
    put(points, [(0, 0, 1.0)])
    points.remove_all(np.array([0, 0], np.int32))
    put(points, [(1, 0, 1.0), (2, 0, 2.0)])
    assert points.get(np.array([1, 2]), np.array([0, 0])).tolist() == [1.0, 2.0]


def test_points_are_unchanged_when_the_store_grows() -> None:
    points = empty_store(3000)
    for row in range(3000):
        put(points, [(row, 1, float(row)), (row, 2, row + 0.5 if row % 3 == 0 else 0.0)])
    rows = np.arange(3000, dtype=np.int32)
    assert np.array_equal(points.get(rows, np.array([1], np.int32)), rows.astype(np.float32))
    assert points.get(np.array([2997, 2998]), np.array([2])).tolist() == [2997.5, 0.0]
    assert np.isnan(points.get(rows, np.array([3], np.int32))).all()
