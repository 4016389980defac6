"""Time windows: the times that they contain, and which configurations are invalid."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from monitor.alerting.windows import TimeWindow
from monitor.schema.problems import problems_from_pydantic

OFFICE_HOURS = {"weekdays": ["monday:friday"], "times": ["08:00-18:00"], "zone": "Europe/Berlin"}
FRIDAY_NIGHT = {"weekdays": ["fri"], "times": ["22:00-06:00"], "zone": "Europe/Berlin"}

# The fields of a window, a local time, and whether the window contains it.
WINDOWS = [
    ({}, "2026-01-01T00:00", True),
    # 2026-07-06 is a Monday
    (OFFICE_HOURS, "2026-07-06T07:59", False),
    (OFFICE_HOURS, "2026-07-06T08:00", True),
    (OFFICE_HOURS, "2026-07-06T17:59", True),
    (OFFICE_HOURS, "2026-07-06T18:00", False),
    (OFFICE_HOURS, "2026-07-10T12:00", True),
    (OFFICE_HOURS, "2026-07-11T12:00", False),
    # a night belongs to the day on which it begins
    (FRIDAY_NIGHT, "2026-07-10T21:59", False),
    (FRIDAY_NIGHT, "2026-07-10T22:00", True),
    (FRIDAY_NIGHT, "2026-07-11T05:59", True),
    (FRIDAY_NIGHT, "2026-07-11T06:00", False),
    (FRIDAY_NIGHT, "2026-07-11T22:00", False),
    (FRIDAY_NIGHT, "2026-07-10T03:00", False),
    ({"weekdays": ["friday:monday"]}, "2026-07-06T00:00", True),
    ({"weekdays": ["friday:monday"]}, "2026-07-07T00:00", False),
    ({"weekdays": ["tue", "SAT"]}, "2026-07-07T00:00", True),
    ({"times": ["00:00-24:00"]}, "2026-07-06T23:59", True),
    ({"times": ["09:00-10:00", "11:00-12:00"]}, "2026-07-06T10:30", False),
    ({"times": ["09:00-10:00", "11:00-12:00"]}, "2026-07-06T11:30", True),
    ({"days": ["1:7"]}, "2026-07-07T12:00", True),
    ({"days": ["1:7"]}, "2026-07-08T12:00", False),
    ({"days": [-1]}, "2026-02-28T12:00", True),
    ({"days": [-1]}, "2028-02-28T12:00", False),
    ({"days": [-1]}, "2028-02-29T12:00", True),
    ({"days": ["-3:-1"]}, "2026-04-27T12:00", False),
    ({"days": ["-3:-1"]}, "2026-04-28T12:00", True),
    ({"days": ["25:-1"]}, "2026-04-30T12:00", True),
    ({"days": [31]}, "2026-04-30T12:00", False),
    ({"months": ["december"]}, "2026-12-31T12:00", True),
    ({"months": ["nov:feb"]}, "2026-01-31T12:00", True),
    ({"months": ["nov:feb"]}, "2026-03-01T12:00", False),
    ({"months": [7]}, "2026-07-01T12:00", True),
    ({"months": ["jul"], "days": [1], "weekdays": ["wed"]}, "2026-07-01T12:00", True),
    ({"months": ["jul"], "days": [1], "weekdays": ["thu"]}, "2026-07-01T12:00", False),
]


@pytest.mark.parametrize(("fields", "at", "is_within"), WINDOWS)
def test_a_window_contains_local_times_of_its_zone(fields: dict[str, Any], at: str, is_within: bool) -> None:
    window = TimeWindow(name="w", **fields)
    local = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(window.zone))
    assert window.contains(local.timestamp()) is is_within


# A midnight in Berlin, and for how many hours the window that begins then lasts.
@pytest.mark.parametrize(
    ("midnight", "hours"),
    [
        ("2026-03-28T23:00Z", 3),  # the clock goes from 2 to 3: the window is an hour shorter
        ("2026-10-24T22:00Z", 5),  # the clock goes from 3 back to 2: the window is an hour longer
        ("2026-07-05T22:00Z", 4),  # the clock does not change
    ],
)
def test_a_window_is_shorter_or_longer_when_the_clocks_change_within_it(midnight: str, hours: int) -> None:
    window = TimeWindow.model_validate({"name": "w", "times": ["00:00-04:00"], "zone": "Europe/Berlin"})
    start = datetime.fromisoformat(midnight).astimezone(UTC)
    hours_within = [
        start + timedelta(hours=n)
        for n in range(12)
        if window.contains((start + timedelta(hours=n)).timestamp())
    ]
    assert hours_within == [start + timedelta(hours=n) for n in range(hours)]


INVALID_WINDOWS = [
    ({}, "missing"),
    ({"name": "w", "weekdays": ["mo"]}, "expected a weekday or two with a colon between"),
    ({"name": "w", "weekdays": ["mon:tue:wed"]}, "expected a weekday"),
    ({"name": "w", "weekdays": ["mon:"]}, "expected a weekday"),
    ({"name": "w", "weekdays": [1]}, "expected a weekday"),
    ({"name": "w", "weekdays": "monday:friday"}, "expected a list, found text"),
    ({"name": "w", "months": ["ma"]}, "expected a month or two with a colon between"),
    ({"name": "w", "months": [0]}, "expected a month"),
    ({"name": "w", "months": [13]}, "expected a month"),
    ({"name": "w", "days": [0]}, "expected a day of the month"),
    ({"name": "w", "days": [32]}, "expected a day of the month"),
    ({"name": "w", "days": ["7:1"]}, "expected a day of the month"),
    ({"name": "w", "days": ["-1:-3"]}, "expected a day of the month"),
    ({"name": "w", "days": ["1-7"]}, "expected a day of the month"),
    ({"name": "w", "times": ["8:00-18:00"]}, "expected times such as 08:00-18:00"),
    ({"name": "w", "times": ["08:00-08:00"]}, "expected times"),
    ({"name": "w", "times": ["24:00-06:00"]}, "expected times"),
    ({"name": "w", "times": ["00:00-24:01"]}, "expected times"),
    ({"name": "w", "times": ["08:60-09:00"]}, "expected times"),
    ({"name": "w", "zone": "Europe/Berln"}, "expected an IANA time zone such as Europe/Berlin"),
    ({"name": "w", "zone": "../../etc/passwd"}, "expected an IANA time zone"),
    ({"name": "w", "year": ["2026"]}, "unknown key"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "expected"), INVALID_WINDOWS)
def test_an_invalid_window_is_reported(fields: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TimeWindow.model_validate(fields)
    assert problems_from_pydantic(caught.value, TimeWindow)[0].sentence.startswith(expected)
