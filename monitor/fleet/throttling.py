"""Throttled demand: demand that was refused or delayed, and the part that exceeds the tolerance."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from monitor.fleet.formulas import SlotArray, Slots, select_slots
from monitor.fleet.namespaces import ALWAYS, NEVER
from monitor.fleet.operations import NAN, ROUNDING_ERROR, SETTLED_AFTER
from monitor.fleet.ring_columns import RECENT_MINUTES, WINDOW
from monitor.fleet.rings import Rings
from monitor.fleet.series_columns import SeriesColumns
from rules.arrays import Flags, Floats, Ints
from rules.band import excess


class Throttling(NamedTuple):
    """Throttled demand of some slots, per second; NaN is missing.

    excess: the throttled demand where it exceeds the tolerance, else 0 (see `rules.band.excess`).
    """

    throttled: Floats
    excess: Floats


def throttling_at(columns: SeriesColumns, slots: Slots, minutes: Ints) -> Throttling:
    """Return the throttled demand of slots, each in its minute; NaN before the resource was created."""
    throttled = columns.throttled.at(columns.rings, slots, minutes)
    throttled[minutes < columns.created[slots]] = NAN
    throttled[columns.throttled_incomplete[slots] & ~(throttled > 0)] = NAN
    excess_demand, indices = throttled.copy(), np.flatnonzero(throttled > 0).astype(np.int32)
    if indices.size:
        excess_demand[indices] = _excess(
            columns, select_slots(slots, indices), minutes[indices], throttled[indices]
        )
    return Throttling(throttled, excess_demand)


def is_throttling_unknown(columns: SeriesColumns, slots: SlotArray, throttled: Floats) -> Flags:
    """Return which slots have unknown throttled demand; false where AWS publishes no throttled demand."""
    published = columns.throttled.has(slots) | columns.throttled_incomplete[slots]
    unknown: Flags = np.isnan(throttled) & published
    return unknown


def throttled_per_served(columns: SeriesColumns, rings: Rings, slots: Ints, minutes: Ints) -> Floats:
    """Return the ratio of throttled demand to served demand of slots, each in its minute.

    The ratio is 0 if no demand was throttled, if none was served, or if AWS does not count served demand.
    rings: the rings that contain the points.
    """
    throttled, ratios = columns.throttled.at(rings, slots, minutes), np.zeros(slots.size, np.float32)
    indices = np.flatnonzero(throttled > 0).astype(np.int32)
    served = columns.served.at(rings, select_slots(slots, indices), minutes[indices])
    is_known = served > 0
    ratios[indices[is_known]] = throttled[indices[is_known]] / served[is_known]
    return ratios


def recent_throttling(columns: SeriesColumns, used_at: Ints) -> tuple[Throttling, Ints]:
    """Return the highest throttled demand in the recent minutes of each series, and the last such minute.

    The recent minutes (see `RingColumns`) end with the newest minute of the usage or of the throttled demand,
    whichever is later, and begin no earlier than the resource was created. used_at: the newest minute of each
    series' usage.
    """
    size = columns.size
    highest, throttled_at = np.full(size, NAN), np.full(size, NEVER, np.int32)
    for block in columns.throttled:
        throttled_at[block.slots], highest[block.slots] = block.worst_recent(columns.rings)
    newest = np.maximum(used_at, throttled_at)
    end = _recent_end(columns, throttled_at, newest)
    _drop_older_minutes(columns, highest, throttled_at, end)
    highest[columns.throttled_incomplete[:size] & ~(highest > 0)] = NAN
    excessive = _is_excessive(columns, highest, throttled_at, end)
    return Throttling(highest, highest * excessive), newest


def throttled_by_cause(columns: SeriesColumns, newest: Ints, throttled: Floats) -> Floats:
    """Return the throttled demand of each entry of `columns.causes`; NaN in unused entries.

    The demand is taken from the last minute in which the series' throttled demand was as high as judged, so
    that the causes add up to the judged demand. newest, throttled: the last recent minute and the judged
    demand, by slot. Where the demand of a series is unknown, the demand of its causes is unknown, too.
    """
    causes, demand = columns.causes, np.full(columns.causes.size, NAN)
    used = causes.used_entries[~np.isnan(throttled[causes.slot[causes.used_entries]])]
    if not used.size:
        return demand
    slots = causes.slot[used]
    minutes = _last_minutes_with(columns, slots, newest[slots], throttled[slots])
    demand[used] = causes.formulas.at(columns.rings, used, minutes)
    demand[used[columns.throttled_incomplete[slots] & ~(demand[used] > 0)]] = NAN
    return demand


def _last_minutes_with(columns: SeriesColumns, slots: Ints, newest: Ints, throttled: Floats) -> Ints:
    """Return each slot's last minute up to `newest` with a throttled demand of at least `throttled`."""
    minutes, remaining = np.full(slots.size, NEVER, np.int32), np.arange(slots.size, dtype=np.int32)
    for minutes_ago in range(WINDOW):
        demand = columns.throttled.at(
            columns.rings, slots[remaining], newest[remaining] - np.int32(minutes_ago)
        )
        is_as_high = demand >= throttled[remaining] * (1 - ROUNDING_ERROR)
        minutes[remaining[is_as_high]] = newest[remaining[is_as_high]] - minutes_ago
        remaining = remaining[~is_as_high]
        if not remaining.size:
            break
    return minutes


