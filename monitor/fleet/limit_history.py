"""The previous limits of the few series whose limit changed.

When an inventory reads a new limit, the newest sample at that time and all later samples are judged by it;
earlier samples are judged by the previous limit. Limits from before the process started, or before a series
was found, are unknown: the oldest known limit is used for all of that time. So for three hours after a
restart, changes from before it are missing.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from monitor.fleet.formulas import Slots, select_slots
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import WINDOW
from rules.arrays import Floats, Ints


class PastLimit(NamedTuple):
    """A limit that was in force in the minutes before `until`; NaN if it was unknown."""

    until: int
    limit: float


UNKNOWN_LIMIT = PastLimit(NEVER, np.nan)


class PastLimits:
    """The previous limits of each slot within the window, the oldest first.

    At most one change is stored for each minute.
    """

    def __init__(self) -> None:
        self._by_slot: dict[int, list[PastLimit]] = {}

    def __len__(self) -> int:
        return len(self._by_slot)

    def __contains__(self, slot: int) -> bool:
        """Return whether the limit of the series in a slot changed within the window."""
        return slot in self._by_slot

    def record(self, slot: int, before: np.float32, after: np.float32, minute: int) -> None:
        """Store that a limit is `after` from `minute` on and was `before` until then.

        Changes that have left the window are removed, also if `before` and `after` are equal.
        """
        changed = before != after and not (np.isnan(before) and np.isnan(after))
        if not changed and slot not in self._by_slot:
            return
        recent = [past for past in self._by_slot.get(slot, ()) if past.until > minute - WINDOW]
        if changed and not (recent and recent[-1].until >= minute):
            recent.append(PastLimit(minute, float(before)))
        if recent:
            self._by_slot[slot] = recent
        else:
            self.forget(slot)

    def forget(self, slot: int) -> None:
        """Delete the limits of a slot."""
        self._by_slot.pop(slot, None)

    def at(self, slots: Slots, minutes: Ints, present: Floats) -> Floats:
        """Return the limit of each slot in its minute. present: their limits in force now."""
        if not self._by_slot:
            return present
        limits, all_indices = present.copy(), np.arange(present.size, dtype=np.int32)
        indices = np.flatnonzero(np.isin(select_slots(slots, all_indices), [*self._by_slot]))
        changed_slots, history_indices = np.unique(
            select_slots(slots, indices.astype(np.int32)), return_inverse=True
        )
        histories = [self._by_slot[slot] for slot in changed_slots.tolist()]
        for back in range(1, max(map(len, histories), default=0) + 1):
            past = [history[-back] if len(history) >= back else UNKNOWN_LIMIT for history in histories]
            until = np.array([entry.until for entry in past], np.int32)[history_indices]
            limit = np.array([entry.limit for entry in past], np.float32)[history_indices]
            limits[indices] = np.where(minutes[indices] < until, limit, limits[indices])
        return limits

    def history(self, slot: int, present: float) -> Iterator[tuple[int | None, float]]:
        """Yield the limits of a slot, the oldest first, each with its first minute (None for the oldest).

        present: the limit in force now.
        """
        first_minute: int | None = None
        for past in self._by_slot.get(slot, ()):
            yield first_minute, past.limit
            first_minute = past.until
        yield first_minute, present
