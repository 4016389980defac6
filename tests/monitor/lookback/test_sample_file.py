"""The file of samples: points are written metric by metric, and read by minutes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.lookback.sample_file import CHUNK, SampleFile, chunk_count, chunk_minutes
from rules.arrays import Floats, Ints

ROWS = np.array([2, 3, 4, 9, 11], np.int32)
starts = st.integers(29_000_000, 29_000_500)  # minutes since the epoch


def points(values: dict[tuple[int, int], float]) -> tuple[Ints, Ints, Floats]:
    """Return rows, minutes and values as arrays. values: by row and minute."""
    rows, minutes = (np.array([key[n] for key in values], np.int32) for n in (0, 1))
    return rows, minutes, np.array([*values.values()], np.float32)


def read_all(file: SampleFile) -> dict[tuple[int, int], float]:
    points_read: dict[tuple[int, int], float] = {}
    for number in range(chunk_count(file.minutes)):
        rows, minutes, values = file.chunk(number)
        assert all(int(minute) in chunk_minutes(file.minutes, number) for minute in minutes)
        points_read |= dict(
            zip(zip(rows.tolist(), minutes.tolist(), strict=True), values.tolist(), strict=True)
        )
    return points_read


@given(
    starts,
    st.integers(1, 900),
    st.sampled_from([1, 5]),
    st.dictionaries(
        st.tuples(st.sampled_from(ROWS.tolist()), st.integers(0, 179)),
        st.floats(-(2.0**90), 2.0**90, width=32),
    ),
    st.permutations([[2, 4], [3], [11, 9]]),
)
def test_each_point_is_read_in_its_chunk(
    start: int, length: int, step: int, drawn: dict[tuple[int, int], float], batches: list[list[int]]
) -> None:
    first = -(-start // step) * step  # the first multiple of `step` from `start` on
    minutes = range(first, first + length)
    written = {(row, first + position * step): value for (row, position), value in drawn.items()}
    with SampleFile(ROWS, minutes, step) as file:
        for batch in batches:
            batch_points = {(row, minute): value for (row, minute), value in written.items() if row in batch}
            file.write(np.array(batch), points(batch_points))
        assert file.rows.tolist() == ROWS.tolist()
        assert read_all(file) == {
            (row, minute): value for (row, minute), value in written.items() if minute in minutes
        }


def test_a_file_has_the_rows_that_were_written_even_without_points() -> None:
    with SampleFile(ROWS, range(600, 1200)) as file:
        file.write(np.array([3]), points({}))
        assert file.rows.tolist() == [3]
        assert read_all(file) == {}


def test_nan_and_infinity_are_not_stored_as_points() -> None:
    with SampleFile(ROWS, range(600, 1200)) as file:
        file.write(np.array([3]), points({(3, 601): float("nan"), (3, 602): float("inf"), (3, 603): 0.0}))
        assert read_all(file) == {(3, 603): 0.0}


def test_chunks_cover_all_minutes_once() -> None:
    minutes = range(1000, 2345)
    covered = [minute for number in range(chunk_count(minutes)) for minute in chunk_minutes(minutes, number)]
    assert covered == [*minutes]
    assert all(len(chunk_minutes(minutes, number)) <= CHUNK for number in range(chunk_count(minutes)))
