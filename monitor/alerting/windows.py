"""Time windows, in which routes send or suppress notifications."""

import calendar
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from monitor.schema.problems import unexpected
from monitor.schema.types import ConfigModel, Text

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = tuple(name.lower() for name in calendar.month_name[1:])
MIN_NAME_LENGTH = 3  # letters of the shortest abbreviation, such as mon or jan
LAST_DAY_OF_MONTH = 31
MINUTES_PER_DAY = 24 * 60
MINUTES_PER_HOUR = 60
TODAY, YESTERDAY = timedelta(0), timedelta(days=1)

TIMES_PATTERN = re.compile(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])")
EVERY_DAY = ((1, LAST_DAY_OF_MONTH),)

# The first and the last value. For times: the minute of the day at which the span begins, and the minute at
# which it has ended.
WindowSpan = tuple[int, int]


def _parse_names(kind: str, names: Sequence[str], value: Any) -> WindowSpan:
    """Parse `mon`, `monday` or `monday:friday` to indices of `names`. A span may wrap: `friday:monday`.

    kind: the kind of name, for the message of the error.
    """
    words = value.lower().split(":") if isinstance(value, str) else []
    indices = [index for word in words for index, name in enumerate(names) if _abbreviates(word, name)]
    if len(words) not in (1, 2) or len(indices) != len(words):
        raise unexpected(f"{kind} or two with a colon between, such as {names[0]}:{names[4]}", value)
    return indices[0], indices[-1]


def _abbreviates(word: str, name: str) -> bool:
    return len(word) >= MIN_NAME_LENGTH and name.startswith(word)


def _parse_weekdays(value: Any) -> WindowSpan:
    return _parse_names("a weekday", WEEKDAYS, value)


def _parse_months(value: Any) -> WindowSpan:
    if isinstance(value, int) and value in range(1, 13):
        return value - 1, value - 1
    return _parse_names("a month", MONTHS, value)


def _parse_days(value: Any) -> WindowSpan:
    match = re.fullmatch(r"(-?[0-9]{1,2})(?::(-?[0-9]{1,2}))?", str(value))
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    is_reversed = first > last and (first > 0) == (last > 0)
    if not (0 < abs(first) <= LAST_DAY_OF_MONTH and 0 < abs(last) <= LAST_DAY_OF_MONTH) or is_reversed:
        raise unexpected("a day of the month or a span such as 1:7 or -3:-1 (the last three)", value)
    return first, last


def _parse_times(value: Any) -> WindowSpan:
    match = TIMES_PATTERN.fullmatch(value) if isinstance(value, str) else None
    start, end = (
        (int(match[1]) * MINUTES_PER_HOUR + int(match[2]), int(match[3]) * MINUTES_PER_HOUR + int(match[4]))
        if match
        else (0, 0)
    )
    if start >= MINUTES_PER_DAY or end > MINUTES_PER_DAY or start == end:
        raise unexpected("times such as 08:00-18:00, or 22:00-06:00 for a night", value)
    return start, end


def _check_time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, ValueError, KeyError):
        raise unexpected("an IANA time zone such as Europe/Berlin", value) from None
    return value


SPAN_SCHEMA = WithJsonSchema({"type": ["string", "integer"]})
Weekdays = tuple[Annotated[WindowSpan, BeforeValidator(_parse_weekdays), SPAN_SCHEMA], ...]
Times = tuple[Annotated[WindowSpan, BeforeValidator(_parse_times), SPAN_SCHEMA], ...]
Days = tuple[Annotated[WindowSpan, BeforeValidator(_parse_days), SPAN_SCHEMA], ...]
Months = tuple[Annotated[WindowSpan, BeforeValidator(_parse_months), SPAN_SCHEMA], ...]


class TimeWindow(ConfigModel):
    """The recurring times that match all given fields, in a time zone.

    A night (22:00-06:00) belongs to the day on which it begins. When the clocks change, a repeated hour is in
    the window both times.
    """

    name: Text = Field(description="The name that routes refer to.")
    weekdays: Weekdays = Field(
        default=(), description="Days of the week, such as monday:friday or sat; default: all."
    )
    times: Times = Field(
        default=(), description="Times of the day, such as 08:00-18:00; default: the whole day."
    )
    days: Days = Field(
        default=(), description="Days of the month, such as 1:7, or -1 for the last day; default: all."
    )
    months: Months = Field(default=(), description="Months, such as december or jun:aug; default: all.")
    zone: Annotated[Text, AfterValidator(_check_time_zone)] = Field(
        default="UTC", description="Time zone, such as Europe/Berlin; default UTC."
    )

    def contains(self, at: float) -> bool:
        """Return true if `at`, in epoch seconds, is within the window."""
        local = datetime.fromtimestamp(at, ZoneInfo(self.zone))
        today, minute = local.date(), local.hour * MINUTES_PER_HOUR + local.minute
        return any(
            self._may_begin_on(today - days_ago)
            for days_ago in _start_days(self.times or ((0, MINUTES_PER_DAY),), minute)
        )

    def _may_begin_on(self, day: date) -> bool:
        """Return true if the window may begin on this day."""
        length = calendar.monthrange(day.year, day.month)[1]
        return (
            _in_any_span(self.weekdays, day.weekday())
            and _in_any_span(self.months, day.month - 1)
            and any(
                _day_of_month(first, length) <= day.day <= _day_of_month(last, length)
                for first, last in self.days or EVERY_DAY
            )
        )


def _start_days(times: Iterable[WindowSpan], minute: int) -> Iterator[timedelta]:
    """Yield TODAY or YESTERDAY, the day on which the span began, for each span that contains the minute."""
    for start, end in times:
        if start < end and start <= minute < end:
            yield TODAY
        if start > end and minute >= start:
            yield TODAY
        if start > end and minute < end:
            yield YESTERDAY


def _in_any_span(spans: Sequence[WindowSpan], value: int) -> bool:
    """Return true if any span contains the value, or if there are no spans. A span may wrap."""
    return not spans or any(
        first <= value <= last if first <= last else value >= first or value <= last for first, last in spans
    )


def _day_of_month(day: int, length: int) -> int:
    """Return the day of a month of `length` days. A negative day counts from the end of the month."""
    return day if day > 0 else length + 1 + day
