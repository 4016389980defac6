"""The history of a fortnight: stored usage is returned, and a broken file is ignored."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet.namespaces import NEVER
from monitor.forecast.history import (
    MAGIC,
    RETAINED_BINS,
    UsageHistory,
    history_path,
)
from monitor.forecast.history_block import BLOCK_SIZE, HistoryBlock
from rules.analogs import BIN_MINUTES, BINS_PER_DAY
from rules.demand_forecast import CEILING_DAYS, late_bins, up_to_newest
from rules.forecast import BINS

NOW = 1_933_333  # the number of a bin
SERIES_ID = 0xFEEDFACE12345678


def usage_of(history: UsageHistory, row: int) -> np.ndarray[Any, Any]:
    """The usage of a row in its unit, the oldest bin first."""
    block, column = history.block_and_column(row)
    usage = block.recent()[:, column].astype(np.float64)
    return usage * float(block.scale[column] or 1)


def history_of(
    usage: object, first: int, created: int = NEVER, path: Path | None = None
) -> tuple[UsageHistory, int]:
    """A history of one series whose usage is known from the bin `first` on, and the row of the series.

    created: the minute of its creation; NEVER: not known.
    """
    history = UsageHistory(path)
    row = history.row(SERIES_ID, created, NOW)
    assert row is not None
    block, column = history.block_and_column(row)
    values = np.array(usage, np.float32)[:, None]
    block.put(np.array([column]), first, values, np.ones(values.shape, np.bool_))
    return history, row


@given(
    st.lists(st.sampled_from([np.nan, 0.0, 1.0, 65_504.0, 1e12, 3e38, -2.0, 0.001]), min_size=1, max_size=40),
    st.integers(0, 30),
)
def test_three_digits_of_any_usage_are_stored(usage: list[float], bins_ago: int) -> None:
    history, row = history_of(usage, NOW - bins_ago - len(usage) + 1)
    expected = np.full(BINS, np.nan)
    expected[BINS - bins_ago - len(usage) : BINS - bins_ago] = usage
    highest = np.nanmax(np.abs([0.0, *usage]))
    np.testing.assert_allclose(usage_of(history, row), expected, rtol=1e-3, atol=highest * 1e-7)


def test_earlier_usage_is_preserved_when_usage_grows_a_million_times() -> None:
    history, row = history_of([3.0, 7.0], NOW - 5)
    block, column = history.block_and_column(row)
    block.put(np.array([column]), NOW, np.array([[7e6]], np.float32), np.ones((1, 1), np.bool_))
    usage = usage_of(history, row)
    assert usage[-1] == pytest.approx(7e6, rel=1e-3)
    assert usage[-6] == pytest.approx(3.0, abs=0.5)


def test_usage_that_became_small_gets_a_smaller_scale() -> None:
    history, row = history_of([1e9], NOW)
    block, column = history.block_and_column(row)
    later = NOW + BINS
    block.advance(later)
    small = np.array([[1234.0]], np.float32)
    block.put(np.array([column]), later, small, np.ones((1, 1), np.bool_))
    block.shrink_scales(np.full(BLOCK_SIZE, block.usage[later % BINS, column], np.float32))
    block.put(np.array([column]), later, small, np.ones((1, 1), np.bool_))
    assert usage_of(history, row)[-1] == pytest.approx(1234, rel=1e-3)


def test_missing_bins_stay_missing_and_bins_older_than_a_fortnight_are_dropped() -> None:
    history, row = history_of([5.0, 6.0], NOW - 1)
    block, _ = history.block_and_column(row)
    block.advance(NOW + 3 * BINS_PER_DAY)
    usage = usage_of(history, row)
    assert usage[-3 * BINS_PER_DAY - 2 : -3 * BINS_PER_DAY].tolist() == [5, 6]
    assert np.isnan(usage[-3 * BINS_PER_DAY :]).all()
    history, row = history_of([5.0, 6.0], NOW - 1)
    block, _ = history.block_and_column(row)
    block.advance(NOW + BINS - 1)
    assert np.isfinite(usage_of(history, row)).sum() == 1
    block.advance(NOW + 10 * BINS)
    assert np.isnan(usage_of(history, row)).all()


def test_an_incomplete_bin_only_rises_and_later_reads_fill_missing_bins() -> None:
    history, row = history_of([5.0, np.nan, 7.0], NOW - 2)
    block, column = history.block_and_column(row)
    update, columns = np.array([[4.0], [1.0], [9.0]], np.float32), np.array([column])
    block.put(columns, NOW - 2, update, np.zeros((3, 1), np.bool_))
    assert usage_of(history, row)[-3:].tolist() == [5, 1, 9]
    block.put(columns, NOW - 3, np.array([[2.0], [8.0]], np.float32))
    assert usage_of(history, row)[-4:].tolist() == [2, 5, 1, 9]
    block.put(columns, NOW, np.array([[3.0]], np.float32), np.ones((1, 1), np.bool_))
    assert usage_of(history, row)[-1] == 3


def test_usage_outside_the_fortnight_is_not_stored() -> None:
    history, row = history_of(np.arange(1, BINS + 20), NOW - BINS - 9)
    usage = usage_of(history, row)
    assert usage[0] == pytest.approx(11, rel=1e-3)
    assert usage[-1] == pytest.approx(BINS + 10, rel=1e-3)


def test_the_usage_of_a_late_series_ends_with_its_newest_known_bin() -> None:
    history, row = history_of([1.0, 2.0, 3.0], NOW - 4)
    block, column = history.block_and_column(row)
    bins_late = late_bins(block.recent(), 5)
    assert bins_late[column] == 2
    assert (np.delete(bins_late, column) == 5).all()
    usage = up_to_newest(block.recent(), np.where(np.arange(BLOCK_SIZE) == column, bins_late, 0))
    assert (usage[-3:, column] * block.scale[column]).tolist() == [1, 2, 3]


def test_a_recreated_resource_has_no_history_of_the_deleted_resource() -> None:
    history, row = history_of([5.0, 6.0, 7.0], NOW - 2, created=(NOW - 400) * BIN_MINUTES)
    block, column = history.block_and_column(row)
    block.note_throttling(np.array([column]), NOW // BINS_PER_DAY, np.array([0.4], np.float32))
    assert history.row(SERIES_ID, (NOW - 1) * BIN_MINUTES - 7, NOW) == row
    assert np.isnan(usage_of(history, row)[:-2]).all()
    assert usage_of(history, row)[-2:].tolist() == [6, 7]
    assert np.isnan(block.ceiling[column])


def test_a_creation_time_that_differs_by_a_minute_means_the_same_resource() -> None:
    created = (NOW - 1) * BIN_MINUTES
    history, row = history_of([5.0], NOW, created)
    block, column = history.block_and_column(row)
    block.note_throttling(np.array([column]), NOW // BINS_PER_DAY, np.array([0.4], np.float32))
    assert history.row(SERIES_ID, created + 1, NOW) == row
    assert block.ceiling[column] == pytest.approx(0.4, rel=1e-3)


def test_the_ceiling_is_the_lowest_throttled_utilization_of_the_last_fortnight() -> None:
    history, row = history_of([5.0], NOW)
    block, column = history.block_and_column(row)
    for day, utilization in ((0, 0.6), (1, 0.9), (0, 0.7)):
        block.note_throttling(
            np.array([column]), NOW // BINS_PER_DAY + day - 1, np.array([utilization], np.float32)
        )
    assert block.ceiling[column] == pytest.approx(0.6, rel=1e-3)
    block.advance(NOW + (CEILING_DAYS - 1) * BINS_PER_DAY)
    assert block.ceiling[column] == pytest.approx(0.9, rel=1e-3)
    block.advance(NOW + (CEILING_DAYS + 1) * BINS_PER_DAY)
    assert np.isnan(block.ceiling[column])


def test_a_series_removed_hours_ago_frees_its_row() -> None:
    history, row = history_of([5.0], NOW)
    history.advance(NOW + RETAINED_BINS)
    assert len(history) == 1
    history.advance(NOW + RETAINED_BINS + 1)
    assert len(history) == 0
    assert history.row(SERIES_ID + 1, NEVER, NOW) == row
    assert np.isnan(usage_of(history, row)).all()


async def test_a_saved_history_is_read_back_after_a_restart(tmp_path: Path) -> None:
    path = history_path(tmp_path / "headroom.db")
    history, row = history_of([5.0, np.nan, 7e9], NOW - 2, NOW * BIN_MINUTES - 40_000, path)
    for number in range(BLOCK_SIZE + 3):
        history.row(number + 1, NEVER, NOW)
    block, column = history.block_and_column(row)
    block.is_read[column] = True
    block.note_throttling(np.array([column]), NOW // BINS_PER_DAY, np.array([0.5], np.float32))
    await history.save()
    assert path.stat().st_mode & 0o077 == 0
    restored = UsageHistory.read(path, NOW + 3)
    assert len(restored) == len(history) == BLOCK_SIZE + 4
    assert restored.row(SERIES_ID, NOW * BIN_MINUTES - 40_000, NOW + 3) == row
    np.testing.assert_array_equal(usage_of(restored, row), usage_of(history, row))
    block, column = restored.block_and_column(row)
    assert block.is_read[column]
    assert block.ceiling[column] == 0.5
    assert restored.row(BLOCK_SIZE + 50, NEVER, NOW) not in {None, row}


def truncate(content: bytes) -> bytes:
    return content[:-100]


def flip_a_bit(content: bytes) -> bytes:
    return content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]


def change_magic(content: bytes) -> bytes:
    return b"x" + content[1:]


def append_bytes(content: bytes) -> bytes:
    return content + b"12345"


@pytest.mark.parametrize("change", [truncate, flip_a_bit, change_magic, append_bytes])
async def test_a_broken_file_is_ignored_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: Any
) -> None:
    path = tmp_path / "usage.history"
    history, _ = history_of([5.0], NOW, path=path)
    await history.save()
    path.write_bytes(change(path.read_bytes()))
    assert len(UsageHistory.read(path, NOW)) == 0
    assert "cannot be used, and the usage of a fortnight is read again" in caplog.text


async def test_a_file_whose_newest_bin_is_in_the_future_or_older_than_a_fortnight_is_ignored(
    tmp_path: Path,
) -> None:
    path = tmp_path / "usage.history"
    history, _ = history_of([5.0], NOW, path=path)
    await history.save()
    assert len(UsageHistory.read(path, NOW - 1)) == 0
    assert len(UsageHistory.read(path, NOW + BINS)) == 0
    assert len(UsageHistory.read(path, NOW + BINS - 1)) == 1


async def test_a_file_that_cannot_be_written_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "usage.history"
    path.mkdir()
    history, _ = history_of([5.0], NOW, path=path)
    await history.save()
    assert "usage.history cannot be written" in caplog.text


def test_a_missing_or_empty_file_is_an_empty_history_without_a_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "usage.history"
    assert len(UsageHistory.read(path, NOW)) == 0
    path.touch()
    assert len(UsageHistory.read(path, NOW)) == 0
    assert not caplog.records
    path.write_bytes(MAGIC)
    assert len(UsageHistory.read(path, NOW)) == 0


def test_a_block_of_the_wrong_length_raises_an_error() -> None:
    with pytest.raises(ValueError, match="a block has"):
        HistoryBlock.from_bytes(0, b"123")
