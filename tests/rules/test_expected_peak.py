"""The peak to expect: by the last 14 and 7 days, and by the growth from week to week."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rules.analogs import BINS_PER_DAY
from rules.expected_peak import expected_peak
from rules.forecast import BINS
from rules.right_size import MAX_WEEKLY_GROWTH

Array = np.ndarray[Any, Any]
NAN = float("nan")
WEEK = 7 * BINS_PER_DAY
DAYS = np.arange(BINS) // BINS_PER_DAY  # the number of each bin's day


def daily_pattern(bins: int) -> Array:
    """Return usage with a daily pattern between 50 and 150, lower on two days of seven."""
    hours = np.sin(np.linspace(0, 2 * np.pi * bins / BINS_PER_DAY, bins, endpoint=False))
    return (100 + 50 * hours) * np.where(np.arange(bins) // BINS_PER_DAY % 7 >= 5, 0.4, 1.0)


def one(usage: Array) -> list[float]:
    """Return the expected peak and the weekly growth of one series, of which these are the newest bins."""
    history = np.full(BINS, NAN)
    history[BINS - len(usage) :] = usage
    expected = expected_peak(history[:, None].astype(np.float32))
    return [float(expected.peak[0]), float(expected.weekly_growth[0])]


def percentile(usage: Array) -> float:
    """Return the 99th percentile of the known values."""
    known = np.sort(usage[np.isfinite(usage)])
    return float(known[int(np.ceil(0.99 * known.size)) - 1])


def test_usage_that_repeats_each_week_is_expected_to_repeat() -> None:
    usage = daily_pattern(BINS)
    assert one(usage) == [pytest.approx(percentile(usage)), 0]


@pytest.mark.parametrize("weekly", [0.02, 0.08, 0.5])
def test_growth_from_week_to_week_raises_the_peak(weekly: float) -> None:
    usage = daily_pattern(BINS)
    usage[WEEK:] *= 1 + weekly
    peak, growth = one(usage)
    assert growth == pytest.approx(weekly, rel=1e-3)
    assert peak == pytest.approx(percentile(usage[WEEK:]) * (1 + weekly), rel=1e-3)


def test_a_growth_of_a_tenth_a_day_is_expected_to_go_on() -> None:
    future = daily_pattern(BINS + WEEK) * 1.1 ** (np.arange(BINS + WEEK) / BINS_PER_DAY)
    peak, _ = one(future[:BINS])
    assert peak == pytest.approx(percentile(future[BINS:]), rel=0.05)
    assert percentile(future[:BINS]) < 0.6 * percentile(future[BINS:])


def test_usage_that_grows_by_an_amount_is_expected_to_go_on() -> None:
    future = 1000 + np.arange(BINS + WEEK) * 0.5
    assert one(future[:BINS])[0] == pytest.approx(percentile(future[BINS:]), rel=0.1)


@pytest.mark.parametrize(
    "factors",
    [
        pytest.param([1.5, 1.5, 1.5, 0.99, 1.5, 1.5, 1.5], id="a day that did not grow"),
        pytest.param([1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0], id="a step three days ago"),
        pytest.param([0.9] * 7, id="it shrinks"),
        pytest.param([1.005] * 7, id="less than a hundredth"),
    ],
)
def test_what_is_no_growth_of_each_day_is_not_counted(factors: list[float]) -> None:
    usage = daily_pattern(BINS)
    usage[WEEK:] *= np.repeat(factors, BINS_PER_DAY)
    assert one(usage) == [pytest.approx(max(percentile(usage), percentile(usage[WEEK:]))), 0]


def test_a_day_of_extreme_growth_does_not_change_the_growth() -> None:
    usage = daily_pattern(BINS)
    usage[WEEK:] *= 1.08
    usage[WEEK + BINS_PER_DAY : WEEK + 2 * BINS_PER_DAY] *= 5
    assert one(usage)[1] == pytest.approx(0.08, rel=1e-3)


def test_more_than_a_doubling_is_counted_as_a_doubling() -> None:
    usage = daily_pattern(BINS)
    usage[WEEK:] *= 5
    assert one(usage)[1] == MAX_WEEKLY_GROWTH == 1


def test_usage_that_began_a_week_ago_has_no_growth() -> None:
    usage = daily_pattern(BINS)
    usage[:WEEK] = 0
    assert one(usage)[1] == 0


def test_the_peak_is_at_least_that_of_the_last_week() -> None:
    usage = np.full(BINS, 10.0)
    usage[-8:] = 90  # more than a hundredth of a week, less than that of a fortnight
    assert one(usage)[0] == 90
    usage[-8:], usage[:8] = 10, 90
    assert one(usage)[0] == 10


def test_a_missing_part_of_a_day_is_neither_growth_nor_decline() -> None:
    usage = daily_pattern(BINS)
    usage[WEEK:] *= 1.08
    usage[BINS_PER_DAY : BINS_PER_DAY + 20] = usage[
        WEEK + 3 * BINS_PER_DAY + 50 : WEEK + 3 * BINS_PER_DAY + 70
    ] = NAN
    assert one(usage)[1] == pytest.approx(0.08, rel=1e-3)


@pytest.mark.parametrize(("days", "is_growing"), [(7, False), (11, False), (12, True), (14, True)])
def test_growth_is_known_after_five_days_can_be_compared(days: int, is_growing: bool) -> None:
    usage = daily_pattern(BINS)
    usage[WEEK:] *= 1.08
    assert (one(usage[BINS - days * BINS_PER_DAY :])[1] > 0) is is_growing


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param(np.full(BINS, NAN), NAN, id="nothing known"),
        pytest.param(np.zeros(BINS), 0, id="zero"),
        pytest.param(np.r_[np.full(WEEK, 5.0), np.full(WEEK, NAN)], 5, id="nothing known in the last week"),
        pytest.param(np.full(BINS, -3.0), -3, id="below zero"),
        pytest.param(-np.ones(BINS) * (20 - DAYS), -7, id="below zero, rising"),
        pytest.param(np.array([7.0]), 7, id="one bin"),
        pytest.param(np.r_[np.full(BINS - 1, 1.0), 1e30], 1, id="a single spike"),
    ],
)
def test_strange_usage_has_an_answer_or_none(usage: Array, expected: float) -> None:
    assert one(usage) == [pytest.approx(expected, nan_ok=True), 0]


@given(
    arrays(np.float32, (BINS // BINS_PER_DAY, 3), elements=st.floats(0, 1e6, width=32)),
    st.integers(0, 2**32 - 1),
    st.floats(0, 0.5),
)
def test_the_peak_is_that_of_a_plain_computation_and_at_most_doubled(
    levels: Array, seed: int, missing: float
) -> None:
    rng = np.random.default_rng(seed)
    usage = (np.repeat(levels, BINS_PER_DAY, axis=0) * rng.uniform(0.5, 1.5, (BINS, 3))).astype(np.float32)
    usage[rng.random(usage.shape) < missing] = NAN
    expected = expected_peak(usage)
    for series in range(3):
        peak, growth = expected.peak[series], expected.weekly_growth[series]
        last_week = percentile(usage[WEEK:, series])
        assert peak == pytest.approx(max(percentile(usage[:, series]), last_week * (1 + growth)), rel=1e-5)
        assert 0 <= growth <= MAX_WEEKLY_GROWTH
