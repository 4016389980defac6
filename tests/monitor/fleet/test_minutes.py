"""Histories of usage by minute: of one series, and of many series at once."""

import numpy as np

from collectors.base import Metric, highest, total
from monitor.fleet.fleet import Fleet
from monitor.fleet.history import SeriesHistory, last_read_minute, usage_histories
from monitor.fleet.ring_columns import WINDOW
from tests.monitor.fleet.points import NAN
from tests.monitor.fleet.test_judge import NOW, Write, key, more_traffic, observed_with, put, traffic, write


def test_the_history_of_a_series_has_the_result_of_its_formula_in_each_minute() -> None:
    fleet = Fleet()
    put(fleet, observed_with(total(traffic, more_traffic)))
    points: list[Write] = [(0, 5, 1.0), (2, 5, 2.0), (2, 4, 3.0), (0, 2, 5.0), (2, 2, 6.0), (2, 1, 9.0)]
    for point in points:
        write(fleet, point)
    for metric in (0, 2):
        write(fleet, (metric, 3))
    series = fleet.series[key()]
    series_history = SeriesHistory.of(fleet, series, last_read_minute(fleet, series))
    assert (series_history.start, series_history.end) == (NOW - WINDOW, NOW - 1)
    last_usages = [3, 3, NAN, 11, NAN]  # the last minute is unknown, as it may still grow
    np.testing.assert_array_equal(series_history.usage[-5:], last_usages)
    assert np.isnan(series_history.usage[:-5]).all()


def test_histories_of_many_series_equal_the_history_of_each_series_alone() -> None:
    """Each history ends with the newest minute of its series; without any point, that is long ago."""
    fleet = Fleet()
    put(fleet, observed_with(total(traffic)), resource="one")
    put(fleet, observed_with(highest(traffic, more_traffic)), resource="two")
    put(fleet, observed_with(total(Metric("AWS/Test", "Nobody", "Sum"))), resource="none")
    points: list[Write] = [(0, 5, 1.0), (2, 7, 2.0), (0, 6, 3.0), (0, 200, 9.0), (0, 2, 5.0), (2, 3, 6.0)]
    for point in points:
        write(fleet, point)
    for metric in (0, 2):
        write(fleet, (metric, 3))
    slots = np.array([fleet.series[key(name)].slot for name in ("two", "none", "one")], np.int32)
    minutes, values = usage_histories(fleet, slots)
    assert minutes.shape == values.shape == (3, WINDOW)
    assert np.isnan(values[1]).all()
    for row in (0, 2):
        series_history = SeriesHistory.of(fleet, fleet.by_slot[slots[row]], int(minutes[row, -1]))
        np.testing.assert_array_equal(values[row], series_history.usage)
        assert np.isfinite(values[row][-1])
