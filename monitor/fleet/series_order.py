"""The orders of the overview's list: by zone, utilization, throttled demand or the time to the limit."""

from collections.abc import Mapping
from typing import Final, Literal

import numpy as np

from monitor.fleet.namespaces import NEVER
from monitor.fleet.search_match import is_at_limit, is_expected
from monitor.fleet.snapshot import Snapshot
from rules.arrays import Flags, Indices
from rules.band import Zone

ListSort = Literal["zone", "-zone", "utilization", "-utilization", "throttled", "-throttled", "ttl", "-ttl"]
DEFAULT_SORT: Final = "zone"
IMPROBABLE_OFFSET: Final = 2.0**40  # minutes; sorts improbable times after all probable times
# The order of the list when a column is chosen for the first time; the next choice reverses it.
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
    """Return the slots of a part of the list of the selected series in the order `sort`, ties by slot.

    start, length: the position at which the part begins, and its number of series.
    The order `zone` sorts by the worst zone, then by the highest throttled demand, then by the shortest time
    to the limit, then by the highest utilization. `-` reverses the first column only; unknown values come
    last in any order.
    """
    slots, start = _candidates(snapshot, np.flatnonzero(selected), sort, start, length)
    columns = {  # numbers whose ascending order is the order in FIRST_DIRECTION
        "zone": -snapshot.zone[slots].astype(np.float32),
        "throttled": -_unknown_as_lowest(snapshot.saturation[slots]),
        "ttl": _times(snapshot, slots),
        "utilization": -_unknown_as_lowest(snapshot.utilization[slots]),
    }
    sort_column = columns.pop(sort.removeprefix("-"))
    if sort not in FIRST_DIRECTION.values():
        sort_column = -sort_column
    sort_column = np.where(np.isfinite(sort_column), sort_column, np.inf)
    order = np.lexsort((slots, *reversed(columns.values()), sort_column))
    return [int(slot) for slot in slots[order[start : start + length]]]


def _candidates(
    snapshot: Snapshot, slots: Indices, sort: ListSort, start: int, length: int
) -> tuple[Indices, int]:
    """Return the slots that can be in the window, and the window's start among them.

    Where series are sorted by zone, the series of zones outside the window are left out.
    """
    if sort.removeprefix("-") != DEFAULT_SORT:
        return slots, start
    zones, skipped = snapshot.zone[slots], 0
    candidates: list[Indices] = []
    for zone in sorted(Zone, reverse=sort == DEFAULT_SORT):
        members = slots[zones == zone]
        if not candidates and skipped + members.size <= start:
            skipped += members.size
            continue
        candidates.append(members)
        if skipped + sum(part.size for part in candidates) >= start + length:
            break
    return np.concatenate([slots[:0], *candidates]), start - skipped


def _unknown_as_lowest(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, -np.inf)


def _times(snapshot: Snapshot, slots: Indices) -> np.ndarray:
    """Return the minute in which each series may reach its limit: 0 if it is reached, infinity if unknown.

    Series that will probably not reach their limits come after all that will.
    """
    reached_at = snapshot.reach.minutes[slots, 0]
    times = np.where(reached_at == NEVER, np.inf, reached_at.astype(np.float64))
    times[~is_expected(snapshot, slots)] += IMPROBABLE_OFFSET
    times[is_at_limit(snapshot, slots)] = 0
    return times
