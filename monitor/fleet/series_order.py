"""The orders of the overview's list: by zone, utilization, throttled demand or the time to the limit."""

from collections.abc import Mapping
from typing import Final, Literal

import numpy as np

from monitor.fleet.columns import Flags, Indices
from monitor.fleet.namespaces import NEVER
from monitor.fleet.search_match import is_at_limit
from monitor.fleet.snapshot import Snapshot
from rules.band import Zone

ListSort = Literal["zone", "-zone", "utilization", "-utilization", "throttled", "-throttled", "ttl", "-ttl"]
DEFAULT_SORT: Final = "zone"
FIRST_DIRECTION: Final[Mapping[str, ListSort]] = {
    "zone": "zone",
    "utilization": "-utilization",
    "throttled": "-throttled",
    "ttl": "ttl",
}
REVERSED: Final[Mapping[ListSort, ListSort]] = {
    **{"zone": "-zone", "utilization": "-utilization", "throttled": "-throttled", "ttl": "-ttl"},
    **{"-zone": "zone", "-utilization": "utilization", "-throttled": "throttled", "-ttl": "ttl"},
}


def ordered_window(snapshot: Snapshot, selected: Flags, sort: ListSort, start: int, length: int) -> list[int]:
    """Return the slots of a window of the selected series in this order, ties by slot.

    The order `zone` is the worst zone first, within it throttled demand, then the earliest time to the limit,
    then the highest utilization. `-` reverses the first column only; unknown values come last in any order.
    """
    slots, start = _candidates(snapshot, np.flatnonzero(selected), sort, start, length)
    name, is_reversed = sort.removeprefix("-"), sort.startswith("-")
    columns = {
        "zone": -snapshot.zone[slots].astype(np.float32),
        "throttled": -_known(snapshot.saturation[slots]),
        "ttl": _times(snapshot, slots),
        "utilization": -_known(snapshot.utilization[slots]),
    }
    first = columns.pop(name)
    if name in ("utilization", "throttled"):
        first = -first if not is_reversed else first
    elif is_reversed:
        first = -first
    first = np.where(np.isfinite(first), first, np.inf)
    order = np.lexsort((slots, *reversed(columns.values()), first))
    return [int(slot) for slot in slots[order[start : start + length]]]


def _candidates(
    snapshot: Snapshot, slots: Indices, sort: ListSort, start: int, length: int
) -> tuple[Indices, int]:
    """Return the slots that can be in the window, and where it starts in them: zones sort first."""
    if sort.removeprefix("-") != DEFAULT_SORT:
        return slots, start
    zones, before = snapshot.zone[slots], 0
    kept: list[Indices] = []
    for zone in sorted(Zone, reverse=sort == DEFAULT_SORT):
        members = slots[zones == zone]
        if not kept and before + members.size <= start:
            before += members.size
            continue
        kept.append(members)
        if before + sum(one.size for one in kept) >= start + length:
            break
    return np.concatenate([slots[:0], *kept]), start - before


def _known(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, -np.inf)


def _times(snapshot: Snapshot, slots: Indices) -> np.ndarray:
    """Return when each series may reach its limit, unknown times as infinity."""
    first = snapshot.reach.minutes[slots, 0]
    times = np.where(first == NEVER, np.inf, first.astype(np.float64))
    times[is_at_limit(snapshot, slots)] = 0
    return times
