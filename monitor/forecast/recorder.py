"""Records the demand of a fleet's last hours, as it was judged, in the history of a fortnight."""

import asyncio
import logging
import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from monitor.fleet.columns import Flags, Floats, Indices, Ints
from monitor.fleet.fleet import Fleet
from monitor.fleet.judged import Judged
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.throttling import throttled_per_served
from monitor.forecast.history import UsageHistory
from monitor.forecast.history_block import BLOCK_SIZE, HistoryBlock
from monitor.lib.cooperative import cooperative_iter
from rules.analogs import BIN_MINUTES, DAY

log = logging.getLogger(__name__)

NO_ROW: Final = -1
RECORDED_BINS: Final = WINDOW // BIN_MINUTES - 1  # newest bins, of which the rings have all minutes
MEAN_MINUTES: Final = 5  # a bin is the highest of three means of so many minutes
DAY_MINUTES: Final = DAY * BIN_MINUTES
SERIES_AT_ONCE: Final = 64  # whose minutes are judged within some milliseconds
# The ends of queries whose value for five minutes is the mean of the values of the minutes.
MEAN_STATISTICS: Final = (b'Sum"}', b'Average"}', b'SampleCount"}')


class Recorder:
    """Writes usage of a fleet to a history. rows: of the history, by slot; NO_ROW: there is none."""

    def __init__(self, fleet: Fleet, history: UsageHistory) -> None:
        self._fleet, self.history = fleet, history
        self.rows: Ints = np.empty(0, np.int32)
        self._is_full = False

    async def bind(self, now: int) -> None:
        """Give each series that can be judged a row. now: the minute. Other tasks run meanwhile."""
        fleet, through = self._fleet, now // BIN_MINUTES - 1
        slots = self._forecastable()
        rows = np.full(fleet.size, NO_ROW, np.int32)
        before = slots[slots < self.rows.size]
        rows[before] = self.rows[before]
        kept = self.history.confirm(rows[slots], fleet.id[slots], fleet.created[slots], through)
        rows[slots[~kept]] = NO_ROW
        self.rows = rows
        async for slot in cooperative_iter(slots[~kept].tolist()):
            if fleet.group[slot] >= 0:
                row = self.history.row(int(fleet.id[slot]), int(fleet.created[slot]), through)
                rows[slot] = NO_ROW if row is None else row
                self._warn_once(row is None)

    def _warn_once(self, is_full: bool) -> None:
        """Log once that there is no room for another series."""
        if is_full and not self._is_full:
            log.warning("of more than %d series, only the first are forecast", len(self.history))
        self._is_full |= is_full

    def _forecastable(self) -> Indices:
        """Return the slots of series that can be judged by their usage, and whose limit is known."""
        fleet, size = self._fleet, self._fleet.size
        has_limit = fleet.limit[:size] > 0
        can_be = (fleet.group[:size] >= 0) & fleet.observable[:size] & ~fleet.bounded[:size] & has_limit
        slots = np.flatnonzero(can_be)
        return slots[fleet.usages.has(slots)] if slots.size else slots

    def by_block(self, slots: Ints) -> Iterator[tuple[HistoryBlock, Ints, Indices]]:
        """Yield each block in which some of these series have a row, with their slots and columns."""
        slots = slots[slots < self.rows.size]
        slots = slots[self.rows[slots] != NO_ROW]
        slots = slots[np.argsort(self.rows[slots], kind="stable")]
        numbers, columns = self.rows[slots] // BLOCK_SIZE, (self.rows[slots] % BLOCK_SIZE).astype(np.intp)
        for number in np.unique(numbers).tolist():
            here = numbers == number
            yield self.history.blocks[number], slots[here], columns[here]

    async def record(self, now: int) -> None:
        """Record the last hours of all series up to the minute `now`. Other tasks run meanwhile."""
        await self.bind(now)
        # After `bind`, so that no row of a series that still exists is freed, even if the machine slept.
        self.history.advance(now // BIN_MINUTES - 1)
        await self.record_slots(np.arange(self.rows.size, dtype=np.int32), now)

    async def record_slots(self, slots: Ints, now: int) -> None:
        """Record the last hours of some series. Other tasks run meanwhile."""
        for block, some, columns in self.by_block(slots):
            for first in range(0, some.size, SERIES_AT_ONCE):
                part = slice(first, first + SERIES_AT_ONCE)
                self._record(block, some[part], columns[part], now)
                await asyncio.sleep(0)

    def _record(self, block: HistoryBlock, slots: Ints, columns: Indices, now: int) -> None:
        """Record some series of a block."""
        is_same = block.id[columns] == self._fleet.id[slots]  # series may have come and gone meanwhile
        slots, columns = slots[is_same], columns[is_same]
        end = now // BIN_MINUTES * BIN_MINUTES
        minutes = np.arange(end - RECORDED_BINS * BIN_MINUTES, end, dtype=np.int32)
        every_slot, every_minute = np.tile(slots, minutes.size), np.repeat(minutes, slots.size)
        judged = self._fleet.judged_at(every_slot, every_minute)
        usage = np.where(judged.bounded | ~judged.observable, np.float32(np.nan), judged.usage)
        demand = usage * (1 + throttled_per_served(self._fleet, self._fleet.rings, every_slot, every_minute))
        highest, whole = highest_by_bin(demand.reshape(-1, slots.size), self._are_peaks(slots))
        block.put(columns, int(minutes[0]) // BIN_MINUTES, highest, whole)
        throttled_at = throttled_utilization(judged).reshape(-1, slots.size)
        for day in range(int(minutes[0]) // DAY_MINUTES, int(minutes[-1]) // DAY_MINUTES + 1):
            block.note_throttling(columns, day, np.fmin.reduce(throttled_at[minutes // DAY_MINUTES == day]))

    def _are_peaks(self, slots: Ints) -> Flags:
        """Return which series have a usage that is a highest value or a percentile, not a mean or a sum."""
        rings, formulas = self._fleet.rings, map(self._fleet.usages.get, slots.tolist())
        queries = ([rings.metric[row] for row in one.rows] if one else [] for one in formulas)
        peaks = [any(one and not one.endswith(MEAN_STATISTICS) for one in some) for some in queries]
        return np.array(peaks, np.bool_)


def highest_by_bin(usage: Floats, peaks: Flags) -> tuple[Floats, Flags]:
    """Return the highest usage of each bin, [bin, series], and the bins of which all is known.

    usage: of each minute, [minute, series]. Forecasts are made for means of five minutes. peaks: series whose
    usage is a maximum or a percentile, of which the highest of five minutes is taken instead.
    """
    minutes = usage.reshape(-1, MEAN_MINUTES, usage.shape[1])
    known = np.isfinite(minutes)
    count = known.sum(axis=1)
    mean = np.where(known, minutes, 0).sum(axis=1) / np.maximum(count, 1)
    fives = np.where(peaks, np.fmax.reduce(minutes, axis=1), np.where(count > 0, mean, np.nan))
    parts = fives.reshape(-1, BIN_MINUTES // MEAN_MINUTES, usage.shape[1]).astype(np.float32)
    highest: Floats = np.fmax.reduce(parts, axis=1)
    return highest, np.logical_and.reduce(np.isfinite(parts), axis=1)


def throttled_utilization(judged: Judged) -> Floats:
    """Return the utilization of the minutes in which demand was throttled; NaN for others."""
    with np.errstate(divide="ignore", invalid="ignore"):
        utilization = judged.utilization
    is_throttled = (judged.excess > 0) & (utilization >= 0) & np.isfinite(utilization)
    found: Floats = np.where(is_throttled, utilization, np.float32(math.nan))
    return found
