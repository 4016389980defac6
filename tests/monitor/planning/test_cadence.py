"""Cadences of series by their distance to the band's edge, their history of rises, and alerts."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet.ring_columns import WINDOW
from monitor.planning.cadence import NEAR_MEMORY, Danger, cadences, safe_minutes
from monitor.planning.intervals import Intervals
from monitor.planning.rises import HALF_LIFE, HORIZONS, faded_rises, highest_rises

INTERVALS = Intervals(shortest=1, longest=15, throttled=5)
LONG_HISTORY = 10 * 1440  # minutes of history


def danger(usage: float = 10, edge: float = 70, rise: float = 0, **facts: Any) -> Danger:
    """Return the danger of one series that rises by `rise` a minute at most."""
    inputs = {
        "usage": usage,
        "edge": edge,
        "history_minutes": LONG_HISTORY,
        "sample_age_minutes": 2,
        "minutes_since_near": NEAR_MEMORY + 1,
        "pending_for": 10,
        "is_alerting": False,
    } | facts
    types = {"usage": np.float32, "edge": np.float32, "is_alerting": np.bool_}
    columns: dict[str, Any] = {
        name: np.array([value], types.get(name, np.int32)) for name, value in inputs.items()
    }
    return Danger(rises=(rise * HORIZONS)[None].astype(np.float32), **columns)


@pytest.mark.parametrize(
    ("facts", "minutes"),
    [
        ({}, 15),
        ({"rise": 1}, 15),
        ({"rise": 5}, 10),
        ({"rise": 7}, 10),
        ({"rise": 7, "history_minutes": 240}, 6),  # four hours may not contain the highest rise
        ({"rise": 13}, 6),
        ({"rise": 26}, 4),
        ({"rise": 59}, 3),
        ({"rise": 61}, 2),  # at most a minute later than if it were read every minute
        ({"minutes_since_near": 0}, 2),
        ({"minutes_since_near": NEAR_MEMORY}, 2),
        ({"minutes_since_near": 0, "history_minutes": 0}, 1),
        ({"usage": 70}, 1),
        ({"usage": 700}, 1),
        ({"usage": 64}, 5),  # half of `for`
        ({"usage": 64, "pending_for": 0}, 1),
        ({"is_alerting": True}, 1),
        ({"is_alerting": True, "sample_age_minutes": 400}, 1),
        ({"history_minutes": 60}, 5),
        ({"history_minutes": 0}, 1),
        ({"edge": np.nan}, 15),
        ({"edge": np.nan, "usage": np.nan}, 15),
        ({"sample_age_minutes": 61}, 15),
        ({"usage": 90, "sample_age_minutes": 60}, 1),
        ({"usage": 90, "sample_age_minutes": 61}, 15),
    ],
)
def test_a_series_waits_as_long_as_it_is_safe(facts: dict[str, Any], minutes: int) -> None:
    assert cadences(danger(**facts), INTERVALS).tolist() == [minutes]


def test_no_series_waits_less_than_the_shortest_interval() -> None:
    assert cadences(danger(usage=100), Intervals(5, 15, 5)).tolist() == [5]


def test_equal_intervals_read_everything_equally_often() -> None:
    equal_intervals = Intervals(5, 5, 5)
    assert {int(cadences(danger(usage=usage), equal_intervals)[0]) for usage in (0, 10, 69, 100)} == {5}


def test_the_highest_rise_within_each_horizon_is_found() -> None:
    usage = np.full((3, WINDOW), 10, np.float32)
    usage[1, 100:] = 50  # a step
    usage[2] = np.arange(WINDOW)  # a ramp
    usage[0, 50:60] = np.nan
    assert highest_rises(usage).tolist() == [[0] * 7, [40] * 7, HORIZONS.tolist()]


def test_neither_falling_nor_missing_usage_has_a_rise() -> None:
    usage = np.full((2, WINDOW), np.nan, np.float32)
    usage[0] = np.arange(WINDOW, 0, -1)
    assert not highest_rises(usage).any()


def test_a_rise_across_missing_minutes_counts() -> None:
    usage = np.full((1, WINDOW), np.nan, np.float32)
    usage[0, [10, 14]] = 5, 25
    assert highest_rises(usage)[0].tolist() == [0, 0, 20, 20, 20, 20, 20]


def test_a_remembered_rise_loses_half_of_its_height_in_its_half_life() -> None:
    rises = np.full((2, 7), 8, np.float32)
    assert faded_rises(rises, np.array([0, HALF_LIFE], np.int32))[:, 0].tolist() == [8, 4]


@given(
    st.floats(0, 100, width=32),
    st.lists(st.floats(0, 100, width=32), min_size=7, max_size=7),
    st.integers(0, LONG_HISTORY),
)
def test_a_higher_usage_or_rise_is_never_safe_for_longer(
    usage: float, rises: list[float], history: int
) -> None:
    sorted_rises = np.sort(np.array(rises, np.float32))
    columns = np.array([usage, usage + 10, usage], np.float32), np.full(3, 70, np.float32)
    rises_of_series = np.stack([sorted_rises, sorted_rises, sorted_rises + 10])
    safe = safe_minutes(*columns, rises_of_series, np.full(3, history, np.int32))
    assert safe[1] <= safe[0]
    assert safe[2] <= safe[0]
