"""A fortnight of usage of some series, in quarters of an hour, at two bytes each.

Usage is kept in its unit, so that a changed limit changes nothing. Half floats end at 65,504 and have three
digits, so that each series has a scale, a power of two: its stored numbers are about 1.
"""

from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from monitor.fleet.columns import Flags, Floats, Ids, Indices, Ints
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import WINDOW
from rules.analogs import BIN_MINUTES, DAY
from rules.demand_forecast import CEILING_DAYS
from rules.forecast import BINS, SERIES_AT_ONCE

Halves = npt.NDArray[np.float16]

BLOCK_SIZE: Final = SERIES_AT_ONCE  # series
REFILLED_BINS: Final = WINDOW // BIN_MINUTES - 1  # newest bins, which the rings fill again
NO_ID: Final = 0  # of a column without a series
MAX_STORED: Final = np.float32(2.0**14)  # with a higher one, a series gets a larger scale
MIN_STORED: Final = np.float32(2.0**-6)  # if none of a fortnight is as high, it gets a smaller scale
MIN_SCALE: Final = np.float32(2.0**-100)
INFINITE_BITS: Final = np.int16(0x7C00)  # of a half float: those of numbers up to it rise with the number


def _halves(bins: int) -> Halves:
    return np.full((bins, BLOCK_SIZE), np.nan, np.float16)


