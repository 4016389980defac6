"""The factors at which series break: a table, and properties that hold for all peaks, limits and factors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.what_if import breaking_order, needed_limit, share_of_limit, stress

NAN, INFINITE = float("nan"), float("inf")

amounts = st.floats(1e-3, 1e12)
factors = st.floats(0.01, 1000)
shares = st.floats(0.01, 2)  # a ceiling divided by the limit


@pytest.mark.parametrize(
    ("arguments", "breaking_factor", "utilization", "is_broken"),  # arguments: peak, limit, ceiling, factor
    [
        ((50, 100, NAN, 1), 2, 0.5, False),
        ((50, 100, NAN, 1.99), 2, 0.995, False),
        ((50, 100, NAN, 2), 2, 1, True),  # at the limit there is no room
        ((50, 100, NAN, 3), 2, 1.5, True),
        ((100, 100, NAN, 1), 1, 1, True),
        ((120, 100, NAN, 1), 100 / 120, 1.2, True),
        ((50, 100, 60, 1.3), 1.2, 0.65, True),  # demand was throttled at 60 already
        ((50, 100, 100, 1.3), 2, 0.65, False),
        ((50, 100, 120, 1.3), 2, 0.65, False),  # a ceiling above the limit does not count
        ((0, 100, NAN, 1000), INFINITE, 0, False),
        ((NAN, 100, NAN, 1000), NAN, NAN, False),  # an unknown peak is not broken
        ((50, NAN, NAN, 1000), NAN, NAN, False),
    ],
)
def test_the_factor_at_which_one_series_breaks(
    arguments: tuple[float, ...], breaking_factor: float, utilization: float, is_broken: bool
) -> None:
    found = stress(*([argument] for argument in arguments))
    assert found.breaking_factor[0] == pytest.approx(breaking_factor, nan_ok=True)
    assert found.utilization[0] == pytest.approx(utilization, nan_ok=True)
    assert bool(found.is_broken[0]) is is_broken


@pytest.mark.parametrize(
    ("peak", "factor", "share", "breaking_factor", "demand"),
    [
        (50, 3, 0.5, 3, 100),  # half of 50 grows to 75, the other half stays
        (50, 3, 1.0, 2, 150),
        (80, 2, 0.1, 3.5, 88),
        (120, 1, 0.5, 2 / 3, 120),  # it breaks already, and would not with less traffic
        (200, 1, 0.1, 0, 200),  # it breaks even without the traffic of this share
    ],
)
def test_only_a_share_of_the_demand_grows(
    peak: float, factor: float, share: float, breaking_factor: float, demand: float
) -> None:
    found = stress([peak], [100.0], [NAN], [factor], [share])
    assert found.breaking_factor[0] == pytest.approx(breaking_factor)
    assert found.demand[0] == pytest.approx(demand)
    assert bool(found.is_broken[0]) is (demand >= 100)


@given(amounts, amounts, shares, factors)
def test_the_peak_times_the_breaking_factor_is_the_limit_or_a_lower_ceiling(
    peak: float, limit: float, share: float, factor: float
) -> None:
    found = stress([peak], [limit], [share * limit], [factor])
    assert found.breaking_factor[0] * peak == pytest.approx(min(share, 1) * limit)
    assert found.demand[0] == pytest.approx(peak * factor)


@given(amounts, amounts, st.one_of(st.just(NAN), amounts), st.lists(factors, min_size=2, max_size=5))
def test_a_series_that_breaks_at_a_factor_breaks_at_every_higher_factor(
    peak: float, limit: float, ceiling: float, tested_factors: list[float]
) -> None:
    broken = [
        bool(stress([peak], [limit], [ceiling], [tested_factor]).is_broken[0])
        for tested_factor in sorted(tested_factors)
    ]
    assert broken == sorted(broken)


@given(amounts, amounts, st.floats(1.001, 10), factors)
def test_a_higher_limit_breaks_later_and_more_traffic_earlier(
    peak: float, limit: float, growth: float, factor: float
) -> None:
    usual, raised, busier = stress(
        [peak, peak, peak * growth], [limit, limit * growth, limit], [NAN] * 3, factor
    ).breaking_factor
    assert raised > usual > busier


@given(amounts, amounts, st.floats(0.1, 1), shares, factors)
def test_a_series_with_the_needed_limit_stays_within_its_band(
    peak: float, limit: float, target: float, share: float, factor: float
) -> None:
    ceiling_share = share_of_limit([share * limit], [limit])
    needed = needed_limit([peak * factor], [target], ceiling_share) * 1.0001
    found = stress([peak], needed, ceiling_share * needed, factor)
    assert not found.is_broken[0] or target >= 1
    assert found.utilization[0] <= target


@given(
    st.lists(
        st.tuples(
            st.one_of(st.just(NAN), st.just(INFINITE), factors, st.just(1.0)),
            st.one_of(st.just(NAN), st.just(1.0), factors),
        ),
        max_size=20,
    ),
    st.integers(0, 2**32 - 1),
)
def test_the_breaking_order_does_not_depend_on_the_order_of_the_series(
    series: list[tuple[float, float]], seed: int
) -> None:
    ids = np.arange(len(series), dtype=np.uint64) * np.uint64(7919)
    breaking_factor, utilization = (np.array([pair[n] for pair in series], np.float64) for n in (0, 1))
    shuffled = np.random.default_rng(seed).permutation(len(series))
    usual = ids[breaking_order(breaking_factor, utilization, ids)]
    reordered = ids[shuffled][breaking_order(breaking_factor[shuffled], utilization[shuffled], ids[shuffled])]
    assert usual.tolist() == reordered.tolist()
    ordered = breaking_factor[breaking_order(breaking_factor, utilization, ids)]
    known = ordered[np.isfinite(ordered)]
    assert known.tolist() == sorted(known.tolist())
    assert np.isfinite(ordered[: known.size]).all()
    assert np.isnan(ordered[ordered.size - int(np.isnan(ordered).sum()) :]).all()
