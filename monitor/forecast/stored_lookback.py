"""Looks back at the stored fortnight of usage and at the journal, in a thread, block by block of series."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from monitor.alerting.state_store import AlertStateStore
from monitor.fleet.fleet import Series
from monitor.fleet.snapshot import Snapshot
from monitor.forecast.history_block import HistoryBlock
from monitor.forecast.recorder import Recorder
from monitor.lookback.stored_episodes import (
    MAX_STORED_EPISODES,
    NearRun,
    StoredEpisode,
    StoredLookback,
    near_runs,
    stored_episodes,
)
from monitor.notifiers.notice import Notice
from rules.analogs import BIN_MINUTES, BINS_PER_DAY
from rules.arrays import Floats, Indices, Ints
from rules.forecast import BINS

MAX_NOTICES = 20_000  # the most notices that are read from the journal
MAX_RUNS = 5 * MAX_STORED_EPISODES  # the most runs from which episodes are made


class BlockRuns(NamedTuple):
    """The runs of bins in which a block's series were near their limits.

    known_bins: the number of bins with known usage, of all the block's series together.
    """

    runs: list[NearRun]
    known_bins: int


async def stored_lookback(
    recorder: Recorder, snapshot: Callable[[], Snapshot], journal: AlertStateStore, days: int
) -> StoredLookback:
    """Return the episodes near limits in the last `days`, at most 14, from the stored history and notices."""
    fleet_snapshot, runs, known_bins, series_count = snapshot(), list[NearRun](), 0, 0
    bins, last_bin = min(days * BINS_PER_DAY, BINS), 0  # the number of bins, and the newest bin
    for block, slots, columns in recorder.by_block(np.arange(fleet_snapshot.series.size, dtype=np.int32)):
        near_from = _near_from(fleet_snapshot, slots)
        block_runs = await asyncio.to_thread(_runs_of, block, columns, slots, near_from, bins)
        runs += block_runs.runs[: MAX_RUNS - len(runs)]
        known_bins += block_runs.known_bins
        series_count, last_bin = series_count + slots.size, max(last_bin, block.last_bin)
    newest = int(fleet_snapshot.minute.max(initial=0)) + 1
    minutes = range((last_bin + 1 - bins) * BIN_MINUTES, max((last_bin + 1) * BIN_MINUTES, newest))
    notices = [
        notice
        for notice in reversed(await journal.history(None, MAX_NOTICES))
        if notice.at >= 60 * minutes.start
    ]
    episodes = await asyncio.to_thread(_episodes, runs, notices, fleet_snapshot, minutes)
    return StoredLookback(
        minutes=minutes,
        series=series_count,
        known_days=known_bins / BINS_PER_DAY,
        episodes=episodes[:MAX_STORED_EPISODES],
        unlisted_episode_count=max(len(episodes) - MAX_STORED_EPISODES, 0),
        has_journal=journal.failure is None,
    )


def _near_from(snapshot: Snapshot, slots: Ints) -> Floats:
    """Return the lowest usage at which each series is near its present limit."""
    series: list[Series | None] = snapshot.series[slots].tolist()
    near = [entry.settings.band.near if entry else np.nan for entry in series]
    near_from: Floats = snapshot.limit[slots] * np.array(near, np.float32)
    return near_from


def _runs_of(block: HistoryBlock, columns: Indices, slots: Ints, near_from: Floats, bins: int) -> BlockRuns:
    """Return the runs of some series in the newest `bins` of a block. near_from: see `_near_from`."""
    with block.lock:
        usage = block.recent()[-bins:, columns].astype(np.float32)
        scale, last_bin = block.scale[columns], block.last_bin
    usage *= np.where(scale > 0, scale, np.float32(1))
    runs = [*near_runs(slots.tolist(), usage, near_from, last_bin + 1 - bins)]
    return BlockRuns(runs, int(np.isfinite(usage).sum()))


def _episodes(
    runs: Sequence[NearRun], notices: Sequence[Notice], fleet_snapshot: Snapshot, minutes: range
) -> list[StoredEpisode]:
    series = {entry.key.id: entry for entry in fleet_snapshot.series.tolist() if entry}
    return stored_episodes(runs, notices, series, minutes)
