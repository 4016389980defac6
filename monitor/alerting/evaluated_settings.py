"""The settings of series with which their alerts were last evaluated, and which of them changed since."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.fleet.fleet import Fleet
from rules.arrays import Flags, Ints

BOUNDS = ("read_limit", "low", "high", "near", "tolerated_rate", "tolerated_share")
DURATIONS = ("pending_for", "throttled_pending_for", "keep_firing_for")
SLOTS_AT_ONCE = 1 << 16  # comparing them takes some milliseconds


class ChangedSlots(NamedTuple):
    """The slots of which a duration changed, and those of which the limit, the band or the tolerance did."""

    durations: Ints
    bounds: Ints


class EvaluatedSettings:
    """Copies of columns of a fleet, as they were when alerts were last evaluated.

    slots_at_once: how many slots are compared before other tasks may run.
    """

    def __init__(self, fleet: Fleet, slots_at_once: int = SLOTS_AT_ONCE) -> None:
        self._fleet, self._slots_at_once, self._size = fleet, slots_at_once, 0
        self._copies: dict[str, npt.NDArray[Any]] = {}

    def take_changes(self) -> Iterator[ChangedSlots]:
        """Yield the changed slots, some of the slots at a time, and copy the present settings of these.

        Slots that were added since the last call have not changed.
        """
        self._add_new_slots()
        for start in range(0, self._size, self._slots_at_once):
            part = slice(start, min(start + self._slots_at_once, self._size))
            yield ChangedSlots(self._take(DURATIONS, part), self._take(BOUNDS, part))

    def forget(self, slots: Ints) -> None:
        """Let the next settings of these slots be no change: other series use them from now on."""
        for name in BOUNDS if self._copies else ():
            self._copies[name][slots[slots < self._size]] = np.nan

    def _take(self, names: tuple[str, ...], part: slice) -> Ints:
        """Return the slots of which one of these columns changed, and copy the columns."""
        changed: Flags = np.zeros(part.stop - part.start, np.bool_)
        for name in names:
            present, earlier = getattr(self._fleet, name)[part], self._copies[name][part]
            changed |= (present < earlier) | (present > earlier)  # a NaN is no change
            earlier[...] = present
        slots: Ints = (part.start + np.flatnonzero(changed)).astype(np.int32)
        return slots

    def _add_new_slots(self) -> None:
        """Copy the settings of the slots that the fleet has more than before."""
        size = self._fleet.size
        for name in (*BOUNDS, *DURATIONS):
            present = getattr(self._fleet, name)
            copy = self._copies.get(name, present[:0])
            if copy.size < size:
                copy = np.concatenate([copy[: self._size], present[self._size :]])
            copy[self._size : size] = present[self._size : size]
            self._copies[name] = copy
        self._size = size
