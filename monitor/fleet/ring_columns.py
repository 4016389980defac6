"""Three hours of one-minute points for each metric, with columns about its state.

Minutes are counted from the epoch. A point replaces an earlier point of the same minute; NaN is missing.
"""

from typing import ClassVar

import numpy as np

from monitor.fleet.columns import Columns, Objects
from monitor.fleet.namespaces import NEVER, NO_NAMESPACE
from monitor.fleet.stored_points import StoredPoints
from rules.arrays import Flags, Floats, Indices, Int16s, Ints

WINDOW = 180  # minutes of points that are stored
NO_BOUND = -1
# Minutes between two requests of a pruned metric: each minute is requested before it leaves the window.
PRUNED_INTERVAL = 150
NOT_READ = int(np.iinfo(np.int16).max)  # minutes: the cadence of a metric that is not requested
RECENT_MINUTES = 5  # throttled demand stays exported for at least so many minutes


class RingColumns(Columns):
    """Columns with one row per metric, and its points in `points`, by row and `minute % WINDOW`.

    Columns marked as derived are computed by `Rings` from the points and the other columns.

    period: the length of the metric's period in minutes; a point is stored in each of these minutes. divisor:
        the number by which a point is divided, to be per minute (see `collectors.base.Metric`).
    window_end: the last minute of the window.
    read_through: every minute up to this one was read and is complete; later points are provisional (see
        `Rings.complete_through`).
    newest_point: the newest minute that has a point.
    first_minute: points of earlier minutes belong to a former resource of the same name, and are not stored.
    zero_when_absent: a minute without a point is 0 once that is proven (see `collectors.base.Metric`).
    namespace: index in `namespaces`, of the metric's namespace in its cell.
    proven_through: up to this minute it is proven that missing points do not exist: the minute was read and,
        where `zero_when_absent`, AWS has published something later, or the namespace is silent and the metric
        was idle before; derived.
    joined_through: a metric that is added to an existing formula counts as without points up to this minute,
        so that the formula keeps its earlier results.
    idle_before_silence: true if all points of the IDLE_FOR minutes before the namespace became silent are 0
        or missing.
    delay: the assumed publication delay, in minutes after the end of a minute; it applies until the
        namespace's delay is measured.
    latest_minute, latest_value: the newest minute that has a value, and the value; derived. A provisional
        value below the value of the newest complete minute is left out, as it may still grow, unless it is
        confirmed and confirmed points of the namespace are final.
    last_known_value: the latest value, even if its minute has left the window.
    recent_minutes: how many minutes up to `latest_minute` are recent: the minutes that the last poll brought,
        RECENT_MINUTES at least.
    recent_max: the highest value of the recent minutes; derived.
    oldest_rise: the oldest minute whose value became greater than 0 since the last poll.
    dirty: true if the row was written or read since the last `Fleet.take_updated`.
    polled_through: every minute up to this one was polled or streamed, without a gap.
    requested_through: the last minute of the newest request that CloudWatch answered, completely or not.
    confirmed_point: the newest point that two requests returned, a minute or more apart.
    cadence: the planned minutes between two requests; 0: each poll requests the metric.
    cadence_if_active: the value of `cadence` if the metric were not idle and there were no budget.
    idle_since: the minute of the clock since which the metric has been idle (see `monitor.planning.idling`);
        NEVER if it is not idle.
    watched_at: the minute of the clock when AWS last listed the recently active metrics of its name.
    listed_again: the list of `watched_at` contained the metric while it was idle, and the metric has not been
        requested since.
    bound: the row of the metric that bounds this metric, see `rules.bounds`; NO_BOUND if there is none.
    whole: the row of the aggregate that this metric of usage is a part of; NO_BOUND if there is none.
    safe_below: while `whole` is below this value, no series of this metric reaches the upper edge of its
        band, so that the metric is requested once in MAX_INTERVAL; NaN: its own series decide
        how often it is requested.
    pruned: `bound` proves this metric to be 0, so that it is requested only every PRUNED_INTERVAL minutes, as
        a check.
    distrusted: this metric proves nothing, as a metric that it should bound has exceeded it.
    last_streamed: the minute of the clock when a stream last delivered the metric.
    stream_started: the first minute that a stream delivered completely since its last gap.
    by_stream: the newest point came by stream.
    metric, metric_rows, use_count: set by the fleet: the metric, the dictionary that maps it to this row, and
        the number of formulas that use it.

    `layout` grows when a row is allocated, freed or declared: rows that were looked up before may belong to
    other metrics now.
    """

    declared: ClassVar = {
        "period": (np.int16, 1),
        "divisor": (np.int16, 1),
        "window_end": (np.int32, NEVER),
        "read_through": (np.int32, NEVER),
        "newest_point": (np.int32, NEVER),
        "first_minute": (np.int32, NEVER),
        "zero_when_absent": (np.bool_, False),
        "namespace": (np.int32, NO_NAMESPACE),
        "proven_through": (np.int32, NEVER),
        "joined_through": (np.int32, NEVER),
        "idle_before_silence": (np.bool_, False),
        "delay": (np.int16, 0),
        "latest_minute": (np.int32, NEVER),
        "latest_value": (np.float32, np.nan),
        "last_known_value": (np.float32, np.nan),
        "recent_minutes": (np.int16, RECENT_MINUTES),
        "recent_max": (np.float32, np.nan),
        "oldest_rise": (np.int32, -NEVER),
        "dirty": (np.bool_, False),
        "polled_through": (np.int32, NEVER),
        "requested_through": (np.int32, NEVER),
        "confirmed_point": (np.int32, NEVER),
        "cadence": (np.int32, 0),  # 32 bits: a sum with NOT_READ exceeds 16 bits
        "cadence_if_active": (np.int32, 0),
        "idle_since": (np.int32, NEVER),
        "watched_at": (np.int32, NEVER),
        "listed_again": (np.bool_, False),
        "bound": (np.int32, NO_BOUND),
        "whole": (np.int32, NO_BOUND),
        "safe_below": (np.float32, np.nan),
        "pruned": (np.bool_, False),
        "distrusted": (np.bool_, False),
        "last_streamed": (np.int32, NEVER),
        "stream_started": (np.int32, NEVER),
        "by_stream": (np.bool_, False),
        "metric": (np.object_, None),
        "metric_rows": (np.object_, None),
        "use_count": (np.int32, 0),
    }
    period: Int16s
    divisor: Int16s
    window_end: Ints
    read_through: Ints
    newest_point: Ints
    first_minute: Ints
    zero_when_absent: Flags
    namespace: Ints
    proven_through: Ints
    joined_through: Ints
    idle_before_silence: Flags
    delay: Int16s
    latest_minute: Ints
    latest_value: Floats
    last_known_value: Floats
    recent_minutes: Int16s
    recent_max: Floats
    oldest_rise: Ints
    dirty: Flags
    polled_through: Ints
    requested_through: Ints
    confirmed_point: Ints
    cadence: Ints
    cadence_if_active: Ints
    idle_since: Ints
    watched_at: Ints
    listed_again: Flags
    bound: Ints
    whole: Ints
    safe_below: Floats
    pruned: Flags
    distrusted: Flags
    last_streamed: Ints
    stream_started: Ints
    by_stream: Flags
    metric: Objects
    metric_rows: Objects
    use_count: Ints

    def __init__(self) -> None:
        super().__init__()
        self.layout = 0
        self.points = StoredPoints(WINDOW)

    def allocate(self) -> int:
        """Allocate a row; the layout changes."""
        self.layout += 1
        row = super().allocate()
        self.points.grow_to(self.size)
        return row

    def free(self, slot: int) -> None:
        """Free a row; the layout changes."""
        self.layout += 1
        super().free(slot)

    def clear(self, slot: int) -> None:
        """Set every column of a row to its declared value, and remove its points."""
        super().clear(slot)
        self.points.remove_all(np.array([slot]))

    def aggregates(self, row: int) -> list[int]:
        """Return the rows of the aggregates of a metric: its `bound` and its `whole`, if any."""
        return [int(column[row]) for column in (self.bound, self.whole) if column[row] != NO_BOUND]

    def intervals(self, rows: Ints) -> Ints:
        """Return the planned minutes between two requests; for pruned metrics, PRUNED_INTERVAL."""
        return np.where(self.pruned[rows], PRUNED_INTERVAL, self.cadence[rows]).astype(np.int32)

    def spread(self, rows: Ints, minutes: Ints, values: Floats) -> tuple[Ints, Ints, Floats]:
        """Return points per minute: one for each minute of their periods, with sums divided among these."""
        periods = self.period[rows]
        if (periods == 1).all():
            return rows, minutes, values
        ends = np.cumsum(periods, dtype=np.int32)
        offsets = np.arange(periods.sum(), dtype=np.int32) - np.repeat(ends - periods, periods)
        starts = np.repeat(minutes // periods * periods, periods)
        per_minute: Floats = np.repeat((values / self.divisor[rows]).astype(np.float32), periods)
        return np.repeat(rows, periods), starts + offsets, per_minute

    def declare(self, row: int, namespace: int, zero_when_absent: bool) -> None:
        """Set the namespace of a row's metric.

        zero_when_absent: False changes nothing if the metric was declared as zero when absent before.
        """
        if namespace != self.namespace[row] or (zero_when_absent and not self.zero_when_absent[row]):
            self.namespace[row] = namespace
            self.zero_when_absent[row] |= zero_when_absent
            self.layout += 1

    def at(self, rows: Ints, minutes: Ints) -> Floats:
        """Return the value of each row in its minute; NaN if it is missing or outside the window.

        Rows and minutes are broadcast: many minutes of a row cost less than many rows.
        """
        index = rows.astype(np.intp, copy=False)
        end = self.window_end[index]
        inside = (minutes <= end) & (minutes > np.maximum(end - WINDOW, NEVER))
        values: Floats = np.where(inside, self.points.get(index, minutes % WINDOW), np.float32(np.nan))
        missing = inside & self.zero_when_absent[index] & np.isnan(values)
        if missing.any():
            np.copyto(values, np.float32(0), where=missing & self._are_proven(index, minutes))
        return values

    def _are_proven(self, rows: Indices, minutes: Ints) -> Flags:
        """Return which minutes are proven and were polled or streamed, so that no more points come."""
        requested = (minutes >= self.stream_started[rows]) | (minutes <= self.polled_through[rows])
        proven: Flags = (minutes <= self.proven_through[rows]) & requested
        return proven

    def history(self, row: int) -> tuple[Ints, Floats]:
        """Return the minutes of the window, ascending, and the values."""
        minutes = np.arange(self.window_end[row] - WINDOW + 1, self.window_end[row] + 1, dtype=np.int32)
        return minutes, self.at(np.full(WINDOW, row, np.int32), minutes)

    def _advance(self, rows: Ints, to: Ints) -> None:
        """Move the end of the window to a later minute, and clear the points of minutes that leave it."""
        new_minutes = np.minimum(to - self.window_end[rows], WINDOW)
        is_emptied = new_minutes == WINDOW  # all minutes leave the window, as before a row's first points
        self.points.remove_all(rows[is_emptied])
        new_minutes[is_emptied] = 0
        for step in range(1, int(new_minutes.max(initial=0)) + 1):
            is_behind = new_minutes >= step
            self.points.remove(rows[is_behind], (to[is_behind] - step + 1) % WINDOW)
        self.window_end[rows] = np.maximum(self.window_end[rows], to)

    def _put(self, rows: Ints, minutes: Ints, values: Floats) -> None:
        places = minutes % WINDOW
        risen = np.flatnonzero((values > 0) & ~(self.points.get(rows, places) > 0))
        np.minimum.at(self.oldest_rise, rows[risen], minutes[risen])
        self.points.put(rows, places, values)
