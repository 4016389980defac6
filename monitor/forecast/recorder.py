"""Records the demand of a fleet's last hours, as it was judged, in the history of a fortnight."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Final

import numpy as np

from monitor.fleet.demand import are_peaks, demand_of, highest_by_bin, throttled_utilization
from monitor.fleet.fleet import Fleet
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.shared_throttling import SharedThrottling
from monitor.forecast.history import UsageHistory
from monitor.forecast.history_block import BLOCK_SIZE, HistoryBlock
from monitor.lib.cooperative import cooperative_iter
from rules.analogs import BIN_MINUTES, BINS_PER_DAY
from rules.arrays import Indices, Ints, distinct_values

log = logging.getLogger(__name__)

NO_ROW: Final = -1
RECORDED_BINS: Final = WINDOW // BIN_MINUTES - 1  # the newest bins, of which the rings have all minutes
DAY_MINUTES: Final = BINS_PER_DAY * BIN_MINUTES
SERIES_AT_ONCE: Final = 64  # judging the minutes of so many series takes some milliseconds


class Recorder:
    """Writes usage of a fleet to a history.

    rows: the row of the history by slot, or NO_ROW. has_new_rows: set when `bind` has given a row to a
    series that had none; who waits for it clears it.
    """

    def __init__(self, fleet: Fleet, history: UsageHistory) -> None:
        self._fleet, self.history = fleet, history
        self.rows: Ints = np.empty(0, np.int32)
        self.has_new_rows, self._is_full = asyncio.Event(), False

    async def bind(self, now: int) -> None:
        """Give a row to each series that can be forecast, at the minute `now`. Other tasks run meanwhile."""
        fleet, last_bin = self._fleet, now // BIN_MINUTES - 1
        slots = self._forecastable()
        rows = np.full(fleet.size, NO_ROW, np.int32)
        known_slots = slots[slots < self.rows.size]
        rows[known_slots] = self.rows[known_slots]
        confirmed = self.history.confirm(rows[slots], fleet.id[slots], fleet.created[slots], last_bin)
        rows[slots[~confirmed]] = NO_ROW
        self.rows = rows
        async for slot in cooperative_iter(slots[~confirmed].tolist()):
            if fleet.group[slot] >= 0:
                row = self.history.row(int(fleet.id[slot]), int(fleet.created[slot]), last_bin)
                rows[slot] = NO_ROW if row is None else row
                self._warn_once(row is None)
        if (rows[slots[~confirmed]] != NO_ROW).any():
            self.has_new_rows.set()

    def _warn_once(self, is_full: bool) -> None:
        """Log once that there is no room for another series."""
        if is_full and not self._is_full:
            log.warning("of more than %d series, only the first are forecast", len(self.history))
        self._is_full |= is_full

    def _forecastable(self) -> Indices:
        """Return the slots of series that can be judged by their usage, and whose limit is known."""
        fleet, size = self._fleet, self._fleet.size
        has_limit = fleet.limit[:size] > 0
        is_candidate = (fleet.group[:size] >= 0) & fleet.observable[:size] & ~fleet.bounded[:size] & has_limit
        slots = np.flatnonzero(is_candidate)
        return slots[fleet.usages.has(slots)] if slots.size else slots

    def by_block(self, slots: Ints) -> Iterator[tuple[HistoryBlock, Ints, Indices]]:
        """Yield each block in which some of these series have a row, with their slots and columns."""
        slots = slots[slots < self.rows.size]
        slots = slots[self.rows[slots] != NO_ROW]
        slots = slots[np.argsort(self.rows[slots], kind="stable")]
        block_numbers = self.rows[slots] // BLOCK_SIZE
        columns = (self.rows[slots] % BLOCK_SIZE).astype(np.intp)
        for number in distinct_values(block_numbers).tolist():
            is_in_block = block_numbers == number
            yield self.history.blocks[number], slots[is_in_block], columns[is_in_block]

    async def record(self, now: int) -> None:
        """Record the last hours of all series up to the minute `now`. Other tasks run meanwhile."""
        await self.bind(now)
        # After `bind`: otherwise rows of series that still exist would be freed after the machine slept.
        self.history.advance(now // BIN_MINUTES - 1)
        await self.record_slots(np.arange(self.rows.size, dtype=np.int32), now)

    async def record_slots(self, slots: Ints, now: int) -> None:
        """Record the last hours of some series. Other tasks run meanwhile."""
        for block, block_slots, columns in self.by_block(slots):
            for first in range(0, block_slots.size, SERIES_AT_ONCE):
                part = slice(first, first + SERIES_AT_ONCE)
                self._record(block, block_slots[part], columns[part], now)
                await asyncio.sleep(0)

    async def shared_throttling(self, slots: Ints) -> SharedThrottling:
        """Return which series share throttled demand, by the newest history of the series in these slots.

        For other series, the column `throttled_from` is used as it is. Other tasks run meanwhile.
        """
        fleet = self._fleet
        for block, block_slots, columns in self.by_block(slots):
            is_same = block.id[columns] == fleet.id[block_slots]
            fleet.throttled_from[block_slots[is_same]] = block.ceiling[columns[is_same]]
            await asyncio.sleep(0)
        return SharedThrottling.of(fleet)

    def _record(self, block: HistoryBlock, slots: Ints, columns: Indices, now: int) -> None:
        """Record the last hours of some series of a block."""
        # Series may have been added and removed meanwhile.
        is_same = block.id[columns] == self._fleet.id[slots]
        slots, columns = slots[is_same], columns[is_same]
        end = now // BIN_MINUTES * BIN_MINUTES
        minutes = np.arange(end - RECORDED_BINS * BIN_MINUTES, end, dtype=np.int32)
        sample_slots, sample_minutes = np.tile(slots, minutes.size), np.repeat(minutes, slots.size)
        judged = self._fleet.judged_at(sample_slots, sample_minutes)
        demand = demand_of(self._fleet, sample_slots, sample_minutes, judged)
        highest, whole = highest_by_bin(demand.reshape(-1, slots.size), are_peaks(self._fleet, slots))
        block.put(columns, int(minutes[0]) // BIN_MINUTES, highest, whole)
        utilizations = throttled_utilization(judged).reshape(-1, slots.size)
        for day in range(int(minutes[0]) // DAY_MINUTES, int(minutes[-1]) // DAY_MINUTES + 1):
            block.note_throttling(columns, day, np.fmin.reduce(utilizations[minutes // DAY_MINUTES == day]))
