"""Judges past samples, one chunk of minutes after the other, with the code that judges present samples."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.alerting.lifecycle import Lifecycle
from monitor.fleet.demand import are_peaks, demand_of
from monitor.fleet.fleet import Fleet
from monitor.lookback.backtest import backtest
from monitor.lookback.episodes import EpisodeFinder
from monitor.lookback.lookback import Lookback, WayResult
from monitor.lookback.notices import NoticeFinder, SeverityOf
from monitor.lookback.quarter_hours import QuarterHours
from monitor.lookback.sample_file import LookbackPoints, chunk_count, chunk_minutes
from monitor.lookback.ways import Way
from rules.analogs import BIN_MINUTES, BINS_PER_DAY
from rules.arrays import Ints

SERIES_AT_ONCE = 2048
# The last minutes of a chunk are judged with the next chunk: only later points tell whether a missing point
# means 0 or is unknown.
MINUTES_PROVEN_LATER = 30

ReportProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Judging:
    """The parameters by which samples are judged.

    ways: the sets of bands and durations to compare; notices are found for each. Episodes and forecasts are
    found for the first set, which is the configured one. severity_of: returns the severity of a rule's alert
    on a series. batch_minutes: how many minutes of a series one poll may return (see `Lifecycle`).
    has_ceilings: whether to find the lowest utilization at which demand was throttled (see `QuarterHours`).
    """

    ways: Sequence[Way]
    severity_of: SeverityOf
    batch_minutes: int
    has_ceilings: bool = True


def look_back(
    fleet: Fleet,
    points: LookbackPoints,
    slots: Ints,
    judging: Judging,
    report: ReportProgress = lambda *_: None,
) -> Lookback:
    """Return what happened to series in past minutes.

    fleet: has the series registered, but no points; afterwards it has the newest points. points: the points
    of the series' metrics in these minutes. slots: the slots of the series. report: is called with the
    number of finished steps and the number of all steps.
    """
    replay = Replay(fleet, points, slots, judging)
    chunks = chunk_count(points.minutes)
    for number in range(chunks):
        report(number, chunks + 1)
        replay.advance(number)
    report(chunks, chunks + 1)
    return replay.finish()


class Replay:
    """Writes past points to a fleet, judges its series, and records episodes and notices. See `look_back`.

    quarter_hours: the demand of the quarter-hours that were judged so far.
    """

    def __init__(self, fleet: Fleet, points: LookbackPoints, slots: Ints, judging: Judging) -> None:
        self._fleet, self._points, self._slots, self._ways = fleet, points, np.sort(slots), judging.ways
        evaluated_until = points.minutes.start - 1
        self._lifecycles = [Lifecycle(fleet, evaluated_until, judging.batch_minutes) for _ in judging.ways]
        self._notice_finders = [NoticeFinder(fleet, judging.severity_of) for _ in judging.ways]
        self._episodes = EpisodeFinder()
        self.quarter_hours = QuarterHours(self._slots.astype(np.intp), points.minutes, judging.has_ceilings)
        self._peaks = are_peaks(fleet, self._slots)
        self._judged_until = points.minutes.start

    def advance(self, number: int) -> None:
        """Write and judge the chunk with this number. Chunks must come in order."""
        minutes = chunk_minutes(self._points.minutes, number)
        self._write(number, minutes)
        for way, lifecycle, finder in zip(self._ways, self._lifecycles, self._notice_finders, strict=True):
            way.apply(self._fleet)
            for slots in _batches(self._slots):
                for transitions in lifecycle.transitions_in_parts(slots):
                    finder.add(transitions)
        self._ways[0].apply(self._fleet)
        is_last = minutes.stop == self._points.minutes.stop
        end_of_quarter_hours = (minutes.stop - MINUTES_PROVEN_LATER) // BIN_MINUTES * BIN_MINUTES
        self._judge(minutes.stop if is_last else end_of_quarter_hours)

    def _write(self, number: int, minutes: range) -> None:
        """Write a chunk to the fleet, and mark each metric as read up to its last period that has ended."""
        rings, rows = self._fleet.rings, self._points.rows
        point_rows, point_minutes, values = rings.spread(*self._points.chunk(number))
        rings.write(point_rows, point_minutes, values, mark_read_follows=True)
        periods = rings.period[rows].astype(np.int32)
        rings.mark_read(rows, minutes.stop // periods * periods - 1)

    def _judge(self, until: int) -> None:
        """Judge all minutes before `until` that were not judged yet."""
        minutes = range(self._judged_until, until)
        if not minutes:
            return
        minute_array = np.arange(minutes.start, minutes.stop, dtype=np.int32)
        for first in range(0, self._slots.size, SERIES_AT_ONCE):
            slots = self._slots[first : first + SERIES_AT_ONCE].astype(np.intp)
            sample_slots = slots.repeat(minute_array.size).astype(np.int32)
            sample_minutes = np.tile(minute_array, slots.size)
            judged = self._fleet.judged_at(sample_slots, sample_minutes)
            self._episodes.add(slots, minutes, judged)
            demand = demand_of(self._fleet, sample_slots, sample_minutes, judged)
            self.quarter_hours.add(first, minutes, judged, demand, self._peaks[first : first + slots.size])
        self._judged_until = until

    def finish(self) -> Lookback:
        """Return what was recorded. Call it after the last chunk."""
        fleet, demand = self._fleet, self.quarter_hours.demand
        episodes = self._episodes.finish()
        known_quarter_hours = np.count_nonzero(np.isfinite(demand), axis=1)
        newest = fleet.rings.newest_point  # by row; points of throttled demand alone are samples, too
        return Lookback(
            minutes=self._points.minutes,
            series={slot: fleet.by_slot[slot] for slot in self._slots.tolist()},
            without_samples_count=sum(not _has_points(fleet, slot, newest) for slot in self._slots.tolist()),
            known_days=float(known_quarter_hours.sum()) / BINS_PER_DAY,
            published_limit_count=int(np.count_nonzero(fleet.published_limits.has(self._slots)))
            if self._slots.size
            else 0,
            episodes=episodes,
            unlisted_episode_count=self._episodes.unlisted_episode_count,
            ways=[
                WayResult(
                    way.name,
                    sorted(finder.notices, key=lambda notice: (notice.minute, notice.slot)),
                    finder.unlisted_notice_count,
                )
                for way, finder in zip(self._ways, self._notice_finders, strict=True)
            ],
            forecasts=backtest(self.quarter_hours, episodes),
        )


def _batches(slots: Ints) -> Iterator[Ints]:
    for first in range(0, slots.size, SERIES_AT_ONCE):
        yield slots[first : first + SERIES_AT_ONCE]


def _has_points(fleet: Fleet, slot: int, newest: Ints) -> bool:
    """Return whether any metric of a series has a point. newest: the minute of the newest point, by row."""
    formulas = (fleet.usages.get(slot), fleet.throttled.get(slot))
    rows = [row for formula in formulas if formula for row in formula.rows]
    return bool((newest[rows] > 0).any())
