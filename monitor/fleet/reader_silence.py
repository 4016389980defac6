"""The age of unread records while the readers are silent, that is, publish no points.

Rows are [term, formula]: first the metrics of the readers, last the metric of the writes. A reader that
publishes a point in a minute has read in that minute.
"""

from dataclasses import dataclass

import numpy as np

from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.rings import Rings
from rules.arrays import Flags, Floats, Ints

MINUTE_MS = np.float32(60_000)
# Minutes at the beginning of the window. If records of these minutes are unread, and the readers last read
# before the window, the oldest unread record is assumed to have been written when they last read.
WINDOW_EDGE = 15


@dataclass(frozen=True, slots=True)
class ReaderSilence:
    """The silence of the readers of each formula at its minute: they publish no points. NaN is unknown.

    last_age: the last age that readers published, in milliseconds. silent_minutes: minutes since they
    published it. unread_minutes: minutes since records were first written after that.
    """

    last_age: Floats
    silent_minutes: Floats
    unread_minutes: Floats


def unread_ages(rings: Rings, rows: Ints, minutes: Ints) -> Floats:
    """Return the age of the oldest unread record, in milliseconds."""
    age: Floats = np.fmax.reduce(_published_values(rings, rows[:-1], minutes))
    indices = np.flatnonzero(np.isnan(age))
    if indices.size:
        silence = _silence(rings, rows[:, indices], minutes[indices])
        grown_age = silence.last_age + silence.silent_minutes * MINUTE_MS
        unread = silence.unread_minutes
        age_if_caught_up = np.where(np.isnan(unread), silence.last_age, unread * MINUTE_MS)
        age[indices] = np.where(silence.last_age > 0, grown_age, age_if_caught_up)
    return age


def unread_durations(rings: Rings, rows: Ints, minutes: Ints) -> Floats:
    """Return for how long records have been written but not read, in milliseconds."""
    was_read = ~np.isnan(_published_values(rings, rows[:-1], minutes)).all(axis=0)
    duration = np.where(np.isnan(rings.at(rows[-1], minutes)) & ~was_read, np.float32(np.nan), np.float32(0))
    indices = np.flatnonzero(~was_read & (duration == 0))
    if indices.size:
        unread = _silence(rings, rows[:, indices], minutes[indices]).unread_minutes
        duration[indices] = np.where(np.isnan(unread), np.float32(0), unread * MINUTE_MS)
    return duration


def _published_values(rings: Rings, rows: Ints, minutes: Ints) -> Floats:
    """Return the values of readers in the minute of each formula, [term, formula]; NaN: none is published."""
    published = np.stack([rings.at(row, minutes) for row in rows])
    published[rings.zero_when_absent[rows] & (published <= 0)] = np.nan
    return published


def _silence(rings: Rings, rows: Ints, minutes: Ints) -> ReaderSilence:
    """Return how long readers have been silent, of formulas without a point of theirs in these minutes."""
    offsets = np.arange(WINDOW, dtype=np.int32)
    earlier = np.repeat(minutes, WINDOW) - np.tile(offsets, minutes.size)
    published: Floats = np.fmax.reduce(
        _published_values(rings, np.repeat(rows[:-1], WINDOW, axis=1), earlier)
    )
    published = published.reshape(-1, WINDOW)
    has_point = ~np.isnan(published)
    minutes_ago = np.where(has_point.any(axis=1), has_point.argmax(axis=1), WINDOW)
    values = published[np.arange(minutes_ago.size), minutes_ago % WINDOW]
    age_in_window = np.where(minutes_ago < WINDOW, values, np.float32(np.nan))
    written = rings.at(np.repeat(rows[-1], WINDOW), earlier).reshape(-1, WINDOW) > 0
    unread = _last_set(written & (offsets < minutes_ago[:, None]))
    newest, last_age = _newest_point(rings, rows[:-1])
    # The readers last read before the window, and the rings still know when.
    read_before_window = (minutes_ago == WINDOW) & (newest > NEVER) & (newest <= minutes - WINDOW)
    silent = np.where(read_before_window, minutes - newest, minutes_ago).astype(np.float32)
    silent[(minutes_ago == WINDOW) & ~read_before_window] = np.nan
    unread = np.where(read_before_window & (unread >= WINDOW - WINDOW_EDGE), silent, unread)
    return ReaderSilence(np.where(read_before_window, last_age, age_in_window), silent, unread)


def _last_set(flags: Flags) -> Floats:
    """Return the index of the last flag that is set in each row; NaN if none is."""
    last = flags.shape[1] - 1 - flags[:, ::-1].argmax(axis=1)
    return np.where(flags.any(axis=1), last, np.nan).astype(np.float32)


def _newest_point(rings: Rings, rows: Ints) -> tuple[Ints, Floats]:
    """Return the newest minute that has a point of any reader, and its value."""
    newest = rings.newest_point[rows]
    position = newest.argmax(axis=0), np.arange(rows.shape[1])
    return newest[position], rings.last_known_value[rows[position]]
