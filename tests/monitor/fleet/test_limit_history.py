"""The past limits that a fleet stores, compared with a list of every limit that was ever read."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Observed, per_second
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.limit_history import PastLimits
from monitor.fleet.ring_columns import WINDOW
from rules.limits import Limit, LimitSource
from tests.monitor.fleet.fleets import NOW, SETTINGS, key, traffic
from tests.resources import resource

NAN = float("nan")
limits = st.sampled_from([None, 100.0, 0.1, 1e9])
observed_limits = st.lists(st.tuples(st.integers(0, 90), limits), min_size=1, max_size=40)


def put(fleet: Fleet, name: str, limit: float | None, minute: int) -> Series:
    """Put a series, as an inventory does that reads this limit at a minute."""
    series_key = key(name)
    observed = Observed(
        signal=series_key.signal,
        resource=resource(name),
        usage=per_second(traffic.of(StreamName=series_key.id)),
    )
    series_settings = replace(
        SETTINGS, limit=None if limit is None else Limit(limit, LimitSource.API, minute * 60)
    )
    return fleet.put(series_key, observed, series_settings, minute)


def limits_in(fleet: Fleet, series: Series, minutes: range) -> list[float]:
    """Return the limits of a series in these minutes."""
    minute_array = np.array(minutes, np.int32)
    return list(fleet.limits_at(np.full(minute_array.size, series.slot, np.int32), minute_array))


def expected_limits(readings: list[tuple[int, float | None]], minutes: range) -> list[float]:
    """Return the last limit read up to each minute; before the first reading, the first limit."""
    limits_by_minute = []
    for minute in minutes:
        limits_read = [limit for read_at, limit in readings if read_at <= minute]
        limit = limits_read[-1] if limits_read else readings[0][1]
        limits_by_minute.append(NAN if limit is None else float(np.float32(limit)))
    return limits_by_minute


@given(observed_limits)
def test_the_limit_in_a_minute_of_the_window_is_the_last_one_that_was_read_by_then(
    steps: list[tuple[int, float | None]],
) -> None:
    fleet, readings, minute = Fleet(), [], NOW
    for minutes_later, limit in steps:
        minute += minutes_later
        readings.append((minute, limit))
        series = put(fleet, "orders", limit, minute)
    window = range(minute - WINDOW + 1, minute + 1)
    assert limits_in(fleet, series, window) == pytest.approx(expected_limits(readings, window), nan_ok=True)


@given(observed_limits)
def test_only_changes_of_limits_within_the_window_are_stored(steps: list[tuple[int, float | None]]) -> None:
    fleet, minute = Fleet(), NOW
    for minutes_later, limit in steps:
        minute += minutes_later
        series = put(fleet, "orders", limit, minute)
        stored_limits = list(fleet.past_limits.history(series.slot, float(fleet.limit[series.slot])))
        starts = [since or 0 for since, _ in stored_limits[1:]]
        assert stored_limits[0][0] is None
        assert starts == sorted(set(starts))
        assert all(minute - WINDOW < since <= minute for since in starts)
        assert len(fleet.past_limits) == (len(stored_limits) > 1)


def test_series_with_and_without_changed_limits_are_read_together() -> None:
    fleet = Fleet()
    a, b, c = (put(fleet, name, 100.0, NOW - 20) for name in "abc")
    put(fleet, "b", 200.0, NOW - 10)
    put(fleet, "c", 300.0, NOW - 5)
    put(fleet, "c", 400.0, NOW)
    slots = np.array([c.slot, a.slot, b.slot, c.slot, b.slot, c.slot], np.int32)
    minutes = np.array([NOW - 6, NOW - 6, NOW - 10, NOW - 1, NOW - 11, NOW], np.int32)
    assert fleet.limits_at(slots, minutes).tolist() == [100, 100, 200, 300, 100, 400]
    assert len(fleet.past_limits) == 2


def test_a_fleet_whose_limits_never_change_has_no_past_limits() -> None:
    fleet = Fleet()
    for minute in range(NOW, NOW + 100, 10):
        put(fleet, "orders", 0.1, minute)  # float32 cannot represent 0.1 exactly
        put(fleet, "clicks", None, minute)
    assert len(fleet.past_limits) == 0


def test_changes_of_a_dropped_series_do_not_apply_to_the_next_series_in_its_slot() -> None:
    fleet = Fleet()
    put(fleet, "orders", 100.0, NOW - 10)
    dropped = put(fleet, "orders", 200.0, NOW)
    fleet.drop(dropped.key)
    assert len(fleet.past_limits) == 0
    fleet.reclaim()
    other = put(fleet, "clicks", 300.0, NOW + 1)
    assert other.slot == dropped.slot
    assert limits_in(fleet, other, range(NOW - 20, NOW + 2)) == [300.0] * 22


def test_past_limits_stay_in_order_after_changes_in_the_same_minute_and_in_an_earlier_one() -> None:
    past_limits = PastLimits()
    first, second, third = map(np.float32, (1, 2, 3))
    past_limits.record(0, first, second, NOW)
    past_limits.record(0, second, third, NOW)
    past_limits.record(0, third, second, NOW - 5)
    assert list(past_limits.history(0, 2.0)) == [(None, 1.0), (NOW, 2.0)]
