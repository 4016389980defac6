"""Usage that only grows is recognised, and the time until it reaches its limit is forecast."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rules.forecast import BINS
from rules.growth import growth, is_growing, points_of

Array = NDArray[np.float64]
DAY_BINS = 96  # quarters of an hour
TIME = np.arange(BINS) / DAY_BINS  # days
NOISE = np.random.default_rng(1).random(BINS)


@pytest.mark.parametrize(
    ("usage", "grows"),
    [
        (TIME * 10, True),
        (1000 + TIME + 0.05 * NOISE, True),
        (np.floor(TIME) * 5, True),  # a step each day
        (np.exp(TIME / 5), True),
        (np.where(TIME < 11, np.nan, TIME), True),  # three days of history
        (np.where(TIME < 12.5, np.nan, TIME), False),  # a day and a half of history
        (np.where(TIME < 7, 5, 50), False),  # one step
        (50 + 10 * np.sin(2 * np.pi * TIME), False),
        (TIME * 3 + 10 * np.sin(2 * np.pi * TIME), False),
        (100 - TIME, False),
        (np.full(BINS, 5.0), False),
        (np.full(BINS, np.nan), False),
        (np.where(TIME > 13, np.nan, TIME), False),  # unknown in the last day
        (np.where(TIME >= 14 - 1 / 24, 5, TIME), False),  # much was deleted an hour ago
        (np.where(TIME >= 14 - 1 / 96, 5, TIME), True),  # one low quarter of an hour
    ],
)
def test_usage_that_only_grows_is_recognised(usage: Array, grows: bool) -> None:
    assert is_growing(points_of(usage[:, None])).tolist() == [grows]


def test_a_missing_bin_hardly_changes_the_time_until_the_limit() -> None:
    usage = TIME * 10
    incomplete = usage.copy()
    incomplete[700] = np.nan
    _, complete_forecast = growth(usage[:, None], np.array([165.0]))
    _, incomplete_forecast = growth(incomplete[:, None], np.array([165.0]))
    np.testing.assert_allclose(incomplete_forecast.minutes, complete_forecast.minutes, rtol=0.02)
    assert complete_forecast.minutes[0] / 1440 == pytest.approx([2.5, 2.5, 2.5], abs=0.1)


def test_the_headroom_of_growing_usage_is_that_of_its_last_hour() -> None:
    fell_by_half_a_day = np.where(TIME >= 14 - 1 / 24, TIME - 0.5, TIME)
    growing, forecast = growth(fell_by_half_a_day[:, None], np.array([16.0]))
    assert growing.all()
    assert forecast.minutes[0] / 1440 == pytest.approx([2.5, 2.5, 2.5], abs=0.1)
    assert forecast.probability[0, 3] > 0.9


def test_probabilities_rise_with_the_horizon_and_fall_with_the_limit() -> None:
    usage = np.cumsum(NOISE)[:, None]
    limits = np.linspace(0.5, 2, 50) * usage[-1]
    _, forecast = growth(np.tile(usage, 50), limits)
    assert (np.diff(forecast.probability, axis=1) >= 0).all()
    assert (np.diff(forecast.probability, axis=0) <= 0).all()
    assert ((forecast.probability >= 0) & (forecast.probability <= 1)).all()
    is_reached = limits <= usage[-1]
    assert (forecast.probability[is_reached] == 1).all()
    assert (forecast.minutes[is_reached] == 0).all()


def test_a_time_is_reported_up_to_twice_the_length_of_the_history() -> None:
    usage = np.where(TIME < 10, np.nan, TIME)[:, None]
    _, near = growth(usage, np.array([14.0 + 7]))
    _, far = growth(usage, np.array([14.0 + 9]))
    assert near.minutes[0, 1] / 1440 == pytest.approx(7, abs=0.2)
    assert np.isnan(far.minutes).all()
