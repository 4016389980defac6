"""The age of unread records while readers publish no metrics.

The rows of formulas are [term, formula]: the metrics of the readers, and last the metric of what is written.
A reader that publishes a point in a minute reads in that minute.
"""

from dataclasses import dataclass

import numpy as np

from monitor.fleet.columns import Flags, Floats, Ints
from monitor.fleet.rings import NEVER, WINDOW, Rings

MINUTE_MS = np.float32(60_000)
STEADY = 15  # minutes at the far end of the window; what is written there was written before it, too


@dataclass(frozen=True, slots=True)
class ReaderSilence:
    """The silence of the readers of each formula at its minute; NaN is unknown.

    age: the last age that they published, in milliseconds. ago: the minutes since then. waiting: the minutes
    for which something that was written since has been unread.
    """

    age: Floats
    ago: Floats
    waiting: Floats


def ages(rings: Rings, rows: Ints, minutes: Ints) -> Floats:
    """Return the age of the oldest unread record, in milliseconds."""
    found: Floats = np.fmax.reduce(_published(rings, rows[:-1], minutes))
    some = np.flatnonzero(np.isnan(found))
    if some.size:
        silent = _silence(rings, rows[:, some], minutes[some])
        behind = silent.age + silent.ago * MINUTE_MS
        since = np.where(np.isnan(silent.waiting), silent.age, silent.waiting * MINUTE_MS)
        found[some] = np.where(silent.age > 0, behind, since)
    return found


def unread(rings: Rings, rows: Ints, minutes: Ints) -> Floats:
    """Return for how long records have been written but not read, in milliseconds."""
    read = ~np.isnan(_published(rings, rows[:-1], minutes)).all(axis=0)
    found = np.where(np.isnan(rings.at(rows[-1], minutes)) & ~read, np.float32(np.nan), np.float32(0))
    some = np.flatnonzero(~read & (found == 0))
    if some.size:
        waiting = _silence(rings, rows[:, some], minutes[some]).waiting
        found[some] = np.where(np.isnan(waiting), np.float32(0), waiting * MINUTE_MS)
    return found


def _published(rings: Rings, rows: Ints, minutes: Ints) -> Floats:
    """Return what readers publish in a minute each, [term, formula]; NaN if they read nothing."""
    published = np.stack([rings.at(row, minutes) for row in rows])
    published[rings.zero_when_absent[rows] & (published <= 0)] = np.nan
    return published


def _silence(rings: Rings, rows: Ints, minutes: Ints) -> ReaderSilence:
    """Return the silence of formulas whose readers published nothing in these minutes."""
    window = np.arange(WINDOW, dtype=np.int32)
    before = np.repeat(minutes, WINDOW) - np.tile(window, minutes.size)
    published: Floats = np.fmax.reduce(_published(rings, np.repeat(rows[:-1], WINDOW, axis=1), before))
    published = published.reshape(-1, WINDOW)
    inside = ~np.isnan(published)
    ago = np.where(inside.any(axis=1), inside.argmax(axis=1), WINDOW)
    age = np.where(ago < WINDOW, published[np.arange(ago.size), ago % WINDOW], np.float32(np.nan))
    written = rings.at(np.repeat(rows[-1], WINDOW), before).reshape(-1, WINDOW) > 0
    waiting = _oldest(written & (window < ago[:, None]))
    newest, last = _newest(rings, rows[:-1])
    out = (ago == WINDOW) & (newest > NEVER) & (newest <= minutes - WINDOW)
    since = np.where(out, minutes - newest, ago).astype(np.float32)
    since[(ago == WINDOW) & ~out] = np.nan
    waiting = np.where(out & (waiting >= WINDOW - STEADY), since, waiting)
    return ReaderSilence(np.where(out, last, age), since, waiting)


def _oldest(flags: Flags) -> Floats:
    """Return the index of the last flag that is set in each row; NaN if none is."""
    last = flags.shape[1] - 1 - flags[:, ::-1].argmax(axis=1)
    return np.where(flags.any(axis=1), last, np.nan).astype(np.float32)


def _newest(rings: Rings, rows: Ints) -> tuple[Ints, Floats]:
    """Return the newest minute that has a point of any reader, and its value."""
    newest = rings.newest_point[rows]
    which = newest.argmax(axis=0), np.arange(rows.shape[1])
    return newest[which], rings.last_known_value[rows[which]]
