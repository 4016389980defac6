"""The forecaster, which computes when each series of a fleet will reach its limit.

The forecasts are in the columns of the fleet.
Every quarter of an hour all series are forecast anew, in a thread, one block at a time. A series is forecast
at once after its past was read or its limit changed, and within half a minute after a restart.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from monitor.fleet.fleet import Fleet
from monitor.fleet.namespaces import NEVER
from monitor.forecast.history import UsageHistory
from monitor.forecast.history_block import BLOCK_SIZE, HistoryBlock
from monitor.forecast.past_peaks import PastPeaks
from monitor.forecast.past_reader import CellReaders, PastReader
from monitor.forecast.recorder import NO_ROW, Recorder
from monitor.lib.malloc import return_free_memory
from rules.analogs import BIN_MINUTES
from rules.arrays import Flags, Floats, Indices, Ints
from rules.band import Zone
from rules.demand_forecast import demand_forecast

log = logging.getLogger(__name__)

FORECAST_DELAY: Final = 4 * 60.0  # seconds after a quarter of an hour: most metrics are published by then
BIND_INTERVAL: Final = 30.0  # seconds between two searches for new series, which get a row of the history
MIN_PAUSE: Final = 2.0  # seconds between two forecasts of series whose past was just read
SAVE_INTERVAL: Final = 3600.0  # seconds between two saves; a start records the last hours again in any case
READ_SAVE_INTERVAL: Final = 300.0  # seconds between two saves while the past is read: each read is billed
MAX_PROBABILITY: Final = np.float32(0.99)  # for usage below the limit; 1 means usage at the limit
MAX_IGNORED_CHANGE: Final = np.float32(1e-3)  # relative; a larger change of a limit needs a new forecast


class BlockForecast(NamedTuple):
    """The forecast of some series of a block.

    probability: the probability of reaching the limit within each of HORIZONS, [series, horizon]. minutes:
    the minutes from the end of the block until the limit is reached, by QUANTILES, [series, quantile]; NEVER
    if unknown. known_bins: the number of known bins of each series. ceiling: see `HistoryBlock.ceiling`; NaN
    if a fuller limit explains it. highest_stored: the highest stored number in each column of the block; 0 in
    columns whose series is not forecast.
    """

    probability: Floats
    minutes: Ints
    known_bins: Ints
    ceiling: Floats
    highest_stored: Floats


class Forecaster:
    """Records the usage of a fleet, reads its past, and forecasts.

    clock: returns the epoch seconds of AWS. readers: see `PastReader`. peaks: the peaks of the recorded
    usage.
    """

    def __init__(
        self,
        fleet: Fleet,
        history: UsageHistory,
        clock: Callable[[], float],
        readers: Callable[[], CellReaders],
    ) -> None:
        self._fleet, self._clock = fleet, clock
        self.recorder = Recorder(fleet, history)
        self.peaks = PastPeaks(self.recorder)
        self.past_reader = PastReader(fleet, self.recorder, readers, self._request_forecast)
        self._has_request, self._requested_slots = asyncio.Event(), set[int]()
        # True for each slot whose forecast `_mark_reached` replaced, as usage was at the limit.
        self._marked_reached: Flags = np.zeros(0, np.bool_)
        self._saved_at, self._has_unsaved_past = time.monotonic(), False
        self._has_unused_memory = False  # that the arrays of forecasts needed

    async def run(self) -> None:
        """Record, read and forecast until cancelled; then save the history."""
        try:
            async with asyncio.TaskGroup() as loops:
                loops.create_task(self.past_reader.run())
                loops.create_task(self._forecast_requested())
                loops.create_task(self._forecast_regularly())
        finally:
            await self.save()

    async def _forecast_regularly(self) -> None:
        """Forecast new series every BIND_INTERVAL, and all series every quarter of an hour."""
        last_quarter_hour = NEVER
        while True:
            quarter_hour = int((self._clock() - FORECAST_DELAY) // (60 * BIN_MINUTES))
            try:
                if quarter_hour == last_quarter_hour:
                    await self.forecast_new()
                    self._clear_without_row()
                else:
                    await self.forecast_all()
                    last_quarter_hour = quarter_hour
                if self._has_unused_memory:
                    self._has_unused_memory = False
                    await asyncio.to_thread(return_free_memory)
                interval = READ_SAVE_INTERVAL if self._has_unsaved_past else SAVE_INTERVAL
                if time.monotonic() - self._saved_at >= interval:
                    await self.save()
            except Exception:
                log.exception("forecasting failed")
            await asyncio.sleep(BIND_INTERVAL)

    async def _forecast_requested(self) -> None:
        """Forecast series as soon as their past is read."""
        while True:
            await self._has_request.wait()
            self._has_request.clear()
            slots, self._requested_slots = np.array(sorted(self._requested_slots), np.int32), set()
            try:
                await self.recorder.record_slots(slots, int(self._clock() // 60))
                await self.forecast_slots(slots)
            except Exception:
                log.exception("forecasting failed")
            await asyncio.sleep(MIN_PAUSE)

    def _request_forecast(self, slots: Ints) -> None:
        self._requested_slots.update(slots.tolist())
        self._has_unsaved_past = True
        self._has_request.set()

    async def save(self) -> None:
        """Write the history to its file."""
        self._saved_at, self._has_unsaved_past = time.monotonic(), False
        await self.recorder.history.save()

    async def forecast_all(self) -> None:
        """Record the last hours, and forecast all series."""
        await self.recorder.record(int(self._clock() // 60))
        await self.forecast_slots(np.arange(self._fleet.size, dtype=np.int32))

    async def forecast_new(self) -> None:
        """Give a row to each new series, and forecast new series that are judged and whose past is stored.

        After a restart these are most series. The others are forecast as soon as their past is read.
        """
        now, fleet = int(self._clock() // 60), self._fleet
        await self.recorder.bind(now)
        rows = self.recorder.rows
        is_judged = fleet.zone[: rows.size] > Zone.STALE
        is_new = (rows != NO_ROW) & is_judged & (fleet.history_bins[: rows.size] < 0)
        slots = np.flatnonzero(is_new).astype(np.int32)
        slots = slots[self.recorder.history.is_read(rows[slots])]
        if slots.size:
            await self.recorder.record_slots(slots, now)
            await self.forecast_slots(slots)

    async def read_and_forecast(self, slots: Ints) -> None:
        """Read the past of some series now, and forecast the series."""
        await self.recorder.record(int(self._clock() // 60))
        await self.past_reader.read_all(slots[self.recorder.rows[slots] != NO_ROW])
        await self.forecast_slots(slots)

    async def follow_judgement(self) -> None:
        """Forecast the series whose limit changed, and the series whose usage reached the limit or left it.

        The regular forecasts are up to a quarter of an hour old. For a series at its limit, the forecast must
        say that the limit is reached now.
        """
        size = self._fleet.size
        forecast_limit, limit = self._fleet.forecast_limit[:size], self._limits(slice(size))
        is_same = np.abs(limit - forecast_limit) <= MAX_IGNORED_CHANGE * forecast_limit
        is_same |= np.isnan(forecast_limit) & np.isnan(limit)
        at_limit = self._is_at_limit(slice(size))
        self._extend_marks()
        changed = (self._fleet.history_bins[:size] >= 0) & (~is_same | (self._marked_reached & ~at_limit))
        if changed.any():
            await self.forecast_slots(np.flatnonzero(changed).astype(np.int32))
        self._mark_reached(np.flatnonzero(at_limit).astype(np.int32))

    async def forecast_slots(self, slots: Ints) -> None:
        """Forecast some series from their recorded usage, and those that share throttled demand with them."""
        shared = await self.recorder.shared_throttling(slots)
        explained = shared.explained(self._fleet.size)
        for block, block_slots, columns in self.recorder.by_block(shared.with_others(slots)):
            limit, ids = self._limits(block_slots), self._fleet.id[block_slots].copy()
            forecast = await asyncio.to_thread(forecast_block, block, columns, limit, explained[block_slots])
            self._has_unused_memory = True
            is_same = self._fleet.id[block_slots] == ids
            self._write_forecast(
                block_slots[is_same], limit[is_same], _select_series(forecast, is_same), block.last_bin
            )
            block.shrink_scales(forecast.highest_stored)

    def _limits(self, slots: Ints | slice) -> Floats:
        """Return the limits of series; NaN where usage proves that the limit is outdated."""
        return np.where(self._fleet.limit_doubted[slots], np.float32(np.nan), self._fleet.limit[slots])

    def _is_at_limit(self, slots: Ints | slice) -> Flags:
        """Return which series are at the limit, or at the effective ceiling, in their newest sample."""
        fleet = self._fleet
        lower = np.fmin(self._limits(slots), fleet.ceiling[slots])
        at_limit: Flags = (fleet.usage[slots] >= lower) & (fleet.zone[slots] > Zone.STALE)
        return at_limit

    def _extend_marks(self) -> None:
        """Append a mark, False, for each slot that was added to the fleet."""
        added = self._fleet.size - self._marked_reached.size
        self._marked_reached = np.concatenate([self._marked_reached, np.zeros(max(added, 0), np.bool_)])

    def _mark_reached(self, slots: Ints) -> None:
        """Write to the forecasts of these series, which are at their limits, that it is reached now."""
        fleet = self._fleet
        slots = slots[fleet.reach_probability[slots, 0] < 1]
        fleet.reach_probability[slots] = 1
        fleet.reach_minutes[slots] = fleet.minute[slots, None]
        self._marked_reached[slots] = True

    def _clear_without_row(self) -> None:
        """Clear the forecasts of series that no longer have a row of the history."""
        fleet, rows = self._fleet, self.recorder.rows
        slots = np.flatnonzero((rows == NO_ROW) & (fleet.history_bins[: rows.size] >= 0))
        fleet.reach_probability[slots] = fleet.forecast_limit[slots] = np.nan
        fleet.ceiling[slots] = fleet.throttled_from[slots] = np.nan
        fleet.reach_minutes[slots], fleet.history_bins[slots] = NEVER, -1

    def _write_forecast(self, slots: Ints, limit: Floats, forecast: BlockForecast, last_bin: int) -> None:
        """Write a forecast to the fleet's columns. last_bin: the newest bin of the block."""
        fleet = self._fleet
        # Usage that reached the limit in the newest bin may be lower now: only `_mark_reached` writes 1.
        was_reached = forecast.probability[:, :1] >= 1
        fleet.reach_probability[slots] = np.minimum(forecast.probability, MAX_PROBABILITY)
        has_time = (forecast.minutes != NEVER) & ~was_reached
        end = (last_bin + 1) * BIN_MINUTES
        fleet.reach_minutes[slots] = np.where(has_time, end + forecast.minutes, NEVER)
        fleet.forecast_limit[slots], fleet.history_bins[slots] = limit, forecast.known_bins
        fleet.ceiling[slots] = np.where(forecast.ceiling < 1, forecast.ceiling * limit, np.float32(np.nan))
        self._extend_marks()
        self._marked_reached[slots] = False
        self._mark_reached(slots[self._is_at_limit(slots)])


