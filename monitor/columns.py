"""Named arrays of equal length that grow together: the storage of the fleet."""

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.int8]
Objects = npt.NDArray[np.object_]
Ids = npt.NDArray[np.uint64]

FIRST = 1024  # places to begin with; doubled when full


class Columns:
    """Arrays declared by a subclass as `{name: (dtype, fill, *width)}`; a freed place is used again.

    Attributes named as declared hold the arrays; places from `size` on were never used.
    """

    declared: ClassVar[dict[str, tuple[Any, ...]]]

    def __init__(self) -> None:
        self.size = 0
        self._capacity = FIRST
        self._free: list[int] = []
        for name, (dtype, _, *width) in self.declared.items():
            setattr(self, name, np.empty((FIRST, *width), dtype))

    def take(self) -> int:
        """A place, every column filled with its declared value."""
        place = self._free.pop() if self._free else self._next()
        self.clear(place)
        return place

    def give_back(self, place: int) -> None:
        self.clear(place)
        self._free.append(place)

    def _next(self) -> int:
        if self.size == self._capacity:
            self._grow()
        self.size += 1
        return self.size - 1

    def _grow(self) -> None:
        self._capacity *= 2
        for name, (dtype, _, *width) in self.declared.items():
            grown = np.empty((self._capacity, *width), dtype)  # memory is touched, and resident, when filled
            grown[: self.size] = getattr(self, name)
            setattr(self, name, grown)

    def clear(self, place: int) -> None:
        """Fill a place as it is when it is taken."""
        for name, (_, fill, *_) in self.declared.items():
            getattr(self, name)[place] = fill
