"""The leads with which forecasts from earlier data would have foreseen episodes."""

import numpy as np
import pytest

from monitor.lookback.backtest import Backtest, backtest
from monitor.lookback.episodes import Episode
from monitor.lookback.quarter_hours import QuarterHours
from rules.analogs import BIN_MINUTES, BINS_PER_DAY

DAY_MINUTES = 24 * 60
NAN = float("nan")
DAYS = 14


def history(*peaks: float, base: float = 0.3) -> QuarterHours:
    """Return the quarter-hours of a series that peaks for three hours each evening.

    Usage of 0.9 is near the limit. peaks: the highest usage of each day.
    """
    quarter_hours = QuarterHours(np.array([7]), range(0, len(peaks) * DAY_MINUTES))
    hours = np.arange(quarter_hours.count) * BIN_MINUTES / 60 % 24
    shape = np.clip(1 - np.abs(hours - 19.5) / 1.5, 0, 1)
    height = np.repeat(np.array(peaks) - base, BINS_PER_DAY)
    noise = np.random.default_rng(3).random(quarter_hours.count) * 0.02
    quarter_hours.demand[0], quarter_hours.target[0] = base + height * shape + noise, 0.9
    return quarter_hours


def episodes_in(quarter_hours: QuarterHours) -> list[Episode]:
    """Return the episodes of a history: the times at which the usage is near the limit."""
    near = np.concatenate([[False], quarter_hours.demand[0] >= quarter_hours.target[0], [False]])
    edges = np.flatnonzero(np.diff(near.astype(np.int8))) * BIN_MINUTES
    return [
        Episode(7, int(begin), int(end), 0, 1.0, 1.0, 1.0, NAN)
        for begin, end in zip(edges[::2], edges[1::2], strict=True)
    ]


def compare(quarter_hours: QuarterHours) -> Backtest:
    comparison = backtest(quarter_hours, episodes_in(quarter_hours))
    assert comparison is not None
    return comparison


def test_peaks_of_each_evening_are_foreseen_hours_before() -> None:
    comparison = compare(history(*[0.97] * DAYS))
    assert len(comparison.foresights) == DAYS - 2
    assert comparison.without_forecast == 2  # the episodes of the first two days
    assert len(comparison.leads) >= DAYS - 4
    assert comparison.median_lead is not None
    assert comparison.median_lead >= 2 * 60
    assert comparison.series_days == pytest.approx(DAYS - 2, abs=0.7)


def test_a_peak_higher_than_ever_before_is_not_foreseen_more_than_an_hour_before() -> None:
    comparison = compare(history(*[0.5] * 10, 1.0, *[0.5] * 3))
    (foresight,) = comparison.foresights
    assert foresight.lead is None or foresight.lead <= 60


def test_peaks_that_stop_coming_are_false_alarms() -> None:
    comparison = compare(history(*[0.97] * 9, *[0.5] * 5))
    assert comparison.false_alarms >= 1


def test_a_series_far_from_its_limit_is_forecast_without_an_alarm() -> None:
    comparison = compare(history(*[0.35] * DAYS))
    assert (comparison.foresights, comparison.without_forecast, comparison.false_alarms) == ([], 0, 0)
    assert comparison.series_days == pytest.approx(DAYS - 2)


def test_an_alarm_that_lasts_when_the_data_end_is_not_false() -> None:
    quarter_hours = history(*[0.97] * 5)
    until_afternoon = QuarterHours(quarter_hours.slots, range(0, int(4.7 * DAY_MINUTES)))  # to 16:48
    until_afternoon.demand[:] = quarter_hours.demand[:, : until_afternoon.count]
    until_afternoon.target[:] = 0.9
    assert compare(until_afternoon).false_alarms == 0


def test_with_no_more_than_two_days_there_is_no_forecast() -> None:
    quarter_hours = history(0.97, 0.97)
    assert backtest(quarter_hours, episodes_in(quarter_hours)) is None


def test_a_forecast_does_not_depend_on_later_samples() -> None:
    """The leads of the first days are the same for any later samples."""
    peaks = [0.5, 0.97, 0.97, 0.97, 0.97, 0.97]
    short, long = (compare(history(*peaks, *later_peaks)) for later_peaks in ([], [1.4] * 3))
    assert [*long.foresights][: len(short.foresights)] == [*short.foresights]


def test_a_series_without_any_sample_is_not_forecast() -> None:
    quarter_hours = history(*[0.5] * DAYS)
    quarter_hours.demand[:] = NAN
    comparison = backtest(quarter_hours, [])
    assert comparison is not None
    assert comparison.series_days == 0
