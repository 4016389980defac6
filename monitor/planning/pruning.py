"""Prunes metrics: a metric need not be requested while its aggregate proves that it is 0.

Counts of parts add up to at most the count of their aggregate (see `rules.bounds`). So a part is 0 in each
minute in which the aggregate is no more than the sum of the known parts. When the aggregate rises above this
sum, the unknown parts are requested at once.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.fleet.metric_query import without_abbreviations
from monitor.fleet.ring_columns import NO_BOUND, NOT_READ, PRUNED_INTERVAL, WINDOW
from monitor.fleet.rings import PROVISIONAL_FOR, Rings
from rules.arrays import Flags, Floats, Ints

BATCH_SIZE = 1024  # so many metrics are pruned in some milliseconds; then other tasks may run
# The number of newest minutes in which an aggregate may prove its parts to be 0. A part that is unknown for
# longer is requested.
SEEN_MINUTES = 60
COST_DIVISOR = 2  # reading an aggregate costs at most half of what it saves
EXACT_COUNT = 1 << 24  # the count up to which float32 holds all counts exactly
log = logging.getLogger(__name__)

NO_ROWS: Ints = np.empty(0, np.int32)


@dataclass(frozen=True, slots=True)
class Parts:
    """The rows of the parts of an aggregate.

    aggregate: the row of the aggregate. known_through: the minute up to which the aggregate is known.
    """

    rows: Ints
    aggregate: int
    known_through: int


def batches(rings: Rings, rows: Ints) -> Iterator[Ints]:
    """Yield batches of metrics with an aggregate; all parts of an aggregate are in one batch."""
    bounded = rows[rings.bound[rows] != NO_BOUND]
    sorted_rows = bounded[np.argsort(rings.bound[bounded], kind="stable")]
    starts = (
        np.flatnonzero(np.append(True, np.diff(rings.bound[sorted_rows]) != 0))
        if sorted_rows.size
        else NO_ROWS
    )
    first = 0
    for start in [*starts[1:].tolist(), sorted_rows.size]:
        if start - first >= BATCH_SIZE or (start == sorted_rows.size and start > first):
            yield sorted_rows[first:start]
            first = start


def prune(rings: Rings, rows: Ints, now: int) -> Ints:
    """Prune the metrics of a batch at the minute `now`, after their aggregates were read.

    Minutes that are proven to be 0 are marked as read. Return the rows to request at once.
    """
    aggregates, aggregate_of_row = np.unique(rings.bound[rows], return_inverse=True)
    are_usable = _are_read(rings, aggregates, now)
    minutes = np.arange(now - SEEN_MINUTES, now, dtype=np.int32)
    are_active: Flags = np.logical_or.reduce(rings.at(aggregates[:, None], minutes) > 0, axis=1)
    are_active[aggregate_of_row[rings.recent_max[rows] > 0]] = True
    known_through = np.minimum.reduce([column[aggregates] for column in _known_columns(rings)])
    rings.pruned[rows[~are_usable[aggregate_of_row]]] = False
    are_idle = are_usable & ~are_active
    for aggregate in aggregates[are_idle].tolist():
        rings.part_searches.resume(aggregate)
    is_part_of_idle = are_idle[aggregate_of_row]
    proven_through = np.minimum(known_through[aggregate_of_row[is_part_of_idle]], now - 1)
    _prune_parts_of_idle(rings, rows[is_part_of_idle], proven_through, now)
    at_once = [
        _prune_parts_of_active(
            rings, Parts(rows[aggregate_of_row == n], int(aggregates[n]), int(known_through[n])), minutes
        )
        for n in np.flatnonzero(are_usable & are_active).tolist()
    ]
    return np.concatenate([NO_ROWS, *at_once])


def _known_columns(rings: Rings) -> tuple[Ints, Ints, Ints]:
    """Return, by row, the minutes up to which metrics are proven, read and polled."""
    return rings.proven_through, rings.read_through, rings.polled_through


def _are_read(rings: Rings, aggregates: Ints, now: int) -> Flags:
    """Return which aggregates are trusted and were read as planned, by polls or by a stream."""
    cadence = np.maximum(rings.cadence[aggregates], 1)
    is_polled = (cadence < NOT_READ) & (now - rings.requested_through[aggregates] - 1 <= cadence)
    are_read: Flags = ~rings.distrusted[aggregates] & (is_polled | rings.is_streamed(aggregates, now))
    return are_read


def _prune_parts_of_idle(rings: Rings, rows: Ints, proven_through: Ints, now: int) -> None:
    """Prune parts of aggregates that were 0 in all known minutes of the last hour.

    proven_through: for each part, the minute up to which its aggregate is known.
    """
    is_gapless = rings.polled_through[rows] >= now - SEEN_MINUTES - 1
    rings.pruned[rows] = is_gapless
    _mark_proven(rings, rows[is_gapless], proven_through[is_gapless])


def _prune_parts_of_active(rings: Rings, parts: Parts, minutes: Ints) -> Ints:
    """Prune the parts of an aggregate that was above 0, and return the rows to request at once."""
    rows, now = parts.rows, int(minutes[-1]) + 1
    if not _bounds_its_parts(rings, parts, now):
        rings.pruned[rows] = False
        return NO_ROWS
    values = rings.at(rows[:, None], minutes)
    unexplained = _unexplained(rings, parts, minutes, values)
    is_gapless = rings.polled_through[rows] >= minutes[0] - 1
    through = _first_unexplained(minutes, unexplained, rings.polled_through[rows]) - 1
    _mark_proven(rings, rows[is_gapless], np.minimum(through, parts.known_through)[is_gapless])
    is_known = is_gapless
    if unexplained.any():
        is_known = _requested_through(rings, rows, now) >= minutes[unexplained].max()
    rings.pruned[rows] = is_gapless & is_known & ~(rings.recent_max[rows] > 0)
    at_once = NO_ROWS
    if is_paused := rings.part_searches.are_paused(parts.aggregate, now):
        rings.pruned[rows] &= rings.cadence[rows] >= rings.cadence[parts.aggregate]
    if not (is_paused or is_known.all()) and _may_request_at_once(rings, parts, unexplained, values):
        minutes_waited = now - rings.requested_through[rows] - 1
        may_have_changed = minutes_waited >= np.maximum(rings.delays(rows) + 1, rings.period[rows])
        at_once = rows[~is_known & may_have_changed & ~rings.is_streamed(rows, now)]
    rings.part_searches.note(parts.aggregate, at_once.size, _saved_rate(rings, parts), now)
    return at_once


def _saved_rate(rings: Rings, parts: Parts) -> float:
    """Return the requests a minute that an aggregate saves while none of its parts is requested at once."""
    silent_rows = parts.rows[~(rings.recent_max[parts.rows] > 0)]
    parts_rate = (1 / np.maximum(rings.cadence[silent_rows], 1)).sum()
    return float(parts_rate - 1 / max(int(rings.cadence[parts.aggregate]), 1))


def _requested_through(rings: Rings, rows: Ints, now: int) -> Ints:
    """Return the minute up to which the points of each part were read, by a poll or a stream.

    A minute that the aggregate proved to be 0 does not count, as a point of the aggregate may come later than
    usual.
    """
    polled = rings.requested_through[rows] - rings.delays(rows)
    read = np.where(rings.is_streamed(rows, now), rings.polled_through[rows], polled)
    known: Ints = np.minimum(rings.polled_through[rows], read)
    return known


def _unexplained(rings: Rings, parts: Parts, minutes: Ints, values: Floats) -> Flags:
    """Return in which minutes the aggregate is more than the sum of the parts' known values."""
    aggregate_values = rings.at(np.array([parts.aggregate], np.int32), minutes)
    unexplained: Flags = (aggregate_values > np.nansum(values, axis=0, dtype=np.float64)) | (
        aggregate_values > EXACT_COUNT
    )
    return unexplained


