"""Time windows: when a route's receivers are told, or are left alone."""

import calendar
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from monitor.config_errors import unexpected
from monitor.config_types import Model, Text

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = tuple(name.lower() for name in calendar.month_name[1:])
SHORTEST = 3  # letters of a name: mon, jan
LAST_DAY = 31
DAY = 24 * 60  # minutes
HOUR = 60
TODAY, YESTERDAY = timedelta(0), timedelta(days=1)

TIMES = re.compile(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])")
EVERY_DAY = ((1, LAST_DAY),)

Span = tuple[int, int]  # first and last, both included; of times, the end is excluded


def _names(what: str, names: Sequence[str], value: Any) -> Span:
    """`mon`, `monday` or `monday:friday`, as places in `names`; a span may go round: `friday:monday`."""
    words = value.lower().split(":") if isinstance(value, str) else []
    given = [place for word in words for place, name in enumerate(names) if _short_for(word, name)]
    if len(words) not in (1, 2) or len(given) != len(words):
        raise unexpected(f"{what} or two with a colon between, such as {names[0]}:{names[4]}", value)
    return given[0], given[-1]


def _short_for(word: str, name: str) -> bool:
    return len(word) >= SHORTEST and name.startswith(word)


def _weekdays(value: Any) -> Span:
    return _names("a weekday", WEEKDAYS, value)


def _months(value: Any) -> Span:
    if isinstance(value, int) and value in range(1, 13):
        return value - 1, value - 1
    return _names("a month", MONTHS, value)


def _days(value: Any) -> Span:
    given = re.fullmatch(r"(-?[0-9]{1,2})(?::(-?[0-9]{1,2}))?", str(value))
    first, last = (int(given[1]), int(given[2] or given[1])) if given else (0, 0)
    disordered = first > last and (first > 0) == (last > 0)
    if not (0 < abs(first) <= LAST_DAY and 0 < abs(last) <= LAST_DAY) or disordered:
        raise unexpected("a day of the month or a span such as 1:7 or -3:-1 (the last three)", value)
    return first, last


def _times(value: Any) -> Span:
    given = TIMES.fullmatch(value) if isinstance(value, str) else None
    start, end = (
        (int(given[1]) * HOUR + int(given[2]), int(given[3]) * HOUR + int(given[4])) if given else (0, 0)
    )
    if start >= DAY or end > DAY or start == end:
        raise unexpected("times such as 08:00-18:00, or 22:00-06:00 for a night", value)
    return start, end


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, ValueError, KeyError):
        raise unexpected("an IANA time zone such as Europe/Berlin", value) from None
    return value


WRITTEN = WithJsonSchema({"type": ["string", "integer"]})
Weekdays = tuple[Annotated[Span, BeforeValidator(_weekdays), WRITTEN], ...]
Times = tuple[Annotated[Span, BeforeValidator(_times), WRITTEN], ...]
Days = tuple[Annotated[Span, BeforeValidator(_days), WRITTEN], ...]
Months = tuple[Annotated[Span, BeforeValidator(_months), WRITTEN], ...]


class TimeWindow(Model):
    """Recurring times on a zone's clock; at an instant they hold when everything that is given does.

    A night (22:00-06:00) belongs to the day on which it begins. An hour that the clock shows twice is in the
    window twice; one that it leaves out never comes.
    """

    name: Text = Field(description="What routes call it.")
    weekdays: Weekdays = Field(default=(), description="Such as monday:friday or sat; default: all.")
    times: Times = Field(default=(), description="Such as 08:00-18:00; default: the whole day.")
    days: Days = Field(default=(), description="Of the month, such as 1:7, or -1 for the last; default: all.")
    months: Months = Field(default=(), description="Such as december or jun:aug; default: all.")
    zone: Annotated[Text, AfterValidator(_zone)] = Field(
        default="UTC", description="Time zone, such as Europe/Berlin; default UTC."
    )

    def holds(self, at: float) -> bool:
        """Whether `at`, in epoch seconds, is within the window."""
        local = datetime.fromtimestamp(at, ZoneInfo(self.zone))
        today, minute = local.date(), local.hour * 60 + local.minute
        return any(self._fits(today - before) for before in _begun(self.times or ((0, DAY),), minute))

    def _fits(self, day: date) -> bool:
        """Whether a window may begin on this day."""
        length = calendar.monthrange(day.year, day.month)[1]
        return (
            _within(self.weekdays, day.weekday())
            and _within(self.months, day.month - 1)
            and any(
                _from(first, length) <= day.day <= _from(last, length)
                for first, last in self.days or EVERY_DAY
            )
        )


def _begun(times: Iterable[Span], minute: int) -> Iterator[timedelta]:
    """How long ago, in days, the spans began that hold at this minute of the day."""
    for start, end in times:
        if start < end and start <= minute < end:
            yield TODAY
        if start > end and minute >= start:
            yield TODAY
        if start > end and minute < end:
            yield YESTERDAY


def _within(spans: Sequence[Span], place: int) -> bool:
    return not spans or any(
        first <= place <= last if first <= last else place >= first or place <= last for first, last in spans
    )


def _from(day: int, length: int) -> int:
    """A day of the month, counted from its end when it is negative."""
    return day if day > 0 else length + 1 + day
