"""The fan of a forecast: quantiles of the usage at each time ahead."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rules.analogs import BINS_PER_DAY
from rules.fan import FAN_QUANTILES, usage_fan
from rules.forecast import BINS

Array = np.ndarray[Any, Any]
BINS_OF_DAY = np.arange(BINS) % BINS_PER_DAY
DAILY = 50 - 30 * np.cos(2 * np.pi * BINS_OF_DAY / BINS_PER_DAY)


def test_equal_days_are_followed_by_an_equal_day() -> None:
    fan = usage_fan(DAILY[:, None])
    assert fan.shape == (len(FAN_QUANTILES), BINS_PER_DAY, 1)
    np.testing.assert_allclose(
        fan[:, :, 0], np.tile(DAILY[:BINS_PER_DAY], (len(FAN_QUANTILES), 1)), rtol=0.02
    )


def test_days_that_differ_make_the_fan_wide() -> None:
    random = np.random.default_rng(4)
    usage = DAILY * np.repeat(random.uniform(0.7, 1.3, BINS // BINS_PER_DAY), BINS_PER_DAY)
    fan = usage_fan(usage[:, None])[:, BINS_PER_DAY // 2, 0]
    assert fan[-1] - fan[0] > 5


def test_a_steady_growth_continues_in_the_fan() -> None:
    usage = np.linspace(1000, 2000, BINS)
    fan = usage_fan(usage[:, None])[:, :, 0]
    median_after_a_day = fan[FAN_QUANTILES.index(0.5), -1]
    assert median_after_a_day == pytest.approx(2000 + 1000 / 14, rel=0.01)


@pytest.mark.parametrize("known_bins", [0, BINS_PER_DAY, 2 * BINS_PER_DAY - 1])
def test_less_than_two_days_of_history_have_no_fan(known_bins: int) -> None:
    usage = np.full((BINS, 1), np.nan)
    usage[BINS - known_bins :] = 5
    assert np.isnan(usage_fan(usage)).all()


@given(
    arrays(np.float16, (BINS, 2), elements=st.floats(0, 1000, width=16) | st.just(float("nan"))),
    st.sampled_from([BINS_PER_DAY, 3 * BINS_PER_DAY]),
)
def test_quantiles_are_in_order_and_no_usage_falls_below_zero(usage: Array, bins: int) -> None:
    fan = usage_fan(usage, bins)
    assert fan.shape == (len(FAN_QUANTILES), bins, 2)
    assert not (np.diff(fan, axis=0) < -1e-3).any()
    assert not (fan < 0).any()


def test_constant_and_zero_usage_have_a_fan_of_no_width() -> None:
    fan = usage_fan(np.column_stack([np.zeros(BINS), np.full(BINS, 7.0)]))
    assert (fan[:, :, 0] == 0).all()
    np.testing.assert_allclose(fan[:, :, 1], 7)
