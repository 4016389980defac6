"""A fortnight of usage of some series, with two bytes for each quarter-hour.

Usage is stored in the signal's unit, so that it stays valid when the limit changes. Half floats end at 65,504
and have three digits. Each series therefore has a scale, a power of two, such that the stored number
`usage / scale` is about 1.
"""

from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from monitor.fleet.columns import Ids
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import WINDOW
from rules.analogs import BIN_MINUTES, BINS_PER_DAY
from rules.arrays import Flags, Floats, Indices, Ints
from rules.demand_forecast import CEILING_DAYS
from rules.forecast import BINS, SERIES_AT_ONCE

Halves = npt.NDArray[np.float16]

BLOCK_SIZE: Final = SERIES_AT_ONCE  # series
REFILLED_BINS: Final = WINDOW // BIN_MINUTES - 1  # the newest bins, which are recorded again from the rings
NO_ID: Final = 0  # the id of a column without a series
MAX_STORED: Final = np.float32(2.0**14)  # a series with a higher stored number gets a larger scale
MIN_STORED: Final = np.float32(2.0**-6)  # a series with only lower stored numbers gets a smaller scale
MIN_SCALE: Final = np.float32(2.0**-100)
INFINITE_BITS: Final = np.int16(0x7C00)  # of infinity; the order of numbers >= 0 is that of their bits


def _missing_numbers(bins: int) -> Halves:
    return np.full((bins, BLOCK_SIZE), np.nan, np.float16)


