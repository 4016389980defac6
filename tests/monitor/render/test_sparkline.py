"""Sparklines of three hours as text."""

from collections.abc import Sequence
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet.ring_columns import WINDOW
from monitor.render.sparkline import BLOCKS, BUCKET, GAP, LENGTH, THROTTLED, sparkline
from rules.arrays import Floats
from tests.monitor.fleet.fleets import series_history

NAN = float("nan")
UNKNOWN = np.full(WINDOW, NAN, np.float32)


def minutes(*runs: tuple[int, float]) -> Floats:
    """Return a value for each minute of the window. runs: minutes and the value in them, the newest last.

    The minutes before the runs are unknown.
    """
    values = [value for length, value in runs for _ in range(length)]
    return np.array([NAN] * (WINDOW - len(values)) + values, np.float32)


@pytest.mark.parametrize(
    ("runs", "drawn"),
    [
        ([(180, 0.0)], "▁" * 18),
        ([(180, 0.5)], "▄" * 18),
        ([(180, 0.99)], "▇" * 18),
        ([(180, 1.0)], "█" * 18),
        ([(180, 7.0)], "█" * 18),
        ([(90, 0.2), (90, 0.8)], "▂" * 9 + "▆" * 9),
        ([(60, 0.5)], " " * 12 + "▄" * 6),
        ([(60, 0.5), (60, NAN), (60, 0.5)], "▄" * 6 + " " * 6 + "▄" * 6),
        ([(1, 1.0), (179, 0.1)], "█" + "▁" * 17),  # the highest value of each ten minutes
        ([(9, NAN), (1, 0.5), (170, NAN)], "▄" + " " * 17),
        ([], " " * 18),
    ],
)
def test_each_character_shows_the_highest_value_of_its_minutes(
    runs: Sequence[tuple[int, float]], drawn: str
) -> None:
    assert sparkline(series_history(minutes(*runs))) == drawn


def test_throttled_demand_is_marked_at_any_utilization() -> None:
    throttled = minutes((50, 0.0), (1, 2.0), (99, 0.0), (30, NAN))
    assert sparkline(series_history(minutes((180, 0.2)), throttled=throttled)) == "▂" * 5 + "!" + "▂" * 12
    assert sparkline(series_history(UNKNOWN, throttled=throttled)) == " " * 5 + "!" + " " * 12


def test_a_sparkline_without_a_limit_is_blank() -> None:
    assert sparkline(series_history(minutes((180, 0.5)), limit=NAN)) == GAP * LENGTH


@given(st.lists(st.sampled_from([NAN, 0.0, 1e-9, 0.3, 0.7, 1.0, 1e30]), min_size=WINDOW, max_size=WINDOW))
def test_a_sparkline_has_a_fixed_length_and_shows_unknown_minutes_and_a_reached_limit(
    values: list[float],
) -> None:
    drawn = sparkline(series_history(np.array(values, np.float32)))
    assert len(drawn) == LENGTH and THROTTLED not in drawn
    for position, character in enumerate(drawn):
        bucket = values[position * BUCKET : (position + 1) * BUCKET]
        known_values = [value for value in bucket if not isnan(value)]
        assert (character == GAP) == (not known_values)
        if known_values:
            assert (character == BLOCKS[-1]) == (max(known_values) >= 1.0)