def _may_request_at_once(rings: Rings, parts: Parts, unexplained: Flags, values: Floats) -> bool:
    """Return whether parts may be requested at once: not more often in an hour than without an aggregate.

    They may not if too many parts are above 0. Reading these as often as the aggregate would then cost too
    much; without it, the sum of their values never explains the aggregate.
    """
    # Requests a minute.
    planned_rates = 1 / np.maximum(rings.cadence[parts.rows], 1)
    active_rate = np.count_nonzero((values > 0).any(axis=1)) / max(int(rings.cadence[parts.aggregate]), 1)
    search_rate = np.count_nonzero(unexplained) / SEEN_MINUTES
    return bool(active_rate <= planned_rates.sum() and search_rate <= planned_rates.min())


def _first_unexplained(minutes: Ints, unexplained: Flags, polled_through: Ints) -> Ints:
    """Return each part's first unexplained minute after `polled_through`; else the minute after the last."""
    unexplained_or_end: Ints = np.append(minutes[unexplained], minutes[-1:] + 1)
    following = np.searchsorted(unexplained_or_end, polled_through, side="right")
    first: Ints = unexplained_or_end[np.minimum(following, unexplained_or_end.size - 1)]
    return first


def _mark_proven(rings: Rings, rows: Ints, through: Ints) -> None:
    """Mark rows as read up to `through`. A row is marked only when it would be due by its own cadence."""
    minutes_waited = through - rings.polled_through[rows]
    due = np.flatnonzero((minutes_waited >= np.maximum(rings.cadence[rows], 1)) & ~rings.by_stream[rows])
    if due.size:
        rings.mark_read(rows[due], through[due])


