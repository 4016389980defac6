"""The chart of a series: its data in each range, its drawing, and the points that the script reads."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from monitor.fleet.fan import Fan
from monitor.fleet.history import SeriesHistory
from monitor.fleet.reach import NO_REACH_KNOWN, Reach
from monitor.fleet.ring_columns import WINDOW
from monitor.web.chart import UsageChart, axis_of
from monitor.web.chart_data import (
    DEFAULT_RANGE,
    RANGES,
    ChartData,
    ChartRange,
    Gap,
    LimitSpan,
    ThrottledSpan,
    long_data,
    minute_data,
    value_rows,
)
from rules.analogs import BINS_PER_DAY
from rules.arrays import Floats
from rules.signals import Band
from rules.units import unit_named
from tests.monitor.fleet.fleets import SETTINGS, series_history

NAN = np.float32(np.nan)
END = 30_000_000 // (24 * 60) * 24 * 60 + 7  # shortly after the begin of a quarter of an hour
SIGNAL = SETTINGS.signal
OVERDUE_MINUTES = 10  # after which the newest sample is overdue
LONG_RANGES = [long_range for long_range in RANGES.values() if long_range is not DEFAULT_RANGE]


def values_of(*runs: tuple[int, float | np.float32]) -> Floats:
    """Return the values of WINDOW minutes that end with these runs, each a length and a value; NaN before."""
    known = np.concatenate([np.full(length, value, np.float32) for length, value in runs])
    return np.concatenate([np.full(WINDOW - known.size, NAN), known])


def history(usage: Floats, limit: float = 1000.0, throttled: Any = np.nan) -> SeriesHistory:
    """Return a history that ends at END. usage, throttled: by minute; limit: in all minutes."""
    return series_history(usage, limit, throttled, end=END)


def fan(days: int, ahead: int = 1, usage: float = 400.0, now: int = END // 15 * 15) -> Fan:
    """Return a fan with a constant past usage, and with forecast quantiles from 500 to 900.

    days, ahead: the days of the past and of the forecast. now: the minute between them.
    """
    edges = [np.full(ahead * BINS_PER_DAY, value, np.float32) for value in (500, 600, 700, 800, 900)]
    return Fan(now, np.full(days * BINS_PER_DAY, usage, np.float32), np.stack(edges))


def constant_limit(chart_range: ChartRange, limit: float = 1000.0) -> list[LimitSpan]:
    """Return a limit that is in force in all of a range."""
    return [LimitSpan(END - chart_range.past, END + chart_range.ahead, limit)]


def chart_of(data: ChartData, reach: Reach = NO_REACH_KNOWN, unit: str = "bytes/s") -> UsageChart:
    """Return the chart of data about a signal in this unit."""
    signal = SIGNAL.model_copy(update={"unit": unit_named(unit)})
    return UsageChart(data, signal, Band(), reach, OVERDUE_MINUTES)


def path_commands(chart: UsageChart, name: str) -> str:
    """Return the commands of the path of this class in a chart; empty if there is no such path."""
    found = re.search(rf'<path class="{name}" d="([^"]*)"', chart.paths())
    return found[1] if found else ""


@pytest.mark.parametrize("chart_range", LONG_RANGES, ids=lambda chart_range: chart_range.name)
def test_a_long_range_ends_with_recent_hours_that_the_recorded_past_lacks(chart_range: ChartRange) -> None:
    old = fan(chart_range.fan_days[0], now=END // 15 * 15 - 30)
    data = long_data(chart_range, history(values_of((60, 900.0))), old, constant_limit(chart_range), [])
    assert data.usage.size == chart_range.past // chart_range.step
    assert data.usage[-1] == 900.0 and data.usage[0] == 400.0
    assert data.gaps(OVERDUE_MINUTES) == []


def test_a_fortnight_and_its_forecast_have_at_most_400_points() -> None:
    chart_range = RANGES["14d"]
    data = long_data(chart_range, history(values_of((180, 5.0))), fan(14, 3), constant_limit(chart_range), [])
    assert data.usage.size == 14 * 24
    assert len(chart_of(data).points().split("|")) <= 400


@pytest.mark.parametrize("chart_range", LONG_RANGES, ids=lambda chart_range: chart_range.name)
def test_without_a_recorded_past_all_but_the_last_three_hours_is_a_gap(chart_range: ChartRange) -> None:
    data = long_data(chart_range, history(values_of((120, 5.0))), None, constant_limit(chart_range), [])
    (gap,) = data.gaps(OVERDUE_MINUTES)
    assert gap.begin == data.start and END - 180 <= gap.end <= END - 60
    assert 'fill="url(#hatch)"' in chart_of(data).gaps("no data")
    assert not data.has_forecast


@pytest.mark.parametrize(
    ("usage", "gaps"),
    [
        (values_of((180, 5.0)), []),
        (values_of((180, 5.0)) + np.r_[np.zeros(100), np.full(10, NAN), np.zeros(70)], [(100, 111)]),
        (values_of((150, 5.0), (30, NAN)), [(150, 180)]),
        (values_of((175, 5.0), (5, NAN)), []),  # CloudWatch may still publish these minutes
        (values_of((0, 5.0)), [(0, 180)]),
    ],
)
def test_times_without_data_are_gaps_without_a_line(usage: Floats, gaps: list[tuple[int, int]]) -> None:
    data = minute_data(history(usage.astype(np.float32)), None, [])
    start = data.start
    assert [(gap.begin - start, gap.end - start) for gap in data.gaps(OVERDUE_MINUTES)] == gaps
    assert path_commands(chart_of(data), "usage").count("M") == len(data.connected_runs())


def test_a_metric_of_five_minutes_has_a_line_and_no_gaps() -> None:
    usage = np.full(WINDOW, NAN)
    usage[::5] = 3.0
    data = minute_data(history(usage), None, [])
    assert len(data.connected_runs()) == 1 and data.gaps(OVERDUE_MINUTES) == []
    usage[50:65] = NAN
    with_gap = minute_data(history(usage), None, [])
    assert len(with_gap.connected_runs()) == 2
    assert with_gap.gaps(OVERDUE_MINUTES) == [Gap(with_gap.start + 46, with_gap.start + 66)]


def test_each_limit_is_drawn_while_it_was_in_force_and_assumed_limits_separately() -> None:
    start = END - 180
    spans = [LimitSpan(start, start + 60, 1000.0, True), LimitSpan(start + 60, start + 120, 1000.0)]
    spans.append(LimitSpan(start + 120, END + 180, 2000.0))
    chart = chart_of(minute_data(history(values_of((180, 500.0))), None, spans))
    assert chart.top == 2560.0
    assert path_commands(chart, "limit") == "M166.67 609.38H333.33L333.33 218.75H1000.00"
    assert path_commands(chart, "limit assumed") == "M0.00 609.38H166.67"
    assert chart.background().count('class="goal"') == 3
    assert "raised to 1.95 KiB/s" in chart.limit_changes()
    assert chart.limit_changes().count("<text") == 1


def test_the_labels_of_the_lines_do_not_cover_each_other() -> None:
    data = minute_data(history(values_of((180, 90_000.0))), None, constant_limit(DEFAULT_RANGE, 1000.0))
    positions = [label.y for label in chart_of(data, Reach(ceiling=980.0)).labels()]
    assert len(positions) == 4 and max(positions) <= 100
    assert min(np.diff(positions)) >= 5


def test_throttled_demand_is_drawn_as_bars_by_height() -> None:
    throttled = values_of((178, 0.0), (1, 20.0), (1, 40.0))
    data = minute_data(history(values_of((180, 5.0)), throttled=throttled), None, [])
    heights = re.findall(r'class="refused" [^>]* height="([\d.]+)%"', chart_of(data).throttled_bars())
    assert heights == ["50", "100"]


def test_throttled_demand_of_an_unknown_amount_has_the_full_height() -> None:
    chart_range = RANGES["24h"]
    throttled = [ThrottledSpan(END - 600, END - 500, None)]
    data = long_data(
        chart_range, history(values_of((180, 5.0))), fan(1), constant_limit(chart_range), throttled
    )
    assert 'height="100%"' in chart_of(data).throttled_bars()
    assert data.throttled_at(END - 550, END - 540) is None
    assert data.throttled_at(END - 50, END - 40) == 0


@pytest.mark.parametrize(
    ("hours", "is_drawn"), [((1, 1.5, 2), True), ((2, 9, 20), True), ((9, 10, 11), False)]
)
def test_the_bar_of_the_times_at_which_the_limit_is_reached_is_drawn_if_it_is_in_the_chart(
    hours: tuple[float, ...], is_drawn: bool
) -> None:
    reach = Reach((0.5, 0.9, 0.9, 0.9), tuple(int(END + 60 * hour) for hour in hours), 14.0)
    data = minute_data(history(values_of((180, 5.0))), fan(1), constant_limit(DEFAULT_RANGE))
    assert ('class="reach"' in chart_of(data, reach).reach_bar()) is is_drawn
    assert chart_of(data, replace(reach, probability=(1.0,) * 4)).reach_bar() == ""


def test_gaps_of_the_forecast_are_not_drawn() -> None:
    with_gap = fan(1)
    with_gap.ahead[:, 4:6] = NAN
    chart = chart_of(minute_data(history(values_of((180, 5.0))), with_gap, constant_limit(DEFAULT_RANGE)))
    assert path_commands(chart, "fan").count("Z") == path_commands(chart, "fan in").count("Z") == 2
    assert "nan" not in chart.paths()


def test_the_points_for_the_script_have_texts() -> None:
    throttled = values_of((179, 0.0), (1, 20.0))
    usage = values_of((178, 500.0), (1, NAN), (1, 800.0))
    data = minute_data(history(usage, throttled=throttled), fan(1), constant_limit(DEFAULT_RANGE))
    points = [point.split("~") for point in chart_of(data, unit="records/s").points().split("|")]
    past = [point for point in points if point[2] != "f"]
    assert past[-1][0] == str(END) and past[-1][2:] == ["800 records/s", "1k records/s", "80 %", "20 /s"]
    assert past[-2][1:3] == ["", ""] and past[-3][-1] == "none"
    assert points[-1][2:] == ["f", "700 records/s", "500 records/s to 900 records/s"]


def test_the_table_has_the_highest_value_of_each_five_minutes_the_newest_first() -> None:
    throttled = values_of((100, 0.0), (80, 7.0))
    usage = values_of((90, 10.0), (90, 20.0))
    rows = value_rows(minute_data(history(usage, 40.0, throttled), None, constant_limit(DEFAULT_RANGE, 40.0)))
    assert len(rows) == 36 and rows[0].at > rows[-1].at
    assert (rows[0].usage, rows[0].utilization, rows[0].throttled) == (20.0, 0.5, 7.0)
    unknown = value_rows(minute_data(history(values_of((0, 1.0))), None, []))
    assert {(row.usage, row.limit, row.utilization) for row in unknown} == {(None, None, None)}


@pytest.mark.parametrize(
    ("unit", "highest", "labels"),
    [
        ("bytes/s", 4 * 2.0**20, ["0 B/s", "1 MiB/s", "2 MiB/s", "3 MiB/s", "4 MiB/s", "5 MiB/s"]),
        ("bytes/s", 700.0, ["0 B/s", "200 B/s", "400 B/s", "600 B/s", "800 B/s"]),
        ("percent", 100.0, ["0 %", "25 %", "50 %", "75 %", "100 %", "125 %"]),
        ("records/s", 1000.0, ["0", "250", "500", "750", "1k", "1.25k"]),
    ],
)
def test_the_axis_has_round_numbers_of_the_unit_shown(unit: str, highest: float, labels: list[str]) -> None:
    data = minute_data(history(values_of((0, 1.0)), highest), None, constant_limit(DEFAULT_RANGE, highest))
    assert [mark.text for mark in chart_of(data, unit=unit).amounts()] == labels


@pytest.mark.parametrize("chart_range", RANGES.values(), ids=lambda chart_range: chart_range.name)
@pytest.mark.parametrize("unit", ["bytes/s", "milliseconds", "percent", "records/s"])
@pytest.mark.parametrize("usage", [NAN, 0.0, 1e-6, 3.0, 7e12])
@pytest.mark.parametrize("limit", [None, 1e-3, 1000.0, 5e12])
def test_a_chart_stays_within_its_frame(
    chart_range: ChartRange, unit: str, usage: float, limit: float | None
) -> None:
    spans = constant_limit(chart_range, limit) if limit else []
    series = history(values_of((100, usage)), limit or np.nan, values_of((50, 1.0)))
    if chart_range is DEFAULT_RANGE:
        data = minute_data(series, fan(1), spans)
    else:
        data = long_data(chart_range, series, fan(*chart_range.fan_days), spans, [ThrottledSpan(0, END, 3.0)])
    chart = chart_of(data, unit=unit)
    svg = "".join(
        (chart.background(), chart.paths(), chart.throttled_bars(), chart.ticks(), chart.reach_bar())
    )
    assert "nan" not in svg and "inf" not in svg
    for size in re.findall(r' (?:width|height)="([-\d.]+)%"', svg):
        assert 0 <= float(size) <= 100
    for place in re.findall(r' (?:x|y|x1|x2|y1|y2)="([-\d.]+)%"', svg):
        assert -1 <= float(place) <= 101


@pytest.mark.parametrize("highest", [0.0, 1e-9, 1.0, 99.0, 1e15])
def test_an_axis_has_three_to_six_steps_and_ends_above_the_highest_value(highest: float) -> None:
    step, top = axis_of(highest, unit_named("records/s"))
    assert highest < top and 3 <= round(top / step) <= 6
