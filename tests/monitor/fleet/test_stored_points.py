"""Points that are stored in as few bytes as hold them exactly, against a plain table."""

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


def stored(rows: int = ROWS) -> StoredPoints:
    points = StoredPoints(WIDTH)
    points.grow_to(rows)
    return points


def put(points: StoredPoints, some: Sequence[Point]) -> None:
    rows, minutes, values = (np.array([one[n] for one in some]) for n in range(3))
    points.put(rows.astype(np.int32), minutes.astype(np.int32), values.astype(np.float32))


def all_of(points: StoredPoints) -> list[list[float]]:
    everything: list[list[float]] = points.get(np.arange(ROWS)[:, None], np.arange(WIDTH)).tolist()
    return everything


@given(CHANGES)
def test_the_stored_points_are_those_put_and_not_removed(changes: list[tuple[str, list[Point]]]) -> None:
    points, plain = stored(), np.full((ROWS, WIDTH), np.nan, np.float32)
    for change, some in changes:
        rows = np.array([one[0] for one in some], np.int32)
        minutes = np.array([one[1] for one in some], np.int32)
        if change == "put":
            put(points, some)
            for row, minute, value in some:
                plain[row, minute] = value
        elif change == "remove":
            points.remove(rows, minutes)
            plain[rows, minutes] = np.nan
        else:
            points.remove_all(rows)
            plain[rows] = np.nan
        assert np.array_equal(all_of(points), plain, equal_nan=True)


def test_each_row_is_read_alone_as_with_all_other_rows() -> None:
    points = stored()
    put(points, [(0, 1, 3.0), (1, 1, 0.25), (1, 2, 7.0), (3, 4, 1e9)])
    alone = [points.get(np.array([row]), np.arange(WIDTH)).tolist() for row in range(ROWS)]
    assert np.array_equal(alone, all_of(points), equal_nan=True)


@pytest.mark.parametrize(
    ("values", "bytes_each"), [((0.0,), 1), ((0.0, float(MAX_SMALL)), 1), ((0.0, 0.5), 4), ((1e6, 0.0), 4)]
)
def test_a_point_takes_a_byte_until_a_value_of_its_row_needs_more(
    values: Sequence[float], bytes_each: int
) -> None:
    points = stored()
    before = points.allocated_bytes
    for n, value in enumerate(values):
        put(points, [(2, n, value)])
    freed = WIDTH if bytes_each == 4 and values[0] == 0 else 0  # which the next row takes
    assert points.allocated_bytes - before - freed == bytes_each * WIDTH


def test_rows_without_points_take_no_memory_and_freed_memory_is_used_again() -> None:
    points = stored(1000)
    before = points.allocated_bytes
    for _ in range(3):
        put(points, [(row, 0, 1.0 if row % 2 else 0.5) for row in range(10)])
        after = points.allocated_bytes
        points.remove_all(np.arange(10, dtype=np.int32))
    put(points, [(row, 1, 0.5 if row % 2 else 1.0) for row in range(10)])
    assert points.allocated_bytes == after
    assert after - before == 5 * WIDTH + 5 * 4 * WIDTH


def test_a_row_that_is_removed_twice_at_once_is_used_once() -> None:
    points = stored()
    put(points, [(0, 0, 1.0)])
    points.remove_all(np.array([0, 0], np.int32))
    put(points, [(1, 0, 1.0), (2, 0, 2.0)])
    assert points.get(np.array([1, 2]), np.array([0, 0])).tolist() == [1.0, 2.0]


def test_points_stay_while_the_room_for_them_grows() -> None:
    points = stored(3000)
    for row in range(3000):
        put(points, [(row, 1, float(row)), (row, 2, row + 0.5 if row % 3 == 0 else 0.0)])
    rows = np.arange(3000, dtype=np.int32)
    assert np.array_equal(points.get(rows, np.array([1], np.int32)), rows.astype(np.float32))
    assert points.get(np.array([2997, 2998]), np.array([2])).tolist() == [2997.5, 0.0]
    assert np.isnan(points.get(rows, np.array([3], np.int32))).all()
