"""Bars, sparklines and charts."""

import re

import numpy as np
import pytest

from monitor.fleet.columns import Floats
from monitor.fleet.ring_columns import WINDOW
from monitor.render.chart import LEFT, RIGHT, WIDTH, Chart, round_step
from monitor.render.svg import line_path, run_marks, utilization_bar, utilization_sparkline
from monitor.web.chart import chart_svg
from rules.signals import Band
from rules.units import unit_named
from tests.monitor.fleet.fleets import series_history

NAN = np.float32(np.nan)
END = 30_000_000
RECORDS = unit_named("records/s")
BAND = Band()


def minutes(*runs: tuple[int, float | np.float32]) -> Floats:
    """A value for so many minutes each; nothing is known before."""
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
    usage = minutes((60, 0.5), (30, NAN), (60, 0.9)).astype(np.float32)
    drawn = utilization_sparkline(usage, np.full(WINDOW, NAN), BAND)
    line = re.search(r'class="line" d="([^"]*)"', drawn)
    assert line and line[1].count("M") == 2
    assert "50 % to 90 %" in drawn and "throttled at" not in drawn


def test_a_sparkline_marks_throttled_demand() -> None:
    drawn = utilization_sparkline(
        minutes((180, 0.5)), minutes((180, 0.0), (0, 1.0))[:WINDOW] + minutes((90, 0.0), (90, 1.0)), BAND
    )
    assert 'class="throttled" d="M60 26.5H120"' in drawn and "throttled at times" in drawn


def test_a_sparkline_without_known_values_is_the_word_unknown() -> None:
    assert "unknown" in utilization_sparkline(np.full(WINDOW, NAN), np.full(WINDOW, NAN), BAND)


def test_a_single_point_is_visible() -> None:
    assert list(line_path(np.arange(3, dtype=np.float32), np.array([NAN, 5, NAN], np.float32))) == ["M1 5h1"]


def test_runs_are_marked_from_their_first_to_their_last_step() -> None:
    flags = np.array([True, True, False, False, True])
    assert list(run_marks(flags, 10, 9.5)) == ["M0 8H20", "M40 8H50"]


@pytest.mark.parametrize(("top", "step"), [(4, 1), (10, 5), (1100, 500), (0.03, 0.01), (8e6, 2e6)])
def test_grid_lines_are_at_round_numbers(top: float, step: float) -> None:
    assert round_step(top) == pytest.approx(step)


@pytest.mark.parametrize(
    ("unit", "limit", "labels"),
    [
        ("bytes/s", 4 * 2.0**20, ["0 B/s", "2 MiB/s", "4 MiB/s"]),
        ("bytes/s", 700.0, ["0 B/s", "200 B/s", "400 B/s", "600 B/s"]),
        ("records/s", 4 * 2.0**20, ["0", "2M", "4M"]),
    ],
)
def test_grid_lines_are_at_round_numbers_of_the_unit_shown(
    unit: str, limit: float, labels: list[str]
) -> None:
    drawn = chart_svg(Chart(series_history(UNKNOWN, minutes((180, limit))), BAND, unit_named(unit)))
    assert re.findall(r'text-anchor="end">([^<]*)<', drawn) == labels


def test_a_chart_shows_each_limit_while_it_was_in_force() -> None:
    limit = minutes((119, 1000.0), (61, 2000.0))
    drawn = chart_svg(Chart(series_history(minutes((180, 500.0)), limit), BAND, RECORDS))
    line = re.search(r'class="limit" d="M([\d.]+) ([\d.]+)h([\d.]+)L([\d.]+) ([\d.]+)h([\d.]+)"', drawn)
    assert line
    x1, y1, w1, x2, y2, w2 = map(float, line.groups())
    assert (x1, x1 + w1, x2 + w2) == pytest.approx((LEFT, x2, WIDTH - RIGHT), abs=0.2)
    assert y2 < y1 and w1 / w2 == pytest.approx(119 / 60, rel=0.01)
    assert drawn.count('class="band"') == 2


def test_a_limit_is_drawn_only_in_minutes_in_which_it_is_known() -> None:
    limit = minutes((60, 1000.0), (60, NAN), (60, 1000.0))
    drawn = chart_svg(Chart(series_history(minutes((180, 500.0)), limit), BAND, RECORDS))
    assert drawn.count('class="band"') == 2
    assert chart_svg(Chart(series_history(minutes((180, 500.0)), UNKNOWN), BAND, RECORDS)).count("limit") == 0


@pytest.mark.parametrize("unit", ["bytes/s", "milliseconds", "percent", "records/s"])
@pytest.mark.parametrize("usage", [NAN, 0.0, 1e-6, 3.0, 7e12])
@pytest.mark.parametrize("limit", [None, 1e-3, 1000.0, 5e12])
def test_a_chart_stays_within_its_frame(unit: str, usage: float, limit: float | None) -> None:
    history = series_history(minutes((100, usage)), minutes((180, limit or NAN)), minutes((50, 1.0)))
    drawn = chart_svg(Chart(history, BAND, unit_named(unit)))
    assert "nan" not in drawn and "inf" not in drawn
    assert drawn.count("<text") < 20
    for height in re.findall(r'<rect class="band" [^>]* height="([^"]*)"', drawn):
        assert float(height) >= 0
