"""The limits that were in force before those of now, of the few series whose limit changed.

A limit counts from the minute in which an inventory first saw it. What was in force before the process began
to watch, or before a series was found, is not known: the oldest limit known is taken for all of that time. So
for three hours after a restart, changes from before it are missing.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from monitor.columns import Floats, Ints
from monitor.rings import NEVER, WINDOW


class Past(NamedTuple):
    """A limit that was in force in the minutes before `until`; NaN: none was known."""

    until: int
    limit: float


class PastLimits:
    """By place, oldest first; of a change that is older than the window nothing is kept.

    One minute keeps one change at most, so a place keeps no more than the window has minutes.
    """

    def __init__(self) -> None:
        self._of: dict[int, list[Past]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def renew(self, place: int, before: np.float32, now: np.float32, minute: int) -> None:
        """Note that at `minute` a limit was seen to be `now` that had been `before`; it may be the same."""
        changed = before != now and not (np.isnan(before) and np.isnan(now))
        if not changed and place not in self._of:
            return
        kept = [past for past in self._of.get(place, ()) if past.until > minute - WINDOW]
        if changed and not (kept and kept[-1].until >= minute):
            kept.append(Past(minute, float(before)))
        if kept:
            self._of[place] = kept
        else:
            self.forget(place)

    def forget(self, place: int) -> None:
        """Its series is gone."""
        self._of.pop(place, None)

    def at(self, places: Ints, minutes: Ints, now: Floats) -> Floats:
        """The limit of each place at its minute; `now`: those in force now, by place as asked."""
        if not self._of:
            return now
        found = now.copy()
        each, where = np.unique(places, return_inverse=True)
        past = [self._of.get(place, ()) for place in each.tolist()]
        for back in range(1, max(map(len, past), default=0) + 1):
            known = [one[-back] if len(one) >= back else Past(NEVER, np.nan) for one in past]
            until = np.array([one.until for one in known], np.int32)[where]
            limit = np.array([one.limit for one in known], np.float32)[where]
            found = np.where(minutes < until, limit, found)
        return found

    def since(self, place: int, now: float) -> Iterator[tuple[int | None, float]]:
        """Each limit of a place and the minute from which on it was in force, the oldest (None) first."""
        began: int | None = None
        for past in self._of.get(place, ()):
            yield began, past.limit
            began = past.until
        yield began, now