def _recent_end(columns: SeriesColumns, throttled_at: Ints, newest: Ints) -> Ints:
    """Return the last of the recent minutes of each series: `newest`, with two exceptions.

    For two kinds of series it is the newest minute of the throttled demand, unless that is too old to be
    recent: where that demand is a difference of counts, which already looks back to settled counts; and where
    a metric has a longer period, as its points mostly lag behind the usage.
    """
    has_longer_period = np.flatnonzero(columns.period[: newest.size] > 1)
    with_counts = [block.slots for block in columns.throttled if block.has_counts]
    exceptions = np.concatenate([has_longer_period, *with_counts]).astype(np.int32)
    if not exceptions.size:
        return newest
    end, own_newest, common_newest = newest.copy(), throttled_at[exceptions], newest[exceptions]
    is_recent = own_newest > common_newest - columns.recent_span(exceptions)
    end[exceptions] = np.where(is_recent, own_newest, common_newest)
    return end


def _excess(columns: SeriesColumns, slots: SlotArray, minutes: Ints, throttled: Floats) -> Floats:
    """Return the throttled demand where it exceeds the tolerance, else 0; each slot in its minute."""
    demand = throttled + _served(columns, slots, minutes)
    return excess(throttled, demand, columns.tolerated_rate[slots], columns.tolerated_share[slots])


def _served(columns: SeriesColumns, slots: SlotArray, minutes: Ints) -> Floats:
    """Return the served demand of slots, each in its minute; NaN if CloudWatch does not publish it.

    CloudWatch may publish served demand a few minutes later than throttled demand: until then, the newest
    served demand is used.
    """
    newest = columns.served.newest_minutes(columns.rings, slots)
    late = (minutes > newest) & (minutes - newest < columns.recent_span(slots))
    return columns.served.at(columns.rings, slots, np.where(late, newest, minutes))


def _drop_older_minutes(columns: SeriesColumns, highest: Floats, throttled_at: Ints, end: Ints) -> None:
    """Recompute `highest` where it includes a minute that is not recent, or older than the resource."""
    is_new = columns.created[: highest.size] > end - WINDOW
    slots = np.flatnonzero(is_new | (throttled_at < end)).astype(np.int32)
    if not slots.size:
        return
    oldest = end[slots] - columns.recent_span(slots)
    without_recent = slots[(throttled_at[slots] <= oldest) & ~(highest[slots] > 0)]
    highest[without_recent] = NAN
    slots = slots[(highest[slots] > 0) | (is_new[slots] & ~np.isnan(highest[slots]))]
    first = _first_recent(columns, slots, end[slots])
    includes_older = throttled_at[slots] - columns.throttled.recent_minutes(columns.rings, slots) + 1 < first
    slots, first = slots[includes_older], first[includes_older]
    highest[slots] = NAN
    for indices, minutes in _recent_minutes(throttled_at[slots], first):
        demand = columns.throttled.at(columns.rings, slots[indices], minutes)
        highest[slots[indices]] = np.fmax(highest[slots[indices]], demand)


def _is_excessive(columns: SeriesColumns, highest: Floats, throttled_at: Ints, end: Ints) -> Flags:
    """Return which series were throttled beyond the tolerance in one of their recent minutes."""
    size = highest.size
    excessive = (highest > 0) & (highest >= columns.tolerated_rate[:size])
    if not columns.served:
        return excessive
    slots = np.flatnonzero(excessive).astype(np.int32)
    slots = slots[(columns.tolerated_share[slots] > 0) & columns.served.has(slots)]
    if not slots.size:
        return excessive
    excessive[slots] = False
    first = np.minimum(
        _first_recent(columns, slots, end[slots]), _first_settled(columns, slots, throttled_at[slots])
    )
    for indices, minutes in _recent_minutes(throttled_at[slots], first):
        undecided = ~excessive[slots[indices]]
        slot, minute = slots[indices][undecided], minutes[undecided]
        excessive[slot] = (
            _excess(columns, slot, minute, columns.throttled.at(columns.rings, slot, minute)) > 0
        )
    return excessive


def _first_recent(columns: SeriesColumns, slots: Ints, end: Ints) -> Ints:
    """Return the first of the recent minutes that end with `end`."""
    first: Ints = np.maximum(
        end - columns.throttled.recent_minutes(columns.rings, slots) + 1, columns.created[slots]
    )
    return first


def _first_settled(columns: SeriesColumns, slots: Ints, newest: Ints) -> Ints:
    """Return the first minute to search where recent differences of counts are not settled, else ALWAYS.

    A longer look back finds settled differences (see `Block.worst_recent`). newest: the last minute of each
    slot.
    """
    recent = [
        columns.throttled.at(columns.rings, slots, newest - np.int32(minutes_ago))
        for minutes_ago in range(RECENT_MINUTES)
    ]
    is_difference = np.zeros(columns.size, np.bool_)
    for block in columns.throttled:
        is_difference[block.slots] = block.has_counts
    unsettled = is_difference[slots] & np.logical_or.reduce(np.isnan(recent))
    first = np.maximum(newest - RECENT_MINUTES + 1 - SETTLED_AFTER, columns.created[slots])
    return np.where(unsettled, first, ALWAYS).astype(np.int32)


def _recent_minutes(newest: Ints, first: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield indices of slots and one minute of each, going back from `newest` to `first`."""
    for minutes_ago in range(int((newest - first).max(initial=-1)) + 1):
        indices = np.flatnonzero(newest - minutes_ago >= first).astype(np.int32)
        yield indices, newest[indices] - np.int32(minutes_ago)