def _bounds_its_parts(rings: Rings, parts: Parts, now: int) -> bool:
    """Return whether no part exceeded its aggregate in a settled minute; distrust an exceeded aggregate."""
    active_rows = parts.rows[rings.recent_max[parts.rows] > 0]
    minutes = np.arange(now - WINDOW, min(now - PROVISIONAL_FOR, parts.known_through + 1), dtype=np.int32)
    if not active_rows.size or not minutes.size:
        return True
    is_settled = minutes <= rings.read_through[active_rows][:, None]
    aggregate_values = rings.at(np.array([parts.aggregate], np.int32), minutes)
    exceeds = ((rings.at(active_rows[:, None], minutes) > aggregate_values) & is_settled).any(axis=1)
    if not exceeds.any():
        return True
    part, aggregate = (
        without_abbreviations(rings.metric[row]).decode()
        for row in (int(active_rows[exceeds][0]), parts.aggregate)
    )
    log.warning("%s exceeds its aggregate %s: metrics are no longer pruned by it", part, aggregate)
    rings.distrusted[parts.aggregate] = True
    return False


def plan_with_idle_aggregates(rings: Rings, cadences: Ints, longest: int) -> tuple[Ints, Flags]:
    """Return the cadences of all metrics, and which are pruned, while all aggregates are 0.

    cadences, longest: see `plan_aggregates`.
    """
    planned = cadences.copy()
    plan_aggregates(rings, planned, longest)
    bound = rings.bound[: planned.size]
    pruned = (bound != NO_BOUND) & (planned[bound] < NOT_READ) & (planned < PRUNED_INTERVAL)
    return np.where(pruned, PRUNED_INTERVAL, planned).astype(np.int32), pruned


def plan_aggregates(rings: Rings, cadences: Ints, longest: int, paused: Sequence[int] = ()) -> None:
    """Set the cadences of aggregates, in place: reading them costs at most half of what they save.

    The parts above 0 are read as often as their aggregate, so that the other parts are proven, unless there
    are so many of them that this costs more than it saves. cadences: of all metrics, in minutes. longest: the
    longest cadence of an aggregate. paused: the aggregates that save nothing, as their parts are requested at
    once too often. They are still read, at the longest cadence, so that it is noticed when this changes.
    """
    size = cadences.size
    parts = np.flatnonzero(rings.bound[:size] != NO_BOUND)
    if not parts.size:
        return
    aggregate_of_part = rings.bound[parts]
    # Requests a minute, by the row of the aggregate.
    saved_rates = np.bincount(aggregate_of_part, 1 / np.maximum(cadences[parts], 1), size)
    part_counts = np.bincount(aggregate_of_part, minlength=size)
    aggregates = np.flatnonzero(part_counts)
    cadence = np.clip(np.ceil(COST_DIVISOR / saved_rates[aggregates]), 1, longest).astype(np.int32)
    cadence[np.isin(aggregates, paused)] = longest
    costs_what_it_saves = 1 / cadence >= saved_rates[aggregates]
    is_useless = rings.distrusted[aggregates] | costs_what_it_saves
    is_read_anyway = rings.use_count[aggregates] > part_counts[aggregates]
    cadences[aggregates] = np.where(
        is_read_anyway, np.minimum(cadence, cadences[aggregates]), np.where(is_useless, NOT_READ, cadence)
    )
    active_parts = parts[rings.recent_max[parts] > 0]
    aggregate_of_active = rings.bound[active_parts]
    cost_rates = np.bincount(aggregate_of_active, 1 / np.maximum(cadences[aggregate_of_active], 1), size)
    pays = cost_rates[aggregate_of_active] <= saved_rates[aggregate_of_active]
    cadences[active_parts[pays]] = np.minimum(
        cadences[active_parts[pays]], cadences[aggregate_of_active[pays]]
    )
