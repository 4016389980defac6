"""Three hours in a few characters."""

from collections.abc import Sequence
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.columns import Floats
from monitor.course import Course
from monitor.rings import WINDOW
from monitor.sparkline import BLOCKS, BUCKET, GAP, LENGTH, REFUSED, sparkline

NAN = float("nan")
UNKNOWN = np.full(WINDOW, NAN, np.float32)


def course(usage: Floats, saturation: Floats = UNKNOWN, limit: float = 1.0) -> Course:
    return Course(30_000_000, usage, UNKNOWN, saturation, np.full(WINDOW, limit, np.float32))


def minutes(*runs: tuple[int, float]) -> Floats:
    told = [value for length, value in runs for _ in range(length)]
    return np.array([NAN] * (WINDOW - len(told)) + told, np.float32)


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
        ([(1, 1.0), (179, 0.1)], "█" + "▁" * 17),  # the highest of each ten minutes
        ([(9, NAN), (1, 0.5), (170, NAN)], "▄" + " " * 17),
        ([], " " * 18),
    ],
)
def test_each_character_is_the_highest_of_its_minutes(runs: Sequence[tuple[int, float]], drawn: str) -> None:
    assert sparkline(course(minutes(*runs))) == drawn


def test_refused_demand_is_seen_whatever_the_utilization() -> None:
    refused = minutes((50, 0.0), (1, 2.0), (99, 0.0), (30, NAN))
    assert sparkline(course(minutes((180, 0.2)), refused)) == "▂" * 5 + "!" + "▂" * 12
    assert sparkline(course(UNKNOWN, refused)) == " " * 5 + "!" + " " * 12


def test_without_a_limit_nothing_is_drawn() -> None:
    assert sparkline(course(minutes((180, 0.5)), limit=NAN)) == GAP * LENGTH


@given(st.lists(st.sampled_from([NAN, 0.0, 1e-9, 0.3, 0.7, 1.0, 1e30]), min_size=WINDOW, max_size=WINDOW))
def test_it_is_always_as_long_and_no_lower_than_any_of_its_minutes(values: list[float]) -> None:
    drawn = sparkline(course(np.array(values, np.float32)))
    assert len(drawn) == LENGTH and REFUSED not in drawn
    for position, character in enumerate(drawn):
        known = [one for one in values[position * BUCKET : (position + 1) * BUCKET] if not isnan(one)]
        assert (character == GAP) == (not known)
        if known:
            assert (character == BLOCKS[-1]) == (max(known) >= 1.0)
