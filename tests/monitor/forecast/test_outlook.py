"""The track record of the forecasts of a fortnight."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.fleet.outlook import TrackRecord
from monitor.forecast.outlook import track_record
from rules.analogs import BINS_PER_DAY
from rules.arrays import Floats
from rules.forecast import BINS, MIN_BINS

DAYS_WITH_FORECAST = (BINS - MIN_BINS) // BINS_PER_DAY


def daily(low: float = 100.0, high: float = 900.0) -> Floats:
    """A fortnight in which each day has the same usage, with the peak at noon."""
    time = np.arange(BINS) / BINS_PER_DAY * 2 * np.pi
    return ((low + high) / 2 - (high - low) / 2 * np.cos(time)).astype(np.float32)


def test_a_limit_reached_each_day_is_announced_each_day() -> None:
    record = track_record(daily(), 800.0)
    assert record.reached_count == record.came_true_count == DAYS_WITH_FORECAST


def test_a_limit_far_above_usage_is_never_announced() -> None:
    assert track_record(daily(), 5000.0) == TrackRecord()


def test_a_rise_without_a_precedent_is_reached_without_an_announcement() -> None:
    usage = daily()
    usage[-BINS_PER_DAY // 2 : -BINS_PER_DAY // 2 + 4] = 3000.0
    record = track_record(usage, 2500.0)
    assert (record.reached_count, record.came_true_count) == (1, 0)


def test_an_announced_rise_that_does_not_come_is_counted_as_false() -> None:
    usage = daily()
    usage[-3 * BINS_PER_DAY :] = 100.0
    record = track_record(usage, 800.0)
    assert record.announced_count > record.came_true_count == DAYS_WITH_FORECAST - 3


@pytest.mark.parametrize("known_bins", [0, MIN_BINS // 2])
def test_without_enough_history_there_is_no_record(known_bins: int) -> None:
    usage = np.full(BINS, np.nan, np.float32)
    usage[BINS - known_bins :] = 900.0
    assert track_record(usage, 800.0) == TrackRecord()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), limit=st.floats(1.0, 2000.0), hole_share=st.floats(0, 1))
def test_came_true_is_never_more_than_announced_or_reached(
    seed: int, limit: float, hole_share: float
) -> None:
    random = np.random.default_rng(seed)
    usage = (daily() * random.uniform(0.5, 1.5, BINS)).astype(np.float32)
    usage[random.uniform(size=BINS) < hole_share] = np.nan
    record = track_record(usage, limit)
    assert 0 <= record.came_true_count <= min(record.announced_count, record.reached_count)
