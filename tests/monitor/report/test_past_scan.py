"""The minutes of a past scan: whole quarters of an hour whose points CloudWatch keeps, in UTC."""

import time

import pytest

from monitor.report.lookback_formats import moment, timestamp
from monitor.report.past_scan import ALIGNMENT, MAX_READ_MINUTES, MINUTES_PER_DAY, minutes_of, step_of
from monitor.report.retention import KEPT_DAYS_BY_STEP, MAX_DAYS

NOW = 29_000_007  # minutes since the epoch


@pytest.mark.parametrize("days", [1, 2, 14, 15, 16, 62, 63])
def test_a_past_range_has_whole_quarter_hours_that_cloudwatch_still_keeps(days: int) -> None:
    minutes = minutes_of(days, NOW)
    assert minutes.start % ALIGNMENT == minutes.stop % ALIGNMENT == 0
    assert 0 < NOW - minutes.stop <= 2 * ALIGNMENT
    assert minutes.start > NOW - KEPT_DAYS_BY_STEP[step_of(days)] * MINUTES_PER_DAY
    assert abs(len(minutes) - days * MINUTES_PER_DAY) <= MAX_READ_MINUTES + 2 * ALIGNMENT


def test_a_fortnight_has_one_minute_points_and_two_months_have_five_minute_points() -> None:
    assert [step_of(days) for days in (1, 15, 16, MAX_DAYS)] == [1, 1, 5, 5]


@pytest.mark.parametrize("time_zone", ["Europe/Berlin", "America/New_York", "UTC"])
def test_a_change_to_summer_time_changes_neither_times_nor_the_range(
    time_zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = 1_774_746_000 // 60  # 29 March 2026, 01:00 UTC, when Berlin's clocks are set forward
    monkeypatch.setenv("TZ", time_zone)
    time.tzset()
    try:
        assert [moment(begin - 1), moment(begin), moment(begin + 60)] == [
            "29 Mar 00:59",
            "29 Mar 01:00",
            "29 Mar 02:00",
        ]
        assert timestamp(begin) == "2026-03-29T01:00:00Z"
        assert len(minutes_of(14, begin + 2000)) == 14 * MINUTES_PER_DAY
    finally:
        monkeypatch.undo()
        time.tzset()
