"""The demand of the last three hours of series without a past and of series that are throttled now."""

import asyncio
from typing import NamedTuple

import numpy as np

from monitor.fleet.fleet import Fleet
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.snapshot import Snapshot
from monitor.fleet.throttling import throttled_per_served
from monitor.what_if.past_usage import PastHighest
from rules.arrays import Floats, Indices, Ints

MAX_JUDGED_SERIES = 4096  # series judged for one answer: the throttled ones, then the fullest
SERIES_AT_ONCE = 32  # series judged before other tasks run again: some milliseconds


class RecentDemand(NamedTuple):
    """The highest demand of some series and its minute, by slot; NaN and NEVER for other series.

    Throttled demand is included where AWS counts served demand in the same unit.
    """

    highest: Floats
    minutes: Ints


async def recent_demand(fleet: Fleet, snapshot: Snapshot, past: PastHighest) -> RecentDemand:
    """Return the demand of the last three hours. Other tasks run meanwhile."""
    size = snapshot.id.size
    recent = RecentDemand(np.full(size, np.nan, np.float32), np.full(size, NEVER, np.int32))
    slots = _slots_to_judge(snapshot, past)
    for start in range(0, slots.size, SERIES_AT_ONCE):
        part = slots[start : start + SERIES_AT_ONCE].astype(np.int32)
        part = part[fleet.id[part] == snapshot.id[part]]  # without series that left the fleet meanwhile
        if part.size:
            recent.highest[part], recent.minutes[part] = _highest(fleet, part)
        await asyncio.sleep(0)
    return recent


def _slots_to_judge(snapshot: Snapshot, past: PastHighest) -> Indices:
    """Return the slots whose last hours are judged, at most MAX_JUDGED_SERIES."""
    has_sample = (snapshot.group >= 0) & (snapshot.minute > NEVER) & ~snapshot.bounded
    is_throttled = snapshot.saturation > 0
    slots = np.flatnonzero(has_sample & (is_throttled | np.isnan(past.usage)))
    order = np.lexsort((-np.nan_to_num(snapshot.utilization[slots]), ~is_throttled[slots]))
    return slots[order][:MAX_JUDGED_SERIES]


def _highest(fleet: Fleet, slots: Ints) -> tuple[Floats, Ints]:
    """Return the highest demand of each slot in the stored minutes, and its minute."""
    minutes = (fleet.minute[slots] - np.arange(WINDOW, dtype=np.int32)[:, None]).astype(np.int32)
    sample_slots, sample_minutes = np.tile(slots, WINDOW), minutes.ravel()
    judged = fleet.judged_at(sample_slots, sample_minutes)
    demand = judged.usage * (1 + throttled_per_served(fleet, fleet.rings, sample_slots, sample_minutes))
    demand = np.where(judged.bounded | ~np.isfinite(demand), -np.inf, demand).reshape(minutes.shape)
    peak_rows, columns = demand.argmax(axis=0), np.arange(slots.size)
    highest, is_known = demand[peak_rows, columns], np.isfinite(demand[peak_rows, columns])
    known_highest = np.where(is_known, highest, np.nan).astype(np.float32)
    return known_highest, np.where(is_known, minutes[peak_rows, columns], NEVER).astype(np.int32)
