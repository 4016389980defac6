"""The limits that a series has had, by its minutes and by what its alert told."""

import numpy as np

from monitor.fleet.ring_columns import WINDOW
from monitor.web.course import LimitSpan
from monitor.web.limit_history import LimitReading, limit_changes, limit_readings, limit_spans
from tests.monitor.alerting.notices import notice
from tests.monitor.fleet.fleets import series_history

NOW = 30_000_000
DAY = 24 * 60


def test_readings_are_of_alerts_before_the_last_hours_and_of_each_minute_in_them() -> None:
    told = [notice("a", at=60.0 * (NOW - ago), limit=limit) for ago, limit in ((10, 5.0), (DAY, 800.0))]
    history = series_history(np.ones(WINDOW, np.float32), 1000.0, end=NOW)
    found = limit_readings(history, told)
    assert found[0] == LimitReading(NOW - DAY, 800.0)
    assert {one.limit for one in found[1:]} == {1000.0}
    assert len(found) == WINDOW + 1


def test_a_limit_holds_from_its_first_reading_and_is_assumed_before() -> None:
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
    assert (change.before, change.after, change.minute, change.exact) == (800.0, 1000.0, NOW - 100, False)


def test_a_limit_that_is_read_no_longer_ends() -> None:
    readings = [LimitReading(NOW - 170, 800.0), LimitReading(NOW - 100, 800.0)]
    assert limit_spans(readings, NOW - 180, NOW, NOW + 180)[-1].end == NOW - 100


def test_without_a_reading_there_is_no_limit() -> None:
    assert limit_spans([], NOW - DAY, NOW, NOW + DAY) == [] == limit_changes([])


def test_the_minute_of_a_change_is_exact_between_two_minutes() -> None:
    (change,) = limit_changes([LimitReading(NOW - 1, 1.0), LimitReading(NOW, 2.0)])
    assert change.exact
