"""Throttled demand by cause: the demand of each cause, and that the causes add up to the whole demand."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Metric, Usage, difference, per_second, total
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.judge import judge
from monitor.fleet.metric_query import metric_query
from monitor.fleet.ring_columns import RECENT_MINUTES
from monitor.fleet.snapshot import Snapshot
from rules.band import Zone
from tests.monitor.fleet.fleets import NOW, SETTINGS, add, key, traffic

hot_keys = Metric("AWS/Test", "HotKeys", "Sum")
all_reads = Metric("AWS/Test", "Throttled", "Sum")
admin_calls = Metric("AWS/Test", "Admin", "Sum")
COUNTED_CAUSES = {"hot key": per_second(hot_keys), "admin": per_second(admin_calls)}
CAUSES_WITH_REMAINDER = {
    "hot key": per_second(hot_keys),
    "other": difference(all_reads, hot_keys).scaled(1 / 60),
}

Points = list[tuple[Metric, int, float]]  # metric, minutes ago, value


def add_series_with(
    fleet: Fleet, causes: Mapping[str, Usage], name: str = "orders", **observed: Any
) -> Series:
    """Register a series whose throttled demand has causes."""
    throttled = total(*causes.values()) if causes else None
    return add(fleet, key(name), throttled=throttled, throttled_by_cause=causes, **observed)


def write(fleet: Fleet, points: Points, is_read: bool = True) -> None:
    """Write points, and one point of the usage. is_read: mark all metrics as read until NOW."""
    rows = fleet.metrics(key("orders").cell)
    for metric, minutes_ago, value in [(traffic.of(StreamName=key("orders").id), 1, 1.0), *points]:
        row = np.array([rows[metric_query(metric)]])
        fleet.rings.write(row, np.array([NOW - minutes_ago]), np.array([value], np.float32))
    if is_read:
        fleet.rings.mark_read(np.array([*rows.values()]), NOW)


def judged_causes(fleet: Fleet, series: Series) -> dict[str, float]:
    """Judge the fleet, and return the throttled demand of a series by cause."""
    judge(fleet, NOW)
    return fleet.causes.throttled_of(series.slot)


def test_causes_are_taken_from_the_recent_minute_with_most_throttled_demand() -> None:
    fleet = Fleet()
    series = add_series_with(fleet, COUNTED_CAUSES)
    write(fleet, [(hot_keys, 3, 120.0), (admin_calls, 3, 60.0), (hot_keys, 1, 6.0), (admin_calls, 1, 90.0)])
    assert list(judged_causes(fleet, series).items()) == [("hot key", 2.0), ("admin", 1.0)]
    assert fleet.saturation[series.slot] == 3.0
    assert Zone(int(fleet.zone[series.slot])) is Zone.SATURATED


def test_the_largest_cause_comes_first_and_an_unknown_cause_last() -> None:
    fleet = Fleet()
    series = add_series_with(fleet, {**COUNTED_CAUSES, "all": per_second(all_reads)})
    write(fleet, [(admin_calls, 1, 90.0), (hot_keys, 1, 30.0)], is_read=False)
    assert list(judged_causes(fleet, series)) == ["admin", "hot key", "all"]


def test_an_unknown_cause_is_not_zero() -> None:
    fleet = Fleet()
    series = add_series_with(fleet, COUNTED_CAUSES)
    write(fleet, [(hot_keys, 1, 120.0)], is_read=False)
    causes = judged_causes(fleet, series)
    assert causes["hot key"] == fleet.saturation[series.slot] == 2.0
    assert math.isnan(causes["admin"])


def test_without_throttled_demand_each_cause_is_zero_and_without_points_unknown() -> None:
    fleet = Fleet()
    series = add_series_with(fleet, CAUSES_WITH_REMAINDER)
    assert all(map(math.isnan, judged_causes(fleet, series).values()))
    write(fleet, [(hot_keys, 1, 0.0), (all_reads, 1, 0.0)])
    assert judged_causes(fleet, series) == {"hot key": 0.0, "other": 0.0}


def test_causes_are_unknown_once_they_are_stale() -> None:
    fleet = Fleet()
    series = add_series_with(fleet, COUNTED_CAUSES)
    write(fleet, [(hot_keys, SETTINGS.stale_after + 1, 120.0), (admin_calls, SETTINGS.stale_after + 1, 60.0)])
    assert all(map(math.isnan, judged_causes(fleet, series).values()))


def test_a_cause_of_zero_is_unknown_if_throttled_demand_is_incomplete() -> None:
    fleet = Fleet()
    series = add_series_with(fleet, COUNTED_CAUSES, throttled_incomplete=True)
    write(fleet, [(hot_keys, 1, 120.0), (admin_calls, 1, 0.0)])
    causes = judged_causes(fleet, series)
    assert causes["hot key"] == 2.0 and math.isnan(causes["admin"])


def test_causes_request_no_additional_metric() -> None:
    with_causes, without_causes = Fleet(), Fleet()
    add_series_with(with_causes, CAUSES_WITH_REMAINDER)
    add(without_causes, key("orders"), throttled=total(*CAUSES_WITH_REMAINDER.values()))
    assert with_causes.metrics(key("orders").cell).keys() == without_causes.metrics(key("orders").cell).keys()


def test_causes_are_replaced_and_removed_with_their_series() -> None:
    fleet = Fleet()
    series, other = (
        add_series_with(fleet, COUNTED_CAUSES),
        add_series_with(fleet, CAUSES_WITH_REMAINDER, "other"),
    )
    write(fleet, [(hot_keys, 1, 120.0), (all_reads, 1, 180.0), (admin_calls, 1, 0.0)])
    add_series_with(fleet, CAUSES_WITH_REMAINDER)
    assert judged_causes(fleet, series) == pytest.approx({"hot key": 2.0, "other": 1.0})
    add_series_with(fleet, {})
    assert judged_causes(fleet, series) == {}
    assert judged_causes(fleet, other) == pytest.approx({"hot key": 2.0, "other": 1.0})
    fleet.drop(other.key)
    assert judged_causes(fleet, other) == {}
    assert fleet.metrics(series.key.cell).keys() == {metric_query(traffic.of(StreamName=series.key.id))}


def test_a_snapshot_has_the_causes_of_the_judgement_before_it() -> None:
    fleet = Fleet()
    series = add_series_with(fleet, COUNTED_CAUSES)
    write(fleet, [(hot_keys, 1, 120.0), (admin_calls, 1, 0.0)])
    judge(fleet, NOW)
    first = Snapshot.of(fleet, {})
    write(fleet, [(admin_calls, 1, 60.0)])
    judge(fleet, NOW)
    second = Snapshot.of(fleet, {}, first)
    add_series_with(fleet, CAUSES_WITH_REMAINDER)
    third = Snapshot.of(fleet, {}, second)
    assert first.causes.of(series.slot) == {"hot key": 2.0, "admin": 0.0}
    assert second.causes.of(series.slot) == {"hot key": 2.0, "admin": 1.0}
    assert third.causes.of(series.slot).keys() == CAUSES_WITH_REMAINDER.keys()


@given(
    st.lists(
        st.tuples(
            st.sampled_from([hot_keys, admin_calls, all_reads]),
            st.integers(0, 2 * RECENT_MINUTES),
            st.integers(0, 600).map(float),
        ),
        max_size=20,
    )
)
@pytest.mark.parametrize(
    "causes",
    [COUNTED_CAUSES, CAUSES_WITH_REMAINDER],
    ids=["all causes counted", "one cause is the remainder"],
)
def test_known_causes_add_up_to_the_throttled_demand(causes: Mapping[str, Usage], points: Points) -> None:
    fleet = Fleet()
    both_series = (
        add_series_with(fleet, {**causes, "admin": per_second(admin_calls)}),
        add_series_with(fleet, CAUSES_WITH_REMAINDER, "clicks"),
    )
    write(fleet, points)
    for series in both_series:
        rate_by_cause = judged_causes(fleet, series)
        known_rates = [rate for rate in rate_by_cause.values() if not math.isnan(rate)]
        if math.isnan(fleet.saturation[series.slot]):
            assert not known_rates
        else:
            assert sum(known_rates) == pytest.approx(fleet.saturation[series.slot], rel=1e-4)
