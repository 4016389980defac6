"""The demand of the last three hours: of series without a past, and of which demand is throttled now."""

import asyncio
from typing import NamedTuple

import numpy as np

from monitor.fleet.columns import Floats, Indices, Ints
from monitor.fleet.fleet import Fleet
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.snapshot import Snapshot
from monitor.fleet.throttling import throttled_per_served
from monitor.what_if.past_usage import PastHighest

MAX_SERIES = 4096  # whose minutes are judged for one answer: those that are throttled, then the fullest
AT_ONCE = 32  # whose minutes are judged within some milliseconds


class RecentDemand(NamedTuple):
    """The highest demand of some series and its minute, by slot; NaN and NEVER for others.

    What was throttled is part of it where AWS counts it together with what was served.
    """

    highest: Floats
    minutes: Ints


async def recent_demand(fleet: Fleet, snapshot: Snapshot, past: PastHighest) -> RecentDemand:
    """Return the demand of the last three hours. Other tasks run meanwhile."""
    size = snapshot.id.size
    found = RecentDemand(np.full(size, np.nan, np.float32), np.full(size, NEVER, np.int32))
    slots = _wanted(snapshot, past)
    for start in range(0, slots.size, AT_ONCE):
        some = slots[start : start + AT_ONCE].astype(np.int32)
        some = some[fleet.id[some] == snapshot.id[some]]
        if some.size:
            found.highest[some], found.minutes[some] = _highest(fleet, some)
        await asyncio.sleep(0)
    return found


def _wanted(snapshot: Snapshot, past: PastHighest) -> Indices:
    """Return the slots of which the last hours are wanted, the first MAX_SERIES."""
    has_sample = (snapshot.group >= 0) & (snapshot.minute > NEVER) & ~snapshot.bounded
    is_throttled = snapshot.saturation > 0
    slots = np.flatnonzero(has_sample & (is_throttled | np.isnan(past.usage)))
    order = np.lexsort((-np.nan_to_num(snapshot.utilization[slots]), ~is_throttled[slots]))
    return slots[order][:MAX_SERIES]


def _highest(fleet: Fleet, slots: Ints) -> tuple[Floats, Ints]:
    """Return the highest demand of each slot in the minutes that are kept, and its minute."""
    minutes = (fleet.minute[slots] - np.arange(WINDOW, dtype=np.int32)[:, None]).astype(np.int32)
    every_slot, every_minute = np.tile(slots, WINDOW), minutes.ravel()
    judged = fleet.judged_at(every_slot, every_minute)
    demand = judged.usage * (1 + throttled_per_served(fleet, fleet.rings, every_slot, every_minute))
    demand = np.where(judged.bounded | ~np.isfinite(demand), -np.inf, demand).reshape(minutes.shape)
    at, each = demand.argmax(axis=0), np.arange(slots.size)
    highest, is_known = demand[at, each], np.isfinite(demand[at, each])
    found = np.where(is_known, highest, np.nan).astype(np.float32)
    return found, np.where(is_known, minutes[at, each], NEVER).astype(np.int32)
