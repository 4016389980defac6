"""The limits that a series has had: of the last hours by the minute, and before by what its alert told."""

from collections.abc import Iterable, Sequence
from itertools import pairwise, zip_longest
from math import isfinite
from typing import NamedTuple

from monitor.fleet.history import SeriesHistory
from monitor.notifiers.notice import Notice
from monitor.web.course import LimitSpan

SAME_LIMIT = 1e-3  # the largest relative difference of two readings of one limit
MAX_AGE = 15  # minutes; a limit that was read no longer ago is still in force


class LimitReading(NamedTuple):
    """A limit in a minute, since the epoch."""

    minute: float
    limit: float


class LimitChange(NamedTuple):
    """A change of the limit, known from a minute on. exact: it happened then, and not before."""

    minute: float
    before: float
    after: float
    exact: bool


def limit_readings(history: SeriesHistory, notices: Sequence[Notice]) -> list[LimitReading]:
    """Return the readings that are kept, the oldest first: those of alerts, and the minutes of the rings.

    notices: of the alert of this series.
    """
    told = [LimitReading(one.at / 60, one.limit) for one in notices if one.limit]
    own = [
        LimitReading(float(history.start + number), limit)
        for number, limit in enumerate(history.limit.tolist())
        if isfinite(limit)
    ]
    begin = own[0].minute if own else float("inf")
    return sorted(one for one in told if one.minute < begin) + own


def limit_spans(readings: Sequence[LimitReading], start: float, now: float, end: float) -> list[LimitSpan]:
    """Return the limits from `start` to `end`: assumed before the first reading, and held after the last.

    A limit that is no longer read ends with its last reading, and one that is read still holds until `end`.
    """
    runs = _runs(readings)
    spans = []
    for (first, last), following in zip_longest(runs, runs[1:]):
        until = following[0].minute if following else (end if last.minute >= now - MAX_AGE else last.minute)
        spans.append(LimitSpan(first.minute, until, last.limit))
    if spans and spans[0].begin > start + 1:
        spans.insert(0, LimitSpan(start, spans[0].begin, spans[0].limit, is_assumed=True))
    shown = [one._replace(begin=max(one.begin, start)) for one in spans if one.end > start]
    return [shown[0]._replace(begin=start), *shown[1:]] if shown else []


def limit_changes(readings: Sequence[LimitReading]) -> list[LimitChange]:
    """Return the changes between readings, the newest first."""
    pairs = pairwise(_runs(readings))
    found = [
        LimitChange(after[0].minute, before[1].limit, after[1].limit, after[0].minute - before[1].minute <= 1)
        for before, after in pairs
    ]
    return found[::-1]


def _runs(readings: Iterable[LimitReading]) -> list[tuple[LimitReading, LimitReading]]:
    """Return the first and the last reading of each limit."""
    runs: list[tuple[LimitReading, LimitReading]] = []
    for reading in readings:
        if runs and abs(reading.limit - runs[-1][1].limit) <= SAME_LIMIT * reading.limit:
            runs[-1] = runs[-1][0], reading
        else:
            runs.append((reading, reading))
    return runs
