"""Selects the samples to queue next: those of new minutes, each once and in order; then revised samples.

A time series database that rejects samples out of order does so per series. It also rejects any sample
that is an hour older than the newest sample of all series (in Prometheus, half of the two hours of its head
block). So samples are selected in slices of time, the oldest first; within a slice, they are ordered by
series.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from monitor.fleet.fleet import Fleet
from monitor.fleet.operations import NAN
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.snapshot import Snapshot
from monitor.push.samples import newest_minutes, samples_at
from monitor.push.watermarks import CHUNK_SIZE, SOURCE_COUNT, Watermarks
from rules.arrays import Flags, Floats, Ints, distinct_values
from rules.band import Zone

SLICE_MINUTES: Final = 30
# With `out_of_order`, a late or revised sample is sent if it is less than so many minutes older than the
# newest queued sample of its series.
LATE_MINUTES: Final = 30


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """Samples of the series in one chunk of slots, ordered by slot and then minute.

    chunk: the range of slots; CHUNK_SIZE is its length. slots: the slot of each sample. selected: true for
    samples to send, [kind, sample]; kinds are those of `SampleKind`. queued_through: the newest queued
    minutes of the slots in the chunk before this batch, [kind, slot].
    """

    chunk: slice
    slots: Ints
    snapshot: Snapshot
    selected: Flags
    queued_through: Ints


class PendingSamples:
    """The samples of a fleet that were not queued for a receiver yet when this object was made."""

    def __init__(self, fleet: Fleet, watermarks: Watermarks) -> None:
        self._fleet, self._watermarks = fleet, watermarks
        watermarks.sync(fleet)
        self._newest_minutes = newest_minutes(fleet)  # [source, slot]
        changed = (self._newest_minutes > watermarks.examined_through).any(axis=0)
        self._changed_slots = np.flatnonzero(changed).astype(np.int32)

    def batches(self) -> Iterator[SampleBatch]:
        """Yield all pending samples, the revised ones last.

        Call `mark_queued` for each batch before taking the next one.
        """
        if not self._changed_slots.size:
            return
        newest = self._newest_minutes[:, self._changed_slots]
        queued = self._watermarks.queued_through[:SOURCE_COUNT, self._changed_slots]
        end = int(newest.max())
        oldest = np.maximum(queued + 1, end - WINDOW + 1)
        first = int(oldest.min(where=oldest <= newest, initial=end))
        yield from self._slices(first, end, revised=False)
        if self._watermarks.late_minutes:
            yield from self._slices(end - WINDOW + 1, end, revised=True)
        self._watermarks.examined_through[:, self._changed_slots] = newest

    def _slices(self, first: int, last: int, revised: bool) -> Iterator[SampleBatch]:
        for start in range(first // SLICE_MINUTES * SLICE_MINUTES, last + 1, SLICE_MINUTES):
            yield from self._slice(range(max(start, first), start + SLICE_MINUTES), revised)

    def _slice(self, minutes: range, revised: bool) -> Iterator[SampleBatch]:
        watermarks, changed = self._watermarks, self._changed_slots
        queued = watermarks.queued_through[:SOURCE_COUNT, changed]
        pending_after, last = queued, self._newest_minutes[:, changed]
        if revised:
            pending_after, last = queued - watermarks.late_minutes, queued - 1
        # The first and last pending minute within the slice: of each source, then of both sources together.
        first, last = np.maximum(pending_after + 1, minutes.start), np.minimum(last, minutes.stop - 1)
        first = np.where(first <= last, first, minutes.stop).min(axis=0)
        last = last.max(axis=0)
        pending = np.flatnonzero(first <= last)
        chunks = changed[pending] // CHUNK_SIZE
        for number in distinct_values(chunks).tolist():
            indices = pending[chunks == number]
            is_same_series = self._fleet.id[changed[indices]] == watermarks.ids[changed[indices]]
            indices = indices[is_same_series]  # a slot may have a new series since the fleet was examined
            slots, sample_minutes = expand_ranges(changed[indices], first[indices], last[indices])
            chunk = slice(number * CHUNK_SIZE, (number + 1) * CHUNK_SIZE)
            yield self._batch(chunk, slots, sample_minutes, revised)

    def _batch(self, chunk: slice, slots: Ints, minutes: Ints, revised: bool) -> SampleBatch:
        queued = self._watermarks.queued_through
        snapshot = samples_at(self._fleet, slots, minutes, self._newest_minutes[:, slots])
        if revised:
            selected = self._is_revised(slots, snapshot, queued[:, slots])
        else:
            selected = snapshot.minute > queued[:, slots]
        return SampleBatch(chunk, slots, snapshot, selected, queued[:, chunk].copy())

    def _is_revised(self, slots: Ints, snapshot: Snapshot, queued: Ints) -> Flags:
        """Return which samples differ from the queued samples of their minutes, [kind, sample].

        The newest queued minute is left out, as receivers reject a second value for their newest sample.
        queued: the newest queued minute, [kind, sample].
        """
        late_minutes, minutes = self._watermarks.late_minutes, snapshot.minute
        in_window = (minutes > queued - late_minutes) & (minutes < queued)
        queued_values = self._watermarks.last_values[:, slots, minutes % late_minutes]
        values = _values(snapshot)
        differs: Flags = np.isfinite(values) & (values != queued_values)
        return in_window & differs

    def mark_queued(self, batch: SampleBatch, queued_through: Ints) -> None:
        """Set the watermarks of the chunk after a batch was queued. queued_through: [kind, slot]."""
        watermarks, minutes = self._watermarks, batch.snapshot.minute
        watermarks.queued_through[:, batch.chunk], watermarks.has_departed = queued_through, False
        if watermarks.late_minutes:
            queued = batch.selected & (minutes <= queued_through[:, batch.slots - batch.chunk.start])
            kind, sample = np.nonzero(queued)
            index = kind, batch.slots[sample], minutes[sample] % watermarks.late_minutes
            watermarks.last_values[index] = _values(batch.snapshot)[queued]


def _values(snapshot: Snapshot) -> Floats:
    """Return the values that are compared to find revised samples, [kind, sample].

    The zone is compared, too: a changed band may change it, which revises the sample.
    """
    zone = np.where(snapshot.zone >= Zone.BELOW, snapshot.zone, NAN)
    return np.stack([snapshot.usage, snapshot.saturation, zone.astype(np.float32)])


def expand_ranges(slots: Ints, first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """Return each slot with every minute from its first to its last: the slots, and the minutes."""
    counts = last - first + 1
    offsets = np.cumsum(counts) - counts
    minutes = np.arange(counts.sum()) - np.repeat(offsets - first, counts)
    return np.repeat(slots, counts), minutes.astype(np.int32)
