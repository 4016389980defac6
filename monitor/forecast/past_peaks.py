"""The peaks of a fortnight, read from the history of usage in a thread (see `monitor.what_if.past_usage`)."""

from collections.abc import Iterator

import numpy as np

from monitor.fleet.columns import Ids
from monitor.fleet.namespaces import NEVER
from monitor.forecast.history_block import HistoryBlock
from monitor.forecast.recorder import Recorder
from monitor.what_if.past_usage import PastHighest, PeakMoments
from rules.analogs import BIN_MINUTES
from rules.arrays import Floats, Indices, Ints
from rules.forecast import BINS

PAIRS_AT_ONCE = 256  # pairs of series whose usage is in memory at one time


class PastPeaks:
    """Reads the peaks of the series of a recorder's fleet."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def highest(self, ids: Ids) -> PastHighest:
        """Return the highest usage of all series."""
        usage, throttled = np.full(ids.size, np.nan, np.float32), np.zeros(ids.size, np.bool_)
        for block, slots, columns in self._by_block(ids, np.arange(ids.size, dtype=np.int32)):
            usage[slots] = block.highest[columns]
            throttled[slots] = block.throttled_days[columns] > 0
        return PastHighest(usage, throttled)

    def peak_moments(self, ids: Ids, slots: Indices) -> PeakMoments:
        """Return the time of the peak, the 99th percentile and the number of known bins of some series."""
        minutes, p99 = np.full(ids.size, NEVER, np.int32), np.full(ids.size, np.nan, np.float32)
        known_bins = np.zeros(ids.size, np.int32)
        for block, block_slots, columns in self._by_block(ids, slots.astype(np.int32)):
            usage, last_bin = block.usage_of(columns)
            has_past = np.isfinite(usage).any(axis=0)
            if has_past.any():
                known_usage, known_slots = usage[:, has_past], block_slots[has_past]
                peak_index = np.where(np.isnan(known_usage), -np.inf, known_usage).argmax(axis=0)
                minutes[known_slots] = (last_bin - (last_bin - peak_index) % BINS) * BIN_MINUTES
                known_bins[known_slots] = np.isfinite(known_usage).sum(axis=0)
                p99[known_slots] = np.nanpercentile(known_usage, 99, axis=0)
        return PeakMoments(minutes[slots], p99[slots], known_bins[slots])

    def highest_together(self, ids: Ids, first: Indices, second: Indices) -> Floats:
        """Return the highest sum of the usage of two series at one time, for each pair; NaN is unknown."""
        highest = np.full(first.size, np.nan, np.float32)
        for start in range(0, first.size, PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            sums = self._usage(ids, first[part]) + self._usage(ids, second[part])
            highest[part] = np.fmax.reduce(sums, axis=0)
        return highest

    def _usage(self, ids: Ids, slots: Indices) -> Floats:
        """Return the usage of some series, [bin % BINS, series]; NaN is unknown."""
        numbers, scale = np.full((BINS, slots.size), np.nan, np.float16), np.ones(slots.size, np.float32)
        position_of_slot = np.full(ids.size, -1, np.intp)
        position_of_slot[slots] = np.arange(slots.size)
        for block, block_slots, columns in self._by_block(ids, slots.astype(np.int32)):
            positions = position_of_slot[block_slots]
            is_consecutive = positions[-1] - positions[0] == positions.size - 1 and bool(
                (np.diff(positions) == 1).all()
            )
            # Writing to a slice is twice as fast as writing to an array of positions.
            target = slice(positions[0], positions[-1] + 1) if is_consecutive else positions
            numbers[:, target], scale[positions] = block.stored_numbers(columns)
        return numbers.astype(np.float32) * scale

    def _by_block(self, ids: Ids, slots: Ints) -> Iterator[tuple[HistoryBlock, Ints, Indices]]:
        """Yield each block with the slots and columns of its series, if the slots still have these `ids`."""
        for block, block_slots, columns in self._recorder.by_block(slots):
            is_same = block.id[columns] == ids[block_slots]
            if is_same.any():
                yield block, block_slots[is_same], columns[is_same]
