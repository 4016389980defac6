"""Stores one point for each row and minute of a window, exactly, in as few bytes as possible."""

from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from rules.arrays import Flags, Floats, Indices, Ints, distinct_values

MISSING = 255  # stands for a missing point in 8 bits
MAX_SMALL = 254  # the greatest whole number that is stored in 8 bits
# The place of a row's points is twice their index in a store, plus IS_WIDE if the store has 32 bits a point.
IS_WIDE = 1
NO_PLACE = 0  # the place of all rows without points: an index of the 8-bit store that is never written
EMPTY_INDEX = NO_PLACE >> 1  # the index in the 8-bit store that NO_PLACE stands for
INITIAL_ROWS = 256

StoredNumber = TypeVar("StoredNumber", np.uint8, np.float32)
# The point that each value of 8 bits stands for.
_DECODED = np.append(np.arange(MISSING, dtype=np.float32), np.float32(np.nan))


class _Store(Generic[StoredNumber]):
    """Rows of points of one type; freed rows are used again, with all points missing.

    row_count: the number of rows that are in use or were freed. The rows are in memory of their own, which
    grows without being copied: copying the points of a million metrics would block the event loop for a
    second.
    """

    def __init__(self, dtype: type[StoredNumber], width: int, missing: float) -> None:
        self._missing, self.row_count, self._free = missing, 0, list[int]()
        self._dtype: type[StoredNumber] = dtype
        self._width = width
        self._memory = _new_memory(INITIAL_ROWS * width * np.dtype(dtype).itemsize)
        self.points: npt.NDArray[StoredNumber] = self._view()

    def _view(self) -> npt.NDArray[StoredNumber]:
        return np.frombuffer(self._memory, self._dtype).reshape(-1, self._width)

    def _grow(self) -> None:
        """Double the room for points; the new half takes no physical memory until it is used."""
        size = 2 * len(self._memory)
        del self.points  # no array may refer to memory that moves
        try:
            self._memory.resize(size)
        except SystemError:  # this operating system cannot move the memory
            old_memory, self._memory = self._memory, _new_memory(size)
            self._memory[: len(old_memory)] = old_memory[:]
        self.points = self._view()

    def allocate(self, count: int) -> Indices:
        """Allocate this number of rows with all points missing, and return their indices."""
        reused = [self._free.pop() for _ in range(min(count, len(self._free)))]
        end = self.row_count + count - len(reused)
        while end > len(self.points):
            self._grow()
        rows = np.append(np.array(reused, np.intp), np.arange(self.row_count, end, dtype=np.intp))
        self.row_count = end
        self.points[rows] = self._missing
        return rows

    def free(self, rows: Indices) -> None:
        """Free rows for later calls of `allocate`."""
        self._free.extend(rows.tolist())


def _new_memory(size: int) -> mmap:
    """Return memory of this size in bytes, all zeros, that belongs to this process alone."""
    return mmap(-1, size, flags=MAP_PRIVATE | MAP_ANONYMOUS)


class StoredPoints:
    """A point of each row and minute of a window, as float32; NaN is missing.

    A row without points takes no memory. A row of whole numbers from 0 to MAX_SMALL, such as a row of
    throttled demand, which is nearly always 0, takes one byte for each minute. Once the row gets any other
    value, each minute takes four bytes. Minutes are passed modulo `width`.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._small, self._wide = _Store(np.uint8, width, MISSING), _Store(np.float32, width, np.nan)
        self._small.allocate(1)  # for NO_PLACE
        self._places = np.zeros(INITIAL_ROWS, np.int32)  # by row

    @property
    def allocated_bytes(self) -> int:
        """The memory of all points, including those of freed rows, in bytes."""
        return self._small.row_count * self._width + 4 * self._wide.row_count * self._width

    def grow_to(self, rows: int) -> None:
        """Make room for at least this many rows."""
        while rows > self._places.size:
            self._places = np.append(self._places, np.zeros_like(self._places))

    def get(self, rows: Ints | Indices, minutes: Ints | Indices) -> Floats:
        """Return the point of each row in its minute; rows and minutes are broadcast."""
        points: Floats
        places = self._places.take(rows)
        indices, wide = places >> 1, (places & IS_WIDE).astype(np.bool_)
        if wide.all():
            points = self._wide.points[indices, minutes]
            return points
        if not wide.any():
            points = _DECODED.take(self._small.points[indices, minutes])
            return points
        points = _DECODED.take(self._small.points[np.where(wide, EMPTY_INDEX, indices), minutes])
        np.copyto(points, self._wide.points[np.where(wide, indices, 0), minutes], where=wide)
        return points

    def put(self, rows: Ints, minutes: Ints, values: Floats) -> None:
        """Store finite values, each for a row and a minute; of several for one point, store the last."""
        places = self._places.take(rows)
        wide = (places & IS_WIDE).astype(np.bool_)
        if wide.all():
            self._wide.points[places >> 1, minutes] = values
            return
        is_small = (values >= 0) & (values <= MAX_SMALL)
        small_values = np.where(is_small, values, 0).astype(np.uint8)
        is_small &= small_values == values
        if not is_small.all() or (places == NO_PLACE).any():
            self._make_room(rows, is_small)
            places = self._places.take(rows)
            wide = (places & IS_WIDE).astype(np.bool_)
        if not wide.any():
            self._small.points[places >> 1, minutes] = small_values
            return
        self._wide.points[places[wide] >> 1, minutes[wide]] = values[wide]
        self._small.points[places[~wide] >> 1, minutes[~wide]] = small_values[~wide]

    def remove(self, rows: Ints, minutes: Ints) -> None:
        """Remove the point of each row in its minute."""
        places = self._places.take(rows)
        wide = (places & IS_WIDE).astype(np.bool_)
        if wide.all():
            self._wide.points[places >> 1, minutes] = np.nan
        elif not wide.any():
            self._small.points[places >> 1, minutes] = MISSING
        else:
            self._wide.points[places[wide] >> 1, minutes[wide]] = np.nan
            self._small.points[places[~wide] >> 1, minutes[~wide]] = MISSING

    def remove_all(self, rows: Ints | Indices) -> None:
        """Remove all points of rows, and free their memory."""
        distinct = distinct_values(rows).astype(np.intp)
        places = self._places[distinct]
        is_wide, is_small = (places & IS_WIDE) > 0, (places != NO_PLACE) & (places & IS_WIDE == 0)
        self._wide.free((places[is_wide] >> 1).astype(np.intp))
        self._small.free((places[is_small] >> 1).astype(np.intp))
        self._places[distinct] = NO_PLACE

    def _make_room(self, rows: Ints, is_small: Flags) -> None:
        """Give each row a place that can hold its values. is_small: which values fit in 8 bits."""
        places = self._places[rows]
        widened = distinct_values(rows[~is_small & (places & IS_WIDE == 0)])
        if widened.size:
            self._widen(widened)
            places = self._places[rows]
        without_place = distinct_values(rows[places == NO_PLACE])
        if without_place.size:
            self._places[without_place] = self._small.allocate(without_place.size) << 1

    def _widen(self, rows: Ints) -> None:
        """Store the points of rows in 32 bits from now on."""
        small_indices = self._places[rows] >> 1
        wide_indices = self._wide.allocate(rows.size)
        self._wide.points[wide_indices] = _DECODED.take(self._small.points[small_indices])
        self._small.free(small_indices[small_indices != EMPTY_INDEX].astype(np.intp))
        self._places[rows] = (wide_indices << 1) | IS_WIDE
