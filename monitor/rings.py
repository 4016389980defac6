"""What the metrics said: three hours of one-minute points a metric, and what is known of each at once.

A minute is counted from the epoch. A point replaces an earlier one of the same minute; NaN is a missing one.
"""

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from monitor.columns import Columns, Flags, Floats, Ints, Objects

WINDOW = 180  # minutes kept
RECENT = 5  # minutes: what was refused in them still shows, so that no poll of the default interval hides it
NEVER = -(2**30)  # a minute before all others, far enough from the limits of its type to subtract from
LULL = 5  # minutes that a stream may be silent about a metric before CloudWatch is asked for it


class Rings(Columns):
    """Columns by metric; `values[row, minute % WINDOW]` holds the points.

    read: every minute up to this one was read, so a missing point there is a fact.
    newest: the newest minute that has a point.
    zero: a minute that was read without a point is 0 (see `collectors.base.Metric`).
    delay: minutes until a minute's value can be trusted to be there.
    known, last: the newest minute that has a value, and the value; derived.
    recent: the highest value of the `RECENT` minutes up to `known`; derived.
    fresh: something was written or read since somebody asked (see `Fleet.news`).
    covered: no minute up to this one was left out: CloudWatch was asked for it, or the stream went on.
    heard, since: when the stream last told of the metric, a minute of the clock, and the minute of the first
        point since its last pause.
    by_stream: the newest point came by stream.
    metric, pool, users: what the fleet notes: what is read, where it is listed, how many formulas use it.

    `lull`: LULL, as configured. `layout` grows when a place is taken or given back: one that was looked up
    before may be another metric's by now.
    """

    declared: ClassVar = {
        "values": (np.float32, np.nan, WINDOW),
        "read": (np.int32, NEVER),
        "newest": (np.int32, NEVER),
        "zero": (np.bool_, False),
        "delay": (np.int32, 0),
        "known": (np.int32, NEVER),
        "last": (np.float32, np.nan),
        "recent": (np.float32, np.nan),
        "fresh": (np.bool_, False),
        "covered": (np.int32, NEVER),
        "heard": (np.int32, NEVER),
        "since": (np.int32, NEVER),
        "by_stream": (np.bool_, False),
        "metric": (np.object_, None),
        "pool": (np.object_, None),
        "users": (np.int32, 0),
    }
    values: Floats
    read: Ints
    newest: Ints
    zero: Flags
    delay: Ints
    known: Ints
    last: Floats
    recent: Floats
    fresh: Flags
    covered: Ints
    heard: Ints
    since: Ints
    by_stream: Flags
    metric: Objects
    pool: Objects
    users: Ints

    def __init__(self) -> None:
        super().__init__()
        self.lull, self.layout = LULL, 0

    def take(self) -> int:
        self.layout += 1
        return super().take()

    def give_back(self, place: int) -> None:
        self.layout += 1
        super().give_back(place)

    def write(self, rows: Ints, minutes: Ints, values: Floats) -> int:
        """Write points, in any order; return how many were too old for the window or no number."""
        kept, _, _ = self._write(rows, minutes, values, by_stream=False)
        return rows.size - kept

    def _write(self, rows: Ints, minutes: Ints, values: Floats, by_stream: bool) -> tuple[int, Ints, Ints]:
        """Write points; return how many were kept, the rows, each once, and the newest minute of each."""
        usable = np.isfinite(values)
        rows, minutes, values = rows[usable], minutes[usable], values[usable]
        touched, where = np.unique(rows, return_inverse=True)
        newest = np.full(touched.size, NEVER, np.int32)
        np.maximum.at(newest, where, minutes)
        self._advance(touched, newest)
        self.by_stream[touched[newest >= self.newest[touched]]] = by_stream
        self.newest[touched] = np.maximum(self.newest[touched], newest)
        kept = minutes > self.read[rows] - WINDOW
        self.values[rows[kept], minutes[kept] % WINDOW] = values[kept]
        self._settle(touched)
        return int(np.count_nonzero(kept)), touched, newest

    def mark_read(self, rows: Ints, minute: int) -> None:
        """CloudWatch was asked about `rows` up to `minute`, completely: what is missing there is absent."""
        self._advance(rows, np.full(rows.size, minute, np.int32))
        self.covered[rows] = np.maximum(self.covered[rows], minute)
        self._settle(rows)

    def write_streamed(self, rows: Ints, minutes: Ints, values: Floats, now: int) -> int:
        """As `write`, of points that came by stream at the minute `now`."""
        kept, touched, newest = self._write(rows, minutes, values, by_stream=True)
        self._hear(touched, newest, now)
        return rows.size - kept

    def mark_streamed(self, rows: Ints, minutes: Ints, now: int) -> None:
        """The stream, heard at the minute `now`, told of all there was of each row up to its minute."""
        self._advance(rows, minutes)
        self._settle(rows)
        self._hear(rows, minutes, now)

    def is_streamed(self, rows: Ints, now: int) -> Flags:
        """Which rows the stream tells of, so that CloudWatch need not be asked.

        A stream tells nothing of the time before it began, nor of a pause longer than `lull`: a row is asked
        for until `covered` reaches the point that the stream began with.
        """
        streamed: Flags = (self.heard[rows] >= now - self.lull) & (self.covered[rows] >= self.since[rows] - 1)
        return streamed

    def at(self, rows: Ints, minutes: Ints) -> Floats:
        """The value of each row at its minute; NaN when it is missing or outside the window."""
        read = self.read[rows]
        inside = (minutes <= read) & (minutes > np.maximum(read - WINDOW, NEVER))
        found = np.where(inside, self.values[rows, minutes % WINDOW], np.float32(np.nan))
        absent = inside & self.zero[rows] & np.isnan(found)
        return np.where(absent, np.float32(0), found)

    def history(self, row: int) -> tuple[Ints, Floats]:
        """The minutes of the window up to the last one read, ascending, and the values."""
        minutes = np.arange(self.read[row] - WINDOW + 1, self.read[row] + 1, dtype=np.int32)
        return minutes, self.at(np.full(WINDOW, row, np.int32), minutes)

    def _advance(self, rows: Ints, to: Ints) -> None:
        """Move the end of the window to a later minute, and empty the places taken over from older ones."""
        gap = np.minimum(to - self.read[rows], WINDOW)
        for step in range(1, int(gap.max(initial=0)) + 1):
            behind = gap >= step
            self.values[rows[behind], (to[behind] - step + 1) % WINDOW] = np.nan
        self.read[rows] = np.maximum(self.read[rows], to)

    def _hear(self, rows: Ints, newest: Ints, now: int) -> None:
        began = self.heard[rows] < now - self.lull
        self.since[rows[began]] = newest[began]
        self.heard[rows] = now
        rows = rows[self.is_streamed(rows, now)]
        told = np.minimum(self.read[rows], now - 1 - self.delay[rows])
        self.covered[rows] = np.maximum(self.covered[rows], told)

    def _settle(self, rows: Ints) -> None:
        known = np.where(self.zero[rows], self.read[rows], self.newest[rows])
        self.known[rows], self.fresh[rows] = known, True
        self.last[rows] = self.at(rows, known)
        minutes = known[:, None] - np.arange(RECENT, dtype=np.int32)
        recent: npt.NDArray[np.float32] = self.at(np.repeat(rows, RECENT), minutes.ravel()).reshape(
            -1, RECENT
        )
        self.recent[rows] = np.fmax.reduce(recent, axis=1)
