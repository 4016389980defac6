"""The causes of throttled demand. Most series have none: few services count throttled demand by cause."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from monitor.fleet.columns import Columns, Objects
from monitor.fleet.formulas import Formulas
from rules.arrays import Floats, Ints

NO_SLOT = -1


class CauseColumns(NamedTuple):
    """Entries of causes: the series' slot, the cause, and its throttled demand per second (NaN: unknown)."""

    slot: Ints
    cause: Objects
    throttled: Floats

    def of(self, slot: int) -> dict[str, float]:
        """Return the throttled demand of a series by cause, the largest first; empty if it has no causes."""
        entries = np.flatnonzero(self.slot == slot)
        return _largest_first(zip(self.cause[entries], self.throttled[entries].tolist(), strict=True))


NO_CAUSES = CauseColumns(np.empty(0, np.int32), np.empty(0, np.object_), np.empty(0, np.float32))


class ThrottlingCauses(Columns):
    """One entry for each cause of a series; the cause's formula is a term of the series' throttled demand.

    slot: the slot of the series; NO_SLOT in an unused entry. cause: the name of the cause. throttled: the
    throttled demand per second as judged last. formulas: the formula of each entry.
    """

    declared: ClassVar = {
        "slot": (np.int32, NO_SLOT),
        "cause": (np.object_, None),
        "throttled": (np.float32, np.nan),
    }
    slot: Ints
    cause: Objects
    throttled: Floats

    def __init__(self) -> None:
        super().__init__()
        self.formulas = Formulas(lower_bound_if_unknown=True)
        self._entries: dict[int, dict[str, int]] = {}  # by the series' slot, then by cause

    @property
    def used_entries(self) -> Ints:
        """The entries in use."""
        return np.flatnonzero(self.slot[: self.size] != NO_SLOT).astype(np.int32)

    def entries_of(self, slot: int) -> Mapping[str, int]:
        """Return the entries of a series by cause."""
        return self._entries.get(slot, {})

    def throttled_of(self, slot: int) -> dict[str, float]:
        """Return the throttled demand of a series by cause as judged last, the largest first."""
        entries = self.entries_of(slot).items()  # empty for most series: nothing to sort
        return (
            _largest_first((cause, float(self.throttled[entry])) for cause, entry in entries)
            if entries
            else {}
        )

    def add(self, slot: int, cause: str) -> int:
        """Return the entry of a cause of a series; add the entry if there is none."""
        entries = self._entries.setdefault(slot, {})
        if cause not in entries:
            entry = entries[cause] = self.allocate()
            self.slot[entry], self.cause[entry] = slot, cause
        return entries[cause]

    def remove(self, slot: int, cause: str) -> None:
        """Remove a cause of a series; the cause's formula must have been removed before."""
        self.free(self._entries[slot].pop(cause))
        if not self._entries[slot]:
            del self._entries[slot]


def _largest_first(causes: Iterable[tuple[str, float]]) -> dict[str, float]:
    return dict(sorted(causes, key=lambda pair: (np.isnan(pair[1]), -pair[1], pair[0])))
