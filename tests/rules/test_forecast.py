"""Properties of forecasts of any history, and forecasts of simple histories."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rules.analogs import BINS_PER_DAY
from rules.forecast import BINS, MIN_BINS, QUANTILES, Forecast, forecast
from rules.forecast_features import HORIZONS

Floats = NDArray[np.float32]
ROUNDING = 1e-6
NO_FORECAST = np.full(len(HORIZONS), np.nan)


def daily(low: float, high: float, phase: float = 0.0) -> Floats:
    """Return a fortnight of usage that rises and falls once a day; now is `phase` days after midnight."""
    days = (np.arange(BINS) - BINS + 1) / BINS_PER_DAY + phase
    return (low + (high - low) * (1 - np.cos(2 * np.pi * days)) / 2).astype(np.float32)


def forecast_one(history: Floats, limit: float) -> tuple[Floats, Floats]:
    """Return the probabilities and minutes of one series."""
    found = forecast(history[None], np.array([limit], np.float32))
    return found.probability[0], found.minutes[0]


@st.composite
def histories(draw: st.DrawFn) -> Floats:
    """Draw a fortnight: a daily pattern with noise, a step, a spike, a hole and a missing beginning."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = draw(st.sampled_from([1e-6, 1.0, 1e9]))
    usage = daily(draw(st.floats(-1, 1)), draw(st.floats(0, 2)), draw(st.floats(0, 1)))
    usage += np.float32(draw(st.floats(0, 0.5))) * rng.standard_normal(BINS, np.float32)
    usage[draw(st.integers(0, BINS - 1)) :] += draw(st.floats(-1, 2))
    usage[draw(st.integers(0, BINS - 1))] += draw(st.floats(0, 50))
    hole = draw(st.integers(0, BINS - 10))
    usage[hole : hole + draw(st.integers(0, 9))] = np.nan
    usage[: draw(st.integers(0, BINS - MIN_BINS))] = np.nan
    return (usage * scale).astype(np.float32)


@given(histories())
@settings(max_examples=200, deadline=None)
def test_probabilities_fall_with_the_limit_and_rise_with_the_horizon(history: Floats) -> None:
    highest = np.nanmax(np.abs(history)) + np.float32(1e-9)
    limits = np.unique(np.r_[np.linspace(0.01, 3, 60) * highest, np.nan_to_num(history[-1])])
    limits = limits[limits > 0].astype(np.float32)
    found = forecast(np.tile(history, (limits.size, 1)), limits)
    known = found.probability[np.isfinite(found.probability)]
    assert ((known >= 0) & (known <= 1)).all()
    rises_with_limit = np.diff(found.probability, axis=0) > ROUNDING
    falls_with_horizon = np.diff(found.probability, axis=1) < 0
    assert not rises_with_limit.any()  # NaN, where there is no forecast, is no rise
    assert not falls_with_horizon.any()


@given(histories(), st.floats(0.1, 3))
@settings(max_examples=100, deadline=None)
def test_times_are_in_order_within_the_longest_horizon(history: Floats, share: float) -> None:
    _, minutes = forecast_one(history, share * float(np.nanmax(np.abs(history))))
    known = minutes[np.isfinite(minutes)]
    assert known.size in (0, len(QUANTILES))
    assert (np.diff(known) >= 0).all()
    assert ((known >= 0) & (known <= HORIZONS[-1])).all()


@pytest.mark.parametrize(
    "history",
    [
        np.full(BINS, np.nan),
        np.zeros(BINS),
        np.full(BINS, 5.0),
        np.full(BINS, -5.0),
        np.where(np.arange(BINS) == 700, 90.0, 1.0),
        np.where(np.arange(BINS) == BINS - 1, 90.0, 0.0),
        np.full(BINS, np.inf),
        np.full(BINS, 1e30),
    ],
    ids=["missing", "zero", "constant", "negative", "one spike", "a spike now", "infinite", "huge"],
)
@pytest.mark.parametrize("limit", [0.0, -1.0, 1e-30, 100.0, 1e30, np.inf, np.nan])
def test_odd_series_cause_no_warning_and_have_probabilities_from_0_to_1(
    history: Floats, limit: float
) -> None:
    probability, _ = forecast_one(history.astype(np.float32), limit)
    known = probability[np.isfinite(probability)]
    assert ((known >= 0) & (known <= 1)).all()
    if not limit > 0:
        assert known.size == 0


