"""The past limits of a series, from its history and from notices of its alert."""

import numpy as np

from monitor.fleet.ring_columns import WINDOW
from monitor.web.chart_data import LimitSpan
from monitor.web.limit_history import LimitReading, limit_changes, limit_readings, limit_spans
from tests.monitor.alerting.notices import notice
from tests.monitor.fleet.fleets import series_history

NOW = 30_000_000  # minutes since the epoch
DAY = 24 * 60  # minutes


def test_readings_come_from_notices_before_the_history_and_from_each_minute_of_the_history() -> None:
    notices = [notice("a", at=60.0 * (NOW - ago), limit=limit) for ago, limit in ((10, 5.0), (DAY, 800.0))]
    history = series_history(np.ones(WINDOW, np.float32), 1000.0, end=NOW)
    found = limit_readings(history, notices)
    assert found[0] == LimitReading(NOW - DAY, 800.0)
    assert {reading.limit for reading in found[1:]} == {1000.0}
    assert len(found) == WINDOW + 1


def test_a_limit_lasts_from_its_first_reading_and_before_all_readings_the_first_limit_is_assumed() -> None:
    readings = [
        LimitReading(NOW - 500, 800.0),
        LimitReading(NOW - 400, 800.0),
        LimitReading(NOW - 100, 1000.0),
    ]
    readings.append(LimitReading(NOW, 1000.0))
    assert limit_spans(readings, NOW - DAY, NOW, NOW + DAY) == [
        LimitSpan(NOW - DAY, NOW - 500, 800.0, is_assumed=True),
        LimitSpan(NOW - 500, NOW - 100, 800.0),
        LimitSpan(NOW - 100, NOW + DAY, 1000.0),
    ]
    assert limit_spans(readings, NOW - 50, NOW, NOW + 50) == [LimitSpan(NOW - 50, NOW + 50, 1000.0)]
    (change,) = limit_changes(readings)
    assert (change.before, change.after, change.minute, change.minute_is_exact) == (
        800.0,
        1000.0,
        NOW - 100,
        False,
    )


def test_a_limit_that_is_no_longer_read_ends_with_its_last_reading() -> None:
    readings = [LimitReading(NOW - 170, 800.0), LimitReading(NOW - 100, 800.0)]
    assert limit_spans(readings, NOW - 180, NOW, NOW + 180)[-1].end == NOW - 100


def test_without_a_reading_there_is_no_limit() -> None:
    assert limit_spans([], NOW - DAY, NOW, NOW + DAY) == [] == limit_changes([])


def test_a_change_between_readings_of_two_adjacent_minutes_is_exact() -> None:
    (change,) = limit_changes([LimitReading(NOW - 1, 1.0), LimitReading(NOW, 2.0)])
    assert change.minute_is_exact
