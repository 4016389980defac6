"""The past limits of a series: from its history of the last hours, and from older notices of its alert."""

from collections.abc import Iterable, Sequence
from itertools import pairwise, zip_longest
from math import isfinite
from typing import NamedTuple

from monitor.fleet.history import SeriesHistory
from monitor.notifiers.notice import Notice
from monitor.web.chart_data import LimitSpan

SAME_LIMIT = 1e-3  # the largest relative difference of two readings of one limit
MAX_READING_AGE = 15  # minutes; a limit whose last reading is no older than this is still in force


class LimitReading(NamedTuple):
    """A limit as it was read in a minute since the epoch."""

    minute: float
    limit: float


class LimitChange(NamedTuple):
    """A change of the limit. minute: of the first reading of the new limit.

    minute_is_exact: true if the old limit was read in the minute before; otherwise the limit may have changed
    earlier than `minute`.
    """

    minute: float
    before: float
    after: float
    minute_is_exact: bool


def limit_readings(history: SeriesHistory, notices: Sequence[Notice]) -> list[LimitReading]:
    """Return the readings of the history and, before its begin, of the notices; the oldest reading is first.

    notices: the notices of the alert of this series.
    """
    from_notices = [LimitReading(notice.at / 60, notice.limit) for notice in notices if notice.limit]
    recent = [
        LimitReading(float(history.start + number), limit)
        for number, limit in enumerate(history.limit.tolist())
        if isfinite(limit)
    ]
    begin = recent[0].minute if recent else float("inf")
    return sorted(reading for reading in from_notices if reading.minute < begin) + recent


def limit_spans(readings: Sequence[LimitReading], start: float, now: float, end: float) -> list[LimitSpan]:
    """Return the limits from `start` to `end`.

    The limit before the first reading is assumed to be that of the first reading. A limit that is no longer
    read ends with its last reading; a limit that is still read lasts until `end`.
    """
    runs = _runs(readings)
    spans = []
    for (first, last), following in zip_longest(runs, runs[1:]):
        is_in_force = last.minute >= now - MAX_READING_AGE
        run_end = end if is_in_force else last.minute
        spans.append(LimitSpan(first.minute, following[0].minute if following else run_end, last.limit))
    if spans and spans[0].begin > start + 1:
        spans.insert(0, LimitSpan(start, spans[0].begin, spans[0].limit, is_assumed=True))
    shown = [span._replace(begin=max(span.begin, start)) for span in spans if span.end > start]
    return [shown[0]._replace(begin=start), *shown[1:]] if shown else []


def limit_changes(readings: Sequence[LimitReading]) -> list[LimitChange]:
    """Return the changes between readings, the newest first."""
    changes = [
        LimitChange(
            minute=first_after.minute,
            before=last_before.limit,
            after=last_after.limit,
            minute_is_exact=first_after.minute - last_before.minute <= 1,
        )
        for (_, last_before), (first_after, last_after) in pairwise(_runs(readings))
    ]
    return changes[::-1]


def _runs(readings: Iterable[LimitReading]) -> list[tuple[LimitReading, LimitReading]]:
    """Return the first and the last reading of each limit."""
    runs: list[tuple[LimitReading, LimitReading]] = []
    for reading in readings:
        if runs and abs(reading.limit - runs[-1][1].limit) <= SAME_LIMIT * reading.limit:
            runs[-1] = runs[-1][0], reading
        else:
            runs.append((reading, reading))
    return runs