def test_a_daily_peak_above_the_limit_is_expected_at_its_time() -> None:
    # The peak is at noon, and the limit is reached before noon.
    probability, minutes = forecast_one(daily(20, 90, phase=0.2), 80)
    hour, six_hours, day, three_days = probability
    assert hour < 0.1
    assert six_hours > 0.8
    assert day > 0.9
    assert three_days > 0.9
    assert 150 < minutes[1] < 400


def test_a_limit_far_above_all_history_is_not_expected_to_be_reached() -> None:
    probability, minutes = forecast_one(daily(20, 90), 300)
    assert (probability < 0.05).all()
    assert np.isnan(minutes).all()


def test_growing_usage_reaches_a_limit_above_its_history() -> None:
    growing = daily(20, 80, phase=0.9) + np.linspace(-28, 0, BINS, dtype=np.float32)  # growth of 2 a day
    steady = daily(20, 80, phase=0.9)
    assert forecast_one(growing, 83)[0][-1] > forecast_one(steady, 83)[0][-1] + 0.2


def test_a_higher_limit_is_less_likely_to_be_reached() -> None:
    history = daily(20, 90, phase=0.2)
    both = forecast(np.stack([history, history]), np.array([80, 160], np.float32))
    assert both.probability[0, 2] > 0.9
    assert both.probability[1, 2] < 0.05


def test_a_usage_at_the_limit_is_certain_to_reach_it() -> None:
    probability, minutes = forecast_one(daily(20, 90, phase=0.5), 85)
    assert (probability == 1).all()
    assert (minutes == 0).all()


@pytest.mark.parametrize("bins", [0, 1, BINS_PER_DAY, MIN_BINS - 1])
def test_less_than_two_days_of_history_forecast_nothing(bins: int) -> None:
    history = daily(20, 90)
    history[: BINS - bins] = np.nan
    probability, minutes = forecast_one(history, 80)
    np.testing.assert_array_equal(probability, NO_FORECAST)
    assert np.isnan(minutes).all()


def test_two_days_of_history_suffice_for_a_forecast_of_a_day() -> None:
    history = daily(20, 90, phase=0.2)
    history[: BINS - 2 * BINS_PER_DAY] = np.nan
    probability, _ = forecast_one(history, 80)
    assert probability[2] > 0.5


def test_without_present_usage_nothing_is_forecast() -> None:
    history = daily(20, 90)
    history[-1] = np.nan
    np.testing.assert_array_equal(forecast_one(history, 80)[0], NO_FORECAST)


def test_the_forecast_of_a_series_does_not_depend_on_other_series() -> None:
    rng = np.random.default_rng(3)
    usage = np.stack([daily(20, 90, phase) for phase in rng.random(600)]) + rng.random(
        (600, BINS), np.float32
    )
    limits = rng.uniform(60, 150, 600).astype(np.float32)
    order = rng.permutation(600)
    unshuffled, shuffled = forecast(usage, limits), forecast(usage[order], limits[order])
    np.testing.assert_array_equal(unshuffled.probability[order], shuffled.probability)
    np.testing.assert_array_equal(unshuffled.minutes[order], shuffled.minutes)


def test_forecasts_do_not_depend_on_the_unit() -> None:
    history = daily(20, 90, phase=0.3) + np.random.default_rng(1).random(BINS, np.float32)
    np.testing.assert_allclose(
        forecast_one(history, 85)[0], forecast_one(history * 1024, 85 * 1024)[0], rtol=1e-4
    )


def test_usage_stored_as_half_floats_yields_nearly_the_same_forecast() -> None:
    rng = np.random.default_rng(7)
    usage = np.stack([daily(20, 90, phase) for phase in rng.random(50)]) + 9 * rng.random(
        (50, BINS), np.float32
    )
    limits = rng.uniform(70, 120, 50).astype(np.float32)
    highest = usage.max(axis=1, keepdims=True)
    exact, half = (
        forecast(usage, limits),
        forecast((usage / highest).astype(np.float16), limits / highest[:, 0]),
    )
    np.testing.assert_allclose(half.probability, exact.probability, atol=0.02)


def test_without_series_the_forecast_is_empty() -> None:
    found = forecast(np.empty((0, BINS), np.float32), np.empty(0, np.float32))
    assert isinstance(found, Forecast)
    assert found.probability.shape == (0, len(HORIZONS))
    assert found.minutes.shape == (0, len(QUANTILES))
