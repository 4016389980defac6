"""Named arrays of equal length that grow together: the storage of the fleet."""

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from rules.alerts import Index
from rules.arrays import Indices

Objects = npt.NDArray[np.object_]
Ids = npt.NDArray[np.uint64]
Digests = npt.NDArray[np.int64]

INITIAL_CAPACITY = 1024  # slots allocated at first; doubled when all are used
CLEARED_AHEAD = 256  # unused slots that are set to their declared values together


def as_indices(index: Index) -> Indices | slice:
    """Return an index, such as an array of slots, in the type by which numpy indexes fastest."""
    return index if isinstance(index, slice) else index.astype(np.intp, copy=False)


class Columns:
    """Arrays declared by a subclass as `{name: (dtype, declared value, *width)}`; a freed slot is reused.

    Attributes named as declared hold the arrays; slots from `size` on were never used. Arrays whose width is
    known only to the instance are declared by the arguments of `__init__`.
    """

    declared: ClassVar[dict[str, tuple[Any, ...]]]

    def __init__(self, **declared: tuple[Any, ...]) -> None:
        self._declared_columns = {**self.declared, **declared}
        self.size = 0
        self._capacity = INITIAL_CAPACITY
        self._cleared = 0  # the slots from `size` up to here already have their declared values
        self._free: list[int] = []
        for name, (dtype, _, *width) in self._declared_columns.items():
            setattr(self, name, np.empty((INITIAL_CAPACITY, *width), dtype))

    def allocate(self) -> int:
        """Return a free slot, with every column set to its declared value."""
        if not self._free:
            return self._allocate_next()
        slot = self._free.pop()
        self.clear(slot)  # vectorised writes may have changed the slot while it was free
        return slot

    def free(self, slot: int) -> None:
        """Clear a slot and let it be reused."""
        self.clear(slot)
        self._free.append(slot)

    def _allocate_next(self) -> int:
        """Return the slot `size`, which was never used."""
        if self.size == self._capacity:
            self._grow()
        if self.size == self._cleared:
            self._clear_ahead()
        self.size += 1
        return self.size - 1

    def _clear_ahead(self) -> None:
        """Set the next slots to their declared values: many slots at once cost little more than one."""
        self._cleared = min(self.size + CLEARED_AHEAD, self._capacity)
        for name, (_, fill, *_) in self._declared_columns.items():
            getattr(self, name)[self.size : self._cleared] = fill

    def _grow(self) -> None:
        self._capacity *= 2
        self._cleared = self.size
        for name, (dtype, _, *width) in self._declared_columns.items():
            grown = np.empty((self._capacity, *width), dtype)  # takes no memory before its slots are written
            grown[: self.size] = getattr(self, name)
            setattr(self, name, grown)

    def clear(self, slot: int) -> None:
        """Set every column of a slot to its declared value."""
        for name, (_, fill, *_) in self._declared_columns.items():
            getattr(self, name)[slot] = fill
