"""Bars and sparklines as SVG."""

import re

import numpy as np
import pytest

from monitor.fleet.ring_columns import WINDOW
from monitor.render.chart import round_step
from monitor.render.svg import line_path, run_marks, utilization_bar, utilization_sparkline
from rules.arrays import Floats
from rules.signals import Band

NAN = np.float32(np.nan)
BAND = Band()


def values_of(*runs: tuple[int, float | np.float32]) -> Floats:
    """Return the values of WINDOW minutes that end with these runs, each a length and a value; NaN before."""
    known = np.concatenate([np.full(length, value, np.float32) for length, value in runs])
    return np.concatenate([np.full(WINDOW - known.size, NAN), known])


UNKNOWN = np.full(WINDOW, NAN)


@pytest.mark.parametrize(
    ("utilization", "fill"), [(None, "0.0"), (0.0, "0.0"), (0.5, "50.0"), (1.0, "100.0"), (7.0, "100.0")]
)
def test_the_length_of_a_bar_is_the_utilization(utilization: float | None, fill: str) -> None:
    drawn = utilization_bar(utilization, BAND, "within")
    assert f'width="{fill}"' in drawn
    assert 'class="band" x="40.0" width="30.0"' in drawn


def test_a_bar_has_a_label() -> None:
    assert 'aria-label="92 % of the limit, target 40 % to 70 %"' in utilization_bar(0.92, BAND, "near")


def test_a_sparkline_has_gaps_where_the_utilization_is_unknown() -> None:
    usage = values_of((60, 0.5), (30, NAN), (60, 0.9)).astype(np.float32)
    drawn = utilization_sparkline(usage, np.full(WINDOW, NAN), BAND)
    line = re.search(r'class="line" d="([^"]*)"', drawn)
    assert line and line[1].count("M") == 2
    assert "50 % to 90 %" in drawn and "throttled at" not in drawn


def test_a_sparkline_marks_throttled_demand() -> None:
    drawn = utilization_sparkline(values_of((180, 0.5)), values_of((90, 0.0), (90, 1.0)), BAND)
    assert 'class="throttled" d="M60 26.5H120"' in drawn and "throttled at times" in drawn


def test_a_sparkline_without_known_values_is_the_word_unknown() -> None:
    assert "unknown" in utilization_sparkline(np.full(WINDOW, NAN), np.full(WINDOW, NAN), BAND)


def test_a_single_known_point_is_drawn_as_a_short_line() -> None:
    assert list(line_path(np.arange(3, dtype=np.float32), np.array([NAN, 5, NAN], np.float32))) == ["M1 5h1"]


def test_runs_are_marked_from_their_first_to_their_last_step() -> None:
    flags = np.array([True, True, False, False, True])
    assert list(run_marks(flags, 10, 9.5)) == ["M0 8H20", "M40 8H50"]


@pytest.mark.parametrize(("top", "step"), [(4, 1), (10, 5), (1100, 500), (0.03, 0.01), (8e6, 2e6)])
def test_grid_lines_are_at_round_numbers(top: float, step: float) -> None:
    assert round_step(top) == pytest.approx(step)
