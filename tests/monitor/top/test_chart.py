"""Bars and charts of characters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet.ring_columns import WINDOW
from monitor.render.chart import Chart
from monitor.top.bars import bar, downsample
from monitor.top.chart import FOOTER_HEIGHT, LABEL_WIDTH, dots_between, plot
from rules.arrays import Floats
from rules.band import Zone
from rules.signals import Band
from rules.units import BYTES_PER_SECOND, unit_named
from tests.monitor.fleet.fleets import series_history
from tests.monitor.web.test_drawings import NAN, UNKNOWN, values_of

RECORDS = unit_named("records/s")
BAND = Band()
LIMIT = np.full(WINDOW, 1000, np.float32)


@pytest.mark.parametrize(
    ("utilization", "drawn"),
    [
        (None, "····░░░···"),
        (0.0, "····░░░···"),
        (0.2, "██··░░░···"),
        (0.5, "████▓░░···"),
        (0.92, "████▓▓▓██·"),
        (1.0, "████▓▓▓███"),
        (30.0, "████▓▓▓███"),
    ],
)
def test_a_bar_shows_the_usage_and_the_band(utilization: float | None, drawn: str) -> None:
    assert bar(utilization, BAND, Zone.WITHIN, 10).plain == drawn


def test_a_bar_without_a_known_band_shows_the_usage_alone() -> None:
    assert bar(0.5, None, Zone.WITHIN, 10).plain == "█████·····"


def test_a_bar_marks_a_band_up_to_the_limit() -> None:
    assert bar(0.5, Band(low=0.5, high=3, near=4), Zone.BELOW, 10).plain == "█████░░░░░"


def test_each_column_of_a_chart_shows_its_highest_value() -> None:
    values = np.arange(6, dtype=np.float32)
    assert downsample(values, 3).tolist() == [1, 3, 5]
    assert downsample(values, 4).tolist() == [0, 2, 3, 5]
    assert downsample(values, 12).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert downsample(np.array([NAN, 1, NAN, NAN], np.float32), 2).tolist()[0] == 1


@pytest.mark.parametrize(
    ("previous", "y", "dots"),
    [(None, 3, [3]), (3, 3, [3]), (1, 4, [2, 3, 4]), (4, 1, [1, 2, 3]), (3, None, []), (None, None, [])],
)
def test_a_curve_has_gaps_only_where_usage_is_unknown(
    previous: int | None, y: int | None, dots: list[int]
) -> None:
    assert list(dots_between(previous, y)) == dots


def lines(usage: Floats, limit: Floats = LIMIT, saturation: Floats = UNKNOWN) -> list[str]:
    """Return the lines of a chart that is 60 columns wide and 20 lines high."""
    drawn = plot(
        Chart(series_history(usage, limit, saturation), BAND, RECORDS),
        LABEL_WIDTH + 60,
        20 + FOOTER_HEIGHT,
    )
    return drawn.plain.split("\n")


def lines_by_label(drawn: list[str]) -> dict[str, str]:
    """Return the part right of the axis of each line that has a label, by label."""
    parts = (line.partition("│") for line in drawn if "│" in line)
    return {label.strip(): line for label, _, line in parts if label.strip()}


def test_the_limit_and_the_edges_of_the_band_are_labelled_lines() -> None:
    chart = lines_by_label(lines(values_of((180, 200))))
    assert [chart[value] for value in ("1k", "900", "700", "400")] == ["─" * 60, "╌" * 60, "┈" * 60, "┈" * 60]
    assert list(chart) == ["1k", "900", "700", "400", "0", "throttled"]


def test_a_limit_that_was_raised_is_drawn_as_two_lines() -> None:
    drawn = lines(values_of((180, 100)), values_of((90, 500), (90, 1000)))
    assert lines_by_label(drawn)["1k"] == " " * 30 + "─" * 30
    assert any(line[LABEL_WIDTH:] == "─" * 30 + " " * 30 for line in drawn)


def test_without_a_limit_the_axis_has_round_numbers() -> None:
    chart = lines_by_label(lines(values_of((180, 900)), UNKNOWN))
    assert list(chart) == ["500", "0", "throttled"] and chart["500"] == "┈" * 60
    assert "limit" not in lines(values_of((180, 900)), UNKNOWN)[-1]


def test_usage_is_drawn_only_in_minutes_in_which_it_is_known() -> None:
    drawn = lines(values_of((60, 990), (60, NAN), (60, 5)))
    curve = [[0x2800 < ord(cell) < 0x2900 for cell in line[LABEL_WIDTH:]] for line in drawn[:20]]
    rows = [[number for number, line in enumerate(curve) if line[column]] for column in range(60)]
    assert rows[:20] == [[2]] * 20
    assert rows[20:40] == [[]] * 20
    assert rows[40:] == [[19]] * 20


def test_minutes_with_throttled_demand_are_marked() -> None:
    chart = lines_by_label(
        lines(values_of((180, 500)), saturation=values_of((60, 0), (60, 2), (30, 0), (30, NAN)))
    )
    assert chart["throttled"] == "·" * 20 + "!" * 20 + "·" * 10 + " " * 10
    assert lines_by_label(lines(values_of((180, 500))))["throttled"] == "not reported"


numbers = st.floats(min_value=0, max_value=2.0**50, width=32) | st.just(float("nan"))
runs = st.lists(st.tuples(st.integers(1, 60), numbers), min_size=1, max_size=3).map(
    lambda runs: values_of(*runs)
)


@given(runs, runs, runs, st.integers(1, 250), st.integers(1, 60))
def test_a_chart_of_any_values_has_the_requested_size(
    usage: Floats, limit: Floats, saturation: Floats, width: int, height: int
) -> None:
    chart = Chart(series_history(usage, limit, saturation), BAND, BYTES_PER_SECOND)
    drawn = plot(chart, LABEL_WIDTH + 4 + width, FOOTER_HEIGHT + 4 + height).plain.split("\n")
    assert len(drawn) == FOOTER_HEIGHT + 4 + height
    assert {len(line) for line in drawn[: 4 + height]} == {LABEL_WIDTH + 4 + width}
