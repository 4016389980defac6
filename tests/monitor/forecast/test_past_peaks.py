"""Peaks of a fortnight, which equal a plain computation and are unknown for a slot with another series."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.fleet.namespaces import NEVER
from monitor.forecast.history_block import BLOCK_SIZE, HistoryBlock
from rules.analogs import BIN_MINUTES
from rules.forecast import BINS
from tests.monitor.forecast.fortnights import Fortnight, fortnight

NOW_BIN = 1_933_333  # the number of a bin
numbers = st.one_of(st.just(float("nan")), st.floats(0, 1e9, width=32))


@settings(max_examples=30)
@given(st.lists(numbers, min_size=1, max_size=30), st.integers(0, BINS - 31))
def test_the_highest_half_float_is_found_by_comparing_bits(values: list[float], first: int) -> None:
    block, usage = HistoryBlock(NOW_BIN), np.array(values, np.float32)[:, None]
    block.put(np.array([3]), NOW_BIN - BINS + 1 + first, usage)
    highest, stored_usage = block.highest, block.usage_of(np.array([3]))[0]
    assert highest.size == BLOCK_SIZE
    assert np.isnan(np.delete(highest, 3)).all()
    expected = np.fmax.reduce(stored_usage[:, 0])
    assert highest[3] == pytest.approx(expected, nan_ok=True)
    if np.isfinite(usage).any():
        assert highest[3] == pytest.approx(np.nanmax(usage), rel=1e-3, abs=1e-6)


async def store_usage(setup: Fortnight, **past: np.ndarray) -> dict[str, int]:
    """Add series with these fortnights of past usage, by name, and return their slots by name."""
    slots = {name: setup.put(name).slot for name in past}
    await setup.poll()
    await setup.forecaster.recorder.record(setup.now)
    recorder = setup.forecaster.recorder
    for name, usage in past.items():
        block, column = recorder.history.block_and_column(int(recorder.rows[slots[name]]))
        block.usage[:, column] = np.nan
        block.put(np.array([column]), block.last_bin - BINS + 1, usage.astype(np.float32)[:, None])
    return slots


async def test_the_peak_of_a_series_has_a_time_a_percentile_and_the_number_of_known_bins() -> None:
    async with fortnight() as setup:
        spike, recent = np.full(BINS, 10.0), np.full(BINS, np.nan)
        spike[700], recent[-100:] = 90, 5
        slots = await store_usage(setup, spike=spike, recent=recent)
        peaks, ids = setup.forecaster.peaks, setup.fleet.id[: setup.fleet.size].copy()
        highest = peaks.highest(ids).usage
        assert highest[[slots["spike"], slots["recent"]]] == pytest.approx([90, 5])
        moments = peaks.peak_moments(ids, np.array([slots["recent"], slots["spike"]]))
        last_bin = setup.forecaster.recorder.history.blocks[0].last_bin
        assert moments.minutes.tolist() == [
            (last_bin - 99) * BIN_MINUTES,
            (last_bin - BINS + 701) * BIN_MINUTES,
        ]
        assert moments.p99 == pytest.approx([5, 10])
        assert moments.bins.tolist() == [100, BINS]


async def test_a_slot_with_another_series_has_no_past() -> None:
    async with fortnight() as setup:
        slots = await store_usage(setup, previous=np.full(BINS, 10.0))
        ids = setup.fleet.id[: setup.fleet.size].copy() + np.uint64(1)
        assert np.isnan(setup.forecaster.peaks.highest(ids).usage).all()
        moments = setup.forecaster.peaks.peak_moments(ids, np.array([slots["previous"]]))
        assert (moments.minutes.tolist(), moments.bins.tolist()) == ([NEVER], [0])


async def test_the_highest_sum_of_two_series_adds_their_usage_in_the_same_bin() -> None:
    async with fortnight() as setup:
        rng = np.random.default_rng(1)
        past = {name: rng.uniform(1, 100, BINS).astype(np.float32) for name in ("a", "b", "c", "d")}
        past["c"][:-10] = np.nan
        past["d"][:] = np.nan
        past["d"][0] = 1
        slots = await store_usage(setup, **past)
        ids = setup.fleet.id[: setup.fleet.size].copy()
        first, second = (np.array([slots[name] for name in names]) for names in ("ab", "bc"))
        highest_sums = setup.forecaster.peaks.highest_together(ids, first, second)
        expected = [np.nanmax(past["a"] + past["b"]), np.nanmax(past["b"] + past["c"])]
        assert highest_sums == pytest.approx(expected, rel=1e-3)
        without_common_bin = setup.forecaster.peaks.highest_together(
            ids, np.array([slots["d"]]), np.array([slots["c"]])
        )
        assert np.isnan(without_common_bin).all()
