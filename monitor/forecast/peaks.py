"""Recommends the sizes of purchases from the peaks to expect after a fortnight of demand."""

import asyncio
from collections.abc import Callable

import numpy as np

from monitor.fleet.snapshot import Snapshot
from monitor.forecast.history_block import HistoryBlock
from monitor.forecast.recorder import Recorder
from monitor.sizing.peaks import Peaks
from monitor.sizing.recommendations import Recommendation, recommendations
from rules.arrays import Indices, Ints
from rules.expected_peak import expected_peak
from rules.forecast import BINS


async def recommend(
    recorder: Recorder, snapshot: Callable[[], Snapshot], slots: Ints
) -> list[Recommendation]:
    """Recommend sizes for the purchases that the series in these slots belong to. Computes in a thread."""
    peaks = await expected_peaks(recorder, slots)
    return await asyncio.to_thread(recommendations, snapshot(), peaks, slots)


async def expected_peaks(recorder: Recorder, slots: Ints) -> Peaks:
    """Return the peaks by slot; the peaks of other slots are unknown. Computes in a thread."""
    peaks = Peaks.unknown(max(recorder.rows.size, int(slots.max(initial=-1)) + 1))
    for block, block_slots, columns in recorder.by_block(slots):
        block_peaks = await asyncio.to_thread(_peaks_of, block, columns)
        for values, block_values in zip(peaks, block_peaks, strict=True):
            values[block_slots] = block_values
    explained = (await recorder.shared_throttling(slots)).explained(peaks.peak.size)
    peaks.ceiling[explained], peaks.throttled_days[explained] = np.nan, 0
    return peaks


def _peaks_of(block: HistoryBlock, columns: Indices) -> Peaks:
    """Return the peaks of some columns of a block."""
    with block.lock:
        usage = block.recent()[:, columns].astype(np.float32)
        scale, ceiling = block.scale[columns], block.ceiling[columns]
        throttled = block.throttled_days[columns]
    is_known = np.isfinite(usage)
    known_bins = is_known.sum(axis=0).astype(np.int32)
    span = np.where(known_bins > 0, BINS - is_known.argmax(axis=0), 0).astype(np.int32)
    peak, weekly_growth = expected_peak(usage)
    return Peaks(
        peak=peak * np.where(scale > 0, scale, np.float32(1)),
        weekly_growth=weekly_growth,
        known_bins=known_bins,
        span_bins=span,
        ceiling=ceiling,
        throttled_days=throttled,
    )
