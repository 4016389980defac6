"""Watermarks of a receiver: for each series, the newest minute whose samples have been queued."""

from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.fleet.columns import Ids
from monitor.fleet.fleet import Fleet
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import WINDOW
from monitor.push.samples import SampleKind
from rules.arrays import Floats, Ints

WATERMARK_DTYPE: Final = np.dtype([("id", "<u8"), ("minutes", "<i4", len(SampleKind))])
WatermarkRows = npt.NDArray[np.void]
SOURCE_COUNT: Final = 2  # usage and throttled demand, the kinds of samples that are read and not derived
CHUNK_SIZE: Final = 2048  # slots examined and saved at once; bounds how long the event loop is blocked
DEPARTED_CHUNK: Final = -1  # the chunk number for the rows of series that have no slot


def merge_rows(rows: WatermarkRows) -> WatermarkRows:
    """Return one row per series, with its newest minutes; drop series older than the rings' window."""
    ids, row_of_id = np.unique(rows["id"], return_inverse=True)
    merged = np.empty(ids.size, WATERMARK_DTYPE)
    merged["id"], merged["minutes"] = ids, NEVER
    np.maximum.at(merged["minutes"], row_of_id, rows["minutes"])
    newest = merged["minutes"].max(axis=1, initial=NEVER)
    in_window: WatermarkRows = merged[newest > newest.max(initial=NEVER) - WINDOW]
    return in_window


class Watermarks:
    """The watermarks of all series, in columns by slot of the fleet.

    late_minutes: up to which age in minutes revised samples are sent; 0 if they are not sent.
    has_departed: true if a series left its slot since the watermarks were last saved.
    ids: the id of the series in each slot; 0 for none.
    queued_through: the newest queued minute, [kind, slot].
    examined_through: the newest minute of each source when the series was last examined, [source, slot].
    last_values: the queued values of the last `late_minutes`, which are compared with new values to find
    revised samples, [kind, slot, minute % late_minutes].
    """

    def __init__(self, departed: WatermarkRows, late_minutes: int) -> None:
        """departed: the saved watermarks of series that have no slot (yet)."""
        self.late_minutes, self._departed_rows, self.has_departed = late_minutes, merge_rows(departed), False
        self.ids: Ids = np.empty(0, np.uint64)
        self.queued_through: Ints = np.empty((len(SampleKind), 0), np.int32)
        self.examined_through: Ints = np.empty((SOURCE_COUNT, 0), np.int32)
        self.last_values: Floats = np.empty((len(SampleKind), 0, late_minutes), np.float32)

    def sync(self, fleet: Fleet) -> None:
        """Update the columns for series that joined or left the fleet. Call before examining the fleet."""
        self._grow(fleet.size - self.ids.size)
        slots = np.flatnonzero(self.ids != fleet.id[: fleet.size])  # that have another series now
        if not slots.size:
            return
        left_slots = slots[self.ids[slots] != 0]
        rows = self._rows(left_slots, self.queued_through[:, left_slots])
        self._departed_rows = merge_rows(np.concatenate([self._departed_rows, rows]))
        self.has_departed = self.has_departed or bool(left_slots.size)
        self.ids[slots] = fleet.id[slots]
        self.queued_through[:, slots] = self._departed_minutes(self.ids[slots])
        self.examined_through[:, slots], self.last_values[:, slots] = NEVER, np.nan

    def _grow(self, new_slots: int) -> None:
        if new_slots > 0:
            self.ids = np.concatenate([self.ids, np.zeros(new_slots, np.uint64)])
            never = np.full((len(SampleKind), new_slots), NEVER, np.int32)
            self.queued_through = np.concatenate([self.queued_through, never], axis=1)
            self.examined_through = np.concatenate([self.examined_through, never[:SOURCE_COUNT]], axis=1)
            unknown = np.full((len(SampleKind), new_slots, self.late_minutes), np.nan, np.float32)
            self.last_values = np.concatenate([self.last_values, unknown], axis=1)

    def _departed_minutes(self, ids: Ids) -> Ints:
        """Return the minutes in `_departed_rows` of these series, [kind, series]; NEVER without a row."""
        minutes = np.full((len(SampleKind), ids.size), NEVER, np.int32)
        if self._departed_rows.size:
            rows = np.minimum(np.searchsorted(self._departed_rows["id"], ids), self._departed_rows.size - 1)
            is_known = self._departed_rows["id"][rows] == ids
            minutes[:, is_known] = self._departed_rows["minutes"][rows[is_known]].T
        return minutes

    def _rows(self, slots: npt.NDArray[np.intp] | slice, queued_through: Ints) -> WatermarkRows:
        rows = np.empty(queued_through.shape[1], WATERMARK_DTYPE)
        rows["id"], rows["minutes"] = self.ids[slots], queued_through.T
        return rows

    def rows_by_chunk(self, chunk: slice, queued_through: Ints) -> dict[int, WatermarkRows]:
        """Return the rows to store, by chunk number, after `chunk` has been queued up to `queued_through`."""
        rows = {chunk.start // CHUNK_SIZE: self._rows(chunk, queued_through)}
        return rows | ({DEPARTED_CHUNK: self._departed_rows} if self.has_departed else {})
