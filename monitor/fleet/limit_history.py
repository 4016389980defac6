"""The previous limits of the few series whose limit changed.

A limit counts from the newest sample that there was when an inventory first read it: that sample is judged
by it, those before it are not. What was in force before the process began to watch, or before a series was
found, is not known: the oldest limit known is taken for all of that time. So for three hours after a restart,
changes from before it are missing.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from monitor.fleet.columns import Floats, Ints
from monitor.fleet.formulas import Slots, chosen
from monitor.fleet.rings import NEVER, WINDOW


class PastLimit(NamedTuple):
    """A limit that was in force in the minutes before `until`; NaN if it was unknown."""

    until: int
    limit: float


class PastLimits:
    """The previous limits of each slot, the oldest first, as far as the window reaches back.

    At most one change is stored for each minute.
    """

    def __init__(self) -> None:
        self._of: dict[int, list[PastLimit]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def __contains__(self, slot: int) -> bool:
        """Return whether a limit of the series in a slot changed."""
        return slot in self._of

    def record(self, slot: int, before: np.float32, now: np.float32, minute: int) -> None:
        """Store that a limit, `before` until then, is `now` from `minute` on; both may be the same."""
        changed = before != now and not (np.isnan(before) and np.isnan(now))
        if not changed and slot not in self._of:
            return
        kept = [past for past in self._of.get(slot, ()) if past.until > minute - WINDOW]
        if changed and not (kept and kept[-1].until >= minute):
            kept.append(PastLimit(minute, float(before)))
        if kept:
            self._of[slot] = kept
        else:
            self.forget(slot)

    def forget(self, slot: int) -> None:
        """Delete the limits of a slot."""
        self._of.pop(slot, None)

    def at(self, slots: Slots, minutes: Ints, now: Floats) -> Floats:
        """Return the limit of each slot in its minute. now: the present limits of these slots."""
        if not self._of:
            return now
        found, every = now.copy(), np.arange(now.size, dtype=np.int32)
        some = np.flatnonzero(np.isin(chosen(slots, every), [*self._of]))
        each, where = np.unique(chosen(slots, some.astype(np.int32)), return_inverse=True)
        past = [self._of[slot] for slot in each.tolist()]
        for back in range(1, max(map(len, past), default=0) + 1):
            known = [one[-back] if len(one) >= back else PastLimit(NEVER, np.nan) for one in past]
            until = np.array([one.until for one in known], np.int32)[where]
            limit = np.array([one.limit for one in known], np.float32)[where]
            found[some] = np.where(minutes[some] < until, limit, found[some])
        return found

    def since(self, slot: int, now: float) -> Iterator[tuple[int | None, float]]:
        """Yield each limit of a slot and the minute since which it was in force, the oldest (None) first."""
        began: int | None = None
        for past in self._of.get(slot, ()):
            yield began, past.limit
            began = past.until
        yield began, now
