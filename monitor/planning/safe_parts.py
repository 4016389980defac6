"""Parts of usage that are hardly read, as their aggregate is too small to endanger the series of a part.

A part is at most its aggregate in each minute (see `rules.bounds`). There is a value with which a part brings
its series to the upper edge of the band. While the aggregate is below this value, the aggregate is read in
place of the part, and the part once in MAX_INTERVAL. The part is requested at once when the aggregate is no
longer that small, or is unknown.
"""

import numpy as np

from monitor.fleet.ring_columns import NO_BOUND, NOT_READ
from monitor.fleet.rings import Rings
from monitor.planning.intervals import MAX_INTERVAL
from rules.arrays import Flags, Floats, Ints

MAX_UNREAD_MINUTES = MAX_INTERVAL + 45  # more than MAX_INTERVAL, as AWS may be late or requests may fail
LATE_BY = 2  # minutes by which an aggregate may be later than planned
INFINITE = np.float32(np.inf)


def unread_peaks(rings: Rings, parts: Ints, aggregates: Ints) -> Floats:
    """Return the highest value of the aggregate of each part in the minutes in which the part was not read.

    For a part that was read up to the newest minute, the result is the value of this minute. The result is
    infinite if the aggregate is unknown in one of the minutes, or if there are more than MAX_UNREAD_MINUTES.
    """
    unique_aggregates, aggregate_of_part = np.unique(aggregates, return_inverse=True)
    newest = rings.latest_minute[unique_aggregates]
    minutes = newest[:, None] - np.arange(MAX_UNREAD_MINUTES)
    values = rings.at(unique_aggregates[:, None], minutes.astype(np.int32))
    peaks = np.maximum.accumulate(np.where(np.isnan(values), INFINITE, values), axis=1)
    unread_minutes = newest[aggregate_of_part].astype(np.int64) - rings.polled_through[parts]
    unread_peak: Floats = peaks[aggregate_of_part, np.clip(unread_minutes, 1, MAX_UNREAD_MINUTES) - 1]
    return np.where(unread_minutes > MAX_UNREAD_MINUTES, INFINITE, unread_peak)


def unsafe_parts(rings: Rings, rows: Ints) -> Ints:
    """Return the parts to read at once, as their aggregates no longer prove that they are safe."""
    parts = rows[~np.isnan(rings.safe_below[rows])]
    if not parts.size:
        return parts
    unsafe: Ints = parts[unread_peaks(rings, parts, rings.whole[parts]) >= rings.safe_below[parts]]
    return unsafe


def aggregates_only_for_parts(rings: Rings) -> Ints:
    """Return the rows of aggregates that are read only for their parts, as no series needs them itself."""
    parts = np.flatnonzero(rings.whole[: rings.size] != NO_BOUND)
    aggregates, part_counts = np.unique(rings.whole[parts], return_counts=True)
    only_for_parts: Ints = aggregates[rings.use_count[aggregates] <= part_counts]
    return only_for_parts


def are_read(rings: Rings, aggregates: Ints, now: int) -> Flags:
    """Return which aggregates were read as planned, and have the points that AWS should have published."""
    cadence = np.maximum(rings.cadence[aggregates], 1)
    late_by = rings.delays(aggregates) + rings.period[aggregates] + LATE_BY
    earliest = now - cadence - late_by
    were_read: Flags = (cadence < NOT_READ) & (rings.latest_minute[aggregates] >= earliest)
    return were_read