@dataclass(eq=False)
class HistoryBlock:
    """The history of BLOCK_SIZE series, as arrays; each series has the same column in all arrays.

    usage: the highest usage of each bin, plus the demand throttled at that time if it is known; stored
    divided by `scale`, at index `bin % BINS`. A bin is a quarter-hour, counted since 1970; NaN is
    missing. scale: 0 while all known usage is 0. throttled_utilization: the lowest utilization of each day at
    which demand was throttled, at index `day % CEILING_DAYS`; 0 if no demand was served then, NaN if none was
    throttled.
    last_bin: the newest bin of the block. id: `Key.id` as a number, or NO_ID. created: the minute when the
    resource was created, or NEVER. seen: the newest bin in which the series existed. is_read: the usage
    before the series was discovered was read from CloudWatch, or cannot be read. lock: held while the arrays
    change, and while a thread copies them.
    """

    last_bin: int
    usage: Halves = field(default_factory=lambda: _missing_numbers(BINS))
    throttled_utilization: Halves = field(default_factory=lambda: _missing_numbers(CEILING_DAYS))
    scale: Floats = field(default_factory=lambda: np.zeros(BLOCK_SIZE, np.float32))
    id: Ids = field(default_factory=lambda: np.zeros(BLOCK_SIZE, np.uint64))
    created: Ints = field(default_factory=lambda: np.full(BLOCK_SIZE, NEVER, np.int32))
    seen: Ints = field(default_factory=lambda: np.full(BLOCK_SIZE, NEVER, np.int32))
    is_read: Flags = field(default_factory=lambda: np.zeros(BLOCK_SIZE, np.bool_))
    lock: Lock = field(default_factory=Lock)

    def advance(self, last_bin: int) -> None:
        """Move the end of the fortnight to another bin; the bins in between are missing.

        An earlier bin means that the clock was ahead: later bins are discarded. If more bins are missing than
        the rings contain, for example after the machine slept, the past of all series has to be read again.
        """
        with self.lock:
            last = max(self.last_bin, last_bin)
            first = max(min(self.last_bin, last_bin) + 1, last - BINS + 1)
            self.usage[np.arange(first, last + 1) % BINS] = np.nan
            last_day = last // BINS_PER_DAY
            days = np.arange(
                max(min(self.last_bin, last_bin) // BINS_PER_DAY + 1, last_day - CEILING_DAYS + 1),
                last_day + 1,
            )
            self.throttled_utilization[days % CEILING_DAYS] = np.nan
            if abs(self.last_bin - last_bin) > REFILLED_BINS:
                self.is_read[:] = False
            np.minimum(self.seen, last_bin, out=self.seen)
            self.last_bin = last_bin

    def begin(self, column: int, series_id: int, created: int) -> None:
        """Assign a column to a series without known usage."""
        with self.lock:
            self.usage[:, column] = self.throttled_utilization[:, column] = np.nan
            self.scale[column], self.is_read[column] = 0, False
            self.id[column], self.created[column], self.seen[column] = series_id, created, self.last_bin

    def recreate(self, column: int, created: int) -> None:
        """Discard the usage before a resource was created: a former resource of the same name caused it."""
        with self.lock:
            first = -(-created // BIN_MINUTES)
            bins = np.arange(self.last_bin - BINS + 1, self.last_bin + 1)
            self.usage[bins[bins < first] % BINS, column] = np.nan
            if self.created[column] != NEVER:
                self.throttled_utilization[:, column] = np.nan
            self.created[column] = created

    def put(self, columns: Indices, first: int, usage: Floats, whole: Flags | None = None) -> None:
        """Store the usage of consecutive bins from `first` on, [bin, series]; NaN is unknown.

        whole: which values are of completely known bins; these replace stored usage, the other values only
        raise it. Without `whole`, values only fill missing bins. Bins outside the block's fortnight are left
        out.
        """
        bins = np.arange(first, first + len(usage))
        is_stored = (bins <= self.last_bin) & (bins > self.last_bin - BINS)
        positions, usage = bins[is_stored] % BINS, usage[is_stored]
        usage = np.where(np.isfinite(usage), usage, np.nan)
        with self.lock:
            self._enlarge_scales(columns, np.fmax.reduce(np.abs(usage), axis=0, initial=0))
            new_numbers = (usage / self._divisor[columns]).astype(np.float16)
            index = positions[:, None], columns
            old_numbers = self.usage[index]
            if whole is None:
                merged = np.where(np.isnan(old_numbers), new_numbers, old_numbers)
            else:
                merged = np.fmax(old_numbers, new_numbers)
                merged = np.where(whole[is_stored] & ~np.isnan(new_numbers), new_numbers, merged)
            self.usage[index] = merged

    def note_throttling(self, columns: Indices, day: int, utilization: Floats) -> None:
        """Note the lowest utilization at which demand was throttled on a day; NaN if none was throttled."""
        if self.last_bin // BINS_PER_DAY - CEILING_DAYS < day <= self.last_bin // BINS_PER_DAY:
            with self.lock:
                lowest = self.throttled_utilization[day % CEILING_DAYS]
                lowest[columns] = np.fmin(lowest[columns], utilization.astype(np.float16))

    def recent(self) -> Halves:
        """Return the usage of the fortnight, [bin, series], the oldest bin first, divided by `scale`."""
        split = (self.last_bin + 1) % BINS
        return np.concatenate([self.usage[split:], self.usage[:split]])

    @property
    def highest(self) -> Floats:
        """The highest usage of each series in the fortnight; NaN without a known usage of 0 or more.

        Comparing bits takes a tenth of the time of comparing half floats.
        """
        with self.lock:
            bits, divisor = self.usage.view(np.int16), self._divisor
            highest_bits = np.where(bits < INFINITE_BITS, bits, np.int16(-1)).max(axis=0)
        usage = np.maximum(highest_bits, 0).view(np.float16).astype(np.float32) * divisor
        return np.where(highest_bits >= 0, usage, np.float32(np.nan))

    def usage_of(self, columns: Indices) -> tuple[Floats, int]:
        """Return the usage of some series, [bin, series], at `bin % BINS`, and the newest bin."""
        with self.lock:
            return self.usage[:, columns].astype(np.float32) * self._divisor[columns], self.last_bin

    def stored_numbers(self, columns: Indices) -> tuple[Halves, Floats]:
        """Return the stored numbers of some series, [bin, series], at `bin % BINS`, and scales (1 for 0)."""
        with self.lock:
            return np.take(self.usage, columns, axis=1), self._divisor[columns]

    @property
    def ceiling(self) -> Floats:
        """The lowest utilization above 0 at which demand was throttled in a fortnight; NaN if never."""
        lowest: Floats = np.fmin.reduce(
            np.where(self.throttled_utilization > 0, self.throttled_utilization, np.nan).astype(np.float32)
        )
        return lowest

    @property
    def throttled_days(self) -> Ints:
        """The number of days of a fortnight on which demand was throttled, even if no demand was served."""
        days: Ints = np.isfinite(self.throttled_utilization).sum(axis=0).astype(np.int32)
        return days

    def shrink_scales(self, highest: Floats) -> None:
        """Give a smaller scale to series whose highest stored number, in `highest`, is small."""
        with self.lock:
            small = np.flatnonzero((highest > 0) & (highest < MIN_STORED) & (self.scale > MIN_SCALE))
            self._set_scale(small, _scale_of(highest[small] * self.scale[small]))

    @property
    def _divisor(self) -> Floats:
        return np.where(self.scale > 0, self.scale, np.float32(1))

    def _enlarge_scales(self, columns: Indices, highest: Floats) -> None:
        """Give a larger scale to series whose highest usage, in `highest`, is too high for their scale."""
        high = np.flatnonzero((highest > 0) & ~(highest <= self.scale[columns] * MAX_STORED))
        self._set_scale(columns[high], _scale_of(highest[high]))

    def _set_scale(self, columns: Indices, scale: Floats) -> None:
        if columns.size:
            factor = self._divisor[columns] / scale
            self.usage[:, columns] = (self.usage[:, columns].astype(np.float32) * factor).astype(np.float16)
            self.scale[columns] = scale

    @property
    def size_in_file(self) -> int:
        """The bytes of all arrays."""
        return sum(array.nbytes for array in self._arrays)

    @property
    def _arrays(self) -> tuple[npt.NDArray[np.generic], ...]:
        return (
            self.usage,
            self.throttled_utilization,
            self.scale,
            self.id,
            self.created,
            self.seen,
            self.is_read,
        )

    def to_bytes(self) -> tuple[int, bytes]:
        """Return `last_bin` and the content of all arrays, copied at one moment."""
        with self.lock:
            return self.last_bin, b"".join(array.tobytes() for array in self._arrays)

    @classmethod
    def from_bytes(cls, last_bin: int, content: bytes) -> Self:
        """Return the block that `to_bytes` returned. Raises ValueError if the content has another length."""
        block, start = cls(last_bin), 0
        if len(content) != block.size_in_file:
            raise ValueError(f"a block has {block.size_in_file} bytes, found {len(content)}")
        for array in block._arrays:
            part = np.frombuffer(content, array.dtype, array.size, start)
            array[...] = part.reshape(array.shape)
            start += array.nbytes
        return block


def _scale_of(highest: Floats) -> Floats:
    """Return the highest power of two up to each number, and MIN_SCALE at least."""
    scale: Floats = np.exp2(np.floor(np.log2(highest))).astype(np.float32)
    return np.maximum(scale, MIN_SCALE)
