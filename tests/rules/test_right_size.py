"""Purchases are sized for the demand of a fortnight."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.right_size import Advice, Demand, RightSize, right_size
from rules.signals import Band
from rules.sizes import Size

SHARD = Size(item="shard")
DEMAND_WITHIN_BAND = Demand(utilization=0.5, days=14, known_share=1, band=Band())
BAND_FROM_ZERO = Band(low=0, high=0.7, near=0.9)


def size_for(*utilizations: float, bought: float = 8, size: Size = SHARD, **bounds: Any) -> RightSize:
    """Return the size for a purchase of `bought` items, whose limits have these peaks of utilization."""
    return right_size(
        size, bought, [replace(DEMAND_WITHIN_BAND, utilization=peak) for peak in utilizations], **bounds
    )


@pytest.mark.parametrize(
    ("utilizations", "advice", "items"),
    [
        ((0.5,), Advice.KEEP, 8),
        ((0.40,), Advice.KEEP, 8),
        ((0.70,), Advice.KEEP, 8),
        ((0.08,), Advice.LOWER, 2),  # 8 * 0.08 / 0.55 = 1.2
        ((0.0,), Advice.LOWER, 1),  # the least that can be bought
        ((0.9,), Advice.RAISE, 14),  # 8 * 0.9 / 0.55 = 13.1
        ((1.6,), Advice.RAISE, 24),  # with throttled demand
        ((0.08, 0.5), Advice.KEEP, 8),  # a purchase that is busy by one of two limits is not idle
        ((0.08, 0.3), Advice.LOWER, 5),
        ((0.08, 0.9), Advice.RAISE, 14),
    ],
)
def test_the_recommended_size_puts_the_highest_peak_into_the_band(
    utilizations: tuple[float, ...], advice: Advice, items: float
) -> None:
    found = size_for(*utilizations)
    assert (found.advice, found.items) == (advice, items)
    assert utilizations[found.decided_by] == max(utilizations)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"days": 6.1}, "6.1 of 7 days of history"),
        ({"days": 0.0, "known_share": 0.0, "utilization": None}, "0.0 of 7 days of history"),
        ({"known_share": 0.72}, "72% of the last 14 days are known, of 90% needed"),
        ({"utilization": None}, "the limit is not known"),
    ],
)
def test_without_enough_data_no_size_is_advised(changes: dict[str, Any], reason: str) -> None:
    idle = replace(DEMAND_WITHIN_BAND, utilization=0.01)
    found = right_size(SHARD, 8, [idle, replace(idle, **changes)])
    assert (found.advice, found.items, found.reason, found.decided_by) == (Advice.UNKNOWN, None, reason, 1)


def test_the_size_is_raised_for_one_limit_though_another_is_unknown() -> None:
    found = right_size(
        SHARD, 8, [replace(DEMAND_WITHIN_BAND, days=1), replace(DEMAND_WITHIN_BAND, utilization=0.9)]
    )
    assert (found.advice, found.items, found.decided_by) == (Advice.RAISE, 14, 1)


def test_a_purchase_whose_band_begins_at_zero_is_never_lowered() -> None:
    idle = replace(DEMAND_WITHIN_BAND, utilization=0.01, band=BAND_FROM_ZERO)
    assert right_size(SHARD, 8, [idle]).advice is Advice.KEEP
    assert right_size(SHARD, 8, [replace(idle, utilization=0.9)]).items == 14


@pytest.mark.parametrize(
    ("size", "bounds", "utilization", "items"),
    [
        (SHARD, {"minimum": 5}, 0.01, 5),
        (Size(item="operation", smallest=3000), {}, 0.01, 8),  # the 8 of now are fewer than the smallest size
        (Size(item="unit", step=5), {}, 0.2, 5),
        (Size(item="MB/s", choices=(2, 4, 8, 16)), {}, 0.2, 4),
        (Size(item="MB/s", choices=(2, 4, 8, 16)), {}, 0.9, 16),
        (Size(item="MB/s", choices=(2, 4, 8, 16)), {}, 9.0, 16),
        (SHARD, {"maximum": 10}, 0.9, 10),
        (Size(item="MB/s", choices=(16, 32)), {"maximum": 10}, 0.9, 10),
    ],
)
def test_only_sizes_that_can_be_bought_are_advised(
    size: Size, bounds: dict[str, Any], utilization: float, items: float
) -> None:
    assert size_for(utilization, size=size, **bounds).items == items


def test_a_need_of_more_than_the_maximum_is_reported() -> None:
    assert size_for(0.9, maximum=10).reason == "13.0909 shards are needed"
    at_maximum = size_for(0.9, maximum=8)
    assert at_maximum.advice is Advice.KEEP
    assert at_maximum.reason == "more than 8 shards cannot be bought for this resource"


def test_throttling_below_the_limit_lowers_the_upper_edge_of_the_band() -> None:
    bursty = replace(DEMAND_WITHIN_BAND, utilization=0.6, throttled_days=2, ceiling=0.6)
    found = right_size(SHARD, 8, [bursty])
    assert (found.advice, found.items) == (Advice.RAISE, 12)  # 8 * 0.6 / (0.7 * 0.6) = 11.4


def test_throttling_at_a_low_utilization_keeps_the_size() -> None:
    throttled_part = replace(DEMAND_WITHIN_BAND, utilization=0.1, throttled_days=3, ceiling=0.05)
    found = right_size(SHARD, 8, [throttled_part])
    assert (found.advice, found.items) == (Advice.KEEP, 8)
    assert "throttled at 5% of the limit" in found.reason


def test_throttled_demand_without_usage_keeps_the_size() -> None:
    found = right_size(SHARD, 8, [replace(DEMAND_WITHIN_BAND, utilization=0.0, throttled_days=1)])
    assert (found.advice, found.items) == (Advice.KEEP, 8)
    assert "throttled while nothing was served" in found.reason


def test_a_busy_part_of_a_resource_keeps_the_size_and_does_not_raise_it() -> None:
    part = replace(DEMAND_WITHIN_BAND, utilization=0.95, is_part=True)
    assert right_size(SHARD, 8, [replace(DEMAND_WITHIN_BAND, utilization=0.1), part]).advice is Advice.KEEP
    idle = replace(part, utilization=0.3)
    assert right_size(SHARD, 8, [replace(DEMAND_WITHIN_BAND, utilization=0.1), idle]).items == 5


any_demand = st.builds(
    Demand,
    utilization=st.none() | st.floats(0, 5),
    days=st.floats(0, 14),
    known_share=st.floats(0, 1),
    band=st.sampled_from([Band(), BAND_FROM_ZERO]),
    ceiling=st.none() | st.floats(0.01, 2),
    throttled_days=st.integers(0, 15),
    is_part=st.booleans(),
)


@given(
    st.lists(any_demand, min_size=1, max_size=4),
    st.integers(1, 10_000),
    st.integers(0, 20),
    st.none() | st.integers(20, 1000),
)
def test_advice_stays_between_minimum_and_maximum(
    demands: list[Demand], bought: int, minimum: int, maximum: int | None
) -> None:
    advised = right_size(SHARD, bought, demands, minimum, maximum)
    if advised.advice is Advice.LOWER:
        assert advised.items is not None and max(minimum, 1) <= advised.items < bought
        assert all(not demand.reason_unknown for demand in demands)
        in_use = [demand for demand in demands if (demand.utilization or 0) >= demand.band.low]
        assert not [demand for demand in in_use if demand.band.low], "busy by one limit is not idle"
    if advised.advice is Advice.RAISE:
        assert advised.items is not None and bought < advised.items
        assert maximum is None or advised.items <= maximum
    assert (advised.items is None) == (advised.advice is Advice.UNKNOWN)


@given(st.floats(0, 5), st.floats(0, 5), st.integers(1, 1000))
def test_a_higher_demand_never_needs_a_smaller_size(first: float, second: float, bought: int) -> None:
    low, high = sorted((first, second))
    assert (size_for(low, bought=bought).items or 0) <= (size_for(high, bought=bought).items or 0)
