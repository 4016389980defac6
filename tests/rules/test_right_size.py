"""Purchases are sized for the demand of a fortnight."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rules.right_size import Advice, Demand, RightSize, right_size
from rules.signals import Band
from rules.sizes import Size

SHARD = Size(item="shard")
FULL = Demand(utilization=0.5, days=14, known=1, band=Band())
ONLY_MAXIMUM = Band(low=0, high=0.7, near=0.9)


def sized(*utilizations: float, bought: float = 8, size: Size = SHARD, **terms: Any) -> RightSize:
    """Size a purchase with so many items, whose limits have these peaks."""
    return right_size(size, bought, [replace(FULL, utilization=one) for one in utilizations], **terms)


@pytest.mark.parametrize(
    ("utilizations", "advice", "items"),
    [
        ((0.5,), Advice.KEEP, 8),
        ((0.40,), Advice.KEEP, 8),
        ((0.70,), Advice.KEEP, 8),
        ((0.08,), Advice.LOWER, 2),  # 8 * 0.08 / 0.55 = 1.2
        ((0.0,), Advice.LOWER, 1),  # the least that can be bought
        ((0.9,), Advice.RAISE, 14),  # 8 * 0.9 / 0.55 = 13.1
        ((1.6,), Advice.RAISE, 24),  # with refused demand
        ((0.08, 0.5), Advice.KEEP, 8),  # busy by one of two limits is not idle
        ((0.08, 0.3), Advice.LOWER, 5),
        ((0.08, 0.9), Advice.RAISE, 14),
    ],
)
def test_the_recommended_size_puts_the_highest_peak_into_the_band(
    utilizations: tuple[float, ...], advice: Advice, items: float
) -> None:
    found = sized(*utilizations)
    assert (found.advice, found.items) == (advice, items)
    assert utilizations[found.decided_by] == max(utilizations)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"days": 6.1}, "6.1 of 7 days of history"),
        ({"days": 0.0, "known": 0.0, "utilization": None}, "0.0 of 7 days of history"),
        ({"known": 0.72}, "72% of the last 14 days are known, of 90% needed"),
        ({"utilization": None}, "the limit is not known"),
    ],
)
def test_without_enough_data_nothing_is_lowered(changes: dict[str, Any], reason: str) -> None:
    idle = replace(FULL, utilization=0.01)
    found = right_size(SHARD, 8, [idle, replace(idle, **changes)])
    assert (found.advice, found.items, found.reason, found.decided_by) == (Advice.UNKNOWN, None, reason, 1)


def test_the_need_by_one_limit_is_reported_though_another_is_unknown() -> None:
    found = right_size(SHARD, 8, [replace(FULL, days=1), replace(FULL, utilization=0.9)])
    assert (found.advice, found.items, found.decided_by) == (Advice.RAISE, 14, 1)


def test_a_maximum_that_costs_nothing_is_never_lowered() -> None:
    idle = replace(FULL, utilization=0.01, band=ONLY_MAXIMUM)
    assert right_size(SHARD, 8, [idle]).advice is Advice.KEEP
    assert right_size(SHARD, 8, [replace(idle, utilization=0.9)]).items == 14


@pytest.mark.parametrize(
    ("size", "terms", "utilization", "items"),
    [
        (SHARD, {"minimum": 5}, 0.01, 5),
        (Size(item="operation", smallest=3000), {}, 0.01, 8),  # of 8, fewer than can be bought
        (Size(item="unit", step=5), {}, 0.2, 5),
        (Size(item="MB/s", choices=(2, 4, 8, 16)), {}, 0.2, 4),
        (Size(item="MB/s", choices=(2, 4, 8, 16)), {}, 0.9, 16),
        (Size(item="MB/s", choices=(2, 4, 8, 16)), {}, 9.0, 16),
        (SHARD, {"maximum": 10}, 0.9, 10),
    ],
)
def test_only_sizes_that_can_be_bought_are_advised(
    size: Size, terms: dict[str, Any], utilization: float, items: float
) -> None:
    assert sized(utilization, size=size, **terms).items == items


def test_more_than_the_maximum_is_reported() -> None:
    assert sized(0.9, maximum=10).reason == "13.0909 shards are needed"
    full = sized(0.9, maximum=8)
    assert full.advice is Advice.KEEP
    assert full.reason == "more than 8 shards cannot be bought for this resource"


def test_throttling_below_the_limit_lowers_the_upper_edge_of_the_band() -> None:
    bursty = replace(FULL, utilization=0.6, throttled_days=2, ceiling=0.6)
    found = right_size(SHARD, 8, [bursty])
    assert (found.advice, found.items) == (Advice.RAISE, 12)  # 8 * 0.6 / (0.7 * 0.6) = 11.4


def test_a_hot_part_keeps_the_size_as_it_is() -> None:
    hot = replace(FULL, utilization=0.1, throttled_days=3, ceiling=0.05)
    found = right_size(SHARD, 8, [hot])
    assert (found.advice, found.items) == (Advice.KEEP, 8)
    assert "refused at 5% of the limit" in found.reason


def test_throttled_demand_without_usage_has_no_recommended_size() -> None:
    found = right_size(SHARD, 8, [replace(FULL, utilization=0.0, throttled_days=1)])
    assert (found.advice, found.items) == (Advice.KEEP, 8)
    assert "refused while nothing was served" in found.reason


def test_a_busy_part_keeps_the_size_of_the_whole_and_does_not_raise_it() -> None:
    part = replace(FULL, utilization=0.95, is_part=True)
    assert right_size(SHARD, 8, [replace(FULL, utilization=0.1), part]).advice is Advice.KEEP
    idle = replace(part, utilization=0.3)
    assert right_size(SHARD, 8, [replace(FULL, utilization=0.1), idle]).items == 5


demands = some.builds(
    Demand,
    utilization=some.none() | some.floats(0, 5),
    days=some.floats(0, 14),
    known=some.floats(0, 1),
    band=some.sampled_from([Band(), ONLY_MAXIMUM]),
    ceiling=some.none() | some.floats(0.01, 2),
    throttled_days=some.integers(0, 15),
    is_part=some.booleans(),
)


@given(
    some.lists(demands, min_size=1, max_size=4),
    some.integers(1, 10_000),
    some.integers(0, 20),
    some.none() | some.integers(20, 1000),
)
def test_advice_stays_between_minimum_and_maximum(
    found: list[Demand], bought: int, minimum: int, maximum: int | None
) -> None:
    one = right_size(SHARD, bought, found, minimum, maximum)
    if one.advice is Advice.LOWER:
        assert one.items is not None and max(minimum, 1) <= one.items < bought
        assert all(not demand.missing for demand in found)
        kept = [demand for demand in found if (demand.utilization or 0) >= demand.band.low]
        assert not [demand for demand in kept if demand.band.low], "busy by one limit is not idle"
    if one.advice is Advice.RAISE:
        assert one.items is not None and bought < one.items
        assert maximum is None or one.items <= maximum
    assert (one.items is None) == (one.advice is Advice.UNKNOWN)


@given(some.floats(0, 5), some.floats(0, 5), some.integers(1, 1000))
def test_a_higher_demand_never_needs_a_smaller_size(first: float, second: float, bought: int) -> None:
    low, high = sorted((first, second))
    assert (sized(low, bought=bought).items or 0) <= (sized(high, bought=bought).items or 0)