@dataclass(eq=False)
class HistoryBlock:
    """Columns of BLOCK_SIZE series.

    usage: the highest usage of each bin, together with the demand that was throttled then, where it is known;
    divided by `scale`, at `bin % BINS`; a bin is a quarter of an hour, counted since 1970; NaN is missing.
    scale: 0 while no usage but 0 is known. throttled_at: by the day, at `day % CEILING_DAYS`, the lowest
    utilization at which demand was throttled, 0 while nothing was served; NaN if none was. through: the
    newest bin that the block reaches. id: `Key.id` as a number, or NO_ID. created: the minute when the
    resource was created, or NEVER. seen: the newest bin in which the series existed. is_read: the usage from
    before the series was found was read from CloudWatch, or cannot be read. lock: held while the columns
    change, and while a thread copies them.
    """

    through: int
    usage: Halves = field(default_factory=lambda: _halves(BINS))
    throttled_at: Halves = field(default_factory=lambda: _halves(CEILING_DAYS))
    scale: Floats = field(default_factory=lambda: np.zeros(BLOCK_SIZE, np.float32))
    id: Ids = field(default_factory=lambda: np.zeros(BLOCK_SIZE, np.uint64))
    created: Ints = field(default_factory=lambda: np.full(BLOCK_SIZE, NEVER, np.int32))
    seen: Ints = field(default_factory=lambda: np.full(BLOCK_SIZE, NEVER, np.int32))
    is_read: Flags = field(default_factory=lambda: np.zeros(BLOCK_SIZE, np.bool_))
    lock: Lock = field(default_factory=Lock)

    def advance(self, through: int) -> None:
        """Move the end of the fortnight to another bin; the bins in between are missing.

        An earlier one means that the clock was ahead: nothing of later bins is true. What is missing is to be
        read again if it is more than the rings hold, as after a machine slept.
        """
        with self.lock:
            last = max(self.through, through)
            first = max(min(self.through, through) + 1, last - BINS + 1)
            self.usage[np.arange(first, last + 1) % BINS] = np.nan
            last_day = last // DAY
            days = np.arange(
                max(min(self.through, through) // DAY + 1, last_day - CEILING_DAYS + 1), last_day + 1
            )
            self.throttled_at[days % CEILING_DAYS] = np.nan
            if abs(self.through - through) > REFILLED_BINS:
                self.is_read[:] = False
            np.minimum(self.seen, through, out=self.seen)
            self.through = through

    def begin(self, column: int, series_id: int, created: int) -> None:
        """Let a column belong to a series of which nothing is known."""
        with self.lock:
            self.usage[:, column] = self.throttled_at[:, column] = np.nan
            self.scale[column], self.is_read[column] = 0, False
            self.id[column], self.created[column], self.seen[column] = series_id, created, self.through

    def recreate(self, column: int, created: int) -> None:
        """Discard what was before a resource was created: it belongs to a former one of the same name."""
        with self.lock:
            first = -(-created // BIN_MINUTES)
            bins = np.arange(self.through - BINS + 1, self.through + 1)
            self.usage[bins[bins < first] % BINS, column] = np.nan
            if self.created[column] != NEVER:
                self.throttled_at[:, column] = np.nan
            self.created[column] = created

    def put(self, columns: Indices, first: int, usage: Floats, whole: Flags | None = None) -> None:
        """Store the usage of consecutive bins from `first` on, [bin, series]; NaN is unknown.

        whole: the bins of which all is known. They replace what is stored, and the others only raise it.
        None: all bins only fill what is missing. Bins that the block does not reach are left out.
        """
        bins = np.arange(first, first + len(usage))
        inside = (bins <= self.through) & (bins > self.through - BINS)
        places, usage = bins[inside] % BINS, np.where(np.isfinite(usage[inside]), usage[inside], np.nan)
        with self.lock:
            self._enlarge_scales(columns, np.fmax.reduce(np.abs(usage), axis=0, initial=0))
            new = (usage / self._divisor[columns]).astype(np.float16)
            index = places[:, None], columns
            before = self.usage[index]
            kept = np.fmax(before, new) if whole is not None else np.where(np.isnan(before), new, before)
            if whole is not None:
                kept = np.where(whole[inside] & ~np.isnan(new), new, kept)
            self.usage[index] = kept

    def note_throttling(self, columns: Indices, day: int, utilization: Floats) -> None:
        """Note the lowest utilization at which demand was throttled on a day; NaN if none was."""
        if self.through // DAY - CEILING_DAYS < day <= self.through // DAY:
            with self.lock:
                of_day = self.throttled_at[day % CEILING_DAYS]
                of_day[columns] = np.fmin(of_day[columns], utilization.astype(np.float16))

    def recent(self) -> Halves:
        """Return the fortnight, [bin, series], the oldest bin first, divided by `scale`."""
        split = (self.through + 1) % BINS
        return np.concatenate([self.usage[split:], self.usage[:split]])

    @property
    def highest(self) -> Floats:
        """The highest usage of each series in the fortnight; NaN where none of 0 or more is known.

        It compares bits, which takes a tenth of the time that comparing half floats does.
        """
        with self.lock:
            bits, divisor = self.usage.view(np.int16), self._divisor
            largest = np.where(bits < INFINITE_BITS, bits, np.int16(-1)).max(axis=0)
        number = np.maximum(largest, 0).view(np.float16).astype(np.float32) * divisor
        return np.where(largest >= 0, number, np.float32(np.nan))

    def usage_of(self, columns: Indices) -> tuple[Floats, int]:
        """Return the usage of some series, [bin, series], at `bin % BINS`, and the newest bin."""
        with self.lock:
            return self.usage[:, columns].astype(np.float32) * self._divisor[columns], self.through

    def stored(self, columns: Indices) -> tuple[Halves, Floats]:
        """Return the stored numbers of some series, [bin, series], at `bin % BINS`, and their scales."""
        with self.lock:
            return np.take(self.usage, columns, axis=1), self._divisor[columns]

    @property
    def ceiling(self) -> Floats:
        """The lowest utilization above 0 at which demand was throttled in a fortnight; NaN if none was."""
        lowest: Floats = np.fmin.reduce(
            np.where(self.throttled_at > 0, self.throttled_at, np.nan).astype(np.float32)
        )
        return lowest

    @property
    def throttled_days(self) -> Ints:
        """The number of days of a fortnight on which demand was throttled, also while nothing was served."""
        days: Ints = np.isfinite(self.throttled_at).sum(axis=0).astype(np.int32)
        return days

    def shrink_scales(self, highest: Floats) -> None:
        """Give a smaller scale to series whose stored numbers are all small. highest: that of each series."""
        with self.lock:
            small = np.flatnonzero((highest > 0) & (highest < MIN_STORED) & (self.scale > MIN_SCALE))
            self._set_scale(small, _scale_of(highest[small] * self.scale[small]))

    @property
    def _divisor(self) -> Floats:
        return np.where(self.scale > 0, self.scale, np.float32(1))

    def _enlarge_scales(self, columns: Indices, highest: Floats) -> None:
        """Give a larger scale to series that have a usage too high for theirs."""
        high = np.flatnonzero((highest > 0) & ~(highest <= self.scale[columns] * MAX_STORED))
        self._set_scale(columns[high], _scale_of(highest[high]))

    def _set_scale(self, columns: Indices, scale: Floats) -> None:
        if columns.size:
            factor = self._divisor[columns] / scale
            self.usage[:, columns] = (self.usage[:, columns].astype(np.float32) * factor).astype(np.float16)
            self.scale[columns] = scale

    @property
    def size_in_file(self) -> int:
        """The bytes of all columns."""
        return sum(column.nbytes for column in self._columns)

    @property
    def _columns(self) -> tuple[npt.NDArray[np.generic], ...]:
        return self.usage, self.throttled_at, self.scale, self.id, self.created, self.seen, self.is_read

    def to_bytes(self) -> tuple[int, bytes]:
        """Return `through` and the content of all columns, of one moment."""
        with self.lock:
            return self.through, b"".join(column.tobytes() for column in self._columns)

    @classmethod
    def from_bytes(cls, through: int, content: bytes) -> Self:
        """Return the block of `to_bytes`. Raises ValueError if the content has another length."""
        block, start = cls(through), 0
        if len(content) != block.size_in_file:
            raise ValueError(f"a block has {block.size_in_file} bytes, found {len(content)}")
        for column in block._columns:
            part = np.frombuffer(content, column.dtype, column.size, start)
            column[...] = part.reshape(column.shape)
            start += column.nbytes
        return block


def _scale_of(highest: Floats) -> Floats:
    """Return the highest power of two that is no more than each number."""
    scale: Floats = np.exp2(np.floor(np.log2(highest))).astype(np.float32)
    return np.maximum(scale, MIN_SCALE)
