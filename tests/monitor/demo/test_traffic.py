"""The demo's traffic: the demand of each minute."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.demo.traffic import Traffic, random_shares

shares = st.floats(0, 2)
traffics = st.builds(
    Traffic,
    mean=shares,
    daily=shares,
    wave=shares,
    period=st.integers(1, 2000),
    surge=shares,
    growth=shares,
    burst=shares,
    noise=shares,
    ended=st.none() | st.integers(-300, 300),
)
minutes = st.integers(-(10**6), 10**6)


@given(traffics, st.text(), minutes, st.integers(1, 50))
def test_the_demand_of_a_minute_does_not_depend_on_the_window(
    traffic: Traffic, name: str, first_minute: int, length: int
) -> None:
    window = np.arange(first_minute, first_minute + length)
    demand_of_single_minutes = [traffic.demand(name, np.array([minute]))[0] for minute in window]
    np.testing.assert_array_equal(traffic.demand(name, window), demand_of_single_minutes)


@given(traffics, st.text(), minutes)
def test_demand_is_never_negative_and_absent_only_after_the_end(
    traffic: Traffic, name: str, minute: int
) -> None:
    (value,) = traffic.demand(name, np.array([minute]))
    assert np.isnan(value) == (traffic.ended is not None and minute > traffic.ended)
    assert np.isnan(value) or value >= 0


def test_random_shares_are_uniform() -> None:
    numbers = random_shares(7, np.arange(-10_000, 10_000))
    counts, _ = np.histogram(numbers, bins=10, range=(0, 1))
    assert counts.sum() == 20_000
    assert counts.min() > 1_800


def test_a_surge_takes_the_first_minutes_of_each_hour() -> None:
    traffic = Traffic(mean=0.5, daily=0.0, noise=0.0, surge=0.75)
    demand = traffic.demand("orders", np.array([0, 6, 12, 18, 22, 59, 60, 72]))
    np.testing.assert_allclose(demand, [0.5, 0.875, 1.25, 1.25, 0.5, 0.5, 0.5, 1.25])


def test_growth_starts_again_at_its_low_three_hours_before_and_nine_hours_after_the_start() -> None:
    traffic = Traffic(mean=0.5, daily=0.0, noise=0.0, growth=0.1)
    demand = traffic.demand("shipments", np.array([-180, 0, 60, 539, 540]))
    np.testing.assert_allclose(demand, [0.2, 0.5, 0.6, 0.5 + 0.1 * 539 / 60, 0.2])
