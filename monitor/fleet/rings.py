"""The points of all metrics, written by polls and streams."""

import numpy as np

from monitor.fleet.namespaces import NEVER, NO_NAMESPACE, NamespaceStates
from monitor.fleet.part_searches import PartSearches
from monitor.fleet.ring_columns import RECENT_MINUTES, WINDOW, RingColumns
from rules.arrays import Flags, Floats, Ints

# Minutes after which a point counts as complete even if its minute was not read completely.
PROVISIONAL_FOR = 15
IDLE_FOR = 5  # minutes before a namespace became silent; a metric without demand in them is idle
STREAM_LAG = 2  # minutes until a stream has delivered a minute completely
STREAM_GAP = 5  # minutes without a streamed point after which a metric is polled


class Rings(RingColumns):
    """The points of all metrics, with the states of their namespaces.

    stream_gap: the configured value of STREAM_GAP. part_searches: the searches for the parts of aggregates.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stream_gap = STREAM_GAP
        self.namespaces = NamespaceStates()
        self.part_searches = PartSearches()
        # By namespace: its rows that are zero when absent, and the layout for which they were looked up.
        self._zero_rows: dict[int, tuple[int, Ints]] = {}

    def write(self, rows: Ints, minutes: Ints, values: Floats, mark_read_follows: bool = False) -> int:
        """Write points in any order; return the number of points that were too old or not finite.

        mark_read_follows: `mark_read` of all these rows follows at once and updates the derived columns.
        """
        usable_count, touched, _ = self._write(rows, minutes, values, by_stream=False)
        if not mark_read_follows:
            self._derive(touched)
        return rows.size - usable_count

    def _write(self, rows: Ints, minutes: Ints, values: Floats, by_stream: bool) -> tuple[int, Ints, Ints]:
        """Write points; return the number of usable points, the distinct rows, and the newest minute of each.

        Points of a former resource of the same name are not written, but count as usable.
        """
        former = minutes < self.first_minute[rows]
        usable = np.isfinite(values) & ~former
        rows, minutes, values = rows[usable], minutes[usable], values[usable]
        touched, position = np.unique(rows, return_inverse=True)
        newest = np.full(touched.size, NEVER, np.int32)
        np.maximum.at(newest, position, minutes)
        self._advance(touched, newest)
        self.by_stream[touched[newest >= self.newest_point[touched]]] = by_stream
        self.newest_point[touched] = np.maximum(self.newest_point[touched], newest)
        inside = np.flatnonzero(minutes > self.window_end[rows] - WINDOW)
        self._put(rows[inside], minutes[inside], values[inside])
        self.advance_watermarks(self.namespace[touched], newest)
        return inside.size + int(np.count_nonzero(former)), touched, newest

    def discard_before(self, row: int, minute: int) -> None:
        """Discard the points of a row before a minute, now and in later writes."""
        if minute <= self.first_minute[row]:
            return
        self.first_minute[row] = minute
        if self.newest_point[row] == self.proven_through[row] == NEVER:
            return  # the row has no points
        minutes, _ = self.history(row)
        former = minutes[minutes < minute]
        self.points.remove(np.full(former.size, row, np.int32), former % WINDOW)
        if self.newest_point[row] < minute:
            self.newest_point[row], self.last_known_value[row] = NEVER, np.nan
        self._derive(np.array([row], np.int32))

    def advance_watermarks(self, namespaces: Ints, minutes: Ints) -> None:
        """Raise the watermarks of namespaces to minutes that AWS published; derive zeros up to these."""
        is_real = namespaces != NO_NAMESPACE
        was_late_by_namespace = self.namespaces.advance(namespaces[is_real], minutes[is_real])
        for namespace, was_late in was_late_by_namespace.items():
            if was_late:
                self._poll_again(namespace)
            rows = self._zero_rows_of(namespace)
            proven = np.maximum(self._proven_through(rows), self.joined_through[rows])
            changed = np.flatnonzero(proven != self.proven_through[rows])
            if changed.size:
                self._derive(rows[changed])

    def _poll_again(self, namespace: int) -> None:
        """Let the minutes of a late namespace be polled again: their points may be published now."""
        rows = np.flatnonzero(self.namespace[: self.size] == namespace)
        self.polled_through[rows] = np.minimum(
            self.polled_through[rows], self.namespaces.resume_from[namespace]
        )

    def mark_requested(self, rows: Ints, minute: int) -> None:
        """Record a request of `rows` up to a minute. Call it before the points are written."""
        requested_again = rows[self.requested_through[rows] < minute]
        self.confirmed_point[requested_again] = self.newest_point[requested_again]
        self.requested_through[rows] = minute
        self.listed_again[rows] = False

    def note_list(self, rows: Ints, are_listed: Flags, now: int) -> None:
        """Record which rows AWS listed as recently active at the minute `now`.

        Idle metrics in the list become due to be requested.
        """
        active = rows[are_listed & (self.idle_since[rows] > NEVER)]
        self.watched_at[rows] = now
        self.idle_since[active], self.listed_again[active] = now, True

    def mark_read(self, rows: Ints, minutes: Ints | int, requested_from: int = NEVER) -> None:
        """Mark rows as polled completely, each up to its minute: points missing until then do not exist.

        requested_from: the first minute of the request; by default all of the window. If a namespace is late,
        its minutes are requested again until AWS has published later minutes. The minutes since the previous
        poll are recent until the next poll, and so are older minutes whose points came late, but not the
        hours of history of a first poll.
        """
        to = np.broadcast_to(np.asarray(minutes, np.int32), rows.shape)
        namespaces, read = self.namespace[rows], self.read_through[rows]
        first = np.minimum(read + 1, self.oldest_rise[rows])
        last = np.maximum(to, self.newest_point[rows])
        recent_minutes = np.where(read == NEVER, RECENT_MINUTES, last + 1 - first)
        self.recent_minutes[rows] = np.clip(recent_minutes, RECENT_MINUTES, WINDOW)
        self.oldest_rise[rows] = -NEVER
        self.namespaces.note_read(namespaces, to)
        self._advance_read(rows, to)
        complete = self.namespaces.complete_through(namespaces, to)
        is_gapless = requested_from <= self.polled_through[rows] + 1
        self.polled_through[rows] = np.maximum(
            self.polled_through[rows], np.where(is_gapless, complete, NEVER)
        )
        self._derive(rows)

    def join_through(self, rows: Ints, minute: int) -> None:
        """Count missing points of rows that were never read as proven not to exist, up to a minute.

        So the formulas to which the rows were added keep their results. The minutes are polled nevertheless.
        """
        rows = rows[self.read_through[rows] == NEVER]
        self._advance(rows, np.full(rows.size, minute, np.int32))
        self.joined_through[rows] = minute
        self._derive(rows)

    def write_streamed(self, rows: Ints, minutes: Ints, values: Floats, now: int) -> int:
        """Write points that were streamed at the minute `now`; the newest point of a row may still grow.

        No minute from `now` on is complete, even if it has points. After a gap, minutes are incomplete until
        a poll fills the gap, or PROVISIONAL_FOR minutes have passed.
        """
        usable_count, touched, newest = self._write(rows, minutes, values, by_stream=True)
        gapless = self._note_streamed(touched, newest, now)
        complete = np.flatnonzero(gapless | (newest - self.stream_started[touched] >= PROVISIONAL_FOR))
        self._advance_read(touched[complete], np.minimum(newest[complete], now) - 1)
        self._derive(touched)
        return rows.size - usable_count

    def mark_streamed(self, rows: Ints, minutes: Ints, now: int) -> None:
        """Mark rows as streamed completely up to a minute each, at the minute `now`."""
        self._note_streamed(rows, minutes, now)
        self._advance_read(rows, minutes)
        self._derive(rows)

    def is_streamed(self, rows: Ints, now: int) -> Flags:
        """Return which rows are streamed without a gap, so that they need not be polled.

        A stream lacks the points from before it began, and from gaps longer than `stream_gap`: a row is
        polled until `polled_through` reaches the first minute of the stream.
        """
        has_no_gap = self.polled_through[rows] >= self.stream_started[rows] - 1
        streamed: Flags = has_no_gap & (self.last_streamed[rows] >= now - self.stream_gap)
        return streamed

    def delays(self, rows: Ints) -> Ints:
        """Return the publication delay of each row in minutes: measured, or else declared."""
        measured = self.namespaces.delay[self.namespace[rows]]
        return np.where(measured >= 0, measured, self.delay[rows])

    def complete_through(self, rows: Ints) -> Ints:
        """Return the minute up to which the values of rows are complete; newer values may still grow.

        A point that no read confirmed for PROVISIONAL_FOR minutes counts as complete, as its metric is no
        longer read.
        """
        read, newest = np.maximum(self.read_through[rows], self.joined_through[rows]), self.newest_point[rows]
        return np.where(newest - read > PROVISIONAL_FOR, newest, read)

    def _advance_read(self, rows: Ints, to: Ints) -> None:
        self._advance(rows, to)
        self.read_through[rows] = np.maximum(self.read_through[rows], to)

    def _note_streamed(self, rows: Ints, newest: Ints, now: int) -> Flags:
        """Record that the stream delivered rows up to `newest`. Return which rows had no gap before."""
        had_gap = self.last_streamed[rows] < now - self.stream_gap
        self.stream_started[rows[had_gap]] = now - STREAM_LAG
        self.last_streamed[rows] = now
        gapless = self.is_streamed(rows, now)
        self.recent_minutes[rows[gapless]] = RECENT_MINUTES
        through = np.minimum(newest[gapless], np.int32(now - 1) - self.delay[rows[gapless]])
        self.polled_through[rows[gapless]] = np.maximum(self.polled_through[rows[gapless]], through)
        return gapless

    def _zero_rows_of(self, namespace: int) -> Ints:
        layout, rows = self._zero_rows.get(namespace, (-1, np.empty(0, np.int32)))
        if layout != self.layout:
            is_zero_row = (self.namespace[: self.size] == namespace) & self.zero_when_absent[: self.size]
            rows = np.flatnonzero(is_zero_row).astype(np.int32)
            self._zero_rows[namespace] = self.layout, rows
        return rows

    def _proven_through(self, rows: Ints) -> Ints:
        """Return the minute up to which it is proven that missing points of each row do not exist."""
        namespaces, read = self.namespace[rows], self.read_through[rows]
        unproven = np.flatnonzero(
            self.zero_when_absent[rows] & (self.namespaces.watermark[namespaces] < read)
        )
        proven = read
        if unproven.size:
            proven = read.copy()
            watermark = self.namespaces.watermark[namespaces[unproven]]
            silent = self.namespaces.are_silent(namespaces[unproven], read[unproven])
            idle = np.zeros(unproven.size, np.bool_)
            idle[silent] = self._update_idle_before_silence(rows[unproven[silent]], watermark[silent])
            proven[unproven] = np.where(idle, read[unproven], watermark)
        return proven

    def _update_idle_before_silence(self, rows: Ints, silent_since: Ints) -> Flags:
        """Set and return `idle_before_silence` of rows whose namespaces had no point after `silent_since`.

        A row is idle if it had no demand in the IDLE_FOR minutes up to `silent_since`. Where one of these
        minutes has left the window, a row without a point in them or later is idle; other rows keep their
        flag.
        """
        minutes_ago = np.arange(IDLE_FOR, dtype=np.int32)
        minutes = silent_since[:, None] - minutes_ago
        values = self.points.get(rows[:, None], minutes % WINDOW)
        inside = minutes > self.window_end[rows][:, None] - WINDOW
        busy = (inside & (values > 0)).any(axis=1)
        has_no_points = self.newest_point[rows] <= np.maximum(silent_since - IDLE_FOR, NEVER)
        self.idle_before_silence[rows] = np.where(
            inside.all(axis=1), ~busy, has_no_points | self.idle_before_silence[rows]
        )
        return self.idle_before_silence[rows]

    def _derive(self, rows: Ints) -> None:
        """Compute the columns that `RingColumns` calls derived."""
        self.proven_through[rows] = proven = np.maximum(self._proven_through(rows), self.joined_through[rows])
        newest = self._without_drops(rows, self.newest_point[rows])
        known = np.where(self.zero_when_absent[rows], np.maximum(newest, proven), newest)
        self.latest_minute[rows], self.dirty[rows] = known, True
        self.latest_value[rows] = latest_value = self.at(rows, known)
        inside = np.flatnonzero(~np.isnan(latest_value))
        self.last_known_value[rows[inside]] = latest_value[inside]
        # Rows with many recent minutes are computed apart: `_worst` reads the same number of minutes of all.
        has_many = self.recent_minutes[rows] > RECENT_MINUTES
        for indices in filter(np.size, (np.flatnonzero(~has_many), np.flatnonzero(has_many))):
            self.recent_max[rows[indices]] = self._worst(rows[indices], known[indices])

    def _worst(self, rows: Ints, known: Ints) -> Floats:
        """Return the highest value of each row in its recent minutes, which end with the minute `known`."""
        recent = self.recent_minutes[rows]
        minutes_ago = np.arange(recent.max(), dtype=np.int32)[:, None]
        values = self.at(rows, known - minutes_ago)
        values[minutes_ago >= recent] = np.nan
        worst: Floats = np.fmax.reduce(values)  # over the first axis: much faster than over the last one
        return worst

    def _without_drops(self, rows: Ints, newest: Ints) -> Ints:
        """Return the newest minutes, without provisional minutes below the value of the last complete minute.

        Provisional minutes with confirmed points are not left out where confirmed points are final.
        """
        ahead = newest - self.read_through[rows]
        indices = np.flatnonzero((ahead > 0) & (ahead <= PROVISIONAL_FOR))
        if not indices.size:
            return newest
        rows, read = rows[indices], self.read_through[rows[indices]]
        steps = np.arange(1, ahead[indices].max() + 1, dtype=np.int32)
        values = self.points.get(rows[:, None], (read[:, None] + steps) % WINDOW)
        complete = self.at(rows, read)
        final_steps = np.where(
            self.namespaces.confirmed_is_final[self.namespace[rows]], self.confirmed_point[rows] - read, 0
        )
        is_shown = (values >= complete[:, None]) | ((steps <= final_steps[:, None]) & ~np.isnan(values))
        is_shown &= steps <= ahead[indices][:, None]
        without_drops = read + np.where(is_shown, steps, 0).max(axis=1)
        newest = newest.copy()
        newest[indices] = np.where(np.isnan(complete), newest[indices], without_drops)
        return newest