def forecast_block(
    block: HistoryBlock, columns: Indices, limit: Floats, explained: Flags | bool = False
) -> BlockForecast:
    """Forecast some series of a block. May run in a thread. limit: the limit of each series.

    explained: a fuller limit explains the throttled demand of the series, which then has no ceiling.
    """
    with block.lock:
        demand = np.take(block.recent(), columns, axis=1).astype(np.float32)  # halves are slow
        scale, ceiling = block.scale[columns], np.where(explained, np.float32(np.nan), block.ceiling[columns])
    highest = np.zeros(BLOCK_SIZE, np.float32)
    highest[columns] = np.fmax.reduce(np.abs(demand), axis=0, initial=0)
    with np.errstate(over="ignore"):
        scaled_limit = np.where(ceiling < 1, ceiling * limit, limit) / np.where(scale > 0, scale, 1)
        stored_limit = scaled_limit.astype(np.float32)  # divided by the scale, as the demand is
    probability, minutes, known_bins = demand_forecast(demand, stored_limit)
    whole_minutes = np.where(np.isfinite(minutes), np.nan_to_num(minutes), NEVER).astype(np.int32)
    return BlockForecast(probability, whole_minutes, known_bins, ceiling, highest)


def _select_series(forecast: BlockForecast, flags: Flags) -> BlockForecast:
    """Return the forecast of the series whose flag is true."""
    return forecast._replace(
        probability=forecast.probability[flags],
        minutes=forecast.minutes[flags],
        known_bins=forecast.known_bins[flags],
        ceiling=forecast.ceiling[flags],
    )
